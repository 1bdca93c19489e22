"""Values of a structural schema: one that has every field, and any at all."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_TEXT = st.text("abcxyz019-", max_size=6)
_SCALARS = st.one_of(_TEXT, st.integers(-9, 9), st.booleans(), st.floats(-9, 9))


def filled(schema: Schema) -> Any:
    """Return a value with every field, each other than its default where the schema leaves a choice."""
    if "properties" in schema:
        return {name: filled(child) for name, child in schema["properties"].items()}
    if schema.get("type") == "array":
        return [filled(schema["items"])]
    if schema.get("type") == "object":
        return {"key": filled(schema["additionalProperties"])}
    if "enum" in schema:
        return next((value for value in schema["enum"] if value != schema.get("default")), schema["enum"][0])
    if schema.get("type") == "boolean":
        return not schema.get("default", False)
    if schema.get("type") in ("integer", "number"):
        middle = (schema.get("minimum", 0) + schema.get("maximum", 10)) / 2
        return middle if schema["type"] == "number" else int(middle)
    return "7%" if _is_margin(schema) else "other"


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """Draw any value that the schema admits; its CEL rules are not looked at."""
    if "properties" in schema:
        return st.fixed_dictionaries({name: values(child) for name, child in schema["properties"].items()})
    if schema.get("type") == "array":
        return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
    if schema.get("type") == "object":
        items = values(schema["additionalProperties"])
        return st.dictionaries(_TEXT, items, min_size=schema.get("minProperties", 0), max_size=3)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if _is_margin(schema):
        return st.one_of(st.floats(schema["minimum"], 99), st.integers(0, 999).map(lambda number: f"{number}%"))
    if _PRESERVE in schema:
        return _SCALARS
    if _INT_OR_STRING in schema:
        return st.one_of(st.integers(0, 99), _TEXT)
    return _scalars(schema)


def _is_margin(schema: Schema) -> bool:
    """Tell whether a field takes numbers, and texts of a pattern."""
    return _PRESERVE in schema and "pattern" in schema


def _scalars(schema: Schema) -> st.SearchStrategy[Any]:
    kind = schema["type"]
    if kind == "boolean":
        return st.booleans()
    low, high = schema.get("minimum", -99), schema.get("maximum", 99)
    if kind == "integer":
        return st.integers(low, high)
    if kind == "number":
        bounds = {
            "exclude_min": schema.get("exclusiveMinimum", False),
            "exclude_max": schema.get("exclusiveMaximum", False),
        }
        return st.floats(low, high, **bounds)
    return st.text("abcxyz019-", min_size=schema.get("minLength", 0), max_size=6)
