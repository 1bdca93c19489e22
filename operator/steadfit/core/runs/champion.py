"""The champion: which version a run's result is compared with, as publish is told when the run's pod is made.

It is what serves: on the ModelDeployment of the TrainingJob's own name, else on the first by name that serves anything.
While nothing serves it is what would: the newest verified version that was not rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import RevisionRef
from steadfit.core.serving.quarantine import is_quarantined_by


@dataclass(frozen=True, slots=True)
class ComparedVersion:
    """What a result is compared with.

    Attributes
    ----------
    name
        Name of its ModelVersion.
    digest
        Digest of its artifact.
    version
        The ModelVersion; None when the object is gone though its artifact still serves. Then there is a champion,
        and no comparison: that is not the same as having none.
    """

    name: str
    digest: str
    version: ModelVersion | None


def pick(job: str, versions: Sequence[ModelVersion], deployments: Sequence[ModelDeployment]) -> ComparedVersion | None:
    """Return the champion of a TrainingJob, or None while there is nothing to compare with."""
    for deployment in sorted(deployments, key=lambda item: (item.name != job, item.name)):
        ref = _serving(deployment, versions)
        if ref is not None:
            return ComparedVersion(ref.version, ref.digest, _version_of(ref, versions))
    good = [version for version in versions if _is_good(version)]
    newest = max(good, key=lambda version: version.spec.number, default=None)
    return ComparedVersion(newest.name, newest.spec.artifact.digest, newest) if newest else None


def _serving(deployment: ModelDeployment, versions: Sequence[ModelVersion]) -> RevisionRef | None:
    """Return what serves; while a rollback is in flight, what it brings back."""
    status = deployment.status
    if status.live is None:
        return None
    if not is_quarantined_by(deployment, status.live, versions):
        return status.live
    back = [
        ref for ref in (status.candidate, status.last_good) if ref and not is_quarantined_by(deployment, ref, versions)
    ]
    return back[0] if back else None


def _version_of(ref: RevisionRef, versions: Sequence[ModelVersion]) -> ModelVersion | None:
    found = (version for version in versions if version.name == ref.version)
    return next((version for version in found if version.spec.artifact.digest == ref.digest), None)


def _is_good(version: ModelVersion) -> bool:
    return (
        version.status.phase == "Verified"
        and version.status.quarantine is None
        and version.spec.duplicate_of is None
        and version.metadata.deletion_timestamp is None
    )
