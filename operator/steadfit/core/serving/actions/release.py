"""Release: ends the quarantine of a version here, in its own status, and in the note beside its artifact.

It rolls nothing out, as a released version is older than the live one. Promote or Pin serves it. One that was rolled
back and still serves, because its replacement is not ready yet, continues to serve: the rollback is over.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import QuarantineEntry, Released
from steadfit.core.problem import Problem
from steadfit.core.serving.action_result import ActionResult, author
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.selection import decision_records, served
from steadfit.core.serving.status_bounds import has_room_to_release


def release(status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime) -> ActionResult | Problem:
    """Return the status without quarantine entries of a version, or why the Release is rejected.

    An existing version can be released even if no status has a quarantine: the note beside its artifact outlives the
    cluster, and only a Release deletes it.
    """
    number = action.spec.version
    version = next(iter(fleet.versions.numbered(number or 0)), None)
    entries = [entry for entry in status.quarantine if _is_of(entry, number, version)]
    if number is None or (version is None and not entries):
        job = fleet.observed.deployment.training_job
        return Problem("VersionNotFound", f"there is no version {number} of TrainingJob {job}")
    if not has_room_to_release(status, fleet):
        return Problem(
            "TooManyReleased",
            f"the notes of {len(status.released)} versions that were released are not deleted from the store yet; the"
            f" condition QuarantineStored of these ModelVersions says why; Release version {number} after that",
        )
    digests = [digest for entry in entries if (digest := entry.artifact or entry.digest)]
    released = Released(
        version=version.name if version else entries[0].version,
        number=number,
        digest=version.spec.artifact.digest if version else next(iter(digests), None),
        action=action.name,
        by=author(action),
        at=now,
    )
    others = [item for item in status.released if (item.version, item.digest) != (released.version, released.digest)]
    further = decision_records.revisions_of(released.digest, fleet) if released.digest else set()
    update = {
        "quarantine": [entry for entry in status.quarantine if entry not in entries],
        "further_decisions": [one for one in status.further_decisions if one not in further],
        "released": [*others, released],
    }
    after = _without_rollback(status.model_copy(update=update), released, fleet, now)
    if version is None:
        return ActionResult(
            after, f"version {number} is released; its ModelVersion is gone, so the note beside its artifact stays"
        )
    return ActionResult(
        after, f"version {number} is released; the note beside its artifact is being deleted", done=False
    )


def _without_rollback(
    status: ModelDeploymentStatus, released: Released, fleet: Fleet, now: datetime
) -> ModelDeploymentStatus:
    """Return the status in which no Rollback of the released version is in progress.

    It is the last one that was let through again; the replacement, which never served, had taken that place.
    """
    live = status.live
    if live is None or live.digest != released.digest or is_quarantined(live, status, fleet):
        return status
    if served.is_let_through(live, status):
        status = served.enter(status, live, now)
    message = f"version {live.number} was released by {released.by} before another version had replaced it"
    ended = {"phase": "Rejected", "reason": "RollbackEnded", "message": message, "at": now}
    return status.model_copy(
        update={
            "actions": [
                record.model_copy(update=ended) if (record.verb, record.phase) == ("Rollback", "Pending") else record
                for record in status.actions
            ]
        }
    )


def released_by(action: str, status: ModelDeploymentStatus) -> Released | None:
    """Return the release of an action; None if a later action released the version again."""
    return next((item for item in status.released if item.action == action), None)


def _is_of(entry: QuarantineEntry, number: int | None, version: ModelVersion | None) -> bool:
    if version is None:
        return entry.number == number
    artifact = entry.artifact or entry.digest
    return artifact == version.spec.artifact.digest if artifact else entry.version == version.name
