"""The versions that a run of purpose Evaluate compares, with the objects that locate their artifacts."""

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
    references = (inputs.live, inputs.last_good)
    return tuple(_resolved(reference, versions) for reference in references if reference is not None)


def _resolved(reference: EvaluatedVersion, versions: Sequence[ModelVersion]) -> ComparedVersion:
    """Return the version of a reference. One of the same name with another artifact is not it."""
    namesakes = (version for version in versions if version.name == reference.version)
    same = (version for version in namesakes if version.spec.artifact.digest == reference.digest)
    return ComparedVersion(reference.version, reference.digest, next(same, None))
