"""Whether two versions were compared by a metric that is not the recipe's first one any more."""

from __future__ import annotations

from steadfit.api.data import Evaluation
from steadfit.api.modelversion import ModelVersion


def is_compared_by_it(version: ModelVersion, evaluation: Evaluation) -> bool:
    """Return whether a version has a comparison, and by another metric than the recipe's first one."""
    champion = version.spec.evaluation.champion
    return champion is not None and champion.lower is not None and champion.metric != evaluation.metrics[0].name
