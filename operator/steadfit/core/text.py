"""Text in statuses and Events: maximum lengths, times, log tails, and differences with their intervals."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

LONGEST = 1024
"""Maximum length of a message or a reason in a status."""
LONGEST_TAIL = 512
TAIL_LINES = 3
_MESSAGE_KEYS = ("message", "msg", "event", "error")
_MOST_BYTES = 6
_ESCAPED = "<>&\u2028\u2029\x7f"
_PLAIN = re.compile(r"[ !#-%'-;=?-\[\]-~]*")
"""What takes one byte a character."""


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text, truncated with an ellipsis if it is too long.

    Its length is that of a stored object, so a status is bounded whatever it is written in: a letter of ASCII counts as
    one, and any other character by the bytes of its JSON.
    """
    if len(text) * _MOST_BYTES <= longest or stored_length(text) <= longest:
        return text
    kept, room = 0, longest - 1
    while kept < len(text) and (room := room - _bytes_of(text[kept])) >= 0:
        kept += 1
    return f"{text[:kept]}…"


def with_tail(text: str, tail: str, longest: int = LONGEST) -> str:
    """Return a text that `tail` ends; where both are too long, the text is truncated."""
    return f"{cut(text, longest - stored_length(tail))}{tail}"


def is_cut_of(short: str, text: str) -> bool:
    """Return whether a text is another one, truncated or not."""
    return short == text or (short.endswith("…") and text.startswith(short[:-1]))


def stored_length(text: str) -> int:
    """Return the length of a text as `cut` counts it."""
    return len(text) if _PLAIN.fullmatch(text) else sum(map(_bytes_of, text))


def _bytes_of(character: str) -> int:
    """Return the bytes of a character as the API server stores it: Go's JSON escapes these with six."""
    if character < " " or character in _ESCAPED:
        return _MOST_BYTES
    return 2 if character in '"\\' else len(character.encode("utf-8", "surrogatepass"))


def mounting(secrets: Sequence[str]) -> str:
    """Return what a pod does whose volumes are not mounted yet: only Events of the kubelet mention a missing Secret."""
    if not secrets:
        return "the pod's volumes are being mounted"
    named = " or ".join(f"Secret {name}" for name in secrets)
    return f"the pod's volumes are being mounted; if this lasts, `kubectl describe pod` says whether {named} is missing"


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

    Of a line of JSON they have its message and the last line of its exception.
    The last line is always included, truncated at its start if it is too long: it holds the message of an exception.
    """
    lines = [line for raw in text.splitlines() if (line := _without_json(raw.strip()))]
    if not lines:
        return ""
    tail = lines[-1] if len(lines[-1]) <= LONGEST_TAIL else "…" + lines[-1][1 - LONGEST_TAIL :]
    for line in reversed(lines[-TAIL_LINES:-1]):
        if len(line) + 3 + len(tail) > LONGEST_TAIL:
            break
        tail = f"{line} | {tail}"
    return tail


def _without_json(line: str) -> str:
    """Return what a person reads of a line of a log: the message of one in JSON, any other as it is."""
    if not line.startswith("{"):
        return line
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return line
    texts = [str(found[key]).strip() for key in _MESSAGE_KEYS if found.get(key)][:1]
    raised = str(found.get("exception") or "").strip().splitlines()[-1:]
    return " ".join(": ".join(part for part in (*texts, *raised) if part).split()) or line


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
