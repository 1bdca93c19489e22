"""How much the tests try that could try everything: every write of a story, every time zone, ever more random cases.

`make test` and a plain pytest try what the tests name. `EFFORT=sample`, which `make fast` sets, tries a part of it;
`EFFORT=all` hits every story at every write, everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

EFFORT = os.environ.get("EFFORT", "")
ALL = EFFORT == "all"
SAMPLE = EFFORT == "sample"

_PART = 4
"""One of so many is tried for a sample."""


def cases(number: int) -> int:
    """Return how many random cases to try where the suite tries `number`."""
    return max(5, number // _PART) if SAMPLE else number


def every(items: Sequence[Item]) -> Sequence[Item]:
    """Return what to try where the suite tries all."""
    return items[:: _PART * 2 | 1] if SAMPLE else items


def stories(items: Sequence[Item]) -> Sequence[Item]:
    """Return which stories to play with faults where the suite plays all."""
    return items[::_PART] if SAMPLE else items


def spread(items: Sequence[Item], number: int) -> Sequence[Item]:
    """Return so many items, evenly spread. An odd step meets every kind of what alternates."""
    if ALL:
        return items
    wanted = max(1, number // _PART) if SAMPLE else number
    return items[:: max(1, len(items) // wanted) | 1]
