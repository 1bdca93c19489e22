"""The year of the demo: which months are played, and when somebody commits something to Git.

Pure. A time is a number: 9.25 is a quarter through September.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

LEARNED = (1, 2)
"""January and February: what the first version learns from. Traffic begins in March."""
WHOLE = 12
COMMIT, LATEST_COMMIT = 8.75, 10.0
"""When the feed with metric units is committed: from the first of these on, as soon as nothing is on its way, and at
the second whatever is. A version that comes of it in the middle of another rollout was compared with what that one is
about to replace, so it would never be tried."""
FEED_ENDS = 7
"""The last month in that feed."""
REVERT = 10.55
"""When that commit is reverted, at the earliest."""
LOOKED_AT = 0.1
"""How long it is watched, in months, that nothing comes of applying the same manifests again."""

Act = Literal["commit", "apply again", "revert"]


@dataclass(frozen=True)
class Situation:
    """What the acts depend on.

    Attributes
    ----------
    at
        Time of the year.
    idle
        Whether no run, verdict or rollout is under way.
    quarantined
        Whether the version that came of the commit is in quarantine.
    done
        When each act was done.
    """

    at: float
    idle: bool
    quarantined: bool
    done: Mapping[Act, float]


def due(now: Situation) -> Act | None:
    """Return what is to be done now."""
    if "commit" not in now.done:
        return "commit" if now.at >= LATEST_COMMIT or (now.at >= COMMIT and now.idle) else None
    if "apply again" not in now.done:
        return "apply again" if now.quarantined else None
    looked = now.at >= now.done["apply again"] + LOOKED_AT
    return "revert" if "revert" not in now.done and looked and now.at >= REVERT else None


def played(months: int) -> range:
    """Return the months whose flights are played when the year has so many.

    Raises
    ------
    ValueError
        When there are none.
    """
    first = LEARNED[-1] + 1
    if not first <= months <= WHOLE:
        raise ValueError(
            f"MONTHS={months}: a demo has {first} to {WHOLE} months, those before {first} are learned from"
        )
    return range(first, months + 1)


def time_of(state: Mapping[str, Any]) -> float:
    """Return the time of the year by what the replay says of itself; a month that is played again is over."""
    return int(str(state["month"])[-2:]) + min(float(state["played"]), 1.0)
