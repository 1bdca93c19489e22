"""How the store learns of a quarantine or a release: one Job at a time, tried again with growing pauses.

The status comes first: what is to be written is read off it, and a Job that succeeded is seen before it is deleted. A
Job that still runs is never overtaken, for two writers of one note could undo each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from steadfit.api.modelversion import ModelVersionStatus, NoteFailure
from steadfit.core import store_choice
from steadfit.core.conditions import DesiredCondition
from steadfit.core.runs.runtime import job
from steadfit.core.text import cut, log_tail
from steadfit.core.types import Action, Create, Delete, Manifest, ObservedModelVersion

from . import quarantine_pod, quarantine_state

STORED: Final = "QuarantineStored"
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)


def follow(status: ModelVersionStatus, observed: ObservedModelVersion, now: datetime) -> ModelVersionStatus:
    """Return the status after what the Job brought."""
    change = quarantine_state.change(status, observed)
    if not change:
        return status.model_copy(update={"note_failure": None})
    workload, before = _workload(observed), status.note_failure
    if workload is None or job.is_deleted(workload) or not quarantine_pod.is_for(workload, change):
        return status
    if job.is_complete(workload):
        return quarantine_state.learned(status, change).model_copy(update={"note_failure": None})
    uid = workload["metadata"]["uid"]
    if job.failed(workload) is None or (before is not None and before.job == uid):
        return status
    failures = before.failures + 1 if before else 1
    failure = NoteFailure(
        failures=failures,
        job=uid,
        retry_at=now + min(FIRST_PAUSE * 2 ** min(failures - 1, 16), LONGEST_PAUSE),
        message=cut(_why(workload, observed.pods)),
    )
    return status.model_copy(update={"note_failure": failure})


def act(status: ModelVersionStatus, observed: ObservedModelVersion, now: datetime) -> tuple[Action, ...]:
    """Return what brings the store to know."""
    change, failure = quarantine_state.change(status, observed), status.note_failure
    workload = _workload(observed)
    if workload is not None:
        done = job.is_over(workload) and not job.is_deleted(workload)
        return (Delete(job.reference(workload)),) if done else ()
    if not change or observed.platform is None or (failure is not None and now < failure.retry_at):
        return ()
    store = store_choice.by_name(observed.version.spec.store_ref.name, observed.stores)
    if isinstance(store, str):
        return ()
    return (Create(quarantine_pod.render(observed.version, change, observed.job, store, observed.platform)),)


def due(status: ModelVersionStatus, now: datetime) -> datetime | None:
    """Return when it is tried again."""
    failure = status.note_failure
    return failure.retry_at if failure is not None and now < failure.retry_at else None


def conditions(status: ModelVersionStatus, observed: ObservedModelVersion) -> list[DesiredCondition]:
    """Return the condition that says why the store does not know; none while nothing is wrong."""
    change = quarantine_state.change(status, observed)
    if not change:
        return []
    store = store_choice.by_name(observed.version.spec.store_ref.name, observed.stores)
    if isinstance(store, str):
        return [DesiredCondition(STORED, "False", "StoreNotFound", _not_written(change, store))]
    if status.note_failure is None:
        return []
    return [DesiredCondition(STORED, "False", "NotWritten", _not_written(change, status.note_failure.message))]


def _not_written(change: quarantine_state.Change, why: str) -> str:
    if change.put:
        return f"the quarantine is not written beside the artifact, and would not outlive this cluster: {why}"
    return f"the note of the quarantine is not taken away from beside the artifact, so its server refuses it: {why}"


def _workload(observed: ObservedModelVersion) -> Manifest | None:
    name = quarantine_pod.name(observed.version)
    return next((item for item in observed.workloads if item["metadata"]["name"] == name), None)


def _why(workload: Manifest, pods: Sequence[Manifest]) -> str:
    """Return the last words of the pod; else the Job's own, for a pod that is over its time is gone."""
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses", []):
            said = log_tail(str(container.get("state", {}).get("terminated", {}).get("message", "")))
            if said:
                return said
    return str((job.failed(workload) or {}).get("message", "")) or "its pod failed"
