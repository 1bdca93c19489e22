"""What kstatus makes of an object: what `flux` waits for, and `kubectl` plugins and Config Sync read.

A port of `Compute` from sigs.k8s.io/cli-utils v0.37.2, `pkg/kstatus/status/{status,generic}.go`, without the rules of
the built-in kinds: `kstatus_go/` runs the original, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["InProgress", "Failed", "Current", "Terminating"]


@dataclass(frozen=True, slots=True)
class Result:
    """Status and message, as kstatus gives them."""

    status: Status
    message: str


def compute(obj: Mapping[str, Any]) -> Result:
    """Return the status of a custom resource."""
    return _generic(obj) or _by_ready(obj) or Result("Current", "Resource is current")


def _generic(obj: Mapping[str, Any]) -> Result | None:
    metadata, status = obj["metadata"], obj.get("status", {})
    if metadata.get("deletionTimestamp"):
        return Result("Terminating", "Resource scheduled for deletion")
    if "generation" in metadata and "observedGeneration" in status:
        generation, observed = metadata["generation"], status["observedGeneration"]
        if observed != generation:
            return Result(
                "InProgress",
                f"{obj['kind']} generation is {generation}, but latest observed generation is {observed}",
            )
    for condition in status.get("conditions", ()):
        if condition["type"] == "Reconciling" and condition["status"] == "True":
            return Result("InProgress", condition.get("message", ""))
        if condition["type"] == "Stalled" and condition["status"] == "True":
            return Result("Failed", condition.get("message", ""))
    return None


def _by_ready(obj: Mapping[str, Any]) -> Result | None:
    for condition in obj.get("status", {}).get("conditions", ()):
        if condition["type"] != "Ready":
            continue
        if condition["status"] == "True":
            return Result("Current", "Resource is Ready")
        if condition["status"] in ("False", "Unknown"):
            return Result("InProgress", condition.get("message", ""))
    return None
