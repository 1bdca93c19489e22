"""The input hash: what a model is made of. A run starts when it changes, and not when anything else changes.

What is an input is said by the models alone: every field of `RunInputs` that is not marked `NotInput`.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from steadfit.api.base import NOT_AN_INPUT, Model
from steadfit.api.runinputs import RunInputs


def inputs(spec: RunInputs) -> dict[str, Any]:
    """Return the inputs as JSON in one canonical form.

    Defaults are left out, so that a field that a later version adds does not retrain every model at its upgrade. Lists
    that are maps by name are sorted, because their order means nothing.
    """
    return _inputs(spec, RunInputs)


def input_hash(spec: RunInputs) -> str:
    """Return SHA-256 over the inputs, in hexadecimal."""
    text = json.dumps(inputs(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def changed(before: RunInputs, after: RunInputs) -> list[str]:
    """Return the names of the inputs that differ, sorted."""
    old, new = inputs(before), inputs(after)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _inputs(part: Model, model: type[Model]) -> dict[str, Any]:
    """Return the inputs among the fields that `model` declares: `part` may be of a subclass that has more."""
    found = {}
    for name, field in model.model_fields.items():
        value = getattr(part, name)
        if NOT_AN_INPUT not in field.metadata and value != field.get_default():
            found[field.alias or name] = _ordered(_canonical(value), field)
    return found


def _canonical(value: Any) -> Any:
    """Return JSON in which 1.0 and 1 are the same number, as they are to the API server."""
    if isinstance(value, Model):
        return _inputs(value, type(value))
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return to_jsonable_python(value)


def _ordered(value: Any, field: FieldInfo) -> Any:
    """Return a list that is a map to server-side apply in the order of its keys, anything else as it is."""
    extra = field.json_schema_extra
    keys = extra.get("x-kubernetes-list-map-keys") if isinstance(extra, dict) else None
    if not isinstance(keys, list):
        return value
    return sorted(value, key=lambda item: [str(item.get(key)) for key in keys])
