"""Judgement of a revision by the failures of its servers, beside those of the revision before it.

The first failure holds a candidate until its servers have stayed up for ten minutes, after which the kubelet, too,
takes a container for a sound one. Three within an hour fail it if the champion has had none; for each failure of the
champion it takes three more, so a champion that restarts as often never fails a candidate. A loss of readiness that
lasts five minutes counts as three.

The champion's failures count from an hour before the candidate takes traffic. If both versions fail as often, by
chance, the first three are the candidate's with a probability of 1/8 beside as many pods, 1/27 beside twice as many.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, PodFailure, RevisionRef
from steadfit.core.serving import bake
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.selection.desired_revision import DesiredRevision
from steadfit.core.serving.traffic import failover

from . import messages
from .pod_failures import is_open

BY: Final = "stability"
FAILS_AT = 3
LASTING = timedelta(minutes=5)
"""From when on a loss of readiness counts as FAILS_AT failures."""
HOLD = timedelta(minutes=10)
HOUR = timedelta(hours=1)


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
    same = stored is not None and stored.revision == ref.revision
    began = (stored.analysed_since or stored.since) if isinstance(stored, Candidate) and same else now
    return _judge(ref, live, began, status, now, may_fail=failover.stand_in(status, fleet) != ref.revision)


def of_live(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Instability | None:
    """Return the instability of the live revision while it bakes; None without failures."""
    live = status.live
    if not status.pod_failures or live is None or not bake.applies(status, fleet.observed.deployment, now):
        return None
    return _judge(live, status.last_good, live.since, status, now, may_fail=True)


def changes_at(status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet, now: datetime) -> list[datetime]:
    """Return the future times at which a judgement may change without another failure."""
    candidate, live = status.candidate, of_live(status, fleet, now)
    found = [live, of_candidate(candidate, status, desired, fleet, now) if candidate else None]
    times = [one.changes_at for one in found if one]
    return [at for at in (*times, bake.until(status, fleet.observed.deployment) if live else None) if at]


def _judge(
    ref: RevisionRef,
    champion: RevisionRef | None,
    began: datetime,
    status: ModelDeploymentStatus,
    now: datetime,
    *,
    may_fail: bool,
) -> Instability | None:
    own = [one for one in status.pod_failures if one.revision == ref.revision and _end(one, now) + HOUR > now]
    if not own:
        return None
    others = [one for one in status.pod_failures if champion and one.revision == champion.revision]
    others = [one for one in others if _end(one, now) + HOUR > began]
    fails_at = FAILS_AT * (1 + _weight(others, now))
    last = max(_end(one, now) for one in own) + HOLD
    reason = messages.reason(own, others, champion)
    lasting = [one.at + LASTING for one in own if is_open(one)]
    ends = None if lasting else last
    times = [at for at in (*lasting, *([last] if ends else [])) if at > now]
    return Instability(
        fails=may_fail and _weight(own, now) >= fails_at,
        holds=now < last,
        changes_at=min(times, default=None),
        reason=reason,
        hold=messages.hold(reason, ends, fails_at),
    )


def _weight(failures: list[PodFailure], now: datetime) -> int:
    """Return the number of failures; one that lasts counts as many as fail a candidate."""
    return sum(FAILS_AT if one.exit_code is None and _end(one, now) - one.at >= LASTING else 1 for one in failures)


def _end(failure: PodFailure, now: datetime) -> datetime:
    """Return when a failure ended: at its exit, or when the server was ready again."""
    return now if is_open(failure) else failure.until or failure.at
