"""How often what someone else changes is put right: three times at once, and then ever more rarely.

After the third repair the operator waits ten minutes, and twice as long after each further one, up to six hours. A
contest ends when nobody has changed the object for an hour, and no repair interrupts it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, TypeVar

from steadfit.api.rollout import Repair

LIMIT = 3
FIRST_PAUSE = timedelta(minutes=10)
DOUBLINGS = 6
LONGEST_PAUSE = timedelta(hours=6)
QUIET = timedelta(hours=1)
RETRY = timedelta(minutes=1)
"""How long one repair may take. After that it has failed or was undone at admission, and the next one counts."""

Entry = TypeVar("Entry", bound=Repair)
Step = Literal["go on", "wait", "repair"]


def step(entry: Repair | None, now: datetime, *, same: bool) -> Step:
    """Return what comes next for a changed object; `same` is whether the change is the one that is being put right."""
    if entry is not None and same and now < entry.at + RETRY:
        return "go on"
    return "wait" if entry is not None and now < entry.at + _pause(entry.count) else "repair"


def rest(entry: Entry, now: datetime) -> Entry:
    """Return the entry of an object that is as it should be."""
    return entry if entry.since is not None else entry.model_copy(update={"since": now})


def is_kept(entry: Repair, now: datetime) -> bool:
    """Return whether an entry is still needed: nobody has changed the object for less than an hour."""
    return entry.since is None or now < entry.since + QUIET


def waits(entry: Repair) -> bool:
    """Return whether the next repair of a changed object waits."""
    return entry.since is None and not entry.under_way


def due(entry: Repair) -> datetime:
    """Return when a repair has to be made, has failed or is forgotten."""
    if entry.since is not None:
        return entry.since + QUIET
    return entry.at + (RETRY if entry.under_way else _pause(entry.count))


def contest(entry: Repair, what: str, command: str) -> str:
    """Return who has to do what about an object that was put right too often; empty if it was not.

    A fourth change begins the contest. `what` is the object, and `command` shows who has changed it.
    """
    if entry.count < LIMIT or (entry.count == LIMIT and not waits(entry)):
        return ""
    if entry.since is not None:
        state = f"nobody has since {entry.since:%H:%M:%S} UTC, and this ends at {due(entry):%H:%M:%S} UTC"
    elif waits(entry):
        state = f"it is next put right at {due(entry):%H:%M:%S} UTC"
    else:
        state = "the last repair is under way"
    return (
        f"someone else changes {entry.field} of {what} again and again; it was put right {entry.count} times; {state}:"
        f" find who does it ({command} --show-managed-fields -o yaml), stop it, and set the field back or wait"
    )


def _pause(count: int) -> timedelta:
    """Return how long after so many repairs the next one waits."""
    if count < LIMIT:
        return timedelta()
    return min(FIRST_PAUSE * (1 << min(count - LIMIT, DOUBLINGS)), LONGEST_PAUSE)
