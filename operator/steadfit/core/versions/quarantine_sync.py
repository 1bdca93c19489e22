"""Writes quarantines, releases and servings to the store: by one Job at a time, with growing pauses between attempts.

The status comes first: it holds what is to be written, and it records the success of a Job before the Job is deleted.
No Job starts beside another, because two writers of one note could undo each other. One that writes servings gives way
to a quarantine or a release: it may be repeated.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from steadfit.api.modelversion import ModelVersionStatus, NoteFailure
from steadfit.core import store_choice
from steadfit.core.conditions import DesiredCondition
from steadfit.core.runs.runtime import job
from steadfit.core.serving.quarantine import quarantines_of
from steadfit.core.text import cut, log_tail
from steadfit.core.types import Action, Create, Delete, Manifest, ObservedModelVersion

from . import quarantine_pod, quarantine_state, serving_history
from .quarantine_state import Change

STORED: Final = "QuarantineStored"
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)


def follow(status: ModelVersionStatus, observed: ObservedModelVersion, now: datetime) -> ModelVersionStatus:
    """Return the status after the outcome of the Job."""
    change = _change(status, observed)
    if not change or (status.note_failure is not None and status.note_failure.of != _kind(change)):
        status = status.model_copy(update={"note_failure": None})
    workload, before = _workload(observed), status.note_failure
    if not change or workload is None or job.is_deleted(workload):
        return status
    if not quarantine_pod.is_for(workload, observed.version, change):
        return status
    if job.is_complete(workload) and change.served:
        return serving_history.stored(status, change.served).model_copy(update={"note_failure": None})
    if job.is_complete(workload):
        return quarantine_state.learned(status, change, observed).model_copy(update={"note_failure": None})
    uid = workload["metadata"]["uid"]
    if job.failed(workload) is None or (before is not None and before.job == uid):
        return status
    failures = before.failures + 1 if before else 1
    failure = NoteFailure(
        failures=failures,
        job=uid,
        retry_at=now + min(FIRST_PAUSE * 2 ** min(failures - 1, 16), LONGEST_PAUSE),
        message=cut(_why(workload, observed)),
        of=_kind(change),
    )
    return status.model_copy(update={"note_failure": failure})


def act(status: ModelVersionStatus, observed: ObservedModelVersion, now: datetime) -> tuple[Action, ...]:
    """Return the action that is due: create the Job, or delete it once it is over or in the way of a quarantine."""
    change, failure = _change(status, observed), status.note_failure
    workload = _workload(observed)
    if workload is not None:
        # It may be suspended in a queue without an end.
        gives_way = not change.served and bool(change) and quarantine_pod.writes_servings(workload)
        done = (job.is_over(workload) or gives_way) and not job.is_deleted(workload)
        return (Delete(job.reference(workload)),) if done else ()
    if not change or observed.platform is None or (failure is not None and now < failure.retry_at):
        return ()
    store = store_choice.by_name(observed.version.spec.store_ref.name, observed.stores)
    if isinstance(store, str):
        return ()
    return (Create(quarantine_pod.render(observed.version, change, observed.job, store, observed.platform)),)


def due(status: ModelVersionStatus, now: datetime) -> datetime | None:
    """Return when the next attempt is due."""
    failure = status.note_failure
    return failure.retry_at if failure is not None and now < failure.retry_at else None


def conditions(status: ModelVersionStatus, observed: ObservedModelVersion) -> list[DesiredCondition]:
    """Return whether the store has what the status says of the quarantine, or why it does not."""
    change = quarantine_state.change(status, observed)
    if not change:
        if quarantines_of(status):
            return [DesiredCondition(STORED, "True", "Stored", "the quarantine is written beside the artifact")]
        return [DesiredCondition(STORED, "True", "NotQuarantined", "the version is not in quarantine")]
    store = store_choice.by_name(observed.version.spec.store_ref.name, observed.stores)
    if isinstance(store, str):
        return [DesiredCondition(STORED, "False", "StoreNotUsable", _not_written(change, store))]
    if status.note_failure is None:
        message = "the quarantine is being written beside the artifact" if change.put else "the note is being deleted"
        return [DesiredCondition(STORED, "False", "WritePending", message)]
    return [DesiredCondition(STORED, "False", "WriteFailed", _not_written(change, status.note_failure.message))]


def _change(status: ModelVersionStatus, observed: ObservedModelVersion) -> Change:
    """Return what is to be written next: servings come after every quarantine and release."""
    return quarantine_state.change(status, observed) or Change(served=serving_history.waiting(status.served))


def _kind(change: Change) -> Literal["Quarantine", "Servings"]:
    return "Servings" if change.served else "Quarantine"


def _not_written(change: quarantine_state.Change, why: str) -> str:
    if change.put:
        return f"the quarantine is not written beside the artifact, and would not outlive this cluster: {why}"
    return f"the note of the quarantine still lies beside the artifact, so its server refuses it: {why}"


def _workload(observed: ObservedModelVersion) -> Manifest | None:
    name = quarantine_pod.name(observed.version)
    return next((item for item in observed.workloads if item["metadata"]["name"] == name), None)


def _why(workload: Manifest, observed: ObservedModelVersion) -> str:
    """Return the message of the pod, why it was refused, else that of the Job: a pod that took too long is deleted."""
    for pod in observed.pods:
        for container in pod.get("status", {}).get("containerStatuses", []):
            tail = log_tail(str(container.get("state", {}).get("terminated", {}).get("message", "")))
            if tail:
                return tail
    if cause := observed.refusals.get(workload["metadata"]["name"]):
        return f"its pod is refused: {cause}"
    return str((job.failed(workload) or {}).get("message", "")) or "its pod failed"
