"""Create a child once: a second attempt meets the object of the first one and takes it for its own.

Names are functions of owner and cause, so an object of the same name is either the same intent carried out (a reply
was lost, or two leaders overlapped) or somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadfit.kube.cache import Cache
from steadfit.kube.client import AlreadyExists, KubeClient
from steadfit.kube.key import key_of

from .indexes import controller_of


class NameTaken(Exception):  # noqa: N818 - it is a fact about the cluster, as NotFound is
    """An object that is not ours has the name that a child needs."""


async def create_or_adopt(client: KubeClient, cache: Cache, manifest: Mapping[str, Any]) -> None:
    """Create an object, or find that it exists already, and put it into the cache.

    Raises
    ------
    NameTaken
        If an object of this name exists that has another origin.
    NotFound
        If it existed and was gone a moment later: try again.
    """
    try:
        cache.put(await client.create(manifest))
    except AlreadyExists:
        key = key_of(manifest)
        live = await client.get(key.resource, key.name, key.namespace)
        # Also when it is somebody else's: the plan can only speak of what it sees.
        cache.put(live)
        if origin_of(live) != origin_of(manifest):
            raise NameTaken(
                f"{key} exists and was not made for this object: delete or rename it, or rename this one"
            ) from None


def origin_of(manifest: Mapping[str, Any]) -> str | None:
    """Return the uid that says why an object exists: its controller's, or its run's for what outlives its owner."""
    controller = controller_of(manifest)
    if controller is not None:
        return str(controller["uid"])
    run = manifest.get("spec", {}).get("run")
    return str(run["uid"]) if isinstance(run, Mapping) else None
