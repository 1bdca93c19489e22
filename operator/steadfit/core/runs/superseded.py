"""Whether a run is superseded: the inputs of its recipe changed before it had a result."""

from __future__ import annotations

from steadfit.core.input_hash import input_hash
from steadfit.core.types import ObservedTrainingRun


def is_superseded(observed: ObservedTrainingRun) -> bool:
    """Return whether the recipe has other inputs than the run.

    A run that evaluates uses no inputs of the recipe, so a change of them does not supersede it.
    """
    if observed.run.spec.purpose == "Evaluate":
        return False
    return observed.job is not None and input_hash(observed.job.spec) != observed.run.spec.input_hash
