"""The example in demo time: a kustomization over it that a month takes a minute and a half in.

The example itself keeps the values of production. Only times and the training image differ here: levels, samples and
margin are what they are, because a month of the demo has as many flights as a month.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from tests.support.kubectl import Manifest

from .replay import SECONDS

EXAMPLE = Path("manifests/examples/flights")
WINDOW = f"{SECONDS:.0f}s"
"""What a month is."""
COOLDOWN = "2m"
"""Longer than the windows, as it should be."""


def write(folder: Path, image: str) -> Path:
    """Write the kustomization into a folder and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    deployment = yaml.safe_load((EXAMPLE / "model-deployment.yaml").read_text())
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(EXAMPLE, folder)],
        "patches": [
            {"target": {"kind": "TrainingJob"}, "patch": json.dumps(of_training_job(image))},
            {"target": {"kind": "ModelDeployment"}, "patch": json.dumps(of_model_deployment(deployment))},
        ],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    return folder


def of_training_job(image: str) -> list[dict[str, Any]]:
    """Return the JSON patch that names the training image by its digest and shortens the cooldown."""
    return [
        {"op": "replace", "path": "/spec/image", "value": image},
        {"op": "replace", "path": "/spec/limits/cooldown", "value": COOLDOWN},
    ]


def of_model_deployment(example: Manifest) -> list[dict[str, Any]]:
    """Return the JSON patch that takes every monitor over a month of the demo, at once when the level is passed."""
    patch: list[dict[str, Any]] = []
    for index, monitor in enumerate(example["spec"]["monitors"]):
        patch.append({"op": "add", "path": f"/spec/monitors/{index}/window", "value": WINDOW})
        if "for" in monitor:
            patch.append({"op": "remove", "path": f"/spec/monitors/{index}/for"})
    return patch
