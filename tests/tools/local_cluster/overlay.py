"""Kustomize overlays outside git that put the images just built into manifests that are in git."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from tests.tools.local_cluster.settings import Settings


def split(reference: str) -> tuple[str, str, str]:
    """Name, separator key and value of a reference by digest or tag, as kustomize's ``images`` wants them.

    ``localhost:5001/a/b@sha256:0…`` gives ``("localhost:5001/a/b", "digest", "sha256:0…")``.
    """
    if "@" in reference:
        name, _, value = reference.partition("@")
        return name, "digest", value
    name, _, value = reference.rpartition(":")
    return name, "newTag", value


def render(resource: str, images: Mapping[str, str], patches: list[dict[str, object]]) -> str:
    """A kustomization (JSON is YAML) over ``resource`` with image names replaced and patches applied."""
    entries = []
    for placeholder, reference in sorted(images.items()):
        name, kind, value = split(reference)
        entries.append({"name": placeholder, "newName": name, kind: value})
    return json.dumps(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [resource],
            "images": entries,
            "patches": patches,
        },
        indent=2,
    )


def write(
    settings: Settings,
    name: str,
    base: Path,
    images: Mapping[str, str],
    patches: list[dict[str, object]] | None = None,
) -> Path:
    """Write ``build/overlays/<name>`` over the kustomization in ``base``; the directory to apply."""
    directory = settings.root / "build" / "overlays" / name
    directory.mkdir(parents=True, exist_ok=True)
    resource = os.path.relpath(base, directory)  # kustomize refuses absolute paths
    (directory / "kustomization.yaml").write_text(render(resource, images, patches or []))
    return directory
