"""Creates a child once: a second attempt adopts the object that the first one created.

Names are functions of owner and cause, so an object of the same name is either the same intent carried out (a reply
was lost, or two leaders overlapped) or belongs to another owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadfit.core import names
from steadfit.kube.cache import Cache
from steadfit.kube.client import AlreadyExists, KubeClient
from steadfit.kube.key import key_of


class NameTaken(Exception):  # noqa: N818 - a fact about the cluster, as NotFound is
    """An object of another owner has the name that a child needs."""


async def create_or_adopt(client: KubeClient, cache: Cache, manifest: Mapping[str, Any]) -> None:
    """Create an object, or adopt the existing one, and put it into the cache.

    Raises
    ------
    NameTaken
        If an object of this name exists with another origin.
    NotFound
        If it existed and was gone a moment later: try again.
    """
    try:
        cache.put(await client.create(manifest))
    except AlreadyExists:
        key = key_of(manifest)
        live = await client.get(key.resource, key.name, key.namespace)
        if origin_of(live) != origin_of(manifest):
            # Cached although it belongs to another owner: the plan reports what it sees.
            cache.put(live)
            raise NameTaken(
                f"{key} exists and was not made for this object: delete or rename it, or rename this one"
            ) from None
        if live["metadata"].get("labels", {}).get(names.MANAGED_BY) != names.MANAGER:
            # It is ours, and the watch does not see it without its label.
            live = await client.patch_owners(_with_labels(live, manifest))
        cache.put(live)


def _with_labels(live: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    fenced = {name: live["metadata"].get(name) for name in ("name", "namespace", "uid", "resourceVersion")}
    given = {name: manifest["metadata"].get(name, {}) for name in ("labels", "ownerReferences")}
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": {**fenced, **given}}


def origin_of(manifest: Mapping[str, Any]) -> str | None:
    """Return the uid of an object's controller, or of its run where the object outlives its owner."""
    controller = names.controller_of(manifest)
    if controller is not None:
        return str(controller["uid"])
    run = manifest.get("spec", {}).get("run")
    return str(run["uid"]) if isinstance(run, Mapping) else None
