"""Renders the field reference of one kind from its CRD."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .structural import Schema

_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "maxProperties": "at most {} entries",
}


def page(crd: dict[str, Any]) -> str:
    """Return the Markdown page of a CRD: one row for each field of spec and status."""
    spec = crd["spec"]
    schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
    kind = f"`{spec['group']}/{spec['versions'][0]['name']}`, {spec['scope'].lower()}"
    short = "".join(f", short `{name}`" for name in spec["names"].get("shortNames", ()))
    lines = [
        "<!-- Generated from operator/steadfit/api by `make crds`. Do not edit. -->",
        f"# {spec['names']['kind']}",
        "",
        schema["description"],
        "",
        f"{kind}{short}.",
        *(f"- {rule['message']}" for rule in schema.get("x-kubernetes-validations", ())),
    ]
    for part in ("spec", "status"):
        lines += ["", f"## {part}", "", "| field | type | default | meaning |", "|---|---|---|---|"]
        lines += _rows(schema["properties"][part], "")
    return "\n".join(lines) + "\n"


def _rows(schema: Schema, prefix: str) -> Iterator[str]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        default = f"`{json.dumps(field['default'])}`" if "default" in field else "required" if name in required else ""
        yield f"| `{path}` | {_type(field)} | {default} | {_meaning(field)} |"
        if field.get("type") == "array":
            yield from _rows(field["items"], f"{path}[].")
        else:
            yield from _rows(field, f"{path}.")


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if schema.get("format") == "date-time":
        return "time"
    return str(schema.get("type", "any value"))


def _meaning(schema: Schema) -> str:
    parts = [schema["description"].replace("\n", " ")]
    bounds = [text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema]
    if bounds:
        parts.append(f"({'; '.join(bounds)})")
    rules = [rule["message"] for rule in schema.get("x-kubernetes-validations", ())]
    parts += [f"*{message}*" for message in rules]
    return " ".join(parts).replace("|", "\\|")
