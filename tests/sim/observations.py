"""What a story looks at: who serves, what is ready, and where runs stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadfit.core import names

from .installation import World
from .objects import JSON
from .starting_objects import NAME


def versions(world: World) -> list[int]:
    """Return the numbers of all versions."""
    return sorted(version["spec"]["number"] for version in world.objects("ModelVersion"))


def live(world: World, name: str = NAME) -> int | None:
    """Return the number of the version that status calls live."""
    found = world.status("ModelDeployment", name).get("live")
    return found["number"] if found else None


def serves(world: World, number: int, name: str = NAME) -> bool:
    """Return whether a version is live, the Service points at it, and the rollout is over."""
    status, service = world.status("ModelDeployment", name), world.find("Service", name)
    if service is None or live(world, name) != number or status.get("candidate"):
        return False
    return bool(service["spec"]["selector"].get(names.REVISION) == status["live"]["revision"]) and is_ready(
        world, "ModelDeployment", name
    )


def is_ready(world: World, kind: str, name: str = NAME) -> bool:
    """Return whether an object is Ready at its generation."""
    found = world.find(kind, name)
    status: JSON = found.get("status", {}) if found else {}
    return (
        found is not None
        and status.get("observedGeneration") == found["metadata"]["generation"]
        and condition(status, "Ready") == "True"
    )


def condition(status: Mapping[str, Any], type_: str) -> str | None:
    """Return the status of a condition."""
    return next((one["status"] for one in status.get("conditions", ()) if one["type"] == type_), None)


def is_idle(world: World, name: str = NAME) -> bool:
    """Return whether no run of the TrainingJob is in flight."""
    status = world.status("TrainingJob", name)
    return status.get("observedGeneration", -1) > 0 and "activeRun" not in status


def phases(world: World) -> list[str]:
    """Return the phases of all runs, oldest first."""
    runs = sorted(world.objects("TrainingRun"), key=lambda run: run["metadata"]["creationTimestamp"])
    return [run.get("status", {}).get("phase", "") for run in runs]
