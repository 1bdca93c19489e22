"""The pod that writes the quarantines of an artifact, or its servings, beside it in its store.

The operator has no credentials of stores. The pod has those of a run's pod, in the version's namespace.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.modelversion import ModelVersion
from steadfit.api.trainingjob import TrainingJob
from steadfit.core import names, pod_security, store_access
from steadfit.core.runs.runtime import job
from steadfit.core.types import Manifest, Platform

from .quarantine_state import Change

STEP = "quarantine"
CONFIG = "STEADFIT_CONFIG"
DEADLINE_SECONDS = 600
"""Time after which a pod that cannot start fails, so that the version can say what is wrong."""
_PLACEMENT = ("nodeSelector", "tolerations", "serviceAccountName", "priorityClassName", "imagePullSecrets")


def name(version: ModelVersion) -> str:
    """Return the name of the workload of a version. It is the same for all changes, so that no two write at once."""
    return f"{version.name}-quarantine"


def render(
    version: ModelVersion, change: Change, training_job: TrainingJob | None, store: ArtifactStore, platform: Platform
) -> dict[str, Any]:
    """Return the Job."""
    labels = {names.MANAGED_BY: names.MANAGER, names.MODEL_VERSION: version.name}
    placement = training_job.spec.pod.dump() if training_job else {}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            **{key: placement[key] for key in _PLACEMENT if placement.get(key)},
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pod_security.pod(),
            "containers": [_container(version, change, store, platform)],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}, *store_access.volumes(store)],
        },
    }
    return job.render(
        name(version),
        version,
        template,
        labels={**labels, **(names.queue_labels(training_job) if training_job else {})},
        annotations={names.NOTE_ANNOTATION: fingerprint(version, change)},
        deadline_seconds=DEADLINE_SECONDS,
    )


def fingerprint(version: ModelVersion, change: Change) -> str:
    """Return what tells the Jobs of two changes apart."""
    content = json.dumps(_document(version, change), sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


def is_for(workload: Manifest, version: ModelVersion, change: Change) -> bool:
    """Return whether a Job was made for a change of a version."""
    annotations = workload["metadata"].get("annotations", {})
    return bool(annotations.get(names.NOTE_ANNOTATION) == fingerprint(version, change))


def writes_servings(workload: Manifest) -> bool:
    """Return whether a Job writes servings, and no quarantine or release."""
    containers = workload["spec"]["template"]["spec"]["containers"]
    variables = [one for each in containers for one in each.get("env", []) if one["name"] == CONFIG]
    return any("served" in json.loads(one.get("value", "{}").replace("$$", "$")) for one in variables)


def _container(version: ModelVersion, change: Change, store: ArtifactStore, platform: Platform) -> dict[str, Any]:
    config = {"store": store_access.settings(store), "uri": version.spec.artifact.uri, **_document(version, change)}
    return {
        "name": STEP,
        "image": platform.trainer_image,
        "args": [STEP],
        "env": [
            {"name": CONFIG, "value": json.dumps(config, sort_keys=True).replace("$", "$$")},
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": pod_security.container(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
            *store_access.mounts(store),
        ],
    }


def _document(version: ModelVersion, change: Change) -> dict[str, Any]:
    if change.served:
        return {"served": [{"version": version.name, **item.dump()} for item in change.served]}
    put = {item.deployment: item.dump() for item in change.put}
    return {
        "put": {
            name: {key: value for key, value in item.items() if key not in ("deployment", "stored")}
            for name, item in put.items()
        },
        "take": {item.deployment: item.dump()["at"] for item in change.take},
    }
