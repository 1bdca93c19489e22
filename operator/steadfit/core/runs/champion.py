"""The champion: the version that a run's result is compared with. It is chosen when the run's pod is created.

It is the version that serves: on the ModelDeployment of the TrainingJob's name, else on the first by name that serves
one. While none serves, it is the newest verified version that was not rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import RevisionRef
from steadfit.core.serving.fleet import version_of
from steadfit.core.serving.quarantine import is_quarantined_by


@dataclass(frozen=True, slots=True)
class ComparedVersion:
    """A version that is compared.

    Attributes
    ----------
    name
        Name of its ModelVersion.
    digest
        Digest of its artifact.
    version
        The ModelVersion; None if the object was deleted while its artifact still serves. Then there is a champion
        without a comparison, which differs from having no champion.
    """

    name: str
    digest: str
    version: ModelVersion | None


def pick(job: str, versions: Sequence[ModelVersion], deployments: Sequence[ModelDeployment]) -> ComparedVersion | None:
    """Return the champion of a TrainingJob, or None if there is no version to compare with."""
    for deployment in sorted(deployments, key=lambda item: (item.name != job, item.name)):
        ref = _serving(deployment, versions)
        if ref is not None:
            return ComparedVersion(ref.version, ref.digest, version_of(ref, versions))
    good = [version for version in versions if _is_good(version)]
    newest = max(good, key=lambda version: version.spec.number, default=None)
    return ComparedVersion(newest.name, newest.spec.artifact.digest, newest) if newest else None


def _serving(deployment: ModelDeployment, versions: Sequence[ModelVersion]) -> RevisionRef | None:
    """Return the version that serves, or during a rollback the one that it restores."""
    status = deployment.status
    if status.live is None:
        return None
    if not is_quarantined_by(deployment, status.live, versions):
        return status.live
    restored = (status.candidate, status.last_good)
    return next((ref for ref in restored if ref and not is_quarantined_by(deployment, ref, versions)), None)


def _is_good(version: ModelVersion) -> bool:
    return (
        version.status.phase == "Verified"
        and version.status.quarantine is None
        and version.metadata.deletion_timestamp is None
    )
