"""`UpToDate`: whether the pods of the live version are those that the installed operator and the spec ask for.

An upgrade of the operator rolls nothing, so a live revision may keep an older image and template for as long as its
version serves. This condition, its column and a metric say which ones do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.conditions import DesiredCondition
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.revisions import frozen_template
from steadfit.core.serving.revisions.revision import Rendering, render

UP_TO_DATE: Final = "UpToDate"
OLDER_PLATFORM: Final = "OlderPlatform"


def conditions(status: ModelDeploymentStatus, fleet: Fleet) -> list[DesiredCondition]:
    """Return the condition; it is not known without a live version, or while its version or store is gone."""
    live = status.live
    if live is None:
        return [DesiredCondition(UP_TO_DATE, "Unknown", "NotServing", "no version is live")]
    version = fleet.version_of(live)
    present = render(version, fleet) if version else None
    if present is None:
        message = f"ModelVersion {live.version} is gone, so its pod template cannot be compared"
        return [DesiredCondition(UP_TO_DATE, "Unknown", "VersionNotFound", message)]
    if isinstance(present, Problem):
        return [DesiredCondition(UP_TO_DATE, "Unknown", present.reason, present.message)]
    if present.template_digest == live.template_digest:
        message = f"version {live.number} has the pod template of this operator"
        return [DesiredCondition(UP_TO_DATE, "True", "UpToDate", message)]
    if present.inputs_digest != live.inputs_digest:
        message = f"version {live.number} is served with an older pod template than that of the current spec.server"
        return [DesiredCondition(UP_TO_DATE, "False", "OlderPodTemplate", message)]
    message = f"version {live.number} keeps {_kept(live, present, fleet)} until a Refresh or its next version"
    return [DesiredCondition(UP_TO_DATE, "False", OLDER_PLATFORM, message)]


def _kept(live: RevisionRef, present: Rendering, fleet: Fleet) -> str:
    """Return what the pods have and the operator would not give them any more."""
    kept = frozen_template.of_revision(live, fleet)
    old = _image(kept.template) if isinstance(kept, Rendering) else None
    new = _image(present.template)
    if old is None or old == new:
        return "the pod template of an earlier operator or of another spelling of its ArtifactStore"
    return f"server image {old} instead of {new}, with the pod template of an earlier operator,"


def _image(template: Mapping[str, Any]) -> str | None:
    containers = template["spec"]["containers"]
    return next((str(one["image"]) for one in containers if one["name"] == names.SERVER_CONTAINER), None)
