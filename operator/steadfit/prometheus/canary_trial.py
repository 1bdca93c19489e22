"""Candidates that take traffic and are compared with the champion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.strategy import Analysis, AnalysisMetric

from .live import DEFAULT_SOURCE

_PLACEHOLDER = re.compile(r"\$(version|revision)\b")


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate beside its champion.

    Attributes
    ----------
    version
        Number of the candidate's version.
    revision, champion_revision
        Revisions of the candidate and of the champion. They distinguish the arms: a new server of the same version is
        another revision.
    since
        Since when the candidate takes traffic: both arms are compared over the time since then.
    """

    namespace: str
    name: str
    version: int
    revision: str
    champion_revision: str
    since: datetime
    analysis: Analysis
    namespace_labels: Mapping[str, str]
    step_since: datetime | None = None
    """Since when it takes the traffic of its present step."""
    step: int = 0
    """Index of its present step."""


def trial_of(deployment: ModelDeployment, namespace_labels: Mapping[str, str]) -> Trial | None:
    """Return the trial that is under way in a ModelDeployment; what a person has promoted is not on trial."""
    candidate = deployment.status.candidate
    if candidate is None or candidate.phase == "Starting" or candidate.promoted_by is not None:
        return None
    if candidate.champion_revision is None or candidate.analysed_since is None:
        return None
    return Trial(
        deployment.metadata.namespace or "",
        deployment.name,
        candidate.number,
        candidate.revision,
        candidate.champion_revision,
        candidate.analysed_since,
        deployment.spec.analysis,
        namespace_labels,
        candidate.step_since,
        candidate.step or 0,
    )


def source_of(metric: AnalysisMetric) -> str:
    """Return the name of the MetricSource that a metric is read from."""
    return metric.query.source if metric.query else DEFAULT_SOURCE


def expression(trial: Trial, text: str) -> str:
    """Return a user's expression with the candidate's version and revision in it.

    Both consist of digits and letters, so neither can end a string that contains it.
    """
    values = {"version": str(trial.version), "revision": trial.revision}
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def by_connection_key(analysis: Analysis, metric: AnalysisMetric) -> tuple[object, ...]:
    """Return the key of a comparison by connection, whose result is that of the test: it depends on margins too."""
    together = sum(one.query is None for one in analysis.metrics)
    return metric.error_rate, metric.latency, together, analysis.min_samples


def query_key(metric: AnalysisMetric) -> tuple[object, ...]:
    """Return the key of what a metric queries. It does not depend on margins."""
    latency, quality, query = metric.latency, metric.quality, metric.query
    return (
        metric.error_rate is not None,
        latency and latency.max,
        quality and quality.metric,
        query and (query.source, query.prom_ql),
    )
