"""The pods whose tallies are read: those of a candidate and of its champion, ready or not, that our ReplicaSets own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from steadfit.core import names
from steadfit.kube.cache import JSONObject
from steadfit.prometheus.canary_trial import Trial

PORT_NAME = "metrics"
MOST_PODS = 32
"""Most pods of one arm that are read; more tell no more of the arm."""


@dataclass(frozen=True, slots=True)
class ServerPod:
    """One pod of a server.

    Attributes
    ----------
    address, port
        IP address, and the port of its metrics.
    """

    uid: str
    name: str
    namespace: str
    model: str
    revision: str
    address: str
    port: int


def pods_of(trial: Trial, pods: Iterable[JSONObject]) -> Sequence[ServerPod]:
    """Return the pods of both arms that run and have an address, at most `MOST_PODS` of each."""
    found: dict[str, list[ServerPod]] = {trial.champion_revision: [], trial.revision: []}
    for pod in pods:
        arm = found.get(pod["metadata"].get("labels", {}).get(names.REVISION, ""))
        if arm is not None and len(arm) < MOST_PODS and (server := _server(trial, pod)) is not None:
            arm.append(server)
    return [pod for arm in found.values() for pod in arm]


def _server(trial: Trial, pod: JSONObject) -> ServerPod | None:
    status, metadata = pod.get("status", {}), pod["metadata"]
    revision, address, port = metadata["labels"][names.REVISION], status.get("podIP"), _port(pod)
    if status.get("phase") != "Running" or not address or port is None:
        return None
    # The ReplicaSets between a Deployment and its pods are not watched: their names begin with the Deployment's.
    owner = names.controller_of(pod)
    if owner is None or owner.get("kind") != "ReplicaSet":
        return None
    if not str(owner["name"]).startswith(f"{names.workload_name(trial.name, revision)}-"):
        return None
    return ServerPod(metadata["uid"], metadata["name"], trial.namespace, trial.name, revision, address, port)


def _port(pod: JSONObject) -> int | None:
    containers: list[dict[str, Any]] = pod.get("spec", {}).get("containers", [])
    ports = (port for container in containers for port in container.get("ports", []))
    return next((int(port["containerPort"]) for port in ports if port.get("name") == PORT_NAME), None)
