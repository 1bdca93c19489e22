"""When a run is overtaken: its recipe asks for other inputs before it has brought a result."""

from __future__ import annotations

from steadfit.core.input_hash import input_hash
from steadfit.core.types import ObservedTrainingRun


def is_superseded(observed: ObservedTrainingRun) -> bool:
    """Return whether the recipe asks for other inputs than the run is frozen with.

    A run that evaluates makes nothing of the recipe's inputs, so no change of them overtakes it.
    """
    if observed.run.spec.purpose == "Evaluate":
        return False
    return observed.job is not None and input_hash(observed.job.spec) != observed.run.spec.input_hash
