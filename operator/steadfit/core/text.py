"""Text in statuses and Events: maximum lengths, times, log tails, and differences with their intervals."""

from __future__ import annotations

from datetime import UTC, datetime

LONGEST = 1024
"""Maximum characters of a message or a reason in a status."""
LONGEST_TAIL = 512
TAIL_LINES = 3


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text, truncated with an ellipsis if it is too long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def time_text(at: datetime) -> str:
    """Return a time as RFC 3339 in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: object) -> datetime | None:
    """Return the time that a text holds; None if it is not a time with a time zone."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def log_tail(text: str) -> str:
    """Return the last lines of a text, joined by ` | `: at most three lines and 512 characters.

    The last line is always included, truncated at its start if it is too long: it holds the message of an exception.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    tail = lines[-1] if len(lines[-1]) <= LONGEST_TAIL else "…" + lines[-1][1 - LONGEST_TAIL :]
    for line in reversed(lines[-TAIL_LINES:-1]):
        if len(line) + 3 + len(tail) > LONGEST_TAIL:
            break
        tail = f"{line} | {tail}"
    return tail


def difference_text(difference: float, lower: float, upper: float) -> tuple[str, str]:
    """Return `better by …` or `worse by …`, and the 95 % interval with the same sign.

    Parameters
    ----------
    difference, lower, upper
        The difference and the ends of its interval; positive is better.
    """
    side = "better"
    if difference < 0:
        side, difference, lower, upper = "worse", -difference, -upper, -lower
    return f"{side} by {difference:.4g}", f"95 % interval {lower:+.4g} to {upper:+.4g}"
