"""The label of the pods that serve, for PodDisruptionBudgets: it stays when the revision changes.

A budget that selected all pods of a ModelDeployment would count warm ones and those of a candidate as well. The label
is written on running pods and is not part of the pod template, so no pod is replaced when a revision becomes live or
stops being it. A ReplicaSet keeps a pod whose other labels change.
"""

from __future__ import annotations

from collections.abc import Sequence

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core import names
from steadfit.core.serving.fleet import Fleet
from steadfit.core.types import Action, Apply, Manifest

from .service import selected_revision

MANAGER = "steadfit-serving"
LIVE = "live"


def keep(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the changes that label the pods that serve, ready or not, and remove the label from all others.

    A terminating pod keeps what it has: no budget counts it as healthy.
    """
    serving = _serving(status, fleet)
    actions: list[Action] = []
    for pod in sorted(fleet.observed.pods, key=lambda pod: str(pod["metadata"]["name"])):
        labels = pod["metadata"].get("labels", {})
        serves = labels.get(names.REVISION) in serving
        if serves != (labels.get(names.SERVING) == LIVE) and "deletionTimestamp" not in pod["metadata"]:
            actions.append(_label(pod, serves=serves))
    return actions


def _serving(status: ModelDeploymentStatus, fleet: Fleet) -> frozenset[str]:
    """Return the live revision, and the one that the Service selects while it is another one or stands in for it."""
    live, observed = status.live, fleet.observed
    selected = selected_revision(observed.deployment, observed.service)
    return frozenset(revision for revision in (live.revision if live else None, selected) if revision)


def _label(pod: Manifest, *, serves: bool) -> Apply:
    """Return the change of this one label, fenced by uid alone as that of the drain annotation is."""
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
    labels = {names.SERVING: LIVE} if serves else {}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "labels": labels}}
    return Apply(manifest, field_manager=MANAGER)
