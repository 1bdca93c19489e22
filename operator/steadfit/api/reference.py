"""Renders the reference: the fields of a kind from its CRD, and the table of metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .metrics import METRICS, EvaluationMetric, models
from .structural import Schema

_HEADER = "<!-- Generated from operator/steadfit/api by `make crds`. Do not edit. -->"
_METRICS = """\
What a version is judged by (`evaluation.metrics`), a monitor watches (`quality.metric`) and a canary compares
(`analysis.metrics[].quality.metric`). Values are scikit-learn's, to 12 digits. The positive class is
`evaluation.positiveClass`, else the greater label. A metric without a value on the rows is left out of the record, and
a comparison by it is no data.

- **Gate**: the difference of two versions has a 95 % interval: by McNemar's test for accuracy, else by a paired
  bootstrap over the rows.
- **Monitor**: for which models the servers' counts of outcomes give it over a window. Labels are cut at a probability
  of 0.5. For other models such a monitor has no data, and says so (`MetricUndefined`).
- **Canary**: it is a mean over answers, so that the sequential test can follow it.
"""

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
        _HEADER,
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


def metric_page() -> str:
    """Return the Markdown page of all metrics."""
    head = "| metric | better | range | models | monitor | canary | is | source |"
    rows = [_metric(metric) for metric in METRICS.values()]
    return "\n".join([_HEADER, "# Metrics", "", _METRICS, head, "|---|---|---|---|---|---|---|---|", *rows]) + "\n"


def _metric(metric: EvaluationMetric) -> str:
    better = "larger" if metric.goal == "Maximize" else "smaller"
    cells = (
        f"`{metric.name}`",
        better,
        _range(metric),
        models(metric.tasks),
        models(metric.monitored) or "no",
        "yes" if metric.canary else "no",
        metric.meaning,
        metric.source,
    )
    return f"| {' | '.join(cells)} |"


def _range(metric: EvaluationMetric) -> str:
    if metric.lower is None:
        return f"at most {metric.upper:g}"
    unit = f", in {metric.unit} unit" if metric.unit.endswith("'s") else f", in {metric.unit}s" if metric.unit else ""
    return f"{metric.lower:g} and more{unit}" if metric.upper is None else f"{metric.lower:g} to {metric.upper:g}"


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
    if "type" not in schema and "pattern" in schema:
        return "number or percentage"
    return str(schema.get("type", "any value"))


def _meaning(schema: Schema) -> str:
    parts = [schema["description"].replace("\n", " ")]
    bounds = [text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema]
    if bounds:
        parts.append(f"({'; '.join(bounds)})")
    rules = [rule["message"] for rule in schema.get("x-kubernetes-validations", ())]
    parts += [f"*{message}*" for message in rules]
    return " ".join(parts).replace("|", "\\|")
