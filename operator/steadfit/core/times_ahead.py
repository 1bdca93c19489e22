"""Times in a status that lie in the future: a leader whose clock was ahead wrote them.

They would keep a quarantine, a limit or a wait in force for as long as that clock was ahead. Each plan begins with its
own status corrected, so the next write stores the correction, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar, get_args

from steadfit.api.base import Model, Object, Planned

SKEW = timedelta(minutes=1)
"""How far two clocks may differ: a time that is ahead by less stands, and two times that are closer have no order."""

Observed = TypeVar("Observed")


def corrected(observed: Observed, now: datetime) -> Observed:
    """Return what a plan observes, with the status of its object corrected, and of the one that this refers to.

    Parameters
    ----------
    observed
        One of the `Observed…` of `core.types`.
    now
        What a time in the future becomes: the true one is not known, and it has passed.
    """
    objects = {field.name: getattr(observed, field.name) for field in fields(observed)}  # type: ignore[arg-type]
    changed = {name: _walk(value, now) for name, value in objects.items() if isinstance(value, Object)}
    return replace(observed, **changed)  # type: ignore[type-var]


def is_after(at: datetime, other: datetime) -> bool:
    """Return whether a time of one status is after a time of another by more than clocks differ.

    Two objects are corrected in two passes, and their decisions would seem to follow each other.
    """
    return at > other + SKEW


def _walk(value: Any, now: datetime, planned: Planned | None = None) -> Any:
    """Return a value whose times are corrected; the same object if none was."""
    if isinstance(value, datetime):
        return now if _is_ahead(value, now, planned) else value
    if isinstance(value, Object):
        status = value.status  # type: ignore[attr-defined]
        new = _walk(status, now)
        return value if new is status else value.model_copy(update={"status": new})
    if isinstance(value, Model):
        update = {}
        for name, mark in _times_of(type(value)):
            old = getattr(value, name)
            new = _walk(old, now, mark)
            if new is not old:
                update[name] = new
        return value.model_copy(update=update) if update else value
    if isinstance(value, list):
        items = [_walk(item, now) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


@cache
def _times_of(model: type[Model]) -> Sequence[tuple[str, Planned | None]]:
    """Return the fields that are or hold times, each with its mark: each pass looks at every status."""
    marks = {
        name: next((mark for mark in info.metadata if isinstance(mark, Planned)), None)
        for name, info in model.model_fields.items()
    }
    return [(name, mark) for name, mark in marks.items() if _holds_times(model.model_fields[name].annotation)]


def _holds_times(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, datetime):
        return True
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return bool(_times_of(annotation))
    return any(_holds_times(part) for part in get_args(annotation))


def _is_ahead(at: datetime, now: datetime, planned: Planned | None) -> bool:
    if planned is None:
        return at > now + SKEW
    return planned.within is not None and at > now + planned.within + SKEW
