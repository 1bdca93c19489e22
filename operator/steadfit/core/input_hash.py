"""The input hash: what a model is made of. When it changes, a run starts; when anything else changes, none does."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from steadfit.api.trainingjob import TrainingJobSpec
from steadfit.api.trainingrun import TrainingRunSpec

_PLAIN = ("image", "command", "args", "env", "params", "seed", "data")


def inputs(spec: TrainingJobSpec | TrainingRunSpec) -> dict[str, Any]:
    """Return the inputs as JSON in one canonical form.

    Defaults are left out, so that a field that a later version adds does not retrain every model at its upgrade. Lists
    that are maps by name are sorted, because their order means nothing.
    """
    dumped = spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    found = {key: dumped[key] for key in _PLAIN if key in dumped}
    for key in ("env", "data"):
        if key in found:
            found[key] = sorted(found[key], key=lambda item: str(item["name"]))
    found["resources"] = spec.resources.dump()
    found["holdout"] = dumped["evaluation"]["holdout"]
    return {key: _canonical(value) for key, value in found.items()}


def input_hash(spec: TrainingJobSpec | TrainingRunSpec) -> str:
    """Return SHA-256 over the inputs, in hexadecimal."""
    text = json.dumps(inputs(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def changed(before: TrainingRunSpec, after: TrainingJobSpec) -> list[str]:
    """Return the names of the inputs that differ, sorted."""
    old, new = inputs(before), inputs(after)
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def _canonical(value: Any) -> Any:
    """Return JSON in which 1.0 and 1 are the same number, as they are to the API server."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return value
