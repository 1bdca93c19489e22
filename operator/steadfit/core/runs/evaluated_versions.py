"""The versions that a run of purpose Evaluate compares, with the objects that say where their artifacts lie."""

from __future__ import annotations

from collections.abc import Sequence

from steadfit.api.modelversion import ModelVersion
from steadfit.api.trainingrun import EvaluatedVersion, TrainingRun

from .champion import ComparedVersion


def pick(run: TrainingRun, versions: Sequence[ModelVersion]) -> tuple[ComparedVersion, ...]:
    """Return the version that serves, then the last good one if there is one; nothing for a run that trains."""
    inputs = run.spec.evaluate
    if inputs is None:
        return ()
    named = (inputs.live, inputs.last_good)
    return tuple(_found(asked, versions) for asked in named if asked is not None)


def _found(asked: EvaluatedVersion, versions: Sequence[ModelVersion]) -> ComparedVersion:
    """Return a version as it was asked for; one of the same name with another artifact is another one."""
    there = (version for version in versions if version.name == asked.version)
    same = (version for version in there if version.spec.artifact.digest == asked.digest)
    return ComparedVersion(asked.version, asked.digest, next(same, None))
