"""What admission makes of a declared pod template: a registry mirror, a minimum of memory. It is as it should be.

The administrator of the cluster has decided it, and each further apply gives the same. A change by a person or another
controller is another thing: the reply to an apply of the declared template does not have it. So only what such a reply
has counts as admitted, never what is merely found in the cluster. Which artifact is served is no matter of admission.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import AdmittedTemplate
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.template_difference import differences
from steadfit.core.text import cut

from . import declared_template

MAX_REVISIONS = 4
"""The live, the last good and the candidate revision, and one that is about to go."""
MAX_VALUES = 16
LONGEST_VALUE = 128
LONGEST_CHANGES = 512
_ARTIFACT = "env[STEADFIT_ARTIFACT]"


def learn(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with what admission makes of the templates that were applied, one entry for each revision.

    What is newly admitted is no change by others: its repairs count for nothing. An entry is dropped if an apply gives
    the declared template, or with the last Deployment of a revision that is not used any more.
    """
    applied = fleet.observed.applied_templates
    known = {entry.revision: entry for entry in status.admitted_templates}
    if not applied and not known:
        return status
    in_use = {ref.revision for ref in declared_template.in_use(status)}
    present = in_use | {workload.revision for workload in fleet.workloads}
    found = {revision: entry for revision, entry in known.items() if revision in present}
    for workload in fleet.workloads:
        declared, template = fleet.declared.get(workload.revision), applied.get(workload.manifest["metadata"]["uid"])
        if declared is None or template is None:
            continue
        found.pop(workload.revision, None)
        if entry := _admitted(workload.revision, declared, template):
            found[workload.revision] = entry
    new = {revision for revision, entry in found.items() if entry != known.get(revision)}
    entries = sorted(found.values(), key=lambda entry: (entry.revision not in in_use, entry.revision))
    return status.model_copy(
        update={
            "admitted_templates": entries[:MAX_REVISIONS],
            "template_repairs": [entry for entry in status.template_repairs if entry.revision not in new],
        }
    )


def values(status: ModelDeploymentStatus) -> Mapping[str, Collection[str]]:
    """Return the digests of the admitted values, by revision."""
    return {entry.revision: entry.values for entry in status.admitted_templates}


def changes_of(revision: str, status: ModelDeploymentStatus) -> str:
    """Return what admission makes of a revision's template; empty if it changes nothing."""
    return next((entry.changes for entry in status.admitted_templates if entry.revision == revision), "")


def _admitted(revision: str, declared: Mapping[str, Any], template: Mapping[str, Any]) -> AdmittedTemplate | None:
    found = [one for one in differences(declared, template) if _ARTIFACT not in one.field]
    if not 0 < len(found) <= MAX_VALUES:
        return None
    changes = (f"{one.field} {_text(one.ours)} became {_text(one.theirs)}" for one in found)
    said = cut("; ".join(changes), LONGEST_CHANGES)
    return AdmittedTemplate(revision=revision, values=[one.digest for one in found], changes=said)


def _text(value: Any) -> str:
    return "(unset)" if value is None else cut(str(value), LONGEST_VALUE)
