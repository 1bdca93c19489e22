"""The example in demo time: a kustomization over it in which a month takes 100 seconds.

The example itself keeps the values of production. Only times, the training image and, for a while, the feed that is
learned from differ here: levels, samples and margins are what they are, because a month of the demo has as many flights
as a month.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from tests.support.kubectl import Manifest

from .offline import EXAMPLE
from .replay import SECONDS

WINDOW = f"{SECONDS:.0f}s"
"""What a month is."""
COOLDOWN = "45s"
"""Half a month. Drift and quality are counted by version, so a window never reaches back over a promotion."""
BAKE_DURATION = "30s"
FLUSH = "5s"
LONGEST_ANALYSIS = "4m"
MOST_RUNS = 48
"""In 24 hours, which are many years of the demo."""


def write(folder: Path, image: str, data: str | None = None) -> Path:
    """Write the kustomization into a folder and return the folder.

    Parameters
    ----------
    data
        The feed to learn from instead of the example's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    deployment = yaml.safe_load((EXAMPLE / "model-deployment.yaml").read_text())
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(EXAMPLE, folder)],
        "patches": [
            {"target": {"kind": "TrainingJob"}, "patch": json.dumps(of_training_job(image, data))},
            {"target": {"kind": "ModelDeployment"}, "patch": json.dumps(of_model_deployment(deployment))},
        ],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    return folder


def of_training_job(image: str, data: str | None = None) -> list[dict[str, Any]]:
    """Return the JSON patch that names the training image by its digest and takes demo time."""
    patch: list[dict[str, Any]] = [
        {"op": "replace", "path": "/spec/image", "value": image},
        {"op": "replace", "path": "/spec/limits/cooldown", "value": COOLDOWN},
        {"op": "add", "path": "/spec/limits/maxRunsPerDay", "value": MOST_RUNS},
    ]
    if data is not None:
        patch.append({"op": "replace", "path": "/spec/data/0/uri", "value": data})
    return patch


def of_model_deployment(example: Manifest) -> list[dict[str, Any]]:
    """Return the JSON patch that takes every monitor over a month of the demo, at once when the level is passed."""
    patch: list[dict[str, Any]] = []
    for index, monitor in enumerate(example["spec"]["monitors"]):
        patch.append({"op": "add", "path": f"/spec/monitors/{index}/window", "value": WINDOW})
        if "for" in monitor:
            patch.append({"op": "remove", "path": f"/spec/monitors/{index}/for"})
    return [
        *patch,
        {"op": "replace", "path": "/spec/analysis/maxDuration", "value": LONGEST_ANALYSIS},
        {"op": "replace", "path": "/spec/bakeDuration", "value": BAKE_DURATION},
        {"op": "add", "path": "/spec/capture/flushInterval", "value": FLUSH},
    ]
