"""Versions that may replace the live one by themselves: newer, of the same TrainingJob, verified, and compared with it.

A promotion is a compare-and-swap: that a version is as good as the champion of its evaluation says nothing about
another champion, which a rollback, a pin or a rollout may have made live since.
"""

from __future__ import annotations

from itertools import takewhile

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.permitted import may_serve
from steadfit.core.serving.quarantine import is_quarantined, is_version_quarantined

from . import version_floor


def may_roll_out(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a version is verified, exists, and is not in quarantine here."""
    return version.status.phase == "Verified" and may_serve(version, status, fleet)


def newest_first(status: ModelDeploymentStatus, fleet: Fleet) -> list[ModelVersion]:
    """Return the versions that may replace the live one, newest first."""
    found = [version for version in newer(status, fleet) if may_roll_out(version, status, fleet)]
    found = [version for version in found if is_compared_with_live(version, status, fleet)]
    return sorted(found, key=lambda version: (version_floor.is_of_job(version, status, fleet), version.spec.number))[
        ::-1
    ]


def newer(status: ModelDeploymentStatus, fleet: Fleet) -> list[ModelVersion]:
    """Return the versions of the TrainingJob above the version floor, newest first.

    Older versions never return by themselves, neither after a rollback nor when an edit of a threshold rejects the
    live one. While no version is live, as in a new cluster, older ones and those of an earlier TrainingJob of the name
    count too: one of them was good.
    """
    newest_first = fleet.versions.newest_first
    if status.live is None and status.promoted is None:
        return list(newest_first)
    floor = version_floor.current(status, fleet)
    above = takewhile(lambda version: version.spec.number > floor, newest_first)
    return [version for version in above if version_floor.is_of_job(version, status, fleet)]


def is_compared_with_live(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether the champion that a version was compared with is the live version, or the version is live itself.

    Without a good live version any verified version is better than none, unless it was compared with a version in
    quarantine: to be as good as that is no merit.
    """
    champion, live = version.spec.evaluation.champion, status.live
    if live is not None and not is_quarantined(live, status, fleet):
        is_live = version.spec.artifact.digest == live.digest
        return is_live or (champion is not None and champion.digest == live.digest)
    return champion is None or not _is_artifact_quarantined(champion.digest, status, fleet)


def _is_artifact_quarantined(digest: str, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    return any(entry.digest == digest for entry in status.quarantine) or any(
        is_version_quarantined(version, status, fleet) for version in fleet.known_versions.of_artifact(digest)
    )


def served_last(status: ModelDeploymentStatus, fleet: Fleet) -> list[ModelVersion]:
    """Return the version of the TrainingJob's name that served last without a pin, while none is live, in a list.

    After a ModelDeployment was deleted and applied again it goes on serving: its gate has let it through, and an edit
    of that decides over new rollouts only.
    """
    found = (fleet.version_of(entry) for entry in reversed(status.served_versions))
    name = fleet.observed.deployment.training_job
    own = (version for version in found if version is not None and version.spec.training_job_ref.name == name)
    return [version for version in own if may_serve(version, status, fleet)][:1]


def stays(live: ModelVersion, before: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a version that was only pinned may take all of the traffic without its pin.

    A canary would have to judge it; without one its gate does, by a comparison with the version that is let through.
    """
    strategy, champion = fleet.observed.deployment.spec.strategy, live.spec.evaluation.champion
    if strategy is not None and strategy.canary is not None:
        return False
    compared = champion is not None and champion.digest == before.spec.artifact.digest
    return compared and may_roll_out(live, status, fleet) and live in newer(status, fleet)
