"""Repair of a pod template that someone else has changed: it is put right, and an Event names the field.

Whoever changes it again and again (another controller, a policy at admission, a tool that syncs) gets it put right
three times at once. Then the operator waits ten minutes, and twice as long after each further repair, up to six hours;
the ModelDeployment is Stalled until nobody has changed the template for an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef, TemplateRepair
from steadfit.core.serving.fleet import Fleet, Workload
from steadfit.core.serving.template_difference import put_right
from steadfit.core.text import cut
from steadfit.core.types import Action, Apply

from . import deployment_manifest

LIMIT = 3
FIRST_PAUSE = timedelta(minutes=10)
DOUBLINGS = 6
LONGEST_PAUSE = timedelta(hours=6)
QUIET = timedelta(hours=1)
RETRY = timedelta(minutes=1)
"""How long one repair may take. After that it has failed or was undone at admission, and the next one counts."""
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
    kept = [_rest(entry, now) for revision, entry in known.items() if revision not in changed]
    repairs = [entry for entry in kept if entry.since and now < entry.since + QUIET]
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
    return min((_due(entry) for entry in status.template_repairs), default=None)


def contest(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return who has to do what about a template that was put right too often; empty if none was.

    A fourth change begins it. It ends an hour after the last one, and no repair interrupts it.
    """
    found, entry = fleet.workload(ref.revision), _of(ref.revision, status)
    if found is None or entry is None or entry.count < LIMIT:
        return ""
    waits = entry.since is None and entry.generation is None
    if entry.count == LIMIT and not waits:
        return ""
    name = found.manifest["metadata"]["name"]
    if entry.since is not None:
        state = f"nobody has since {entry.since:%H:%M:%S} UTC, and this ends at {_due(entry):%H:%M:%S} UTC"
    elif waits:
        state = f"it is next put right at {_due(entry):%H:%M:%S} UTC"
    else:
        state = "the last repair is under way"
    return (
        f"someone else changes {entry.field} of Deployment {name} again and again; it was put right {entry.count}"
        f" times; {state}: find who does it (kubectl get deployment {name} --show-managed-fields -o yaml), stop it, and"
        " set the field back or wait"
    )


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
        waits = entry is not None and entry.since is None and entry.generation is None
        coming = f"it is next put right at {_due(entry):%H:%M:%S} UTC" if entry and waits else "it is being put right"
        return f"someone else has changed {field} of Deployment {name}; {coming}"
    if entry is not None and not found.is_updated:
        return f"{entry.field} of Deployment {name} was put right; its pods are being replaced"
    return ""


def _next(entry: TemplateRepair | None, found: Workload, field: str, now: datetime) -> TemplateRepair:
    """Return the entry of a changed template: a repair that is under way, the next one, or the wait for it."""
    generation = _generation(found)
    if entry is not None and entry.generation == generation and now < entry.at + RETRY:
        return entry
    if entry is not None and now < entry.at + _pause(entry.count):
        return entry.model_copy(update={"generation": None, "field": field, "since": None})
    count = entry.count + 1 if entry is not None else 1
    return TemplateRepair(revision=found.revision, generation=generation, field=field, at=now, count=count)


def _rest(entry: TemplateRepair, now: datetime) -> TemplateRepair:
    """Return the entry of a template that is as it should be."""
    return entry if entry.since is not None else entry.model_copy(update={"since": now})


def _pause(count: int) -> timedelta:
    """Return how long after so many repairs the next one waits."""
    if count < LIMIT:
        return timedelta()
    return min(FIRST_PAUSE * (1 << min(count - LIMIT, DOUBLINGS)), LONGEST_PAUSE)


def _due(entry: TemplateRepair) -> datetime:
    if entry.since is not None:
        return entry.since + QUIET
    return entry.at + (_pause(entry.count) if entry.generation is None else RETRY)


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
