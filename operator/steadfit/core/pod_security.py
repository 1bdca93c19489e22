"""Security contexts of all pods: Pod Security Standard `restricted`, with a read-only root file system."""

from __future__ import annotations

from typing import Any

USER = 65532
"""UID of the user `nonroot` of common base images."""


def pod() -> dict[str, Any]:
    """Return the pod's security context."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container() -> dict[str, Any]:
    """Return a container's security context."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
