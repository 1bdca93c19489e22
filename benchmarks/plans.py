"""Measures the plan of a ModelDeployment with many versions and revisions, with and without its indexes, in one run.

    uv run --all-extras python -m benchmarks.plans

Both variants plan the same observed objects and take turns, and have to come to the same plan. Other processes only add
time to a round, so the lower quartiles of the rounds are compared.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from unittest import mock

from steadfit.api.modelversion import ModelVersion
from steadfit.core import names
from steadfit.core.plans import model_deployment
from steadfit.core.serving.fleet import Fleet, Workload
from steadfit.core.serving.template_difference import first_difference
from steadfit.core.serving.version_index import VersionIndex
from steadfit.core.types import Manifest, ObservedModelDeployment, Plan

from tests.sim.objects import clone
from tests.unit.core.serving.canaries import STEPS
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

ROUNDS = 15
SIZES = ((10, 2), (100, 4), (1000, 16))
"""Numbers of versions and of revisions."""


class WalkingIndex(VersionIndex):
    """The look-ups of versions, each by a walk over all of them."""

    @property
    def newest_first(self) -> Sequence[ModelVersion]:
        """The versions by their numbers."""
        return sorted(self.versions, key=lambda version: version.spec.number, reverse=True)

    def named(self, name: str) -> Sequence[ModelVersion]:
        """Return the versions of a name."""
        return [version for version in self.versions if version.name == name]

    def numbered(self, number: int) -> Sequence[ModelVersion]:
        """Return the versions of a number."""
        return [version for version in self.versions if version.spec.number == number]

    def of_artifact(self, digest: str) -> Sequence[ModelVersion]:
        """Return the versions of an artifact."""
        return [version for version in self.versions if version.spec.artifact.digest == digest]


class WalkingFleet(Fleet):
    """The look-ups of a fleet, each by a walk over all objects or over a whole pod template."""

    @property
    def versions(self) -> VersionIndex:
        """The look-ups of versions."""
        return WalkingIndex(self.observed.versions)

    def workload(self, revision: str) -> Workload | None:
        """Return the Deployment of a revision."""
        return next((found for found in self.workloads if found.revision == revision), None)

    def frozen_template(self, revision: str) -> Manifest | None:
        """Return the ControllerRevision of a revision."""
        live = (one for one in self.observed.frozen_templates if "deletionTimestamp" not in one["metadata"])
        return next((one for one in live if one["metadata"].get("labels", {}).get(names.REVISION) == revision), None)

    def changed_field(self, revision: str) -> str | None:
        """Return the first changed field of a pod template."""
        found, frozen = self.workload(revision), self.frozen_template(revision)
        if found is None or frozen is None:
            return None
        return first_difference(frozen["data"]["template"], found.manifest["spec"]["template"])

    def ready_pods(self, revision: str | None) -> int:
        """Return the number of ready pods of a revision."""
        found = self.workload(revision) if revision else None
        return min(found.ready, sum(map(_is_ready, self.pods(found.revision)))) if found else 0

    def pods(self, revision: str) -> Sequence[Manifest]:
        """Return the pods of a revision."""
        found = [pod for pod in self.observed.pods if pod["metadata"].get("labels", {}).get(names.REVISION) == revision]
        running = (pod for pod in found if "deletionTimestamp" not in pod["metadata"])
        return sorted(running, key=lambda pod: str(pod["metadata"]["name"]))


def _is_ready(pod: Manifest) -> bool:
    return any((one["type"], one["status"]) == ("Ready", "True") for one in pod["status"]["conditions"])


def build(versions: int, revisions: int) -> ServingCluster:
    """Return a cluster in which the newest version is in a canary, with many older ones and their revisions."""
    cluster = serving(strategy=STEPS)
    for number in range(1, versions - 1):
        cluster.add(number, "Rejected", against=None)
    for number in (versions - 1, versions):
        cluster.add(number)
        cluster.settle()
    (served, *_), (frozen, *_) = cluster.workloads.values(), cluster.frozen_templates.values()
    for index in range(revisions - 2):
        for known, original in ((cluster.workloads, served), (cluster.frozen_templates, frozen)):
            known[f"flights-old-{index}"] = of_another_revision(original, f"old-{index}")
    for one in cluster.workloads.values():
        # As after `kubectl rollout restart`: the comparison has to look into the template.
        one["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-01-01"}
    return cluster


def of_another_revision(original: dict[str, Any], revision: str) -> dict[str, Any]:
    """Return an object as it would be of another revision, which has no pods."""
    manifest: dict[str, Any] = clone(original)
    manifest["metadata"]["name"] = f"flights-{revision}"
    manifest["metadata"]["labels"][names.REVISION] = revision
    if "spec" in manifest:
        manifest["spec"]["replicas"] = 0
        manifest["status"] = {"observedGeneration": manifest["metadata"]["generation"]}
    return manifest


def plan_with(fleet: type[Fleet], observed: ObservedModelDeployment, cluster: ServingCluster) -> Plan:
    """Return the plan that is made with these look-ups."""
    with mock.patch.object(model_deployment, "Fleet", fleet):
        return model_deployment.plan(observed, cluster.now + timedelta(seconds=1))


def milliseconds(work: Callable[[], object]) -> float:
    """Return the processor time that a piece of work takes."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def main() -> None:
    """Measure and print a line for each size."""
    print(f"{'versions':>10}{'revisions':>11}{'walks, ms':>12}{'indexes, ms':>13}{'ratio':>8}")
    for versions, revisions in SIZES:
        cluster = build(versions, revisions)
        observed = cluster.observe()
        kinds: tuple[type[Fleet], type[Fleet]] = (WalkingFleet, Fleet)
        plans = [plan_with(kind, observed, cluster) for kind in kinds]
        assert plans[0] == plans[1], "the look-ups differ"
        times: list[list[float]] = [[], []]
        for _ in range(ROUNDS):
            for measured, kind in zip(times, kinds, strict=True):
                measured.append(milliseconds(partial(plan_with, kind, observed, cluster)))
        walks, indexes = (statistics.quantiles(each, n=4)[0] for each in times)
        print(f"{versions:10}{revisions:11}{walks:12.2f}{indexes:13.2f}{walks / indexes:8.1f}")


if __name__ == "__main__":
    main()
