"""The texts in a list of a status: of older entries only their beginning is kept.

A list may have a hundred entries, and a text a thousand letters. The Event of an entry has the long text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from steadfit.api.base import Model

from .text import cut

NEWEST: Final = 4
"""How many of the newest entries keep long texts."""
ONE_EACH: Final = 8
"""The same of a list with one entry a monitor or a metric."""
LAST_WORDS: Final = 200
"""Longest message of the last failure of a server."""
LONG: Final[Mapping[str, int]] = {"reason": 512, "message": 512, "by": 256, "requested_by": 256, "query": 512}
SHORT: Final[Mapping[str, int]] = {"reason": 96, "message": 96, "by": 96, "requested_by": 96, "query": 96}

Entry = TypeVar("Entry", bound=Model)


def shortened(
    entries: Sequence[Entry], newest: int = NEWEST, is_needed: Callable[[Entry], bool] = lambda entry: False
) -> list[Entry]:
    """Return the entries of a list, oldest first, with their texts as long as there is room for.

    Parameters
    ----------
    newest
        How many of them keep long texts.
    is_needed
        Whether an older one keeps long texts too: they have yet to be copied.
    """
    older = len(entries) - newest
    return [
        _shortened(entry, LONG if index >= older or is_needed(entry) else SHORT) for index, entry in enumerate(entries)
    ]


def _shortened(entry: Entry, limits: Mapping[str, int]) -> Entry:
    texts = {name: getattr(entry, name) for name in limits if getattr(entry, name, None)}
    changed = {name: short for name, text in texts.items() if (short := cut(text, limits[name])) != text}
    return entry.model_copy(update=changed) if changed else entry
