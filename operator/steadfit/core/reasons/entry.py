"""The form of an entry of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "Nothing to do."


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason: one word with one meaning, wherever it is shown.

    Attributes
    ----------
    meaning
        What is the case, in one sentence.
    next_step
        What an engineer on call does, in one sentence.
    conditions
        The conditions that have it, as `Kind/Type`. Those of `Ready` count for `Reconciling`, `Stalled` and
        `Finished` too.
    normal, warning
        The kinds that have an Event of this reason and of that type.
    """

    meaning: str
    next_step: str
    conditions: tuple[str, ...] = ()
    normal: tuple[str, ...] = ()
    warning: tuple[str, ...] = ()
