"""The inputs of a revision's pods: what users choose in the ModelDeployment and the ArtifactStore.

Only a change of them makes another revision of a version that serves. What the installed operator adds (the default
image, its environment, the layout of the template) and how a value is spelled are no inputs: an upgrade rolls nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Final

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.pod import Resources
from steadfit.core.problem import Problem
from steadfit.core.quantities import amount
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.traffic import drain
from steadfit.core.store_choice import by_name

STORE_NOT_USABLE: Final = "StoreNotUsable"
_URL = re.compile(r"(https?)://(.*?)(?::([0-9]+))?(/.*)?", re.IGNORECASE)
_PORTS = {"http": "80", "https": "443"}


def store_of(version: ModelVersion, fleet: Fleet) -> ArtifactStore | Problem:
    """Return the ArtifactStore of a version, or why it cannot be used."""
    store = by_name(version.spec.store_ref.name, fleet.observed.stores)
    if isinstance(store, str):
        return Problem(STORE_NOT_USABLE, f"version {version.spec.number} cannot be fetched: {store}")
    return store


def digest(deployment: ModelDeployment, store: ArtifactStore) -> str:
    """Return the digest of the inputs.

    Fields with their default values are left out, so that a field that a later operator knows changes no digest.
    """
    server, capture = deployment.spec.server, deployment.spec.capture
    seconds = parse_duration(capture.flush_interval).total_seconds() if capture else None
    inputs = {
        "image": server.image,
        "drains": drain.supported(deployment),
        "requests": _amounts(server.resources.requests),
        "limits": _amounts(server.resources.limits),
        "env": {variable.name: variable.value for variable in server.env},
        "pod": server.pod.model_dump(mode="json", exclude_defaults=True),
        "capture": [capture.sample, seconds] if capture else None,
        "store": _location(store),
    }
    chosen = {key: value for key, value in inputs.items() if value not in (None, {})}
    canonical = json.dumps(chosen, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _location(store: ArtifactStore) -> dict[str, Any]:
    """Return where a store lies and which Secrets its pods mount, whatever its name and its spelling."""
    s3 = store.spec.s3
    bundle = s3.ca_bundle_secret
    location = {
        "prefix": store.spec.uri_prefix.rstrip("/"),
        "endpoint": _endpoint(s3.endpoint) if s3.endpoint else None,
        "region": s3.region,
        "pathStyle": s3.force_path_style,
        "credentials": store.spec.credentials_secret_name,
        "caBundle": [bundle.name, bundle.key] if bundle else None,
    }
    return {key: value for key, value in location.items() if value is not None}


def _endpoint(url: str) -> list[str]:
    """Return scheme, host, port and path of an endpoint: `HTTP://Store:80/` is `http://store`."""
    found = _URL.fullmatch(url)
    if found is None:
        return [url]
    scheme, host, port, path = found.groups()
    return [scheme.lower(), host.lower(), port or _PORTS[scheme.lower()], (path or "").rstrip("/")]


def _amounts(resources: Resources) -> dict[str, float | str]:
    """Return quantities as numbers: `1Gi` is `1024Mi`."""
    return {name: amount(str(quantity)) for name, quantity in resources.items()}
