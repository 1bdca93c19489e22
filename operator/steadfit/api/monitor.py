"""Monitors: what is measured while a version serves, and the state of each.

A kind of monitor is a field of `Monitor` and the model of its type, a subclass of `MonitorKind`. The CEL rules about
kinds follow from these; everything else about a kind is in `core/monitors/kinds/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, WithJsonSchema

from .base import Duration, Label, Model, ObjectName, cel, list_map, validations
from .margin import Margin, margin_schema
from .metrics import MAXIMIZED, MONITORED, OneOf, words

Action = Literal["Recover", "Retrain", "Rollback", "Alert"]


class MonitorKind(Model):
    """Base of the kinds of monitors."""

    ACTIONS: ClassVar[tuple[Action, ...]]
    """Actions that such a monitor may have."""
    ACTIONS_NOTE: ClassVar[str]
    """Why it may have no others, as the end of a sentence."""
    SMALLEST_MIN_SAMPLES: ClassVar[int] = 1
    """Smallest `minSamples`; with fewer samples chance alone passes the usual limits."""


class BinnedDrift(MonitorKind):
    """What the kinds of drift have in common."""

    ACTIONS = ("Alert", "Retrain")
    ACTIONS_NOTE = "the world may have changed, which a rollback does not fix"
    SMALLEST_MIN_SAMPLES = 200

    statistic: Literal["PSI", "JS"] = "PSI"
    """PSI: population stability index, less what chance alone gives (natural logarithm). JS: Jensen-Shannon distance
    (base 2, from 0 to 1)."""
    max: Annotated[float, Field(gt=0, le=100)]
    """Fires above this value."""


class Drift(BinnedDrift):
    """Inputs that no longer look like the training data, by bins frozen at training."""

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
    these."""


class PredictionDrift(BinnedDrift):
    """Answers that no longer look like those on the training data, by bins frozen at training."""


_NOT_MONITORED = (
    f"must be a metric that the servers' counts of outcomes give: {words(MONITORED)}; the others need every answer"
    " beside its outcome, so they are for evaluation.metrics alone"
)
_BETTER_WHEN_LARGER = [name for name in MONITORED if name in MAXIMIZED]


_ONE_LEVEL = "a quality monitor has one of min, max and within"
_ABSENT: dict[str, Any] = {"enum": [f"absent: {_ONE_LEVEL}"]}
"""Of a field that must not be set: the API server names the field, and shows this sentence as what it supports."""


class Quality(MonitorKind):
    """Quality of the answers, by outcomes that were posted back."""

    ACTIONS = ("Alert", "Retrain", "Recover")
    ACTIONS_NOTE = "the world may have changed, which a rollback does not fix; Recover finds out"

    metric: Annotated[str, OneOf(MONITORED, _NOT_MONITORED)]
    """Metric over the window."""
    min: float | None = None
    """Fires below this value."""
    max: float | None = None
    """Fires above this value."""
    within: Annotated[Margin, margin_schema(exclusiveMinimum=0)] | None = None
    """Fires when the value is worse than the gate's score of the live version by more than this: a number in the
    metric's unit, or a percentage of the absolute value of that score, such as `5%`. Set min, max or within."""

    model_config = {
        "json_schema_extra": {
            **validations(
                cel(
                    f"has(self.min) ? self.metric in {list(MAXIMIZED)}"
                    f" : !has(self.max) || !(self.metric in {list(MAXIMIZED)})",
                    f"{words(_BETTER_WHEN_LARGER)} are better when larger (set min);"
                    " the others are better when smaller (set max)",
                ),
                cel("!(has(self.min) && has(self.max))", _ONE_LEVEL),
            ),
            # CEL cannot see a margin, which has several types, and the message of oneOf names no field.
            "oneOf": [{"required": ["min"]}, {"required": ["max"]}, {"required": ["within"]}],
            "allOf": [
                {"anyOf": [{"properties": {"within": _ABSENT}}, {"properties": {"min": _ABSENT, "max": _ABSENT}}]}
            ],
        }
    }


class ErrorRate(MonitorKind):
    """Share of inference requests that the server failed (5xx)."""

    ACTIONS = ("Alert", "Rollback")
    ACTIONS_NOTE = "training does not fix failed requests"

    max: Annotated[float, Field(gt=0, lt=1)]
    """Fires above this share."""


class Latency(MonitorKind):
    """Time from an inference request to its answer."""

    ACTIONS = ("Alert", "Rollback")
    ACTIONS_NOTE = "training does not fix slow answers"

    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Which quantile."""
    max: Duration
    """Fires above this time."""


class Query(MonitorKind):
    """A PromQL expression of one's own; it must give one number."""

    ACTIONS = ("Alert", "Retrain", "Rollback")
    ACTIONS_NOTE = "Recover needs a metric that both versions can be scored by"

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


def _kind_rules(schema: dict[str, Any], monitor: type[Monitor]) -> None:
    """Add the CEL rules that follow from the kinds."""
    kinds = kinds_of(monitor)
    *others, last = kinds
    rules = [
        cel(
            f"[{', '.join(f'has(self.{kind})' for kind in kinds)}].filter(x, x).size() == 1",
            f"a monitor needs one kind: set {', '.join(others)} or {last}",
        )
    ]
    for kind, model in kinds.items():
        *other_actions, last_action = model.ACTIONS
        rules.append(
            cel(
                f"!has(self.{kind}) || self.action in {list(model.ACTIONS)}",
                f"the action of {kind} must be {', '.join(other_actions)} or {last_action}: {model.ACTIONS_NOTE}",
            )
        )
        if model.SMALLEST_MIN_SAMPLES > 1:
            rules.append(
                cel(
                    f"!has(self.{kind}) || !has(self.minSamples) || self.minSamples >= {model.SMALLEST_MIN_SAMPLES}",
                    f"{kind} needs at least {model.SMALLEST_MIN_SAMPLES} samples: with fewer, chance alone passes the"
                    " usual limits",
                )
            )
    schema.update(validations(*rules))


class Monitor(Model):
    """One value that is measured while a version of the ModelDeployment serves."""

    name: Label
    """Name of the monitor."""
    drift: Drift | None = None
    """Measures the inputs."""
    prediction_drift: PredictionDrift | None = None
    """Measures the answers."""
    quality: Quality | None = None
    """Measures the outcomes."""
    error_rate: ErrorRate | None = None
    """Measures failed requests."""
    latency: Latency | None = None
    """Measures the time of answers."""
    query: Query | None = None
    """Measures an expression."""
    window: Duration = "1h"
    """Time that each value is taken over; for a query it is written in the expression."""
    for_: Duration | None = Field(default=None, alias="for")
    """How long the condition must hold before it fires; at once when absent."""
    clear: float | None = None
    """Level at which it stops firing (seconds for a latency); the level itself less a tenth of it when absent."""
    min_samples: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Fewer samples in the window are no data: drift and predictionDrift 500, quality 200, others 100 when absent."""
    action: Action = "Alert"
    """What follows besides an alerting rule for Prometheus. Alert: nothing. Retrain: a run of the TrainingJob starts.
    Rollback: the last good version is restored, within spec.bakeDuration of the promotion of the live one. Recover:
    both versions are scored on the newest captured rows; if the last good one is better, it is restored, else a run
    starts."""

    model_config = {"json_schema_extra": _kind_rules}

    @property
    def kind(self) -> str:
        """The kind, as its field of the API.

        Raises
        ------
        ValueError
            If no kind is set, which the API server refuses.
        """
        kind = next((kind for kind, attribute in _ATTRIBUTES.items() if getattr(self, attribute) is not None), None)
        if kind is None:
            raise ValueError(f"monitor {self.name} has no kind, which the API server refuses")
        return kind

    @property
    def kind_spec(self) -> MonitorKind:
        """The part of the spec that belongs to the kind."""
        spec: MonitorKind = getattr(self, _ATTRIBUTES[self.kind])
        return spec


def kinds_of(monitor: type[Monitor]) -> dict[str, type[MonitorKind]]:
    """Return the model of each kind, by its field of the API.

    Raises
    ------
    TypeError
        If a field has a model, but not as `<MonitorKind> | None`: nothing would know the kind.
    """
    found = {}
    for field in monitor.model_fields.values():
        for part in _models(field.annotation):
            if not issubclass(part, MonitorKind) or field.annotation != part | None:
                raise TypeError(f"the kind {field.alias} of a monitor is declared as <MonitorKind> | None = None")
            found[str(field.alias)] = part
    return found


def _models(annotation: Any) -> list[type[Model]]:
    """Return the models in the type of a field, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


KINDS: Mapping[str, type[MonitorKind]] = kinds_of(Monitor)
"""The model of each kind, by its field of the API."""
_ATTRIBUTES = {str(field.alias): name for name, field in Monitor.model_fields.items() if field.alias in KINDS}


Monitors = Annotated[list[Monitor], Field(max_length=32, json_schema_extra=list_map("name"))]
"""Monitors, at most one of a name."""


MonitorPhase = Literal["NoData", "OK", "Pending", "Firing"]


class MonitorState(Model):
    """The state of a monitor with an action; the state of those of action Alert is in Prometheus."""

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
