"""What runs of a ModelDeployment: its Deployments (one a revision), their pods, and its versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steadfit.api.modelversion import ModelVersion
from steadfit.core import names
from steadfit.core.types import Manifest, ObservedModelDeployment


@dataclass(frozen=True, slots=True)
class Workload:
    """The Deployment of one revision, as far as decisions read it.

    Attributes
    ----------
    replicas
        Pods that it is asked for.
    present
        Pods that it has, ready or not, without those that are ending.
    ready
        Pods that are ready.
    settled
        Whether the counts speak of what it is asked for now.
    """

    manifest: Manifest
    revision: str
    replicas: int
    present: int
    ready: int
    settled: bool
    deleting: bool


def workload(manifest: Manifest) -> Workload:
    """Return the decision's view of an apps/v1 Deployment."""
    metadata, spec, status = manifest["metadata"], manifest.get("spec", {}), manifest.get("status", {})
    return Workload(
        manifest=manifest,
        revision=metadata.get("labels", {}).get(names.REVISION, ""),
        replicas=spec.get("replicas", 1),
        present=status.get("replicas", 0),
        ready=status.get("readyReplicas", 0),
        settled=status.get("observedGeneration", -1) >= metadata.get("generation", 0),
        deleting="deletionTimestamp" in metadata,
    )


def _is_ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Look-ups over what was observed of one ModelDeployment."""

    observed: ObservedModelDeployment

    @property
    def workloads(self) -> Sequence[Workload]:
        """The Deployments, by name."""
        manifests = sorted(self.observed.workloads, key=lambda manifest: str(manifest["metadata"]["name"]))
        return [workload(manifest) for manifest in manifests]

    def workload(self, revision: str) -> Workload | None:
        """Return the Deployment of a revision."""
        return next((found for found in self.workloads if found.revision == revision), None)

    def has_deployment(self, revision: str) -> bool:
        """Return whether a revision has a Deployment that stays."""
        found = self.workload(revision)
        return found is not None and not found.deleting

    def ready_pods(self, revision: str | None) -> int:
        """Return how many pods of a revision are ready: as its Deployment counts them, and as they say themselves.

        A Deployment that was scaled down and up again still counts pods that are ending; they do not.
        """
        found = self.workload(revision) if revision else None
        if found is None:
            return 0
        return min(found.ready, sum(_is_ready(pod) for pod in self.pods(found.revision)))

    def is_complete(self, revision: str, pods: int | None = None) -> bool:
        """Return whether a revision is asked for so many pods, all that the spec wants if not said, and has them."""
        found, wanted = self.workload(revision), self.desired_replicas if pods is None else pods
        if found is None or found.deleting or not found.settled:
            return False
        return found.replicas == wanted and self.ready_pods(revision) >= wanted

    @property
    def desired_replicas(self) -> int:
        """How many pods the spec asks for."""
        return self.observed.deployment.spec.server.replicas

    def pods(self, revision: str) -> Sequence[Manifest]:
        """Return the pods of a revision that are not ending, by name."""
        mine = [
            pod
            for pod in self.observed.pods
            if pod["metadata"].get("labels", {}).get(names.REVISION) == revision
            and "deletionTimestamp" not in pod["metadata"]
        ]
        return sorted(mine, key=lambda pod: str(pod["metadata"]["name"]))

    def version_named(self, name: str) -> ModelVersion | None:
        """Return the version of a name."""
        return next((version for version in self.observed.versions if version.name == name), None)

    def original(self, version: ModelVersion) -> ModelVersion:
        """Return the version that this one duplicates, or itself: the same artifact is served under one number."""
        first = self.version_named(version.spec.duplicate_of) if version.spec.duplicate_of else None
        return first or version
