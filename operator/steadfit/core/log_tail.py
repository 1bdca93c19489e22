"""The end of a log as one readable line."""

from __future__ import annotations

LONGEST = 512
LINES = 3


def log_tail(text: str) -> str:
    """Return the last lines of a text, joined by ` | `: at most three, and at most 512 characters of them.

    The last line is always there, cut at its front if it is too long: an exception's last words are the telling ones.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    tail = lines[-1] if len(lines[-1]) <= LONGEST else "…" + lines[-1][1 - LONGEST :]
    for line in reversed(lines[-LINES:-1]):
        if len(line) + 3 + len(tail) > LONGEST:
            break
        tail = f"{line} | {tail}"
    return tail
