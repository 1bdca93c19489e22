"""Judgement of a revision by the failures of its servers, beside those of the revision before it.

The first failure holds a candidate until its servers have stayed up for ten minutes, after which the kubelet, too,
takes a container for a sound one. Three within an hour fail it if the champion has had none in that hour; for each
failure of as many pods of the champion it takes three more, so a champion that restarts as often never fails a
candidate. A loss of readiness that lasts five minutes counts as three.

Both are compared in the same time. A list that is full is complete only since its oldest failure: that of the candidate
shortens the time for both, that of the champion gives a rate. Twelve failures without one of the champion between them
therefore always fail a candidate. If both versions fail as often, by chance, the first three are the candidate's with
a probability of 1/8 beside as many pods, 1/27 beside twice as many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import PodFailure, RevisionRef
from steadfit.core.serving import bake
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.selection.desired_revision import DesiredRevision
from steadfit.core.serving.traffic import failover, pod_shares
from steadfit.core.times_ahead import SKEW

from . import messages
from .pod_failures import MAX_ENTRIES, is_open

BY: Final = "stability"
FAILS_AT = 3
LASTING = timedelta(minutes=5)
"""From when on a loss of readiness counts as FAILS_AT failures."""
HOLD = timedelta(minutes=10)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Instability:
    """What the failures of a revision within the last hour lead to.

    Attributes
    ----------
    fails
        Whether they put it into quarantine.
    holds
        Whether it may not take more traffic now.
    changes_at
        When that may change without another failure; None if it does not.
    reason
        The failures in a sentence, with the next step.
    hold
        The same, with the end of the hold and the number that fails it.
    """

    fails: bool
    holds: bool
    changes_at: datetime | None
    reason: str
    hold: str

    @property
    def blocks(self) -> bool:
        """Whether it may not go on, also in a dry run, in which nothing fails."""
        return self.fails or self.holds


def of_candidate(
    ref: RevisionRef, status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet, now: datetime
) -> Instability | None:
    """Return the instability of the desired revision beside the live one; None without failures.

    What a person pins or promotes is judged by the person. The first version, and the replacement of one that was
    rolled back, are needed whatever they do. While the candidate answers alone it is held, and not failed.
    """
    live, stored = status.live, status.candidate
    if not status.pod_failures or live is None or live.revision == ref.revision:
        return None
    if desired.pinned or desired.promoted_by or is_quarantined(live, status, fleet):
        return None
    pods = fleet.desired_replicas
    if stored is not None and stored.revision == ref.revision:
        pods = pod_shares.desired_pods(stored, fleet.observed.deployment)
    may_fail = failover.stand_in(status, fleet) != ref.revision
    return _judge(ref, live, status, now, pods=(pods, fleet.desired_replicas), may_fail=may_fail)


def of_live(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Instability | None:
    """Return the instability of the live revision while it bakes; None without failures."""
    live = status.live
    if not status.pod_failures or live is None or not bake.applies(status, fleet.observed.deployment, now):
        return None
    return _judge(live, status.last_good, status, now, until=live.since)


def changes_at(status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet, now: datetime) -> list[datetime]:
    """Return the future times at which a judgement may change without another failure."""
    candidate, live = status.candidate, of_live(status, fleet, now)
    found = [live, of_candidate(candidate, status, desired, fleet, now) if candidate else None]
    times = [one.changes_at for one in found if one]
    return [at for at in (*times, bake.until(status, fleet.observed.deployment) if live else None) if at]


def _judge(
    ref: RevisionRef,
    champion: RevisionRef | None,
    status: ModelDeploymentStatus,
    now: datetime,
    *,
    pods: tuple[int, int] = (1, 1),
    until: datetime | None = None,
    may_fail: bool = True,
) -> Instability | None:
    """Return the judgement of a revision beside its champion.

    Parameters
    ----------
    pods
        The pods of the revision for so many pods of the champion.
    until
        Until when the champion took traffic, if it takes none now.
    """
    kept = [one for one in status.pod_failures if one.revision == ref.revision]
    own = [one for one in kept if _end(one, now) + HOUR > now]
    if not own:
        return None
    last = max(_end(one, now) for one in own)
    controls = [one for one in status.pod_failures if champion and one.revision == champion.revision]
    window = min(HOUR, last - (_complete_since(kept) or last - HOUR) + SKEW)
    others = _beside(controls, window, last, until, now)
    fails_at = FAILS_AT + _extra(others, controls, window, min(last, until or last), pods, now)
    reason = messages.reason(own, others, champion)
    lasting = [one.at + LASTING for one in own if is_open(one)]
    ends = None if lasting else last + HOLD
    expiring = [_end(one, now) + window for one in others if lasting]
    times = [at for at in (*lasting, *expiring, *([ends] if ends else [])) if at > now]
    return Instability(
        fails=may_fail and _weight(own, now) >= fails_at,
        holds=now < last + HOLD,
        changes_at=min(times, default=None),
        reason=reason,
        hold=messages.hold(reason, own[-1], ends, fails_at if fails_at <= MAX_ENTRIES else None, champion),
    )


def _complete_since(kept: Sequence[PodFailure]) -> datetime | None:
    """Return since when the list of a revision's failures is complete; None if it has dropped none."""
    # What lasts is kept longest, and says nothing about what was dropped.
    closed = [one.at for one in kept if not is_open(one)]
    return min(closed, default=None) if len(kept) >= MAX_ENTRIES else None


def _beside(
    controls: Sequence[PodFailure], window: timedelta, last: datetime, until: datetime | None, now: datetime
) -> list[PodFailure]:
    """Return the champion's failures in the time before the last failure of a revision, or before its own last traffic.

    In less than an hour those count that began in it, or a pod that hangs would protect a candidate for ever.
    """
    found = []
    for one in controls:
        at = _end(one, now) if window == HOUR else one.at
        if at > last - window or (until is not None and until - window < at <= until):
            found.append(one)
    return found


def _extra(
    others: Sequence[PodFailure],
    controls: Sequence[PodFailure],
    window: timedelta,
    until: datetime,
    pods: tuple[int, int],
    now: datetime,
) -> int:
    """Return how many more failures it takes: three for each of as many pods of the champion in as much time."""
    since = _complete_since(controls)
    covered = min(window, max(until - since, SECOND)) if since and since < until else window
    return math.ceil(FAILS_AT * _weight(others, now) * pods[0] * (window / covered) / max(1, pods[1]))


def _weight(failures: Sequence[PodFailure], now: datetime) -> int:
    """Return the number of failures; one that lasts counts as many as fail a candidate."""
    return sum(FAILS_AT if one.exit_code is None and _end(one, now) - one.at >= LASTING else 1 for one in failures)


def _end(failure: PodFailure, now: datetime) -> datetime:
    """Return when a failure ended: at its exit, or when the server was ready again."""
    return now if is_open(failure) else failure.until or failure.at
