"""Verdict on the evidence of one metric."""

from __future__ import annotations

import math

from steadfit.core.types import SequentialResult

from .evidence import Evidence
from .harm import FEWEST_VOICES, bound

FAIL_ALPHA = 0.01
"""Maximum probability that a candidate as good as the champion ever fails by any of the metrics."""


def verdict(
    evidence: Evidence, absolute: float, relative: float = 0.0, metrics: int = 1, min_samples: int = 50
) -> SequentialResult:
    """Return the verdict.

    Parameters
    ----------
    evidence
        The evidence so far. A candidate fails by any number of requests, and passes by `min_samples` of each arm.
    absolute, relative
        The margin: the larger of a share of the requests and a part of the champion's rate.
    metrics
        Number of metrics that are compared, which share alpha.
    min_samples
        Fewest requests of each arm that a candidate passes by.
    """
    candidate, champion = evidence.candidate, evidence.champion
    ratio = math.log(max(evidence.value, 1e-300))
    if not candidate.requests:
        return SequentialResult("Inconclusive", ratio, 1.0)
    found = bound(candidate, champion, absolute, relative)
    if ratio >= math.log(metrics / FAIL_ALPHA):
        return SequentialResult("Fail", ratio, found.upper)
    enough = all(arm.requests >= min_samples and arm.voices >= FEWEST_VOICES for arm in (candidate, champion))
    # The bound is one of all seconds together: a candidate that has just broken must not pass by its good ones.
    passes = enough and found.over < 0 and ratio < 0
    return SequentialResult("Pass" if passes else "Inconclusive", ratio, found.upper)
