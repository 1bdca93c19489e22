"""The Deployment of one revision: its template is frozen at birth, only its scale ever changes.

The label by which a canary shares its champion's traffic is no part of the revision: the same version served by the
same pods is the same revision, whatever it is tried beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core import names
from steadfit.core.serving.traffic import traffic_label
from steadfit.core.serving.traffic.service import decided_at, selector

from .revision import Rendering


def render(
    deployment: ModelDeployment, version: ModelVersion, rendering: Rendering, ref: RevisionRef, replicas: int
) -> dict[str, Any]:
    """Return the Deployment that serves a version with `replicas` pods, as it was decided."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": names.workload_name(deployment.name, rendering.revision),
            "namespace": deployment.metadata.namespace,
            "labels": {
                names.MANAGED_BY: names.MANAGER,
                names.MODEL_DEPLOYMENT: deployment.name,
                names.REVISION: rendering.revision,
                names.VERSION: str(version.spec.number),
            },
            "annotations": {
                names.DIGEST_ANNOTATION: version.spec.artifact.digest,
                names.TEMPLATE_ANNOTATION: rendering.template_digest,
                **decided_at(ref),
            },
            "ownerReferences": [names.owner_reference(deployment)],
        },
        "spec": {
            "replicas": replicas,
            # One ReplicaSet for ever: the template never changes, and a rollback is another Deployment.
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector(deployment, rendering.revision)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": _template(rendering, ref),
        },
    }


def _template(rendering: Rendering, ref: RevisionRef) -> Mapping[str, Any]:
    """Return the pod template, with the label of the champion's traffic for a canary's candidate."""
    champion = ref.champion_revision if isinstance(ref, Candidate) else None
    if champion is None:
        return rendering.template
    metadata = rendering.template["metadata"]
    labels = {**metadata["labels"], traffic_label.label(champion): traffic_label.ON}
    return {**rendering.template, "metadata": {**metadata, "labels": labels}}
