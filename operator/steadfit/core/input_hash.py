"""The input hash: a run starts when it changes, and not when anything else changes.

The models alone define the inputs: every field of `RunInputs` that is not marked `NotInput`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
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
    return hashlib.sha256(_text(inputs(spec)).encode()).hexdigest()


def changed(before: RunInputs, after: RunInputs) -> list[str]:
    """Return the paths of the inputs that differ, sorted.

    A path names a field of the spec, and goes deeper only where a field is an input in part, as `evaluation` is.
    """
    return sorted(_differences(inputs(before), inputs(after), RunInputs))


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], model: type[Model]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        mine, theirs = old.get(key), new.get(key)
        if _text(mine) == _text(theirs):  # To Python, True and 1 are equal.
            continue
        part = field.annotation
        if isinstance(part, type) and issubclass(part, Model) and _is_partly_input(part):
            yield from (f"{key}.{path}" for path in _differences(mine or {}, theirs or {}, part))
        else:
            yield key


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _is_partly_input(model: type[Model]) -> bool:
    return any(NOT_AN_INPUT in field.metadata for field in model.model_fields.values())


def _inputs(part: Model, model: type[Model]) -> dict[str, Any]:
    """Return the inputs among the fields that `model` declares: `part` may be of a subclass that has more."""
    found = {}
    for name, field, default in _input_fields(model):
        value = getattr(part, name)
        if value != default:
            found[field.alias or name] = _ordered(_canonical(value), field)
    return found


@cache
def _input_fields(model: type[Model]) -> Sequence[tuple[str, FieldInfo, Any]]:
    """Return name, declaration and default of each field that is an input: every pass of a job reads them."""
    fields = model.model_fields.items()
    return [(name, field, field.get_default()) for name, field in fields if NOT_AN_INPUT not in field.metadata]


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
