"""Repair of a pod template that someone else has changed: it is put right, and an Event names the field.

Whoever changes it again and again (another controller, a tool that syncs) gets it put right three times in ten minutes.
Then the operator stops and the ModelDeployment is Stalled, until the oldest of the three is ten minutes old.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef, TemplateRepair
from steadfit.core.serving.fleet import Fleet, Workload
from steadfit.core.types import Action, Apply

from . import deployment_manifest

LIMIT = 3
WINDOW = timedelta(minutes=10)
MAX_ENTRIES = 32
CHANGED: Final = "TemplateChanged"
CONTESTED: Final = "TemplateContested"


def decide(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with an entry for each change that is to be put right.

    An entry names the generation of the Deployment with the change, so the same change is never counted twice. Entries
    of the last ten minutes are kept; of more than 32 the oldest are dropped, which belong to revisions that are gone.
    """
    kept = [entry for entry in status.template_repairs if now - entry.at < WINDOW]
    for found, field in _changed(fleet):
        if not _is_decided(found, kept) and len(_of_revision(found.revision, kept)) < LIMIT:
            generation = found.manifest["metadata"]["generation"]
            kept.append(TemplateRepair(revision=found.revision, generation=generation, field=field, at=now))
    return status.model_copy(update={"template_repairs": kept[-MAX_ENTRIES:]})


def repair(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the changes that put templates right, each of the observed Deployment or of none."""
    actions: list[Action] = []
    for found, _ in _changed(fleet):
        frozen = fleet.frozen_template(found.revision)
        if frozen is None or not _is_decided(found, status.template_repairs):
            continue
        actions.append(Apply(deployment_manifest.change(found, {"template": frozen["data"]["template"]})))
    return actions


def next_try(status: ModelDeploymentStatus, fleet: Fleet) -> datetime | None:
    """Return when a contested template is put right again; None if none is."""
    tries = [
        _of_revision(found.revision, status.template_repairs)[0].at + WINDOW
        for found, _ in _changed(fleet)
        if is_contested(found.revision, status, fleet)
    ]
    return min(tries, default=None)


def is_contested(revision: str, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a template is changed and was put right too often to do it again now."""
    found = fleet.workload(revision)
    if found is None or fleet.changed_field(revision) is None or _is_decided(found, status.template_repairs):
        return False
    return len(_of_revision(revision, status.template_repairs)) >= LIMIT


def problem(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return why the pods of a revision may not be those that were verified; empty if they are."""
    found, repairs = fleet.workload(ref.revision), _of_revision(ref.revision, status.template_repairs)
    if found is None:
        return ""
    name, field = found.manifest["metadata"]["name"], fleet.changed_field(ref.revision)
    if field is None:
        replacing = repairs and not found.is_updated
        return (
            f"{repairs[-1].field} of Deployment {name} was put right; its pods are being replaced" if replacing else ""
        )
    if not is_contested(ref.revision, status, fleet):
        return f"someone else has changed {field} of Deployment {name}; it is being put right"
    return (
        f"someone else changes {field} of Deployment {name} again and again; it was put right {len(repairs)} times in"
        f" ten minutes and is next at {repairs[0].at + WINDOW:%H:%M:%S} UTC: find who does it (kubectl get deployment"
        f" {name} --show-managed-fields -o yaml) and stop it"
    )


def _changed(fleet: Fleet) -> Iterator[tuple[Workload, str]]:
    """Yield the Deployments whose template is not the frozen one, with the first field that differs."""
    for found in fleet.workloads:
        field = None if found.deleting else fleet.changed_field(found.revision)
        if field is not None:
            yield found, field


def _is_decided(found: Workload, repairs: Sequence[TemplateRepair]) -> bool:
    generation = found.manifest["metadata"]["generation"]
    return any((entry.revision, entry.generation) == (found.revision, generation) for entry in repairs)


def _of_revision(revision: str, repairs: Sequence[TemplateRepair]) -> list[TemplateRepair]:
    return [entry for entry in repairs if entry.revision == revision]
