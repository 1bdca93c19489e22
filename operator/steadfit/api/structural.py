"""From a pydantic model to a structural schema, the dialect of OpenAPI v3 that a CRD may use.

What the dialect cannot express fails the build: a schema that silently says less than the model would admit
objects that the operator cannot read.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_KEPT = {
    "type", "description", "default", "enum", "format", "pattern", "required",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
}  # fmt: skip
_DROPPED = {"title", "examples", "deprecated", "readOnly", "writeOnly"}
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
# Go's RE2 has neither look-around nor back-references.
_NOT_RE2 = re.compile(r"\(\?(=|!|<=|<!|P=)|\\[1-9]")


class NotStructural(TypeError):  # noqa: N818
    """The model says something that a CRD cannot; the message names the field."""


def structural(model: type[BaseModel]) -> Schema:
    """Return the structural schema of a model.

    Raises
    ------
    NotStructural
        If a field cannot be expressed: recursion, unions other than `X | None` and `int | str`, tuples, patterns
        on keys, regular expressions beyond RE2, defaults that are computed.
    """
    raw = model.model_json_schema(by_alias=True, mode="validation")
    return _walk(raw, raw.get("$defs", {}), "$", ())


def _walk(schema: Schema, defs: dict[str, Schema], path: str, stack: tuple[str, ...]) -> Schema:
    schema = {key: value for key, value in schema.items() if key not in _DROPPED and key != "$defs"}
    if "$ref" in schema:
        name = schema.pop("$ref").rsplit("/", 1)[-1]
        if name in stack:
            raise NotStructural(f"{path}: {name} contains itself")
        return _walk({**defs[name], **schema}, defs, path, (*stack, name))
    # Beside this mark alternatives are constraints of the API server's own, written as it reads them.
    if "anyOf" in schema and _PRESERVE not in schema:
        return _union(schema, defs, path, stack)

    result: Schema = {}
    for key, value in schema.items():
        if key in _KEPT or key.startswith("x-kubernetes-") or key in ("anyOf", "allOf", "oneOf"):
            result[key] = value
        elif key == "const":
            result["enum"] = [value]
        elif key == "properties":
            result[key] = _properties(schema, defs, path, stack)
        elif key == "items":
            result[key] = _walk(value, defs, f"{path}[]", stack)
        elif key == "uniqueItems":
            result["x-kubernetes-list-type"] = "set"
        elif key == "additionalProperties":
            _additional(result, value, defs, path, stack)
        else:
            raise NotStructural(f"{path}: {key} cannot be said in a structural schema")
    if not result.keys() - {"description", "default"}:
        result = {_PRESERVE: True, **result}
    elif "type" not in result and _PRESERVE not in result:
        raise NotStructural(f"{path}: values of several types")
    _check_pattern(result, path)
    _openapi_bounds(result)
    if result.get("default", ...) is None:
        del result["default"]
    elif "default" in result:
        result["default"] = _minimal(result["default"], result)
    return result


def _union(schema: Schema, defs: dict[str, Schema], path: str, stack: tuple[str, ...]) -> Schema:
    """Resolve `X | None` to X, for absent and null are the same, and `int | str` to int-or-string."""
    rest = dict(schema)
    members = [branch for branch in rest.pop("anyOf") if branch != {"type": "null"}]
    if len(members) == 1:
        return _walk({**members[0], **rest}, defs, path, stack)
    if members != _INT_OR_STRING:
        raise NotStructural(f"{path}: a union; use optional siblings and a CEL rule instead")
    return {"x-kubernetes-int-or-string": True, "anyOf": _INT_OR_STRING, **rest}


def _properties(schema: Schema, defs: dict[str, Schema], path: str, stack: tuple[str, ...]) -> dict[str, Schema]:
    required = schema.get("required", ())
    properties = {}
    for name, field in schema["properties"].items():
        if name not in required and "default" not in field:
            raise NotStructural(f"{path}.{name}: the default is computed; write it out, so that it can be published")
        properties[name] = _walk(field, defs, f"{path}.{name}", stack)
    return properties


def _additional(result: Schema, value: Any, defs: dict[str, Schema], path: str, stack: tuple[str, ...]) -> None:
    """Add the schema of a map's values, or say that anything may lie below."""
    if value is False:
        return  # the API server refuses the keyword beside properties, and prunes what it does not know anyway
    if value is True:
        result[_PRESERVE] = True
    else:
        result["additionalProperties"] = _walk(value, defs, f"{path}{{}}", stack)


def _check_pattern(schema: Schema, path: str) -> None:
    if _NOT_RE2.search(schema.get("pattern", "")):
        raise NotStructural(f"{path}: the API server's regular expressions (RE2) cannot say {schema['pattern']}")


def _openapi_bounds(schema: Schema) -> None:
    """Turn the numbers of JSON Schema's exclusive bounds into OpenAPI 3.0's flags."""
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if exclusive in schema:
            schema[bound], schema[exclusive] = schema[exclusive], True


def _minimal(default: Any, schema: Schema) -> Any:
    """Leave out of a default what the API server fills in from the fields' own defaults of its objects."""
    if isinstance(default, list):
        return [_minimal(item, schema.get("items", {})) for item in default]
    if not isinstance(default, dict):
        return default
    properties = schema.get("properties", {})
    kept = {}
    for name, value in default.items():
        field = properties.get(name, {})
        value = _minimal(value, field)
        if value is not None and value != field.get("default", ...):
            kept[name] = value
    return kept
