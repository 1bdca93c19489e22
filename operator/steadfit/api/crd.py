"""Writes `crds/` and the reference from the typed models and tables: `python -m steadfit.api.crd [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from .base import GROUP, VERSION, Definition, PrinterColumn
from .kinds import DEFINITIONS
from .reference import metric_page, page
from .structural import Schema, structural

ROOT = Path(__file__).parents[3]
_HEADER = "# Generated from operator/steadfit/api by `make crds`. Do not edit.\n"
_META = {
    "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
    "kind": {"type": "string", "description": "Kind of the object."},
    "metadata": {"type": "object"},  # the API server describes it, and lets nobody else do it
}


def crd(definition: Definition) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    names: dict[str, Any] = {
        "kind": definition.kind,
        "listKind": f"{definition.kind}List",
        "plural": definition.plural,
        "singular": definition.kind.lower(),
        "categories": ["steadfit"],
    }
    if definition.short_names:
        names["shortNames"] = list(definition.short_names)
    subresources: dict[str, Any] = {"status": {}}
    if definition.scale:
        subresources["scale"] = {
            "specReplicasPath": ".spec.server.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{definition.plural}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "steadfit"},
        },
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Namespaced" if definition.namespaced else "Cluster",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": subresources,
                    "additionalPrinterColumns": [_column(column) for column in definition.columns],
                    "schema": {"openAPIV3Schema": _root(definition)},
                }
            ],
        },
    }


def _root(definition: Definition) -> Schema:
    schema = structural(definition.model)
    properties = {**_META, "spec": schema["properties"]["spec"], "status": schema["properties"]["status"]}
    # Without it kstatus takes an object that no operator has seen for a healthy one.
    properties["status"]["default"] = {"observedGeneration": -1}
    root: Schema = {
        "type": "object",
        "description": definition.description,
        # Or a patch to `spec: null` would get round the rules on spec, immutability among them.
        "required": ["spec"],
        "properties": properties,
    }
    if definition.rules:
        root["x-kubernetes-validations"] = list(definition.rules)
    return root


def _column(column: PrinterColumn) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    if column.priority:
        entry["priority"] = column.priority
    if column.description:
        entry["description"] = column.description
    return entry


class _Dumper(yaml.SafeDumper):
    """Writes shared parts out each time: an alias in YAML is hard to read, and some tools refuse it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def render(document: dict[str, Any]) -> str:
    """Return a document as YAML, the same for the same document."""
    return _HEADER + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def files() -> dict[Path, str]:
    """Return every generated file with what it must contain; the paths are relative to the repository."""
    crds = {Path("crds", f"{GROUP}_{kind.plural}.yaml"): render(crd(kind)) for kind in DEFINITIONS}
    pages = {Path("docs/reference", f"{kind.kind.lower()}.md"): page(crd(kind)) for kind in DEFINITIONS}
    return crds | pages | {Path("docs/reference", "metrics.md"): metric_page()}


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with `--check` name those that differ; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m steadfit.api.crd", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    check = parser.parse_args(arguments).check
    stale = []
    for path, text in files().items():
        target = ROOT / path
        if target.is_file() and target.read_text() == text:
            continue
        stale.append(path)
        if not check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    for path in stale:
        print(f"{path} is out of date; run `make crds`" if check else f"wrote {path}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
