"""The pod template of a server: one container that fetches, verifies, loads and serves an artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.core import names, pod_security, store_choice
from steadfit.core.serving.traffic import drain
from steadfit.core.store_access import mounts, settings, volumes
from steadfit.core.types import Platform

HTTP_PORT = 8080
METRICS_PORT = 9090
GRACE_SECONDS = 30
"""Longer than the drain of 4 s, the longest request of 10 s and the 5 s in which clients close their connections."""
START_SECONDS = 600
"""Time for a server to fetch and load its model before the kubelet restarts it."""


def template(deployment: ModelDeployment, store: ArtifactStore, platform: Platform) -> dict[str, Any]:
    """Return the pod template without the fields that differ between versions.

    It does not contain the operator's version: an upgrade of the operator that renders the same pods starts no rollout.
    """
    server = deployment.spec.server
    return {
        "metadata": {
            "labels": {
                **server.pod.labels,
                names.MANAGED_BY: names.MANAGER,
                names.MODEL_DEPLOYMENT: deployment.name,
            },
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": str(METRICS_PORT),
                "prometheus.io/path": "/metrics",
            },
        },
        "spec": {
            **_placement(deployment),
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pod_security.pod(),
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "containers": [_container(deployment, store, platform)],
            "volumes": [
                {"name": "model", "emptyDir": {"sizeLimit": "10Gi"}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
                *_drain_volumes(deployment),
                *volumes(store),
            ],
        },
    }


def complete(base: Mapping[str, Any], version: ModelVersion, revision: str, store: ArtifactStore) -> dict[str, Any]:
    """Return the pod template of one revision: `base` with the version's labels, digest and artifact."""
    number, artifact = str(version.spec.number), version.spec.artifact
    metadata, spec = base["metadata"], base["spec"]
    (container,) = spec["containers"]
    source = {"uri": artifact.uri, "digest": artifact.digest, "store": settings(store)}
    env = [
        {"name": "STEADFIT_VERSION", "value": number},
        _plain("STEADFIT_ARTIFACT", json.dumps(source, sort_keys=True)),
    ]
    return {
        "metadata": {
            "labels": {
                **metadata["labels"],
                names.VERSION: number,
                names.REVISION: revision,
                f"{names.TRAFFIC_PREFIX}{revision}": "true",
            },
            "annotations": {**metadata["annotations"], names.DIGEST_ANNOTATION: artifact.digest},
        },
        "spec": {
            **spec,
            # Spread the pods of each revision over the nodes, whatever pods other revisions have there.
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {names.REVISION: revision}},
                }
            ],
            "containers": [{**container, "env": [*container["env"], *env]}],
        },
    }


def _placement(deployment: ModelDeployment) -> dict[str, Any]:
    """Return the fields of spec.server.pod that are set; the cluster's defaults apply to the others."""
    pod = deployment.spec.server.pod.dump()
    fields = ("nodeSelector", "tolerations", "serviceAccountName", "priorityClassName", "imagePullSecrets")
    return {key: pod[key] for key in fields if pod.get(key)}


def _container(deployment: ModelDeployment, store: ArtifactStore, platform: Platform) -> dict[str, Any]:
    server = deployment.spec.server
    return {
        "name": names.SERVER_CONTAINER,
        "image": server.image or platform.server_image,
        "env": [
            *[_plain(variable.name, variable.value) for variable in server.env],
            {"name": "STEADFIT_NAMESPACE", "value": deployment.metadata.namespace},
            {"name": "STEADFIT_MODEL_NAME", "value": deployment.name},
            {
                "name": "STEADFIT_REVISION",
                "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{names.REVISION}']"}},
            },
            *_capture(deployment, store),
        ],
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT},
            {"name": "metrics", "containerPort": METRICS_PORT},
        ],
        "resources": server.resources.dump(),
        "securityContext": pod_security.container(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "startupProbe": _probe("/v2/health/ready", period=1, failures=START_SECONDS),
        "readinessProbe": _probe("/v2/health/ready", period=2, failures=3),
        "livenessProbe": _probe("/v2/health/live", period=10, failures=6),
        "volumeMounts": [
            {"name": "model", "mountPath": "/steadfit/model"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
            *_drain_mounts(deployment),
            *mounts(store),
        ],
    }


def _drain_volumes(deployment: ModelDeployment) -> list[dict[str, Any]]:
    """Return the downward API volume of the drain annotation; none for a server that cannot drain."""
    if not drain.supported(deployment):
        return []
    annotation = {"fieldPath": f"metadata.annotations['{names.DRAIN_ANNOTATION}']"}
    return [{"name": drain.VOLUME, "downwardAPI": {"items": [{"path": drain.FILE, "fieldRef": annotation}]}}]


def _drain_mounts(deployment: ModelDeployment) -> list[dict[str, Any]]:
    if not drain.supported(deployment):
        return []
    return [{"name": drain.VOLUME, "mountPath": drain.DIRECTORY, "readOnly": True}]


def _capture(deployment: ModelDeployment, store: ArtifactStore) -> list[dict[str, Any]]:
    """Return the environment of capture; empty without spec.capture, so that the template does not change."""
    capture = deployment.spec.capture
    if capture is None:
        return []
    uri = store_choice.captures_uri(store, deployment.metadata.namespace, deployment.name)
    seconds = parse_duration(capture.flush_interval).total_seconds()
    return [
        _plain("STEADFIT_CAPTURE", json.dumps({"uri": uri, "sample": capture.sample}, sort_keys=True)),
        _plain("STEADFIT_CAPTURE_FLUSH_SECONDS", f"{seconds:g}"),
    ]


def _plain(name: str, value: str) -> dict[str, Any]:
    """Return an environment variable with dollar signs doubled, so that the kubelet does not expand its value."""
    return {"name": name, "value": value.replace("$", "$$")}


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
