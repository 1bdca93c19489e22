"""The plan of a ModelVersion: the gate's verdict by the TrainingJob's thresholds and margin, and its quarantines.

Quarantines are kept in its status and, as a note beside its artifact, in the store.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from steadfit.api.modelversion import ModelVersionStatus
from steadfit.api.trainingjob import TrainingJob
from steadfit.core.conditions import DesiredCondition, merge, ready, reconciling, stalled
from steadfit.core.times_ahead import corrected
from steadfit.core.types import Event, ObservedModelVersion, Plan
from steadfit.core.versions import (
    champion_comparison,
    gate,
    quarantine_state,
    quarantine_sync,
    rollout_memory,
    serving_history,
)


def plan(observed: ObservedModelVersion, now: datetime) -> Plan:
    """Return the plan of a ModelVersion.

    An edit of a threshold or of the margin gives a new verdict while the TrainingJob exists. One of the metrics does
    not, as the version was not measured by them. The verdict decides over new rollouts only: a live version keeps
    serving.
    """
    observed = corrected(observed, now)
    version, job = observed.version, _judging_job(observed)
    before = version.status
    status = synced = quarantine_sync.follow(quarantine_state.recall(observed), observed, now)
    if job is not None and not gate.stands(version, job.spec.evaluation):
        evaluation = job.spec.evaluation
        judgements = gate.judge(version.spec.evaluation, evaluation)
        compared = champion_comparison.judge(version.spec.evaluation, evaluation)
        phase = gate.verdict(judgements, compared, evaluation)
        status = status.model_copy(update={"phase": phase, "judgements": judgements, "gate": compared})
    status = rollout_memory.follow(serving_history.follow(status, observed, now), observed)
    generation = version.metadata.generation
    status = status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": merge(before.conditions, _conditions(status, observed), generation, now),
        }
    )
    return Plan(
        status=status.dump(),
        actions=quarantine_sync.act(status, observed, now),
        events=(*_events(before, status), *serving_history.events(synced, observed, now)),
        requeue_at=quarantine_sync.due(status, now),
    )


def _judging_job(observed: ObservedModelVersion) -> TrainingJob | None:
    """Return the TrainingJob whose gate judges the version: its own, or for a first verdict one of the same name.

    A TrainingJob that was made again has a gate for its own versions only. A version whose status was lost with its
    TrainingJob, as in a restored cluster, would otherwise never have a verdict.
    """
    version, job = observed.version, observed.job
    own = job is not None and version.spec.training_job_ref.uid in (None, job.uid)
    return job if own or version.status.phase is None else None


def _conditions(status: ModelVersionStatus, observed: ObservedModelVersion) -> list[DesiredCondition]:
    return [*_verdict(status, observed), *quarantine_sync.conditions(status, observed)]


def _verdict(status: ModelVersionStatus, observed: ObservedModelVersion) -> list[DesiredCondition]:
    spec = observed.version.spec
    if status.quarantine is not None:
        entry = status.quarantine
        return stalled(
            "Quarantined", f"rolled back from ModelDeployment {entry.deployment} by {entry.by}: {entry.reason}"
        )
    if status.phase is None:
        return reconciling("AwaitingGate", f"waits for the gate of TrainingJob {spec.training_job_ref.name}")
    if status.phase == "Rejected":
        return stalled("Rejected", _message(status))
    if status.phase == "Held":
        return _held(status, observed)
    if spec.duplicate_of is not None:
        return ready("Duplicate", f"{_message(status)}; has the same artifact as {spec.duplicate_of}")
    return ready("Verified", _message(status))


def _held(status: ModelVersionStatus, observed: ObservedModelVersion) -> list[DesiredCondition]:
    """Return the conditions of a held version, which waits for a person or serves already."""
    digest = observed.version.spec.artifact.digest
    serving = [item.name for item in observed.deployments if item.status.live and item.status.live.digest == digest]
    if not serving:
        return stalled("Held", _message(status))
    message = status.gate.message if status.gate else ""
    return ready(
        "HeldVersionServing", f"{message}; ModelDeployment {', '.join(sorted(serving))} serves it nevertheless"
    )


def _message(status: ModelVersionStatus) -> str:
    return gate.message(status.judgements, status.gate, status.phase)


def _events(before: ModelVersionStatus, after: ModelVersionStatus) -> tuple[Event, ...]:
    events = []
    if after.phase != before.phase and after.phase is not None:
        kind: Literal["Normal", "Warning"] = "Normal" if after.phase == "Verified" else "Warning"
        events.append(Event(kind, after.phase, _message(after)))
    if after.quarantine is not None and before.quarantine is None:
        events.append(Event("Warning", "Quarantined", after.quarantine.reason))
    if after.quarantine is None and before.quarantine is not None:
        events.append(Event("Normal", "Released", f"released for ModelDeployment {before.quarantine.deployment}"))
    failed = after.note_failure
    if failed is not None and (before.note_failure is None or before.note_failure.message != failed.message):
        servings = failed.of == "Servings"
        events.append(Event("Warning", "ServingsNotStored" if servings else "QuarantineNotStored", failed.message))
    return tuple(events)
