"""All status oracles in one call, for every state that a test meets: `violations` after a write, `settled` at rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import argocd, conditions, flux, kstatus, presence, reasons

_HEALTH = {
    "InProgress": {"Progressing"},
    "Failed": {"Degraded"},
    "Current": {"Healthy", "Suspended"},
    "Terminating": {"Progressing"},
}


def violations(obj: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> list[str]:
    """Return what is wrong with the status of one of our objects, in any state; `before` is the state it replaced."""
    found = flux.violations(obj) + conditions.violations(obj, before)
    found += reasons.violations(obj["kind"], obj.get("status", {}))
    found += presence.violations(obj["kind"], obj.get("status", {}))
    computed = kstatus.compute(obj).status
    health, _ = argocd.health(obj)
    if health not in _HEALTH[computed]:
        found.append(f"Argo CD says {health} where kstatus says {computed}")
    return found


def settled(obj: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the status of one of our objects that its operator has nothing to do on any more."""
    found = violations(obj) + flux.settled_violations(obj)
    generation, observed = obj["metadata"]["generation"], obj.get("status", {}).get("observedGeneration", -1)
    if observed != generation:
        found.append(f"observedGeneration is {observed}, generation {generation}")
    return [message for index, message in enumerate(found) if message not in found[:index]]
