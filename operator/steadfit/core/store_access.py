"""Access of a pod to an ArtifactStore: the settings that the images read, and the Secrets that the pod mounts."""

from __future__ import annotations

from typing import Any

from steadfit.api.artifactstore import ArtifactStore

from .names import short_hash


def settings(store: ArtifactStore) -> dict[str, Any]:
    """Return the settings of a store as the images read them; Secrets are given as paths in the pod."""
    s3 = store.spec.s3
    connection: dict[str, Any] = {"region": s3.region, "forcePathStyle": s3.force_path_style}
    if s3.endpoint:
        connection["endpoint"] = s3.endpoint
    found: dict[str, Any] = {
        "uriPrefix": store.spec.uri_prefix,
        "s3": connection,
        "credentials": f"/steadfit/credentials/{store.name}",
    }
    if s3.ca_bundle_secret:
        found["caBundle"] = f"/steadfit/ca/{store.name}/{s3.ca_bundle_secret.key}"
    return found


def volumes(store: ArtifactStore) -> list[dict[str, Any]]:
    """Return the volumes of the store's Secrets, which are in the pod's namespace."""
    found = [_secret(f"credentials-{short_hash(store.name)}", store.spec.credentials_secret_name)]
    bundle = store.spec.s3.ca_bundle_secret
    if bundle:
        found.append(_secret(f"ca-{short_hash(store.name)}", bundle.name))
    return found


def mounts(store: ArtifactStore) -> list[dict[str, Any]]:
    """Return the mounts of those volumes."""
    found = [_mount(f"credentials-{short_hash(store.name)}", f"/steadfit/credentials/{store.name}")]
    if store.spec.s3.ca_bundle_secret:
        found.append(_mount(f"ca-{short_hash(store.name)}", f"/steadfit/ca/{store.name}"))
    return found


def _secret(volume: str, name: str) -> dict[str, Any]:
    return {"name": volume, "secret": {"secretName": name, "defaultMode": 0o440}}


def _mount(volume: str, path: str) -> dict[str, Any]:
    return {"name": volume, "mountPath": path, "readOnly": True}
