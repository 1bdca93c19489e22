"""Strategy and analysis: how a new revision takes over from the one that serves, and how it is compared with it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Duration, Label, Model, ObjectName, cel, list_map, validations
from .margin import Margin, margin_schema
from .metrics import COMPARED, OneOf, words
from .monitor import Query


class CanaryStep(Model):
    """A share of the traffic that the candidate takes until its analysis passes."""

    weight: Annotated[int, Field(ge=1, le=99)]
    """Per cent of the requests."""
    pause: Duration | None = None
    """Shortest duration of the step; when absent, it lasts until every metric passes, with analysis.minSamples requests
    of the candidate in this step."""


class Canary(Model):
    """The candidate takes a growing share of the traffic beside the champion."""

    steps: Annotated[list[CanaryStep], Field(min_length=1, max_length=16)]
    """The shares, rising."""

    model_config = {
        "json_schema_extra": validations(
            cel(
                "self.steps.map(s, s.weight).isSorted()"
                " && self.steps.all(s, self.steps.exists_one(t, t.weight == s.weight))",
                "weights must rise from step to step, for example 10, 25, 50",
            )
        )
    }


class BlueGreen(Model):
    """The candidate comes up without traffic and takes all of it at once."""


class Strategy(Model):
    """One way to take over."""

    canary: Canary | None = None
    """By growing shares, with an analysis at each."""
    blue_green: BlueGreen | None = None
    """All at once."""

    model_config = {
        "json_schema_extra": validations(
            cel("has(self.canary) != has(self.blueGreen)", "a strategy is canary or blueGreen: set exactly one of them")
        )
    }


class ParentReference(Model):
    """A Gateway, or one listener of it."""

    name: ObjectName
    """Name of the Gateway."""
    namespace: ObjectName | None = None
    """Its namespace; the ModelDeployment's when absent."""
    section_name: ObjectName | None = None
    """Name of the listener; all of them when absent."""


class GatewayAPI(Model):
    """Traffic that comes through Gateways, which share it out request by request."""

    parent_refs: Annotated[list[ParentReference], Field(min_length=1, max_length=16)]
    """The Gateways that an HTTPRoute of the ModelDeployment's name is attached to."""
    hostnames: Annotated[list[ObjectName], Field(max_length=16)] = []
    """Host names of the route; those of the listener when absent."""


class Traffic(Model):
    """How requests reach the pods."""

    gateway_api: Annotated[GatewayAPI, Field(alias="gatewayAPI")]
    """Through Gateways, by weights of an HTTPRoute."""


class ErrorRateComparison(Model):
    """Share of requests that the server failed (5xx)."""

    margin: Annotated[Margin | None, margin_schema(exclusiveMinimum=0, exclusiveMaximum=1)] = None
    """By how much the candidate's share may be larger: a share of the requests, or a percentage of the champion's
    share, such as `20%`. The larger of 0.01 and 30 % of the champion's share when absent."""


class LatencyComparison(Model):
    """Share of requests that were answered later than a bound."""

    max: Duration = "250ms"
    """The bound; rounded up to the next bucket bound of the histogram, the largest of which is 10s: above it, answers
    later than 10s count."""
    margin: Annotated[Margin, margin_schema(exclusiveMinimum=0, exclusiveMaximum=1)] = Margin(0.05)
    """By how much the candidate's share may be larger: a share of the requests, or a percentage of the champion's
    share, such as `20%`."""


_NOT_COMPARED = (
    f"must be a mean over answers that the servers count: {words(COMPARED)}; a monitor can watch the others, and the"
    " gate compares them (evaluation.metrics)"
)


class QualityComparison(Model):
    """Quality of the answers, by outcomes that were posted back."""

    metric: Annotated[str, OneOf(COMPARED, _NOT_COMPARED)]
    """Metric that is a mean over answers, so that the sequential test can follow it."""
    margin: Annotated[Margin, margin_schema(exclusiveMinimum=0)] = Margin(0.02)
    """By how much the candidate may be worse: a number in the metric's unit, or a percentage of the champion's value,
    such as `5%`."""


class AnalysisMetric(Model):
    """One comparison of a candidate with the champion, or a condition of one's own."""

    name: Label
    """Name of the metric."""
    error_rate: ErrorRateComparison | None = None
    """Compare failed requests."""
    latency: LatencyComparison | None = None
    """Compare late answers."""
    quality: QualityComparison | None = None
    """Compare outcomes."""
    query: Query | None = None
    """Require a condition; $version and $revision stand for the candidate's. While it does not hold, or has no value,
    the candidate stays at its step; only a comparison rolls it back."""

    model_config = {
        "json_schema_extra": validations(
            cel(
                "[has(self.errorRate), has(self.latency), has(self.quality), has(self.query)].filter(x, x).size() == 1",
                "a metric of the analysis needs one kind: set errorRate, latency, quality or query",
            )
        )
    }


class Analysis(Model):
    """Comparisons that decide whether a candidate takes more of the traffic."""

    metrics: Annotated[list[AnalysisMetric], Field(min_length=1, max_length=16, json_schema_extra=list_map("name"))] = [
        AnalysisMetric(name="error-rate", error_rate=ErrorRateComparison()),
        AnalysisMetric(name="latency", latency=LatencyComparison()),
    ]
    """The comparisons."""
    min_samples: Annotated[int, Field(ge=50, le=10_000_000)] = 50
    """Fewest requests, or outcomes, of each arm since the candidate takes traffic; fewer are no data. Each step needs
    as many of the candidate."""
    max_duration: Duration = "24h"
    """Longest time that a candidate takes traffic without a verdict. In that time the smallest step needs minSamples
    requests of the candidate: with the defaults and a weight of 10, about 500 requests a day to the deployment."""
    on_inconclusive: Literal["Pause", "Abandon", "Promote"] = "Abandon"
    """What happens after that time. Abandon: the champion takes all of the traffic. Pause: the candidate keeps its
    share until a person promotes or aborts it. Promote, for traffic that is too thin for a verdict: the candidate takes
    all of the traffic if nothing speaks against it, that is if each comparison has data in which it is not worse than
    the margin, and each query holds; else it is abandoned."""


class Warm(Model):
    """The pods that the last good version keeps, so that a rollback need not start any."""

    replicas: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Number of pods, at most server.replicas; as many as that when absent. With fewer, a rollback starts the rest."""
    for_: Duration | None = Field(default=None, alias="for")
    """How long they stay after the live version has taken over; bakeDuration when absent."""


class RolloutLimits(Model):
    """Limits of automatic rollbacks."""

    max_rollbacks_per_day: Annotated[int, Field(ge=0, le=100)] = 3
    """Most automatic rollbacks in 24 h; after that the version that serves stays, and a condition says so."""
