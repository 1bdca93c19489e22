"""What the simulated nodes do with a pod: scripts for one attempt of a run, and for the pods of one revision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

TrainingOutcome = Literal[
    "Success",
    "TrainFails",
    "TrainOutOfMemory",
    "TrainHangs",
    "FetchData",
    "FetchStore",
    "PublishStore",
    "PublishUnreadable",
    "ImageMissing",
    "ImageLate",
    "ImageNameInvalid",
    "Unschedulable",
    "Evicted",
    "PodGone",
    "NoPod",
]


@dataclass(frozen=True, slots=True)
class Training:
    """One attempt of a run."""

    outcome: TrainingOutcome = "Success"
    refusal: str = ""
    """Why the API server refuses its pod, as admission says it; empty when it does not."""
    refused_seconds: float = math.inf
    """How long it does."""
    seconds: float = 20.0
    """How long the training container runs, or the evaluation."""
    roc_auc: float = 0.8
    """What the version is worth."""
    data: str | None = None
    """What the digest of its data is made of; the run when absent, as data moves."""
    artifact: str | None = None
    """What the artifact's digest is made of; the run's inputs and cause when absent."""
    found: Mapping[str, Any] | None = None
    """What a run of purpose Evaluate finds; too few rows when absent."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The pods of one revision."""

    outcome: Literal["Ready", "Crashes", "ImageMissing", "NeverReady"] = "Ready"
    seconds: float = 4.0
    """How long a pod takes to become ready."""
