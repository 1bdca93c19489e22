"""Quarantine by a person: an artifact takes no traffic here, with any pod template, until it is released."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus, Pin
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import Override, Promoted, QuarantineEntry, RevisionRef
from steadfit.core import names
from steadfit.core.problem import Problem
from steadfit.core.serving.action_result import ActionResult, author
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import author_of, is_quarantined, is_version_quarantined
from steadfit.core.serving.recovery.rollback import restore
from steadfit.core.serving.revisions.revision import render
from steadfit.core.serving.selection import pin

Ref = TypeVar("Ref", bound=RevisionRef)


def quarantine(
    status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime
) -> ActionResult | Problem:
    """Return the status with a version in quarantine, or why the Quarantine is rejected.

    The live version is rolled back in the same write. Where no version that served before is left it is rejected,
    because a doubtful version is better than none.
    """
    number = action.spec.version
    version = pin.find(Pin(version=number), fleet) if number is not None else None
    if version is None:
        job = fleet.observed.deployment.training_job
        return Problem("VersionNotFound", f"there is no version {number} of TrainingJob {job}")
    if is_version_quarantined(version, status, fleet):
        # Two people who bar one version both want it barred.
        return ActionResult(
            status, f"version {version.spec.number} is in quarantine already, by {author_of(version, status, fleet)}"
        )
    digest, live = version.spec.artifact.digest, status.live
    after = _entered(version, status, action, fleet, now)
    message = f"version {version.spec.number} is in quarantine until Release"
    if live is not None and live.digest == digest and not is_quarantined(live, status, fleet):
        reason, by = action.spec.reason, author(action)
        back = restore(status, fleet, number=None, reason=reason, by=by, now=now, excluding={digest})
        if isinstance(back, Problem) and back.reason == "NoRollbackTarget":
            return replace(back, message=f"version {version.spec.number} serves, and {back.message}")
        if isinstance(back, Problem):
            return back
        after = back.model_copy(update={"quarantine": after.quarantine})
        message += f"; rolling back to version {back.candidate.number}" if back.candidate else ""
    return ActionResult(_without(digest, after, fleet), message)


def _entered(
    version: ModelVersion, status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime
) -> ModelDeploymentStatus:
    """Return the status with a quarantine entry for every known revision of the artifact."""
    revisions = _revisions(version, status, fleet)
    entries = [
        QuarantineEntry(
            revision=revision,
            version=version.name,
            number=version.spec.number,
            digest=version.spec.artifact.digest,
            artifact=version.spec.artifact.digest,
            reason=action.spec.reason,
            by=author(action),
            at=now,
        )
        for revision in revisions
    ]
    others = [entry for entry in status.quarantine if entry.revision not in revisions]
    return status.model_copy(update={"quarantine": [*others, *entries]})


def _revisions(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> list[str]:
    """Return the known revisions of an artifact; without one, the revision that the current spec renders to."""
    digest = version.spec.artifact.digest
    known = [ref.revision for ref in (status.live, status.last_good, status.candidate) if ref and ref.digest == digest]
    known += [
        item.revision
        for item in fleet.workloads
        if item.manifest["metadata"].get("annotations", {}).get(names.DIGEST_ANNOTATION) == digest
    ]
    if not known:
        rendering = render(version, fleet)
        # Without its store it cannot be rendered: no pods have this revision, and the entry's digest is what counts.
        known = [names.short_hash(digest) if isinstance(rendering, Problem) else rendering.revision]
    return sorted({*known})


def _without(digest: str, status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status without candidate, last good revision, pin and promotion of an artifact."""

    def kept(ref: Ref | None) -> Ref | None:
        return None if ref is None or ref.digest == digest else ref

    def is_of(decided: Override | Promoted) -> bool:
        named = pin.find(pin.of_action(decided), fleet)
        return digest == (decided.digest or (named and named.spec.artifact.digest))

    override, promoted = status.override, status.promoted
    return status.model_copy(
        update={
            "candidate": kept(status.candidate),
            "last_good": kept(status.last_good),
            "override": None if override and is_of(override) else override,
            "promoted": None if promoted and is_of(promoted) else promoted,
        }
    )
