"""Why something that is wished for cannot be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason for tools, in CamelCase, and a sentence for people."""

    reason: str
    message: str
