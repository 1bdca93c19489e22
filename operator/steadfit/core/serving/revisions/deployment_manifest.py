"""The Deployment of one revision: its pod template is immutable, and only its scale changes.

The traffic label of a canary's champion is not part of the revision's hash: a version with the same template is the
same revision beside any champion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core import names
from steadfit.core.serving.fleet import Workload
from steadfit.core.serving.traffic import traffic_label
from steadfit.core.serving.traffic.service import decided_at, selector

from . import frozen_template
from .revision import Rendering


def render(deployment: ModelDeployment, rendering: Rendering, ref: RevisionRef, replicas: int) -> dict[str, Any]:
    """Return the Deployment that serves a revision with `replicas` pods."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": names.workload_name(deployment.name, rendering.revision),
            "namespace": deployment.metadata.namespace,
            "labels": frozen_template.labels_of(deployment, ref),
            "annotations": {**frozen_template.annotations_of(ref), **decided_at(ref)},
            "ownerReferences": [names.owner_reference(deployment)],
        },
        "spec": {
            "replicas": replicas,
            # There is only one ReplicaSet: the template never changes, and a rollback uses another Deployment.
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector(deployment, rendering.revision)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": _template(rendering, ref),
        },
    }


def change(found: Workload, spec: Mapping[str, Any], annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return fields to apply to an observed Deployment, with its uid and resourceVersion as preconditions."""
    metadata = {key: found.manifest["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
    if annotations is not None:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": dict(spec)}


def _template(rendering: Rendering, ref: RevisionRef) -> Mapping[str, Any]:
    """Return the pod template, for a canary's candidate with the traffic label of its champion."""
    champion = ref.champion_revision if isinstance(ref, Candidate) else None
    if champion is None:
        return rendering.template
    metadata = rendering.template["metadata"]
    labels = {**metadata["labels"], traffic_label.label(champion): traffic_label.ON}
    return {**rendering.template, "metadata": {**metadata, "labels": labels}}
