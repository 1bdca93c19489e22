"""The plan of a ModelVersion: it is judged by the recipe's thresholds, and shows that it was rolled back."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modelversion import ModelVersionStatus, Quarantine
from steadfit.core import gate
from steadfit.core.conditions import Wish, merge, ready, reconciling, stalled
from steadfit.core.types import Event, ObservedModelVersion, Plan


def plan(observed: ObservedModelVersion, now: datetime) -> Plan:
    """Decide over a ModelVersion. An edit of a threshold judges it again; without its recipe the verdict stays."""
    version, job = observed.version, observed.job
    before = version.status
    status = before.model_copy(update={"quarantine": before.quarantine or _quarantine(observed)})
    if job is not None:
        judgements = gate.judge(version.spec.evaluation, job.spec.evaluation)
        status = status.model_copy(update={"phase": gate.verdict(judgements), "judgements": judgements})
    generation = version.metadata.generation
    status = status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": merge(before.conditions, _conditions(status, observed), generation, now),
        }
    )
    return Plan(status=status.dump(), events=_events(before, status))


def _quarantine(observed: ObservedModelVersion) -> Quarantine | None:
    """Return the first entry by which a deployment rolled this very artifact back."""
    found = [
        Quarantine(reason=entry.reason, by=entry.by, at=entry.at, deployment=deployment.name, revision=entry.revision)
        for deployment in observed.deployments
        for entry in deployment.status.quarantine
        if entry.digest == observed.version.spec.artifact.digest
    ]
    return min(found, key=lambda entry: (entry.at, entry.deployment), default=None)


def _conditions(status: ModelVersionStatus, observed: ObservedModelVersion) -> list[Wish]:
    spec = observed.version.spec
    if status.quarantine is not None:
        entry = status.quarantine
        return stalled(
            "Quarantined", f"rolled back from ModelDeployment {entry.deployment} by {entry.by}: {entry.reason}"
        )
    if status.phase is None:
        return reconciling("NotJudged", f"waits for the thresholds of TrainingJob {spec.training_job_ref.name}")
    if status.phase == "Rejected":
        return stalled("Rejected", gate.words(status.judgements))
    if spec.duplicate_of is not None:
        return ready("Duplicate", f"has the same artifact as {spec.duplicate_of}; it is not rolled out")
    return ready("Verified", gate.words(status.judgements))


def _events(before: ModelVersionStatus, after: ModelVersionStatus) -> tuple[Event, ...]:
    told = []
    if after.phase == "Verified" and before.phase != "Verified":
        told.append(Event("Normal", "VersionVerified", gate.words(after.judgements)))
    if after.phase == "Rejected" and before.phase != "Rejected":
        told.append(Event("Warning", "VersionRejected", gate.words(after.judgements)))
    if after.quarantine is not None and before.quarantine is None:
        told.append(Event("Warning", "VersionQuarantined", after.quarantine.reason))
    return tuple(told)
