"""A difference of two versions with its interval, in the words of a person."""

from __future__ import annotations


def words(difference: float, lower: float, upper: float) -> tuple[str, str]:
    """Return `better by …` or `worse by …`, and the 95 % interval of just that.

    Parameters
    ----------
    difference, lower, upper
        By how much something is better, and the ends of the interval; negative is worse.
    """
    side = "better"
    if difference < 0:
        side, difference, lower, upper = "worse", -difference, -upper, -lower
    return f"{side} by {difference:.4g}", f"95 % interval {lower:+.4g} to {upper:+.4g}"
