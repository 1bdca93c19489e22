"""A pod that runs one of our own programs inside the cluster, by the restricted Pod Security Standard."""

from __future__ import annotations

from typing import Any

from .kubectl import Manifest


def restricted_pod(name: str, container: dict[str, Any], volumes: list[dict[str, Any]]) -> Manifest:
    """Return a pod that runs once and needs no API server; the container gets its security context here."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 5,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    **container,
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
            "volumes": volumes,
        },
    }
