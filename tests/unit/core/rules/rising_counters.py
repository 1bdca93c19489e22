"""A server's series as counters that rise evenly, so that the increase over a window is a known number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.rules.file import rule_file
from steadfit.core.rules.groups import rule_groups

from tests.support.promtool import STEP, Scene

WINDOW = "10m"
IN_WINDOW = 600 // STEP
"""Steps in the window: a counter that rises by 1 a step rises by this much in it."""
LABELS = {"namespace": "ns", "model": "flights", "version": "3", "revision": "r1"}
Counts = Sequence[float] | NDArray[np.float64]


def deployment(*monitors: Mapping[str, Any], name: str = "flights", namespace: str = "ns") -> ModelDeployment:
    metadata = {"name": name, "namespace": namespace, "uid": f"u-{name}", "resourceVersion": "1", "generation": 1}
    return ModelDeployment.model_validate(
        {
            "apiVersion": "steadfit.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": metadata,
            "spec": {"monitors": [{"window": WINDOW, **monitor} for monitor in monitors]},
        }
    )


def drift(name: str = "drift", **parts: Any) -> dict[str, Any]:
    kind = {"max": 0.2, **{key: parts.pop(key) for key in ("max", "statistic", "features") if key in parts}}
    return {"name": name, "drift": kind, **parts}


def scene(directory: Path, *deployments: ModelDeployment) -> Scene:
    """A scene with the rules of these ModelDeployments."""
    return Scene(directory, rule_file(rule_groups(deployments), STEP).text)


def rising(total: float, steps: int = 60, start: float = 0.0) -> list[float]:
    """A counter that rises by `total` in each window."""
    return [start + total / IN_WINDOW * step for step in range(steps)]


def serve(
    a: Scene, labels: Mapping[str, str] = LABELS, *, rows: float = 0, steps: int = 60, reference: int = 10_000
) -> None:
    """A version that runs and answers this many rows in each window."""
    a.scrape("steadfit_model_info", {**labels, "digest": "sha256:0", "format": "onnx"}, [1.0] * steps)
    a.scrape("steadfit_reference_samples", labels, [float(reference)] * steps)
    a.scrape("steadfit_predicted_rows_total", labels, rising(rows, steps))


def feature(
    a: Scene,
    name: str,
    counts: Counts,
    reference: Counts,
    *,
    labels: Mapping[str, str] = LABELS,
    importance: float | None = None,
    steps: int = 60,
) -> None:
    """A feature, or `prediction`, with its counts in each window and those of the training data."""
    if name == "prediction":
        series, shares, of_feature = "steadfit_prediction_bin_total", "steadfit_prediction_reference_ratio", {}
    else:
        series, shares, of_feature = "steadfit_feature_bin_total", "steadfit_feature_reference_ratio", {"feature": name}
    for number, (count, share) in enumerate(zip(counts, smoothed(reference), strict=True)):
        of_bin = {**labels, **of_feature, "bin": str(number)}
        a.scrape(series, of_bin, rising(float(count), steps))
        a.scrape(shares, of_bin, [float(share)] * steps)
    if importance is not None:
        a.scrape("steadfit_feature_importance_ratio", {**labels, **of_feature}, [importance] * steps)


def smoothed(counts: Counts) -> NDArray[np.float64]:
    """Shares with half a sample more in each bin."""
    array = np.asarray(counts, dtype=np.float64)
    shares: NDArray[np.float64] = (array + 0.5) / (array.sum() + 0.5 * array.size)
    return shares


def psi(counts: Counts, reference: Counts, *, corrected: bool = True) -> float:
    """The population stability index, less what chance alone gives."""
    p, q = smoothed(counts), smoothed(reference)
    bias = (p.size - 1) * (1 / np.sum(counts) + 1 / np.sum(reference))
    return float(np.sum((p - q) * np.log(p / q)) - (bias if corrected else 0.0))


def js(counts: Counts, reference: Counts) -> float:
    """The Jensen-Shannon distance, base 2."""
    p, q = smoothed(counts), smoothed(reference)
    m = (p + q) / 2
    return float(np.sqrt(0.5 * np.sum(p * np.log2(p / m)) + 0.5 * np.sum(q * np.log2(q / m))))
