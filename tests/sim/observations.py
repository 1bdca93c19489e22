"""What a story looks at: who serves, what is ready, and where runs stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadfit.core import names

from .objects import JSON
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME


def versions(cluster: SimulatedCluster) -> list[int]:
    """Return the numbers of all versions."""
    return sorted(version["spec"]["number"] for version in cluster.objects("ModelVersion"))


def live(cluster: SimulatedCluster, name: str = NAME) -> int | None:
    """Return the number of the version that status calls live."""
    found = cluster.status("ModelDeployment", name).get("live")
    return found["number"] if found else None


def serves(cluster: SimulatedCluster, number: int, name: str = NAME) -> bool:
    """Return whether a version is live, the Service points at it, and the rollout is over."""
    status, service = cluster.status("ModelDeployment", name), cluster.find("Service", name)
    if service is None or live(cluster, name) != number or status.get("candidate"):
        return False
    return bool(service["spec"]["selector"].get(names.REVISION) == status["live"]["revision"]) and is_ready(
        cluster, "ModelDeployment", name
    )


def is_ready(cluster: SimulatedCluster, kind: str, name: str = NAME) -> bool:
    """Return whether an object is Ready at its generation."""
    found = cluster.find(kind, name)
    status: JSON = found.get("status", {}) if found else {}
    return (
        found is not None
        and status.get("observedGeneration") == found["metadata"]["generation"]
        and condition(status, "Ready") == "True"
    )


def condition(status: Mapping[str, Any], type_: str) -> str | None:
    """Return the status of a condition."""
    return next((one["status"] for one in status.get("conditions", ()) if one["type"] == type_), None)


def is_idle(cluster: SimulatedCluster, name: str = NAME) -> bool:
    """Return whether no run of the TrainingJob is in flight."""
    status = cluster.status("TrainingJob", name)
    return status.get("observedGeneration", -1) > 0 and "activeRun" not in status


def phases(cluster: SimulatedCluster) -> list[str]:
    """Return the phases of all runs, oldest first."""
    runs = sorted(cluster.objects("TrainingRun"), key=lambda run: run["metadata"]["creationTimestamp"])
    return [run.get("status", {}).get("phase", "") for run in runs]
