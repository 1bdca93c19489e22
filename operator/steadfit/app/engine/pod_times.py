"""When the operator saw server pods change, by its own clock: kubelets write times by the clocks of their nodes.

In memory. What a watch brings has happened just now; since when a pod shows what the first list brought is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from steadfit.core import names
from steadfit.core.types import PodTimes
from steadfit.kube.cache import Cache, JSONObject
from steadfit.kube.clock import Clock
from steadfit.kube.key import key_of
from steadfit.kube.resources import PODS


class PodObservations:
    """The times of each server pod in the cache."""

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock
        self._times: dict[str, PodTimes] = {}
        self._shown: dict[str, tuple[str, str]] = {}
        cache.listen(self._on_change)

    @property
    def by_uid(self) -> Mapping[str, PodTimes]:
        """The times by the uid of the pod."""
        return self._times

    def _on_change(self, obj: JSONObject) -> None:
        metadata = obj["metadata"]
        if obj["kind"] != PODS.kind or names.MODEL_DEPLOYMENT not in metadata.get("labels", {}):
            return
        uid, cached = metadata["uid"], self._cache.get(key_of(obj))
        if cached is None or cached["metadata"]["uid"] != uid:
            self._times.pop(uid, None)
            self._shown.pop(uid, None)
            return
        exit_, readiness = shown = _last_exit(obj), _readiness(obj)
        known, now = self._shown.get(uid), self._clock.now()
        times = self._times.get(uid) or PodTimes(first_seen=now)
        if known is not None and known[0] != exit_:
            times = replace(times, exit_seen=now)
        if known is not None and known[1] != readiness:
            times = replace(times, readiness_seen=now)
        self._times[uid], self._shown[uid] = times, shown


def _last_exit(pod: JSONObject) -> str:
    """Return what identifies the last exit of the server, in whatever state of its container it is."""
    for container in pod.get("status", {}).get("containerStatuses", ()):
        if container["name"] == names.SERVER_CONTAINER:
            ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
            return str(ended.get("containerID") or ended.get("finishedAt")) if ended else ""
    return ""


def _readiness(pod: JSONObject) -> str:
    for one in pod.get("status", {}).get("conditions", ()):
        if one["type"] == "Ready":
            return f"{one['status']} {one.get('lastTransitionTime')}"
    return ""
