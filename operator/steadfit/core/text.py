"""Text in statuses and Events: lengths, times, the end of a log, and differences with their intervals."""

from __future__ import annotations

from datetime import UTC, datetime

LONGEST = 1024
"""Characters of a message or a reason in a status."""
LONGEST_TAIL = 512
TAIL_LINES = 3


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text, with an ellipsis for its end if that does not fit."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def time_text(at: datetime) -> str:
    """Return a time in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: object) -> datetime | None:
    """Return the time that a text holds; None for what anybody may have written there instead of one."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def log_tail(text: str) -> str:
    """Return the last lines of a text, joined by ` | `: at most three, and at most 512 characters of them.

    The last line is always there, cut at its front if it is too long: an exception's last words are the telling ones.
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


def difference_words(difference: float, lower: float, upper: float) -> tuple[str, str]:
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
