"""What the API server does with an object of a CRD: prune, default, validate. CEL is left to the real one.

The schemas are the published ones, so a status that the API server would refuse is refused here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .objects import JSON, clone

CRDS = Path(__file__).parents[2] / "crds"
IMMUTABLE = "self == oldSelf"

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


@cache
def schemas() -> Mapping[str, JSON]:
    """Return the schema of every own kind by kind."""
    found = {}
    for path in sorted(CRDS.glob("*.yaml")):
        crd = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        (version,) = crd["spec"]["versions"]
        found[crd["spec"]["names"]["kind"]] = version["schema"]["openAPIV3Schema"]
    return found


def admit(kind: str, new: JSON, old: JSON | None) -> tuple[JSON, list[str]]:
    """Return the object as it would be stored, and what is wrong with it. Other kinds than ours pass unchanged."""
    schema = schemas().get(kind)
    if schema is None:
        return new, []
    metadata = new["metadata"]
    stored = _prune(schema, {key: value for key, value in new.items() if key != "metadata"}, old)
    stored = _default(schema, stored, old)
    errors = list(_errors(schema, stored, old, ""))
    spec_schema = schema["properties"]["spec"]
    if old is not None and _is_immutable(spec_schema) and stored.get("spec") != old.get("spec"):
        errors.append("spec is immutable: create a new object instead")
    return {**stored, "metadata": metadata}, errors


def list_map_keys(kind: str, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the keys that tell the entries of a list apart, or None if the list is one value."""
    schema: Any = schemas().get(kind)
    for name in path:
        if not isinstance(schema, Mapping):
            return None
        if name == "[]":
            schema = schema.get("items")
        else:
            schema = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    if isinstance(schema, Mapping) and schema.get("x-kubernetes-list-type") == "map":
        return tuple(schema["x-kubernetes-list-map-keys"])
    return None


def _is_immutable(schema: Mapping[str, Any]) -> bool:
    return any(rule["rule"] == IMMUTABLE for rule in schema.get("x-kubernetes-validations", ()))


# What is the very value that is stored in this place was admitted when it was stored. Most writes are of a status, and
# change a little of it.


def _stored_in(old: Any, key: str) -> Any:
    """Return the value stored under a key; `_NOTHING` if none is."""
    return old.get(key, _NOTHING) if isinstance(old, dict) else _NOTHING


_NOTHING = object()


def _prune(schema: Any, value: Any, old: Any) -> Any:
    if value is old:
        return value
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_prune(items, item, _NOTHING) for item in value]
    if not isinstance(value, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return value
    properties, additional = schema.get("properties", {}), schema.get("additionalProperties")
    pruned = {}
    for key, item in value.items():
        sub = properties.get(key, additional)
        if sub is not None and item is not None:
            pruned[key] = _prune(sub, item, _stored_in(old, key))
    return pruned


def _default(schema: Any, value: Any, old: Any) -> Any:
    if value is old:
        return value
    if isinstance(value, list):
        return [_default(schema.get("items", {}), item, _NOTHING) for item in value]
    if not isinstance(value, dict):
        return value
    properties, additional = schema.get("properties", {}), schema.get("additionalProperties")
    filled = dict(value)
    for key, sub in properties.items():
        if key not in filled and "default" in sub:
            filled[key] = clone(sub["default"])
    for key, item in filled.items():
        sub = properties.get(key, additional)
        if isinstance(sub, Mapping):
            filled[key] = _default(sub, item, _stored_in(old, key))
    return filled


def _errors(schema: Any, value: Any, old: Any, path: str) -> Iterator[str]:
    if value is old:
        return
    wanted = schema.get("type")
    if wanted is not None:
        fits = isinstance(value, _TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
        if not fits:
            yield f"{path}: must be of type {wanted}"
            return
    if schema.get("x-kubernetes-int-or-string") and not isinstance(value, (int, str)):
        yield f"{path}: must be an integer or a string"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: must be one of {schema['enum']}, not {value!r}"
    if isinstance(value, str):
        yield from _string_errors(schema, value, path)
    elif isinstance(value, (int, float)):
        yield from _number_errors(schema, value, path)
    elif isinstance(value, list):
        yield from _list_errors(schema, value, path)
    elif isinstance(value, dict):
        yield from _object_errors(schema, value, old, path)


def _string_errors(schema: Any, value: str, path: str) -> Iterator[str]:
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{path}: longer than {schema['maxLength']} characters"
    if len(value) < schema.get("minLength", 0):
        yield f"{path}: shorter than {schema['minLength']} characters"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"
    if schema.get("format") == "date-time" and not re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)", value
    ):
        yield f"{path}: {value!r} is not a date-time"


def _number_errors(schema: Any, value: float, path: str) -> Iterator[str]:
    # In this dialect exclusiveMinimum and exclusiveMaximum are flags.
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        yield f"{path}: {value} is less than {low}"
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        yield f"{path}: {value} is greater than {high}"


def _list_errors(schema: Any, value: list[Any], path: str) -> Iterator[str]:
    if len(value) > schema.get("maxItems", len(value)):
        yield f"{path}: more than {schema['maxItems']} items"
    if len(value) < schema.get("minItems", 0):
        yield f"{path}: fewer than {schema['minItems']} items"
    keys = schema.get("x-kubernetes-list-map-keys")
    if keys:
        identities = [tuple(item.get(key) for key in keys) for item in value]
        if len(set(identities)) < len(identities):
            yield f"{path}: duplicate entries"
    for number, item in enumerate(value):
        yield from _errors(schema.get("items", {}), item, _NOTHING, f"{path}[{number}]")


def _object_errors(schema: Any, value: Mapping[str, Any], old: Any, path: str) -> Iterator[str]:
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{path}: more than {schema['maxProperties']} properties"
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{path}.{key}: required"
    properties, additional = schema.get("properties", {}), schema.get("additionalProperties")
    for key, item in value.items():
        sub = properties.get(key, additional)
        if isinstance(sub, Mapping):
            yield from _errors(sub, item, _stored_in(old, key), f"{path}.{key}")
