"""The rules by which Flux checks the status of its own controllers' objects, applied to ours.

A port of the FAIL and WARN rules of github.com/fluxcd/pkg/runtime v0.122.0, `conditions/check/{fail,warn}.go`. Our
`Reconciling` and `Stalled` are its negative-polarity conditions. There is no FAIL0010 in the original, and WARN0002
says nothing where these two are the only negative conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

NEGATIVE = ("Reconciling", "Stalled")


def violations(obj: Mapping[str, Any]) -> list[str]:
    """Return the broken rules of an object whose status its operator has written; none if all is well.

    The defaulted status of an object that no operator has seen yet (observedGeneration -1) has nothing to be checked.
    """
    if obj.get("status", {}).get("observedGeneration", -1) == -1:
        return []
    return list(_violations(obj))


def _violations(obj: Mapping[str, Any]) -> Iterator[str]:
    status = obj["status"]
    generation, observed = obj["metadata"]["generation"], status["observedGeneration"]
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    is_ = {type_: condition["status"] for type_, condition in conditions.items()}
    ready = is_.get("Ready")
    if ready is None:
        yield "FAIL0002: Ready condition must always be present"
    for type_ in NEGATIVE:
        if ready == "True" and is_.get(type_) == "True":
            yield f"FAIL0001: {type_} cannot be True when Ready is True"
        if ready != "False" and is_.get(type_) == "True":
            rule = "FAIL0003" if type_ == "Reconciling" else "FAIL0004"
            yield f"{rule}: Ready must be False when {type_} is True, not {ready}"
        if ready == "True" and type_ in is_:
            yield f"WARN0001: {type_} is present while Ready is True"
        if is_.get(type_) == "False":
            rule = "WARN0003" if type_ == "Reconciling" else "WARN0004"
            yield f"{rule}: {type_} can be removed when it is False"
    if "Reconciling" in is_ and "Stalled" in is_:
        yield "FAIL0005: only one of Reconciling and Stalled may be present"
    if observed > generation:
        yield f"FAIL0006: observedGeneration {observed} is greater than generation {generation}"
    if ready == "True":
        # FAIL0007 and FAIL0008 speak of a finished reconciliation: they hold for the status at the generation that it
        # names. Against a newer generation the observedGeneration itself tells every reader that the status is old.
        for type_, condition in conditions.items():
            if condition.get("observedGeneration", 0) != observed:
                yield f"FAIL0009: observedGeneration of {type_} differs from the status's"
    if ready == "Unknown" and is_.get("Reconciling") != "True":
        yield "FAIL0011: Reconciling must be True when Ready is Unknown"
    for type_, condition in conditions.items():
        if condition.get("observedGeneration", 0) < 1:
            yield f"WARN0005: {type_} has no observedGeneration"


def settled_violations(obj: Mapping[str, Any]) -> list[str]:
    """Return the broken rules of an object that its operator has finished with, FAIL0007 and FAIL0008 among them."""
    found = violations(obj)
    status, generation = obj.get("status", {}), obj["metadata"]["generation"]
    conditions = status.get("conditions", ())
    if any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions):
        if status.get("observedGeneration", -1) < generation:
            found.append("FAIL0007: Ready is True although the generation was not observed")
        old = [one["type"] for one in conditions if one.get("observedGeneration", 0) < generation]
        if old:
            found.append(f"FAIL0008: Ready is True although {old} speak of an older generation")
    return found
