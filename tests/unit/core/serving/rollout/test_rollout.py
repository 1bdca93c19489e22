"""How a candidate becomes live, and how traffic follows."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.core import names

from tests.unit.core.serving.serving_cluster import ServingCluster, serving


def test_the_deployment_of_a_candidate_is_created_only_after_the_candidate_is_in_status() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.step()
    assert (cluster.candidate(), cluster.workloads) == (1, {})
    cluster.step()
    assert [w["metadata"]["name"] for w in cluster.workloads.values()] == [
        f"flights-{cluster.status.candidate.revision}"  # type: ignore[union-attr]
    ]


def test_the_service_moves_only_after_the_live_revision_is_in_status() -> None:
    cluster = serving(1)
    cluster.add(2)
    while cluster.live() == 1:
        cluster.step()
        cluster.kubelet()
    assert len(cluster.moves) == 1
    cluster.step()
    while len(cluster.moves) == 1:
        cluster.step()
    assert cluster.moves[-1] == cluster.status.live.revision  # type: ignore[union-attr]


def test_a_candidate_takes_no_traffic_before_every_pod_is_ready() -> None:
    cluster = serving(1, replicas=3)
    cluster.add(2)
    cluster.step()
    assert cluster.status.candidate is not None
    cluster.half.add(cluster.status.candidate.revision)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, 2)
    assert "2 of 3 pods are ready" in cluster.message("Progressing")
    cluster.half.clear()
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (2, None)


def test_counts_that_speak_of_an_older_generation_do_not_count() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    cluster.step()
    (name,) = [name for name in cluster.workloads if str(cluster.selected()) not in name]
    cluster.kubelet()
    cluster.workloads[name]["status"]["observedGeneration"] = 0
    cluster.step()
    assert cluster.live() == 1


def test_old_pods_go_only_after_the_service_points_at_the_new_ones() -> None:
    cluster = serving(1)
    cluster.add(2)
    while cluster.live() == 1:
        assert cluster.replicas()[1] == 2
        cluster.step()
        cluster.kubelet()
    assert cluster.replicas() == {1: 2, 2: 2}
    cluster.settle()
    assert cluster.replicas() == {1: 0, 2: 2}


def test_the_last_good_deployment_stays_without_pods_and_older_ones_are_deleted() -> None:
    cluster = serving(1)
    for number in (2, 3, 4):
        cluster.add(number)
        cluster.settle()
    assert cluster.replicas() == {3: 0, 4: 2}
    assert cluster.status.last_good is not None
    assert cluster.status.last_good.number == 3


def test_a_deployment_is_deleted_only_after_its_pods_are_gone() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.settle()
    cluster.add(3)
    while cluster.live() != 3:
        cluster.step()
        cluster.kubelet()
    # Nothing tells the operator that the pods of version 1's Deployment are gone yet.
    for workload in cluster.workloads.values():
        if workload["metadata"]["labels"][names.VERSION] == "1":
            workload["status"]["replicas"] = 1
    for _ in range(10):
        cluster.step()
    assert 1 in cluster.replicas()
    cluster.settle()
    assert 1 not in cluster.replicas()


def test_a_first_version_without_replicas_is_ready_and_goes_live_with_its_pods() -> None:
    cluster = serving(1, replicas=0)
    assert (cluster.live(), cluster.candidate()) == (None, 1)
    assert cluster.condition("Ready") == ("True", "ScaledToZero")
    assert cluster.replicas() == {1: 0}
    cluster.edit(server={"replicas": 2})
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.condition("Ready") == ("True", "Serving")
    assert cluster.replicas() == {1: 2}


def scaled_to_zero(*numbers: int, **spec: Any) -> ServingCluster:
    cluster = serving(*numbers, **spec)
    cluster.edit(server={"replicas": 0})
    cluster.settle()
    return cluster


def test_a_new_version_waits_for_replicas_and_what_served_serves_again_with_them() -> None:
    cluster = scaled_to_zero(1)
    cluster.add(2)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, 2)
    assert cluster.condition("Ready") == ("True", "ScaledToZero")
    assert "spec.server.replicas is 0" in cluster.message("Progressing")
    cluster.broken.add(cluster.status.candidate.revision)  # type: ignore[union-attr]
    cluster.edit(server={"replicas": 2})
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (2, {2})


def test_scaling_to_zero_and_back_promotes_nothing_that_never_started() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    cluster.broken.add(cluster.status.candidate.revision)  # type: ignore[union-attr]
    cluster.settle()
    for replicas in (0, 2):
        cluster.edit(server={"replicas": replicas})
        cluster.settle()
        assert (cluster.live(), cluster.candidate()) == (1, 2)
    assert cluster.answering() == {1}


def test_a_pin_waits_for_replicas() -> None:
    cluster = scaled_to_zero(1)
    cluster.add(2)
    cluster.edit(pin={"version": 2})
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, 2)


def test_at_zero_replicas_a_rollback_goes_to_what_was_ready_before_and_to_nothing_else() -> None:
    cluster = scaled_to_zero(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), cluster.condition("Ready")) == (1, ("True", "ScaledToZero"))
    other = scaled_to_zero(1, 2)
    other.add(3, against=None)
    other.act("Rollback", 3)
    other.settle()
    assert (other.live(), other.candidate(), other.condition("Ready")) == (2, 3, ("True", "ScaledToZero"))
    assert "version 3 replaces it" in other.message("Ready")
    other.edit(server={"replicas": 2})
    other.settle()
    assert (other.live(), other.answering()) == (3, {3})


def test_a_candidate_is_scaled_with_the_spec() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    assert cluster.status.candidate is not None
    cluster.broken.add(cluster.status.candidate.revision)
    cluster.settle()
    cluster.edit(server={"replicas": 5})
    cluster.settle()
    assert cluster.replicas() == {1: 5, 2: 5}


def test_a_candidate_keeps_the_time_at_which_it_was_decided_on() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    assert cluster.status.candidate is not None
    since = cluster.status.candidate.since
    cluster.broken.add(cluster.status.candidate.revision)
    cluster.settle()
    assert cluster.status.candidate.since == since


def test_the_service_stays_while_pods_of_the_new_live_revision_fail_before_it_was_moved() -> None:
    cluster = serving(1)
    cluster.add(2)
    while cluster.live() == 1:
        cluster.step()
        cluster.kubelet()
    assert cluster.status.live is not None
    cluster.broken.add(cluster.status.live.revision)
    cluster.kubelet()
    cluster.settle()
    assert len(cluster.moves) == 1
    assert cluster.replicas() == {1: 2, 2: 2}
    assert cluster.condition("Ready") == ("True", "FailedOver")
    cluster.broken.clear()
    cluster.settle()
    assert cluster.selected() == cluster.status.live.revision
    assert cluster.replicas() == {1: 0, 2: 2}


def test_the_service_moves_off_a_revision_without_ready_pods_at_once() -> None:
    cluster = serving(1)
    old = cluster.selected()
    cluster.add(2)
    while cluster.live() == 1:
        cluster.step()
        cluster.kubelet()
    assert cluster.status.live is not None
    assert old is not None
    cluster.half.add(cluster.status.live.revision)
    cluster.broken.add(old)
    cluster.kubelet()
    cluster.settle()
    assert cluster.selected() == cluster.status.live.revision


@pytest.mark.parametrize("writes", range(12))
def test_a_crash_after_any_write_of_a_swap_loses_nothing(writes: int) -> None:
    """The operator stops after so many writes, before and in the middle of a pass, and another one goes on."""
    cluster = serving(1)
    cluster.add(2)
    for _ in range(writes):
        cluster.step(crash_after=1)
        cluster.kubelet()
    cluster.step(crash_after=0)
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.replicas() == {1: 0, 2: 2}
    assert len(cluster.moves) == 2


def test_a_service_that_was_deleted_is_made_again() -> None:
    cluster = serving(1)
    cluster.service = None
    cluster.settle()
    assert cluster.selected() == cluster.status.live.revision  # type: ignore[union-attr]
    assert cluster.condition("Ready") == ("True", "Serving")


def test_pods_on_their_way_out_do_not_count_when_their_revision_is_wished_for_again() -> None:
    """The Deployment was asked for none a moment ago and still counts them."""
    cluster = serving(1, 2)
    cluster.act("Rollback")
    old = cluster.workloads[f"flights-{cluster.moves[0]}"]
    old["status"] |= {"replicas": 2, "readyReplicas": 2}
    cluster.step()
    assert (cluster.live(), cluster.candidate()) == (2, 1)


def test_pods_that_are_ending_do_not_count_though_their_deployment_still_counts_them() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    cluster.step()
    cluster.kubelet()
    pods = cluster.pods()
    for pod in pods:
        if pod["metadata"]["labels"][names.REVISION] != cluster.selected():
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.pods = lambda: pods  # type: ignore[method-assign]
    cluster.step()
    assert (cluster.live(), cluster.candidate()) == (1, 2)


def test_a_deployment_that_is_being_deleted_does_not_become_live() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    cluster.step()
    cluster.kubelet()
    for name, workload in cluster.workloads.items():
        if str(cluster.selected()) not in name:
            workload["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.step()
    assert (cluster.live(), cluster.candidate()) == (1, 2)
