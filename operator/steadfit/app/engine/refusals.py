"""Why the API server refuses what a plan creates, by its own words; in memory, a new leader reads again.

Two sources fill it: refused creations, and one watch of the Events of Jobs whose pod is refused. However many Jobs
wait, they make no request.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping

from steadfit.core import names
from steadfit.core.runs.runtime import refusal
from steadfit.core.types import Manifest
from steadfit.kube.cache import Cache, JSONObject
from steadfit.kube.key import Key, key_of
from steadfit.kube.resources import PODS, RUNTIMES, Resource

from .indexes import owned_by

FIELD_SELECTOR = refusal.FIELD_SELECTOR
"""Of all Events, those that are watched."""
REMEMBERED = 1000

_RUNTIMES_BY_KIND = {resource.kind: resource for resource in RUNTIMES}


class Refusals:
    """The last refusal of each object. `listen` is called with the object when the words change."""

    def __init__(self, cache: Cache, listen: Callable[[JSONObject], None]) -> None:
        self._cache = cache
        self._listen = listen
        # The cause, and when it happened last by the words of its Event.
        self._causes: OrderedDict[Key, tuple[str, str]] = OrderedDict()
        cache.listen(self._on_change)

    def within(self, namespace: str | None, resources: Collection[Resource]) -> Mapping[str, str]:
        """Return the causes for objects of some resources in a namespace, by their names."""
        return {
            key.name: cause
            for key, (cause, _) in self._causes.items()
            if key.namespace == namespace and key.resource in resources
        }

    def record(self, manifest: Manifest, message: str, at: str = "") -> None:
        """Store why an object, or the pod of a Job, was refused; an Event that is older than the stored one is old."""
        key, cause = key_of(manifest), refusal.cause(message)
        known, since = self._causes.get(key, ("", ""))
        if at < since:
            return
        self._causes[key] = cause, at
        self._causes.move_to_end(key)
        if len(self._causes) > REMEMBERED:
            self._causes.popitem(last=False)
        if known != cause:
            self._listen(dict(manifest))

    def forget(self, manifest: Manifest) -> None:
        """Remove the refusal of an object that was created after all."""
        self._causes.pop(key_of(manifest), None)

    def on_event(self, event: JSONObject) -> None:
        """Read an Event that `FIELD_SELECTOR` selects.

        Jobs of others are not in the cache. One of ours that is missing yet is read at the next try of its controller,
        which is another Event.
        """
        regarding = event.get("regarding", {})
        resource = _RUNTIMES_BY_KIND.get(regarding.get("kind"))
        if event.get("reason") != refusal.REASON or resource is None:
            return
        job = self._cache.get(Key(resource, regarding.get("namespace"), regarding.get("name", "")))
        if job is None or job["metadata"]["uid"] != regarding.get("uid"):
            return
        if not owned_by(self._cache, PODS, job["metadata"]["uid"]):
            self.record(job, str(event.get("note", "")), refusal.time_of(event))

    def _on_change(self, obj: JSONObject) -> None:
        """Remove the refusal of a Job that has its pod, that waits for none any more or that is gone."""
        if not self._causes:
            return
        owner = names.controller_of(obj) if obj["kind"] == PODS.kind else None
        kind, name = (owner["kind"], owner["name"]) if owner is not None else (obj["kind"], obj["metadata"]["name"])
        resource = _RUNTIMES_BY_KIND.get(kind)
        if resource is None:
            return
        key = Key(resource, obj["metadata"].get("namespace"), name)
        if key not in self._causes:
            return
        job = self._cache.get(key)
        if job is None or not refusal.lacks_pod(job, owned_by(self._cache, PODS, job["metadata"]["uid"])):
            del self._causes[key]
