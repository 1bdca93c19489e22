"""Look-ups over the observed Deployments (one per revision), pods and versions of a ModelDeployment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import Released, RevisionRef, ServedVersion
from steadfit.core import names
from steadfit.core.types import Manifest, ObservedModelDeployment

from .template_difference import first_difference
from .version_index import VersionIndex


@dataclass(frozen=True, slots=True)
class Workload:
    """The parts of a revision's Deployment that decisions read.

    Attributes
    ----------
    replicas
        Desired number of pods.
    present
        Number of pods, ready or not, without terminating ones.
    ready
        Number of ready pods.
    settled
        Whether the numbers are of the Deployment's current generation.
    is_updated
        Whether all pods, ready or not, are of the current pod template.
    deleting
        Whether the Deployment is being deleted.
    """

    manifest: Manifest
    revision: str
    replicas: int
    present: int
    ready: int
    settled: bool
    is_updated: bool
    deleting: bool


def workload(manifest: Manifest) -> Workload:
    """Return the Workload of an apps/v1 Deployment."""
    metadata, spec, status = manifest["metadata"], manifest.get("spec", {}), manifest.get("status", {})
    settled = status.get("observedGeneration", -1) >= metadata.get("generation", 0)
    return Workload(
        manifest=manifest,
        revision=metadata.get("labels", {}).get(names.REVISION) or _selected_revision(spec),
        replicas=spec.get("replicas", 1),
        present=status.get("replicas", 0),
        ready=status.get("readyReplicas", 0),
        settled=settled,
        is_updated=settled and status.get("updatedReplicas", 0) >= status.get("replicas", 0),
        deleting="deletionTimestamp" in metadata,
    )


def _selected_revision(spec: Mapping[str, Any]) -> str:
    """Return the revision whose pods a Deployment selects, which nobody can change, unlike its own labels."""
    return str(spec.get("selector", {}).get("matchLabels", {}).get(names.REVISION, ""))


def _is_ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


@dataclass(frozen=True)
class Fleet:
    """Look-ups over the observed objects of one ModelDeployment, each built at most once."""

    observed: ObservedModelDeployment
    declared: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The pod templates of the revisions as the operator declared them, as far as that is proven."""
    admitted: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Digests of what admission makes of fields of the declared templates, by revision."""

    def with_declared(self, declared: Mapping[str, Mapping[str, Any]]) -> Fleet:
        """Return the fleet with these declared templates; look-ups of the observed objects are not built again."""
        return self._with(declared=declared)

    def with_admitted(self, admitted: Mapping[str, Collection[str]]) -> Fleet:
        """Return the fleet with what admission makes of the declared templates."""
        return self._with(admitted=admitted) if admitted else self

    def _with(self, **templates: Any) -> Fleet:
        found = replace(self, **templates)
        not_kept = ("declared", "admitted", "_changed_fields")
        built = {name: value for name, value in vars(self).items() if name not in not_kept}
        vars(found).update(built)
        return found

    @cached_property
    def workloads(self) -> Sequence[Workload]:
        """The Deployments, by name."""
        manifests = sorted(self.observed.workloads, key=lambda manifest: str(manifest["metadata"]["name"]))
        return [workload(manifest) for manifest in manifests]

    @cached_property
    def versions(self) -> VersionIndex:
        """The versions of the TrainingJob that the spec names, by number: they are rolled out."""
        return VersionIndex(self.observed.versions)

    @cached_property
    def known_versions(self) -> VersionIndex:
        """Those and the versions of other TrainingJobs that were decided about here, by name and artifact."""
        return VersionIndex([*self.observed.versions, *self.observed.earlier_versions])

    def workload(self, revision: str) -> Workload | None:
        """Return the Deployment of a revision; None without one."""
        return self._workloads.get(revision)

    def has_deployment(self, revision: str) -> bool:
        """Return whether a revision has a Deployment that is not being deleted."""
        found = self.workload(revision)
        return found is not None and not found.deleting

    def frozen_template(self, revision: str) -> Manifest | None:
        """Return the ControllerRevision with the pod template of a revision; None without one."""
        return self._frozen_templates.get(names.workload_name(self.observed.deployment.name, revision))

    def changed_field(self, revision: str) -> str | None:
        """Return the first field of a revision's pod template that someone else has changed; None if none was."""
        return self._changed_fields.get(revision)

    def is_kept(self, revision: str) -> bool:
        """Return whether a revision can serve with the pod template that it has always had: something proves it."""
        return revision in self.declared

    def is_as_declared(self, revision: str) -> bool:
        """Return whether a revision's Deployment has the pod template that the operator declared."""
        return self.is_kept(revision) and self.changed_field(revision) is None

    def ready_pods(self, revision: str | None) -> int:
        """Return the number of ready pods of a revision: the smaller of the Deployment's and the pods' own count.

        After a scale down and up, a Deployment may still count terminating pods; their own count does not.
        """
        found = self.workload(revision) if revision else None
        if found is None:
            return 0
        return min(found.ready, self._ready_pods.get(found.revision, 0))

    def has_orphans(self, revision: str) -> bool:
        """Return whether pods are ready whose Deployment is gone, or has lost the label by which it is found."""
        return self.workload(revision) is None and self._ready_pods.get(revision, 0) > 0

    def is_complete(self, revision: str, pods: int | None = None) -> bool:
        """Return whether a revision is scaled to so many pods, spec.server.replicas by default, and all are ready.

        Pods whose template someone else has changed, or nothing proves, count for nothing, also while the template is
        put right and they have yet to end.
        """
        found, desired = self.workload(revision), self.desired_replicas if pods is None else pods
        if found is None or found.deleting or not found.is_updated or not self.is_as_declared(revision):
            return False
        return found.replicas == desired and self.ready_pods(revision) >= desired

    def has_enough(self, revision: str) -> bool:
        """Return whether enough pods of a revision are ready to take all of the traffic."""
        found = self.workload(revision)
        if found is None or found.deleting or found.replicas != self.desired_replicas:
            return False
        return self.ready_pods(revision) >= self.enough_pods

    @property
    def enough_pods(self) -> int:
        """Three quarters of spec.server.replicas: Kubernetes' default of maxUnavailable, rounded as it does."""
        return self.desired_replicas - self.desired_replicas // 4

    @property
    def desired_replicas(self) -> int:
        """spec.server.replicas."""
        return self.observed.deployment.spec.server.replicas

    def pods(self, revision: str) -> Sequence[Manifest]:
        """Return the pods of a revision, without terminating ones, by name."""
        return self._pods.get(revision, ())

    def version_of(self, ref: RevisionRef | Released | ServedVersion) -> ModelVersion | None:
        """Return the version that a decision was about; None if it is gone, though another one may have its name."""
        return version_of(ref, self.known_versions.named(ref.version))

    @cached_property
    def _workloads(self) -> Mapping[str, Workload]:
        found: dict[str, Workload] = {}
        for one in self.workloads:
            found.setdefault(one.revision, one)
        return found

    @cached_property
    def _frozen_templates(self) -> Mapping[str, Manifest]:
        found: dict[str, Manifest] = {}
        for frozen in self.observed.frozen_templates:
            if "deletionTimestamp" not in frozen["metadata"]:
                found[str(frozen["metadata"]["name"])] = frozen
        return found

    @cached_property
    def _pods(self) -> Mapping[str, Sequence[Manifest]]:
        found: dict[str, list[Manifest]] = {}
        for pod in sorted(self.observed.pods, key=lambda pod: str(pod["metadata"]["name"])):
            if "deletionTimestamp" not in pod["metadata"]:
                found.setdefault(_revision_of(pod), []).append(pod)
        return found

    @cached_property
    def _ready_pods(self) -> Mapping[str, int]:
        return {revision: sum(map(_is_ready, pods)) for revision, pods in self._pods.items()}

    @cached_property
    def _changed_fields(self) -> Mapping[str, str | None]:
        return {
            revision: first_difference(declared, found.manifest["spec"]["template"], self.admitted.get(revision, ()))
            for revision, found in self._workloads.items()
            if (declared := self.declared.get(revision)) is not None
        }


def _revision_of(manifest: Manifest) -> str:
    revision: str = manifest["metadata"].get("labels", {}).get(names.REVISION, "")
    return revision


def version_of(ref: RevisionRef | Released | ServedVersion, versions: Sequence[ModelVersion]) -> ModelVersion | None:
    """Return the version of this name with this artifact; None without one. Names are given again, digests are not."""
    namesakes = (version for version in versions if version.name == ref.version)
    return next((version for version in namesakes if version.spec.artifact.digest == ref.digest), None)
