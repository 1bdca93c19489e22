"""What befalls the server pods of a cluster after they were ready, as kubelets and the control plane report it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from steadfit.core import names

from tests.sim.objects import merge

from .serving_cluster import ServingCluster


def pods_of(cluster: ServingCluster, number: int) -> list[dict[str, Any]]:
    """Return the pods of a version that have a node and are not on their way out, by name."""
    ending = {pod["metadata"]["name"] for pod in cluster.ending}
    placed = [pod for pod in cluster.pods() if "containerStatuses" in pod["status"]]
    found = [pod for pod in placed if pod["metadata"]["labels"][names.VERSION] == str(number)]
    return sorted(
        (pod for pod in found if pod["metadata"]["name"] not in ending), key=lambda pod: str(pod["metadata"]["name"])
    )


def end(
    cluster: ServingCluster,
    number: int,
    reason: str = "OOMKilled",
    code: int = 137,
    index: int = 0,
    message: str = "",
) -> None:
    """Let the server of a version's pod end; the next one starts and is not ready yet."""
    pod = pods_of(cluster, number)[index]
    now = cluster.now.isoformat()
    cluster.counter += 1
    ended = {
        "exitCode": code,
        "reason": reason,
        "message": message,
        "startedAt": (cluster.now - timedelta(seconds=1)).isoformat(),
        "finishedAt": now,
        "containerID": f"containerd://{cluster.counter}",
    }
    server = {"restartCount": _server(pod).get("restartCount", 0) + 1, "lastState": {"terminated": ended}}
    _befall(cluster, pod, ready=False, started=now, **server)


def lose_readiness(cluster: ServingCluster, number: int, index: int = 0) -> None:
    """Let the readiness probe of a running server fail."""
    pod = pods_of(cluster, number)[index]
    _befall(cluster, pod, ready=False, started=(cluster.now - timedelta(seconds=1)).isoformat())


def regain(cluster: ServingCluster, number: int) -> None:
    """Let every server of a version be ready again."""
    for pod in pods_of(cluster, number):
        if pod["metadata"]["name"] in cluster.befallen:
            _befall(cluster, pod, ready=True)


def lose_node(cluster: ServingCluster, number: int, index: int = 0) -> None:
    """Let the control plane say that a pod is not ready, as its node is silent; the server's last state stays."""
    _patch(cluster, pods_of(cluster, number)[index], {"status": {"conditions": [_ready(cluster, ready=False)]}})


def restart_node(cluster: ServingCluster, number: int, index: int = 0) -> None:
    """Let a node restart: its kubelet finds the server gone, and starts it anew."""
    end(cluster, number, "Unknown", 255, index)


def evict(cluster: ServingCluster, number: int, index: int = 0) -> None:
    """Let a node that is short of memory throw a pod out: the server is killed."""
    end(cluster, number, "Error", 137, index)
    _patch(cluster, pods_of(cluster, number)[index], {"status": {"phase": "Failed", "reason": "Evicted"}})


def disrupt(cluster: ServingCluster, number: int, index: int = 0) -> None:
    """Let a pod be drained or preempted: it is marked, and its server ends."""
    end(cluster, number, "Completed", 0, index)
    conditions = [_ready(cluster, ready=False), {"type": "DisruptionTarget", "status": "True"}]
    _patch(cluster, pods_of(cluster, number)[index], {"status": {"conditions": conditions}})


def replace(cluster: ServingCluster, number: int) -> None:
    """Let the Deployment put new pods in the place of all that something befell."""
    for pod in pods_of(cluster, number):
        cluster.befallen.pop(pod["metadata"]["name"], None)


def _befall(cluster: ServingCluster, pod: dict[str, Any], *, ready: bool, started: str = "", **server: Any) -> None:
    container = _server(pod) | server | {"ready": ready}
    if started:
        container["state"] = {"running": {"startedAt": started}}
        container["containerID"] = f"containerd://of-{pod['metadata']['name']}-{container.get('restartCount', 0)}"
    status = {"containerStatuses": [container], "conditions": [_ready(cluster, ready=ready)]}
    _patch(cluster, pod, {"status": status})


def _patch(cluster: ServingCluster, pod: dict[str, Any], patch: dict[str, Any]) -> None:
    name = pod["metadata"]["name"]
    cluster.befallen[name] = merge(cluster.befallen.get(name, {}), patch)


def _server(pod: dict[str, Any]) -> dict[str, Any]:
    server: dict[str, Any] = pod["status"]["containerStatuses"][0]
    return server


def _ready(cluster: ServingCluster, *, ready: bool) -> dict[str, str]:
    return {"type": "Ready", "status": str(ready), "lastTransitionTime": cluster.now.isoformat()}
