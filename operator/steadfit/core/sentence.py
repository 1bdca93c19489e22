"""Sentences that a status keeps: as long as its schema allows, and where one is cut it says so."""

from __future__ import annotations

LONGEST = 1024
"""Characters of a message or a reason in a status."""


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text, with an ellipsis for its end if that does not fit."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
