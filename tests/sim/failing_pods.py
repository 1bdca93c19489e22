"""What befalls server pods after they were ready: they end by themselves, lose readiness, or are disrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from steadfit.core import names
from steadfit.kube.client import NotFound

from . import podstatus
from .loop import time_text
from .objects import JSON, Ref, ref_of, stable_uid
from .simulated_cluster import SimulatedCluster

MANAGER = "kubelet"
STARTS_IN = 4.0
"""How long a server that has ended takes to be ready again."""


def pods_of(cluster: SimulatedCluster, number: int) -> list[JSON]:
    """Return the pods of a version that run and are not on their way out."""
    return [
        pod
        for pod in cluster.objects("Pod")
        if pod["metadata"].get("labels", {}).get(names.VERSION) == str(number)
        and "deletionTimestamp" not in pod["metadata"]
        and pod.get("status", {}).get("phase") == "Running"
    ]


def is_ready(pod: JSON) -> bool:
    """Return whether a pod is ready."""
    return any((one["type"], one["status"]) == ("Ready", "True") for one in pod["status"]["conditions"])


def end(
    cluster: SimulatedCluster, pod: JSON, reason: str = "OOMKilled", code: int = 137, skew: timedelta = timedelta()
) -> None:
    """Let the server of a pod end and be started again, as its kubelet does, whose clock may be ahead or behind."""
    now = _node_time(cluster, skew)

    def change(obj: JSON) -> None:
        (server,) = obj["status"]["containerStatuses"]
        since = server["state"].get("running", {}).get("startedAt", now)
        ended = podstatus.terminated(since, now, code, reason)
        ended["terminated"]["containerID"] = _container_id(server, obj)
        server |= {
            "restartCount": server["restartCount"] + 1,
            "state": podstatus.running(now),
            "lastState": ended,
            "ready": False,
        }
        _set_ready(obj, False, now)

    _change(cluster, ref_of(pod), change)
    cluster.loop.call_later(STARTS_IN, regain, cluster, pod, skew)


def lose_readiness(cluster: SimulatedCluster, pod: JSON, skew: timedelta = timedelta()) -> None:
    """Let the readiness probe of a running server fail."""
    _probe(cluster, pod, skew, ready=False)


def regain(cluster: SimulatedCluster, pod: JSON, skew: timedelta = timedelta()) -> None:
    """Let the readiness probe of a server succeed again."""
    _probe(cluster, pod, skew, ready=True)


def set_clock(cluster: SimulatedCluster, pod: JSON, skew: timedelta) -> None:
    """Let the clock of a pod's node have been ahead or behind since its server started."""
    now = _node_time(cluster, skew)

    def change(obj: JSON) -> None:
        for one in obj["status"]["conditions"]:
            one["lastTransitionTime"] = now
        obj["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = now

    _change(cluster, ref_of(pod), change)


def lose_node(cluster: SimulatedCluster, pod: JSON) -> None:
    """Let the node of a pod fall silent: the control plane says that the pod is not ready, and knows no more."""
    _change(cluster, ref_of(pod), lambda obj: _set_ready(obj, False, time_text(cluster.loop)))


def evict(cluster: SimulatedCluster, pod: JSON) -> None:
    """Let the node throw a pod out, because it is short of memory: its server is killed."""
    now = time_text(cluster.loop)
    message = "The node was low on resource: memory."

    def change(obj: JSON) -> None:
        (server,) = obj["status"]["containerStatuses"]
        since = server["state"].get("running", {}).get("startedAt", now)
        server |= {"state": podstatus.terminated(since, now, 137, "Error"), "ready": False}
        obj["status"] |= {"phase": "Failed", "reason": "Evicted", "message": message}
        obj["status"]["conditions"].append(
            podstatus.condition("DisruptionTarget", True, now, "TerminationByKubelet", message)
        )
        _set_ready(obj, False, now)

    _change(cluster, ref_of(pod), change)


def drain(cluster: SimulatedCluster, pod: JSON) -> None:
    """Evict a pod by the API, as `kubectl drain` does: it is marked, its server ends, and it goes."""
    now = time_text(cluster.loop)
    target = podstatus.condition("DisruptionTarget", True, now, "EvictionByEvictionAPI", "Eviction API: evicting")
    _change(cluster, ref_of(pod), lambda obj: obj["status"]["conditions"].append(target))
    cluster.delete("Pod", pod["metadata"]["name"])


async def whenever(cluster: SimulatedCluster, number: int, seconds: float, what: Callable[..., Any]) -> None:
    """Let this befall a ready pod of a version every so often, for ever."""
    while True:
        await asyncio.sleep(seconds)
        for pod in [pod for pod in pods_of(cluster, number) if is_ready(pod)][:1]:
            what(cluster, pod)


def _probe(cluster: SimulatedCluster, pod: JSON, skew: timedelta, *, ready: bool) -> None:
    def change(obj: JSON) -> None:
        obj["status"]["containerStatuses"][0]["ready"] = ready
        _set_ready(obj, ready, _node_time(cluster, skew))

    _change(cluster, ref_of(pod), change)


def _node_time(cluster: SimulatedCluster, skew: timedelta) -> str:
    return (cluster.loop.now() + skew).strftime("%Y-%m-%dT%H:%M:%SZ")


def _container_id(server: JSON, pod: JSON) -> str:
    return f"containerd://{stable_uid(pod['metadata']['uid'], server['restartCount'])}"


def _set_ready(pod: JSON, ready: bool, now: str) -> None:
    for one in pod["status"]["conditions"]:
        if one["type"] in ("Ready", "ContainersReady") and one["status"] != str(ready):
            one |= {"status": str(ready), "lastTransitionTime": now}


def _change(cluster: SimulatedCluster, ref: Ref, change: Callable[[JSON], Any]) -> None:
    """Change a pod's status; a pod that is gone, or has ended, has none any more."""
    pod = cluster.store.find(ref)
    if pod is None or pod["status"].get("phase") != "Running" or "deletionTimestamp" in pod["metadata"]:
        return
    change(pod)
    try:
        cluster.store.set_status(ref, pod["status"], MANAGER)
    except NotFound:
        return
