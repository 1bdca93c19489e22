"""The clocks of a candidate stand still while no time counts against it.

At 0 replicas no pod can become ready and no metric gets a verdict. While the candidate answers alone, there is no
champion to compare it with. While its share is not in force, a step shows nothing. While the Service is someone else's,
nothing takes over, and a person has to give it back. A clock that began anew afterwards
would never run out under an autoscaler that goes to 0 and back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, ClockStop
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.traffic import failover, service, share_in_force

_CLOCKS: Mapping[ClockStop, Sequence[str]] = {
    "ScaledToZero": ("phase_since", "inconclusive_since"),
    # The deadline of a phase runs on: the candidate's own pods can become ready.
    "AnswersAlone": ("inconclusive_since",),
    "NotInForce": ("inconclusive_since", "step_since"),
    "ServiceNotOwned": ("phase_since", "inconclusive_since", "step_since"),
}


OUT_OF_FORCE: Sequence[ClockStop] = ("NotInForce", "ServiceNotOwned")
"""Stops while the share of a canary's candidate is not in force."""


def stop_or_resume(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with the candidate's clocks stopped, or put forward by the time for which they stood still."""
    candidate = status.candidate
    if candidate is None:
        return status
    stop = _stop(status, candidate, fleet)
    if stop == candidate.stopped_by:
        return status
    update = {**_resumed(candidate, now), "stopped_by": stop, "stopped_since": now if stop else None}
    return status.model_copy(update={"candidate": candidate.model_copy(update=update)})


def _stop(status: ModelDeploymentStatus, candidate: Candidate, fleet: Fleet) -> ClockStop | None:
    if fleet.desired_replicas == 0:
        return "ScaledToZero"
    if service.taken(status, fleet):
        return "ServiceNotOwned"
    if candidate.analysed_since is None:
        return None
    if failover.stand_in(status, fleet) == candidate.revision:
        return "AnswersAlone"
    analysed = candidate.phase == "Analysing"
    return "NotInForce" if analysed and share_in_force.problem(candidate, fleet) is not None else None


def _resumed(candidate: Candidate, now: datetime) -> dict[str, datetime | int]:
    """Return the beginnings of the clocks that stood still, later by that time, and the sum of such times."""
    stopped, by = candidate.stopped_since, candidate.stopped_by
    if stopped is None:
        return {}
    begins = {clock: getattr(candidate, clock) for clock in _CLOCKS[by or "AnswersAlone"]}
    put_forward = {clock: begin + (now - max(begin, stopped)) for clock, begin in begins.items() if begin is not None}
    if by != "NotInForce":
        return put_forward
    # Its deadline bounds the sum: a share that is in force for a second each hour would never be given up.
    seconds = candidate.not_in_force_seconds + max(0, int((now - stopped).total_seconds()))
    return {**put_forward, "not_in_force_seconds": seconds}
