"""The comparison of a candidate with its champion by the servers' own counts, with the connections as clusters."""

from __future__ import annotations

from steadfit.api.strategy import Analysis, AnalysisMetric
from steadfit.core.serving.evidence.arms import arms
from steadfit.core.serving.evidence.evidence import Evidence
from steadfit.core.serving.evidence.verdict import verdict
from steadfit.core.types import Compared

from . import analysis_messages as messages

QUERY = "GET /tallies of each pod of both"
"""What such a verdict names as its query."""


def compared(analysis: Analysis, metric: AnalysisMetric, evidence: Evidence) -> Compared:
    """Return the comparison from the evidence of a metric."""
    both = arms(evidence)
    if both is None:
        return Compared(QUERY, reason="there were no requests to both in the same second yet", code="TooFewSamples")
    absolute, relative = _margins(metric)
    together = sum(one.query is None for one in analysis.metrics)
    found = verdict(evidence, absolute, relative, together, analysis.min_samples)
    return Compared(QUERY, *both, in_step=evidence.in_step, result=found)


def _margins(metric: AnalysisMetric) -> tuple[float, float]:
    """Return the margin as a share and as a part of the champion's; the larger one holds."""
    kind = metric.error_rate or metric.latency
    margins = (kind.margin,) if kind is not None and kind.margin is not None else (messages.LEAST, messages.PART)
    absolute = sum(one.amount for one in margins if not one.relative)
    return absolute, sum(one.amount / 100 for one in margins if one.relative)
