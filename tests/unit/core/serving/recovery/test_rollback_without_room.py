"""A rollback whose pods find no room comes to its end: the bad version gives up its pods, and never its last one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steadfit.core import names

from tests.support import effort
from tests.unit.core.serving import serving_cluster_gateways
from tests.unit.core.serving.serving_cluster import ServingCluster
from tests.unit.core.serving.serving_cluster_gateways import TRAFFIC, shares

ONE_STEP = {"canary": {"steps": [{"weight": 50}]}}
SPECS: dict[str, dict[str, Any]] = {"plain": {}, "canary": {"strategy": ONE_STEP}, "gateway": {"traffic": TRAFFIC}}
QUOTA = 'pods "flights" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=4, limited: pods=4'


class Room:
    """Nodes, or a quota, with room for so many server pods: pods that run keep their place."""

    def __init__(self, cluster: ServingCluster, pods: int, *, quota: bool, bad_first: bool) -> None:
        self.cluster, self.pods, self.quota, self.bad_first = cluster, pods, quota, bad_first
        self.placed = {self._revision(one): one["spec"]["replicas"] for one in cluster.workloads.values()}
        self.least = 99
        """The fewest ready pods that have had traffic."""
        self.outage = False
        """Whether a version without ready pods has had traffic."""
        self._kubelet = cluster.kubelet
        cluster.kubelet = self.kubelet  # type: ignore[method-assign]

    def kubelet(self) -> None:
        cluster = self.cluster
        asked = {self._revision(one): one["spec"]["replicas"] for one in cluster.workloads.values()}
        bad = {entry.revision for entry in cluster.status.quarantine}
        self.placed = {revision: min(self.placed.get(revision, 0), pods) for revision, pods in asked.items()}
        for revision in sorted(asked, key=lambda one: (one in bad) != self.bad_first):
            free = self.pods - sum(self.placed.values())
            self.placed[revision] += max(0, min(free, asked[revision] - self.placed[revision]))
        cluster.most_ready = dict(self.placed)
        lacking = {revision for revision, pods in asked.items() if self.placed[revision] < pods}
        cluster.refused = dict.fromkeys(lacking, QUOTA) if self.quota else {}
        cluster.unschedulable = set() if self.quota else lacking
        self._kubelet()
        taking = {number for number, weight in shares(cluster).items() if weight} if cluster.route else None
        versions = cluster.answering() if taking is None else taking
        ready = {
            int(one["metadata"]["labels"][names.VERSION]): one["status"]["readyReplicas"]
            for one in cluster.workloads.values()
        }
        self.outage |= not all(ready[number] for number in versions)
        self.least = min(self.least, sum(ready[number] for number in versions))

    @staticmethod
    def _revision(workload: dict[str, Any]) -> str:
        revision: str = workload["metadata"]["labels"][names.REVISION]
        return revision


def version_2_serves(replicas: int, **spec: Any) -> ServingCluster:
    cluster = ServingCluster(replicas=replicas, **spec)
    cluster.gateway = serving_cluster_gateways.accepts
    for number in (1, 2):
        cluster.add(number)
        cluster.settle()
        cluster.finds("Pass")
        cluster.settle()
    assert (cluster.live(), cluster.replicas()[1]) == (2, 0)
    return cluster


@settings(max_examples=effort.cases(40), deadline=None)
@given(
    replicas=st.integers(2, 9),
    extra=st.integers(0, 9),
    spec=st.sampled_from(sorted(SPECS)),
    quota=st.booleans(),
    bad_first=st.booleans(),
)
def test_a_rollback_ends_with_all_of_its_pods_whatever_room_there_is(
    replicas: int, extra: int, spec: str, quota: bool, bad_first: bool
) -> None:
    cluster = version_2_serves(replicas, **SPECS[spec])
    room = Room(cluster, replicas + extra, quota=quota, bad_first=bad_first)
    cluster.act("Rollback")
    cluster.settle(200)
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (1, None, {1})
    assert cluster.condition("PodsReady") == ("True", "PodsReady")
    assert room.least >= (replicas // 2 if spec == "plain" else replicas - 2), "too few pods had traffic"
    assert room.least >= 1
    assert not room.outage


def test_the_status_says_that_pods_of_the_bad_version_end_to_make_room() -> None:
    cluster = version_2_serves(4)
    room = Room(cluster, 4, quota=False, bad_first=True)
    cluster.act("Rollback")
    room.pods = 3
    cluster.settle()
    assert (cluster.live(), cluster.replicas()) == (2, {1: 4, 2: 3})
    assert cluster.message("Ready").endswith(
        "0 of 4 pods are ready: the pod cannot be scheduled: 0/3 nodes are available; pods of version 2 end one by one"
        " to make room; with 3 of them it takes all of the traffic, or with as many as that has left"
    )


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_only_pod_that_answers_is_not_given_up_and_the_status_names_a_step_that_helps(spec: dict[str, Any]) -> None:
    cluster = version_2_serves(1, **spec)
    Room(cluster, 1, quota=False, bad_first=True)
    cluster.act("Rollback")
    cluster.settle()
    cluster.now += timedelta(hours=2)
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (2, 1, {2})
    assert cluster.condition("Progressing") == ("False", "ProgressDeadlineExceeded")
    assert cluster.message("Progressing").endswith(
        "its pods were not ready within 1h: add a node or raise the quota, or set spec.server.replicas to 0 and back,"
        " which leaves no pod to answer in between"
    )
    for replicas in (0, 1):
        cluster.deployment["spec"]["server"]["replicas"] = replicas
        cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})


def test_for_want_of_room_no_version_is_abandoned_while_an_older_one_is_left() -> None:
    cluster = version_2_serves(1)
    cluster.add(3)
    cluster.settle()
    room = Room(cluster, 1, quota=False, bad_first=True)
    cluster.act("Rollback")
    cluster.settle()
    cluster.now += timedelta(hours=2)
    cluster.settle()
    assert (cluster.candidate(), cluster.status.abandoned) == (2, [])
    room.pods = 2
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (2, {2})
