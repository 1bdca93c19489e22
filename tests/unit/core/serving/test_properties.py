"""Whatever people, kubelets and crashes do in whatever order, the Service only ever points where it may.

What must never happen is asserted by the cluster itself at every write; see `serving_cluster_checks.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core import names
from steadfit.core.plans import model_deployment
from steadfit.core.serving import pod_messages
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.rollout import canary_start
from steadfit.core.serving.traffic import failover, service, warm_standby

from tests.support import effort

from . import failing_pods, serving_cluster_checks
from .serving_cluster import ServingCluster
from .serving_cluster_objects import digest, store

numbers = st.integers(min_value=1, max_value=8)


class Serving(RuleBasedStateMachine):
    """A ModelDeployment under everything that can happen to it."""

    @initialize(replicas=st.integers(min_value=0, max_value=3), warm=st.sampled_from([None, None, {}, {"replicas": 1}]))
    def start(self, replicas: int, warm: dict[str, int] | None) -> None:
        """Create the ModelDeployment, with or without warm pods."""
        self.cluster = ServingCluster(replicas=replicas, drains=warm is not None, warm=warm or {})

    @rule(
        phase=st.sampled_from(["Verified", "Verified", "Verified", "Rejected", "Held", None]),
        against=st.sampled_from(["live", "live", "live", None, digest(1), digest(2), digest(3)]),
        same=st.sampled_from([None, None, None, 1, 2]),
    )
    def a_version_is_made(self, phase: str | None, against: str | None, same: int | None) -> None:
        number = max(self.cluster.versions, default=0) + 1
        first = self.cluster.versions.get(same or 0)
        copied = {"duplicateOf": first["metadata"]["name"], "artifact": first["spec"]["artifact"]} if first else {}
        if number <= 8:
            self.cluster.add(number, phase, against, **copied)

    @precondition(lambda self: self.cluster.versions)
    @rule(data=st.data(), phase=st.sampled_from(["Verified", "Rejected", "Held"]))
    def a_version_is_judged(self, data: st.DataObject, phase: str) -> None:
        self.cluster.judge(data.draw(st.sampled_from(sorted(self.cluster.versions))), phase)

    @rule(with_versions=st.booleans())
    def the_training_job_is_made_again(self, with_versions: bool) -> None:
        if with_versions:
            # Where an artifact is stands in its version alone: what serves, or comes back, must have its Deployment.
            self.heal()
        self.cluster.make_the_job_again(with_versions=with_versions)

    @rule(verb=st.sampled_from(["Rollback", "Unpin", "Refresh"]))
    def an_action_without_a_version(self, verb: str) -> None:
        self.cluster.act(verb)

    @rule(verb=st.sampled_from(["Rollback", "Pin"]), number=numbers)
    def an_action_with_a_version(self, verb: str, number: int) -> None:
        self.cluster.act(verb, number)

    @rule(number=numbers)
    def the_spec_pins(self, number: int) -> None:
        self.cluster.edit(pin={"version": number})

    @rule()
    def the_spec_does_not_pin(self) -> None:
        self.cluster.edit(pin=None)

    @rule(replicas=st.integers(min_value=0, max_value=3))
    def it_is_scaled(self, replicas: int) -> None:
        self.cluster.edit(server={**self.cluster.deployment["spec"]["server"], "replicas": replicas})

    @rule(image=st.sampled_from(["server:a", "server:b"]))
    def the_server_changes(self, image: str) -> None:
        self.cluster.edit(server={**self.cluster.deployment["spec"]["server"], "image": image})

    @rule(image=st.sampled_from(["steadfit/server:1", "steadfit/server:2"]))
    def the_operator_is_upgraded(self, image: str) -> None:
        self.cluster.platform = replace(self.cluster.platform, server_image=image)

    @rule(there=st.booleans())
    def the_store_comes_and_goes(self, there: bool) -> None:
        self.cluster.stores = [store()] if there else []

    @precondition(lambda self: self.cluster.workloads)
    @rule(data=st.data())
    def pods_break(self, data: st.DataObject) -> None:
        known = sorted(self.cluster.workloads)
        revision = data.draw(st.sampled_from(known)).removeprefix("flights-")
        data.draw(st.sampled_from([self.cluster.broken, self.cluster.half])).add(revision)

    @precondition(lambda self: self.cluster.workloads)
    @rule(data=st.data(), ready=st.integers(min_value=0, max_value=2))
    def only_some_pods_become_ready(self, data: st.DataObject, ready: int) -> None:
        names = sorted(self.cluster.workloads)
        self.cluster.most_ready[data.draw(st.sampled_from(names)).removeprefix("flights-")] = ready

    @precondition(lambda self: self.cluster.workloads)
    @rule(data=st.data())
    def a_pod_finds_no_node(self, data: st.DataObject) -> None:
        names = sorted(self.cluster.workloads)
        revision = data.draw(st.sampled_from(names)).removeprefix("flights-")
        self.cluster.unschedulable.add(revision)
        self.cluster.half.add(revision)

    @rule()
    def pods_heal(self) -> None:
        self.cluster.unschedulable.clear()
        self.cluster.broken.clear()
        self.cluster.half.clear()
        self.cluster.most_ready.clear()

    @precondition(lambda self: self._numbers_with_pods())
    @rule(data=st.data(), fault=st.sampled_from([failing_pods.end, failing_pods.lose_readiness, failing_pods.evict]))
    def something_befalls_a_server(self, data: st.DataObject, fault: Callable[[ServingCluster, int], None]) -> None:
        fault(self.cluster, data.draw(st.sampled_from(self._numbers_with_pods())))

    @rule()
    def servers_are_ready_again(self) -> None:
        for number in self._numbers_with_pods():
            failing_pods.regain(self.cluster, number)

    def _numbers_with_pods(self) -> list[int]:
        return [number for number in sorted(self.cluster.versions) if failing_pods.pods_of(self.cluster, number)]

    @precondition(lambda self: self._replaceable())
    @rule(data=st.data())
    def somebody_deletes_a_deployment(self, data: st.DataObject) -> None:
        del self.cluster.workloads[data.draw(st.sampled_from(self._replaceable()))]

    def _replaceable(self) -> list[str]:
        """Return the Deployments whose version still exists: without it, nobody knows where its artifact is."""
        known = {
            item["metadata"]["annotations"][names.DIGEST_ANNOTATION]: name
            for name, item in self.cluster.workloads.items()
        }
        return sorted(
            known[item["spec"]["artifact"]["digest"]]
            for item in self.cluster.versions.values()
            if item["spec"]["artifact"]["digest"] in known
        )

    @rule()
    def somebody_deletes_the_service(self) -> None:
        self.cluster.service = None

    @rule()
    def kubelets_work(self) -> None:
        self.cluster.kubelet()

    @rule(times=st.integers(min_value=1, max_value=4))
    def the_operator_works(self, times: int) -> None:
        for _ in range(times):
            self.cluster.step()

    @rule(writes=st.integers(min_value=0, max_value=2))
    def the_operator_crashes(self, writes: int) -> None:
        self.cluster.step(crash_after=writes)

    @rule()
    def all_settles(self) -> None:
        self.cluster.settle()

    @invariant()
    def planning_again_comes_to_rest(self) -> None:
        if not hasattr(self, "cluster"):
            return
        observed, seen = self.cluster.observe(), []
        for number in range(6):
            plan = model_deployment.plan(observed, self.cluster.now + timedelta(seconds=number))
            seen.append(plan.status)
            if len(seen) > 1 and seen[-1] == seen[-2]:
                return
            raw = {**self.cluster.deployment, "status": plan.status}
            observed = replace(observed, deployment=ModelDeployment.model_validate(raw))
        raise AssertionError("the status never comes to rest")

    @invariant()
    def autoscalers_always_have_a_selector(self) -> None:
        if hasattr(self, "cluster") and self.cluster.status.observed_generation >= 0:
            assert self.cluster.status.selector

    @invariant()
    def no_candidate_waits_without_an_end(self) -> None:
        """A candidate that no person has to decide over, beside a good version, ends by itself."""
        if not hasattr(self, "cluster"):
            return
        cluster, plan = self.cluster, self.cluster.plan()
        status, candidate = cluster.status, cluster.status.candidate
        if plan.status != cluster.deployment["status"] or candidate is None or candidate.phase == "Paused":
            return
        a_person_decides = "pin" in cluster.deployment["spec"] or status.override is not None
        rolling_back = status.live is not None and is_quarantined(status.live, status, cluster.fleet)
        answers_alone = candidate.revision in serving_cluster_checks.stand_ins(cluster)
        if cluster.fleet.desired_replicas == 0 or status.live is None or a_person_decides or rolling_back:
            return
        if answers_alone:
            return
        if canary_start.waits_for_champion(status, cluster.fleet):
            assert f"or Promote version {candidate.number}" in cluster.message("Progressing")
            return
        assert plan.requeue_at is not None, f"{candidate.phase} has no end"

    @invariant()
    def warm_pods_leave_room_to_what_serves(self) -> None:
        """Once the status says nothing new, no warm pod stays beside a pod without room, unless it answers."""
        if not hasattr(self, "cluster"):
            return
        cluster, status = self.cluster, self.cluster.status
        warm = warm_standby.revision(status, cluster.fleet, cluster.now)
        if warm is None or status.live is None or self.cluster.plan().status != cluster.deployment["status"]:
            return
        crowded = pod_messages.lacks_room(status.live.revision, cluster.fleet)
        if crowded and not is_quarantined(status.live, status, cluster.fleet) and cluster.replicas().get(warm.number):
            answering = service.taking_traffic(cluster.fleet) | {failover.stand_in(status, cluster.fleet)}
            found = cluster.fleet.workload(warm.revision)
            assert warm.revision in answering or found is None or not found.replicas, crowded

    @rule()
    def the_operator_comes_to_rest_while_the_pods_stay_as_they_are(self) -> None:
        """Then something answers if any pod may: of the live version, the last good one or a judged candidate."""
        for _ in range(20):
            if not self.cluster.step():
                break
        else:
            return
        cluster = self.cluster
        status, fleet = cluster.status, cluster.fleet
        if status.live is None or fleet.desired_replicas == 0 or cluster.service is None:
            return
        may = {status.live.revision} - {entry.revision for entry in status.quarantine}
        may |= serving_cluster_checks.stand_ins(cluster)
        if any(fleet.ready_pods(revision) > 0 for revision in may):
            assert cluster.answering(), "nothing answers beside a ready pod"

    def heal(self) -> None:
        """Take the causes of trouble away, and wait."""
        cluster = self.cluster
        cluster.unschedulable.clear()
        cluster.broken.clear()
        cluster.half.clear()
        cluster.most_ready.clear()
        cluster.befallen.clear()
        cluster.stores = [store()]
        cluster.edit(pin=None)
        cluster.settle()
        # A candidate is held for ten minutes after the last failure of its servers.
        cluster.now += timedelta(minutes=10)
        cluster.settle()
        if cluster.fleet.desired_replicas == 0:
            assert cluster.status.live is None or cluster.condition("Ready") == ("True", "ScaledToZero")
            cluster.edit(server={**cluster.deployment["spec"]["server"], "replicas": 1})
            cluster.settle()

    def teardown(self) -> None:
        """When the causes of trouble are gone, everything heals: what is live serves, and nothing else has pods."""
        if not hasattr(self, "cluster"):
            return
        self.heal()
        cluster = self.cluster
        status, target = cluster.status, cluster.deployment["spec"]["server"]["replicas"]
        assert all(record.phase != "Pending" for record in status.actions) or status.live is None
        if status.live is None:
            return
        assert not is_quarantined(status.live, status, cluster.fleet)
        assert cluster.selected() == status.live.revision
        assert cluster.condition("Ready") == ("True", "Serving"), status.conditions
        asked = {w.revision: w.replicas for w in cluster.fleet.workloads if w.replicas}
        assert asked.pop(status.live.revision) == target
        warm = warm_standby.revision(status, cluster.fleet, cluster.now)
        assert asked == ({warm.revision: warm_standby.pods(cluster.fleet)} if warm else {})
        for pod in cluster.pods():
            labels = pod["metadata"]["labels"]
            serves = labels[names.REVISION] == status.live.revision
            assert (labels.get(names.SERVING) == "live") == serves, "the label is on the pods that serve alone"
        assert len(cluster.workloads) <= 2


Serving.TestCase.settings = settings(max_examples=effort.cases(150), stateful_step_count=40)
test_the_service_only_points_where_it_may_whatever_happens = Serving.TestCase
