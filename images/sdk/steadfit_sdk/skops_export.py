"""Estimators as skops files: the same bytes for the same estimator."""

import io
import json
import zipfile
from typing import Any

import skops.io

_EPOCH = (1980, 1, 1, 0, 0, 0)  # The earliest time a zip file can hold.


def skops_bytes(estimator: Any) -> bytes:
    """Return the estimator as a skops file.

    skops names each part by its address in memory and adds the time. Here parts are numbered in the order of their
    occurrence, and the time is fixed.
    """
    numbers: dict[str, int] = {}

    def renumber(node: Any) -> Any:
        if isinstance(node, list):
            return [renumber(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "__id__" in node:
            number = numbers.setdefault(str(node["__id__"]), len(numbers))
            node = {**node, "__id__": number}
            if isinstance(node.get("file"), str):
                node["file"] = f"{number}.{node['file'].rsplit('.', 1)[-1]}"
        return {key: renumber(each) for key, each in node.items()}

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator))) as archive:
        schema = renumber(json.loads(archive.read("schema.json")))
        files = {name: archive.read(name) for name in archive.namelist() if name != "schema.json"}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("schema.json", _EPOCH), json.dumps(schema))
        for name, content in sorted((_renamed(name, numbers), content) for name, content in files.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return target.getvalue()


def _renamed(name: str, numbers: dict[str, int]) -> str:
    stem, _, suffix = name.rpartition(".")
    return f"{numbers[stem]}.{suffix}"
