"""How a candidate becomes live, and how traffic follows."""

from __future__ import annotations

import pytest
from steadfit.core import names

from tests.unit.core.serving.serving_cluster import World, serving


def test_the_deployment_of_a_candidate_is_created_only_after_the_candidate_is_in_status() -> None:
    world = World()
    world.add(1)
    world.step()
    assert (world.candidate(), world.workloads) == (1, {})
    world.step()
    assert [w["metadata"]["name"] for w in world.workloads.values()] == [
        f"flights-{world.status.candidate.revision}"  # type: ignore[union-attr]
    ]


def test_the_service_moves_only_after_the_live_revision_is_in_status() -> None:
    world = serving(1)
    world.add(2)
    while world.live() == 1:
        world.step()
        world.kubelet()
    assert len(world.moves) == 1
    world.step()
    while len(world.moves) == 1:
        world.step()
    assert world.moves[-1] == world.status.live.revision  # type: ignore[union-attr]


def test_a_candidate_takes_no_traffic_before_every_pod_is_ready() -> None:
    world = serving(1, replicas=3)
    world.add(2)
    world.step()
    assert world.status.candidate is not None
    world.half.add(world.status.candidate.revision)
    world.settle()
    assert (world.live(), world.candidate()) == (1, 2)
    assert "2 of 3 pods are ready" in world.message("Progressing")
    world.half.clear()
    world.settle()
    assert (world.live(), world.candidate()) == (2, None)


def test_counts_that_speak_of_an_older_generation_do_not_count() -> None:
    world = serving(1)
    world.add(2)
    world.step()
    world.step()
    (name,) = [name for name in world.workloads if str(world.selected()) not in name]
    world.kubelet()
    world.workloads[name]["status"]["observedGeneration"] = 0
    world.step()
    assert world.live() == 1


def test_old_pods_go_only_after_the_service_points_at_the_new_ones() -> None:
    world = serving(1)
    world.add(2)
    while world.live() == 1:
        assert world.replicas()[1] == 2
        world.step()
        world.kubelet()
    assert world.replicas() == {1: 2, 2: 2}
    world.settle()
    assert world.replicas() == {1: 0, 2: 2}


def test_the_last_good_deployment_stays_without_pods_and_older_ones_are_deleted() -> None:
    world = serving(1)
    for number in (2, 3, 4):
        world.add(number)
        world.settle()
    assert world.replicas() == {3: 0, 4: 2}
    assert world.status.last_good is not None
    assert world.status.last_good.number == 3


def test_a_deployment_is_deleted_only_after_its_pods_are_gone() -> None:
    world = serving(1)
    world.add(2)
    world.settle()
    world.add(3)
    while world.live() != 3:
        world.step()
        world.kubelet()
    # Nothing tells the operator that the pods of version 1's Deployment are gone yet.
    for workload in world.workloads.values():
        if workload["metadata"]["labels"][names.VERSION] == "1":
            workload["status"]["replicas"] = 1
    for _ in range(10):
        world.step()
    assert 1 in world.replicas()
    world.settle()
    assert 1 not in world.replicas()


def test_a_first_version_without_replicas_becomes_live_and_is_ready() -> None:
    world = serving(1, replicas=0)
    assert world.live() == 1
    assert world.condition("Ready") == ("True", "ScaledToZero")
    assert world.replicas() == {1: 0}
    world.edit(server={"replicas": 2})
    world.settle()
    assert world.condition("Ready") == ("True", "Serving")
    assert world.replicas() == {1: 2}


def test_a_new_version_moves_in_while_scaled_to_zero() -> None:
    world = serving(1, replicas=0)
    world.add(2)
    world.settle()
    assert world.live() == 2
    assert world.selected() == world.status.live.revision  # type: ignore[union-attr]


def test_a_candidate_is_scaled_with_the_spec() -> None:
    world = serving(1)
    world.add(2)
    world.step()
    assert world.status.candidate is not None
    world.broken.add(world.status.candidate.revision)
    world.settle()
    world.edit(server={"replicas": 5})
    world.settle()
    assert world.replicas() == {1: 5, 2: 5}


def test_a_candidate_keeps_the_time_at_which_it_was_decided_on() -> None:
    world = serving(1)
    world.add(2)
    world.step()
    assert world.status.candidate is not None
    since = world.status.candidate.since
    world.broken.add(world.status.candidate.revision)
    world.settle()
    assert world.status.candidate.since == since


def test_the_service_stays_while_pods_of_the_new_live_revision_fail_before_it_was_moved() -> None:
    world = serving(1)
    world.add(2)
    while world.live() == 1:
        world.step()
        world.kubelet()
    assert world.status.live is not None
    world.broken.add(world.status.live.revision)
    world.kubelet()
    world.settle()
    assert len(world.moves) == 1
    assert world.replicas() == {1: 2, 2: 2}
    assert world.condition("Ready") == ("True", "Serving")
    world.broken.clear()
    world.settle()
    assert world.selected() == world.status.live.revision
    assert world.replicas() == {1: 0, 2: 2}


def test_the_service_moves_off_a_revision_without_ready_pods_at_once() -> None:
    world = serving(1)
    old = world.selected()
    world.add(2)
    while world.live() == 1:
        world.step()
        world.kubelet()
    assert world.status.live is not None
    assert old is not None
    world.half.add(world.status.live.revision)
    world.broken.add(old)
    world.kubelet()
    world.settle()
    assert world.selected() == world.status.live.revision


@pytest.mark.parametrize("writes", range(12))
def test_a_crash_after_any_write_of_a_swap_loses_nothing(writes: int) -> None:
    """The operator stops after so many writes, before and in the middle of a pass, and another one goes on."""
    world = serving(1)
    world.add(2)
    for _ in range(writes):
        world.step(crash_after=1)
        world.kubelet()
    world.step(crash_after=0)
    world.settle()
    assert world.live() == 2
    assert world.replicas() == {1: 0, 2: 2}
    assert len(world.moves) == 2


def test_a_service_that_was_deleted_is_made_again() -> None:
    world = serving(1)
    world.service = None
    world.settle()
    assert world.selected() == world.status.live.revision  # type: ignore[union-attr]
    assert world.condition("Ready") == ("True", "Serving")


def test_pods_on_their_way_out_do_not_count_when_their_revision_is_wished_for_again() -> None:
    """The Deployment was asked for none a moment ago and still counts them."""
    world = serving(1, 2)
    world.act("Rollback")
    old = world.workloads[f"flights-{world.moves[0]}"]
    old["status"] |= {"replicas": 2, "readyReplicas": 2}
    world.step()
    assert (world.live(), world.candidate()) == (2, 1)


def test_pods_that_are_ending_do_not_count_though_their_deployment_still_counts_them() -> None:
    world = serving(1)
    world.add(2)
    world.step()
    world.step()
    world.kubelet()
    pods = world.pods()
    for pod in pods:
        if pod["metadata"]["labels"][names.REVISION] != world.selected():
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    world.pods = lambda: pods  # type: ignore[method-assign]
    world.step()
    assert (world.live(), world.candidate()) == (1, 2)


def test_a_deployment_that_is_being_deleted_does_not_become_live() -> None:
    world = serving(1)
    world.add(2)
    world.step()
    world.step()
    world.kubelet()
    for name, workload in world.workloads.items():
        if str(world.selected()) not in name:
            workload["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    world.step()
    assert (world.live(), world.candidate()) == (1, 2)
