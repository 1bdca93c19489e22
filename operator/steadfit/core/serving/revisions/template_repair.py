"""Repair of a pod template that someone else has changed: it is put right, and an Event names the field.

Whoever changes it again and again (another controller, a policy at admission, a tool that syncs) gets it put right
with the pauses of `repair_pauses.py`; the ModelDeployment is Stalled until nobody has changed the template for an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef, TemplateRepair
from steadfit.core.serving import repair_pauses
from steadfit.core.serving.fleet import Fleet, Workload
from steadfit.core.serving.template_difference import put_right
from steadfit.core.text import cut
from steadfit.core.types import Action, Apply

from . import deployment_manifest

MAX_ENTRIES = 32
LONGEST_FIELD = 256
CHANGED: Final = "TemplateChanged"
CONTESTED: Final = "TemplateContested"
UNPROVEN: Final = "TemplateUnproven"


def decide(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with the repairs that are to be made, one entry for each revision.

    An entry names the generation of the Deployment with the change, so the same change is not counted twice. It is
    dropped an hour after the last change; of more than 32 the oldest are dropped: their revisions are gone.
    """
    known = _by_revision(status.template_repairs)
    changed = {found.revision: (found, field) for found, field in _changed(fleet)}
    kept = [repair_pauses.rest(entry, now) for revision, entry in known.items() if revision not in changed]
    repairs = [entry for entry in kept if repair_pauses.is_kept(entry, now)]
    repairs += [_next(known.get(revision), *change, now) for revision, change in changed.items()]
    repairs.sort(key=lambda entry: entry.at)
    return status.model_copy(update={"template_repairs": repairs[-MAX_ENTRIES:]})


def repair(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the changes that put templates right, each of the observed Deployment or of none."""
    actions: list[Action] = []
    for found, _ in _changed(fleet):
        entry = _of(found.revision, status)
        if entry is not None and entry.generation == _generation(found):
            template = put_right(fleet.declared[found.revision], found.manifest["spec"]["template"])
            actions.append(Apply(deployment_manifest.change(found, {"template": template})))
    return actions


def due(status: ModelDeploymentStatus) -> datetime | None:
    """Return when a repair has to be made, has failed or is forgotten; None if there is none."""
    return min(map(repair_pauses.due, status.template_repairs), default=None)


def contest(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return who has to do what about a template that was put right too often; empty if none was."""
    found, entry = fleet.workload(ref.revision), _of(ref.revision, status)
    if found is None or entry is None:
        return ""
    name = found.manifest["metadata"]["name"]
    return repair_pauses.contest(entry, f"Deployment {name}", f"kubectl get deployment {name}")


def unproven(ref: RevisionRef, fleet: Fleet) -> str:
    """Return why nobody can tell whether the pods of a revision are those that were verified; empty if one can."""
    found = fleet.workload(ref.revision)
    if found is None or ref.revision in fleet.declared:
        return ""
    name = found.manifest["metadata"]["name"]
    return (
        f"nobody can tell whether Deployment {name} has the pods that were verified: ControllerRevision {name} was"
        f" deleted or changed, and version {ref.number} does not render to them any more; create a Refresh action,"
        " change spec.server, or serve another version"
    )


def problem(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return why the pods of a revision may not be those that were verified; empty if they are."""
    found, entry = fleet.workload(ref.revision), _of(ref.revision, status)
    if found is None:
        return ""
    name, field = found.manifest["metadata"]["name"], fleet.changed_field(ref.revision)
    if field is not None:
        waits = entry is not None and repair_pauses.waits(entry)
        due_at = f"it is next put right at {repair_pauses.due(entry):%H:%M:%S} UTC" if entry and waits else ""
        coming = due_at or "it is being put right"
        return f"someone else has changed {field} of Deployment {name}; {coming}"
    if entry is not None and not found.is_updated:
        return f"{entry.field} of Deployment {name} was put right; its pods are being replaced"
    return ""


def _next(entry: TemplateRepair | None, found: Workload, field: str, now: datetime) -> TemplateRepair:
    """Return the entry of a changed template: a repair that is under way, the next one, or the wait for it."""
    generation = _generation(found)
    step = repair_pauses.step(entry, now, same=entry is not None and entry.generation == generation)
    if entry is not None and step == "go on":
        return entry
    if entry is not None and step == "wait":
        return entry.model_copy(update={"generation": None, "field": field, "since": None})
    count = entry.count + 1 if entry is not None else 1
    return TemplateRepair(revision=found.revision, generation=generation, field=field, at=now, count=count)


def _by_revision(repairs: Sequence[TemplateRepair]) -> dict[str, TemplateRepair]:
    """Return one entry for each revision. An older operator has stored one for each repair."""
    found: dict[str, TemplateRepair] = {}
    for entry in repairs:
        before = found.get(entry.revision)
        found[entry.revision] = entry.model_copy(update={"count": before.count + entry.count}) if before else entry
    return found


def _of(revision: str, status: ModelDeploymentStatus) -> TemplateRepair | None:
    return next((entry for entry in status.template_repairs if entry.revision == revision), None)


def _generation(found: Workload) -> int:
    generation: int = found.manifest["metadata"]["generation"]
    return generation


def _changed(fleet: Fleet) -> Iterator[tuple[Workload, str]]:
    """Yield the Deployments whose template is not the declared one, with the first field that differs."""
    for found in fleet.workloads:
        field = None if found.deleting else fleet.changed_field(found.revision)
        if field is not None:
            yield found, cut(field, LONGEST_FIELD)
