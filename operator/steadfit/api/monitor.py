"""Monitors: what is watched while a version serves, and where each stands."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from .base import Duration, Label, Model, ObjectName, cel, list_map, validations


class Drift(Model):
    """Inputs that no longer look like the training data, by bins frozen at training."""

    statistic: Literal["PSI", "JS"] = "PSI"
    """PSI: population stability index, less what chance alone gives (natural logarithm). JS: Jensen-Shannon distance
    (base 2, from 0 to 1)."""
    max: Annotated[float, Field(gt=0, le=100)]
    """Fires above this value."""
    features: Annotated[
        Any,
        WithJsonSchema(
            {
                # A value of several types is invisible to CEL. Bounds of a list hold for whatever is none, and so does
                # `maxItems: 0`: not to satisfy it takes a list with something in it.
                "x-kubernetes-preserve-unknown-fields": True,
                "anyOf": [{"enum": ["Weighted", "Any"]}, {"maxItems": 64, "not": {"maxItems": 0}}],
            }
        ),
    ] = "Weighted"
    """Weighted: the mean of all features by importance. Any: the largest one. Or a list of features: the largest of
    these. `prediction` stands for the model's own answers."""


class Quality(Model):
    """How good the answers were, by outcomes that were posted back."""

    metric: Literal["accuracy", "roc_auc", "brier_score", "calibration_error", "mae", "rmse"]
    """Metric over the window."""
    min: float | None = None
    """Fires below this value."""
    max: float | None = None
    """Fires above this value."""

    model_config = {
        "json_schema_extra": validations(
            cel("has(self.min) != has(self.max)", "a quality monitor needs a condition: set min or max"),
            cel(
                "has(self.min) == (self.metric in ['accuracy', 'roc_auc'])",
                "accuracy and roc_auc are better when larger (set min); the others are better when smaller (set max)",
            ),
        )
    }


class ErrorRate(Model):
    """Share of inference requests that the server failed (5xx)."""

    max: Annotated[float, Field(gt=0, lt=1)]
    """Fires above this share."""


class Latency(Model):
    """Time from an inference request to its answer."""

    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Which quantile."""
    max: Duration
    """Fires above this time."""


class Query(Model):
    """A PromQL expression of one's own; it must give one number."""

    source: ObjectName = "default"
    """Name of the MetricSource."""
    prom_ql: Annotated[str, Field(alias="promQL", min_length=1, max_length=4096)]
    """Expression; its result must be a scalar or a vector of one series."""
    min: float | None = None
    """Fires below this value."""
    max: float | None = None
    """Fires above this value."""

    model_config = {
        "json_schema_extra": validations(
            cel("has(self.min) != has(self.max)", "a query monitor needs a condition: set min or max")
        )
    }


class Monitor(Model):
    """One thing that is watched for as long as the ModelDeployment stands."""

    name: Label
    """Name of the monitor."""
    drift: Drift | None = None
    """Watch the inputs."""
    quality: Quality | None = None
    """Watch the outcomes."""
    error_rate: ErrorRate | None = None
    """Watch failed requests."""
    latency: Latency | None = None
    """Watch the time of answers."""
    query: Query | None = None
    """Watch an expression."""
    window: Duration = "1h"
    """Time that each value is taken over; for a query it is written in the expression."""
    for_: Duration | None = Field(default=None, alias="for")
    """How long the condition must hold before it fires; at once when absent."""
    clear: float | None = None
    """Level at which it stops firing (seconds for a latency); the level itself less a tenth of it when absent."""
    min_samples: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Fewer samples in the window are no data: drift 500, quality 200, others 100 when absent."""
    action: Literal["Recover", "Retrain", "Rollback", "Alert"] = "Alert"
    """What follows besides an alerting rule for Prometheus. Alert: nothing. Retrain: a run of the TrainingJob starts.
    Rollback: the last good version is restored, within spec.bakeDuration of the promotion of the live one. Recover:
    both versions are scored on the newest captured rows; if the last good one is better, it is restored, else a run
    starts."""

    model_config = {
        "json_schema_extra": validations(
            cel(
                "[has(self.drift), has(self.quality), has(self.errorRate), has(self.latency), has(self.query)]"
                ".filter(x, x).size() == 1",
                "a monitor needs one kind: set drift, quality, errorRate, latency or query",
            ),
            cel(
                "!(self.action in ['Retrain', 'Recover']) || has(self.drift) || has(self.quality) || has(self.query)",
                "errorRate and latency can't be mended by training: their action is Rollback or Alert",
            ),
            cel(
                "self.action != 'Rollback' || has(self.errorRate) || has(self.latency) || has(self.query)",
                "drift and quality may be the world's doing, which a rollback does not mend: quality has Recover,"
                " both have Retrain",
            ),
            cel(
                "self.action != 'Recover' || has(self.quality)",
                "only a fall in quality can be put down to the model or the world: Recover goes with quality",
            ),
            cel(
                "!has(self.drift) || !has(self.minSamples) || self.minSamples >= 200",
                "drift needs at least 200 samples: with fewer, chance alone passes the usual levels",
            ),
        )
    }


Monitors = Annotated[list[Monitor], Field(max_length=32, json_schema_extra=list_map("name"))]
"""Monitors, at most one of a name."""


MonitorPhase = Literal["NoData", "OK", "Pending", "Firing"]


class MonitorState(Model):
    """Where a monitor that something follows from stands; those of action Alert stand in Prometheus."""

    name: str
    """Name of the monitor."""
    phase: MonitorPhase
    """NoData: no verdict, so nothing follows. Pending: the condition holds, but not for long enough."""
    since: datetime
    """Since when."""
    value: float | None = None
    """The value when this phase began."""
    samples: int | None = None
    """The samples it was taken from, then."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """The phase in a sentence."""
