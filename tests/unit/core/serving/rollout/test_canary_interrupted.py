"""What comes in between: newer versions, edits, people, crashes of pods and of the operator, a lost status."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.core import names
from steadfit.core.types import Apply

from tests.unit.core.serving.canaries import STEPS, champion, tried, trying
from tests.unit.core.serving.serving_cluster import World, serving

ONE_STEP = {"canary": {"steps": [{"weight": 25}]}}


def workload_of(world: World, number: int) -> dict[str, Any]:
    (found,) = [w for w in world.workloads.values() if w["metadata"]["labels"][names.VERSION] == str(number)]
    return found


# Versions and people


def test_a_newer_version_supersedes_the_candidate_and_starts_at_the_first_step() -> None:
    world = trying()
    world.finds("Pass")
    world.settle()
    world.add(3)
    world.settle()
    assert (tried(world).number, tried(world).step, tried(world).phase) == (3, 0, "Analysing")
    assert (world.answering(), world.replicas()) == ({1, 3}, {1: 2, 3: 1})
    (message,) = world.seen("RolloutSuperseded")
    assert message.startswith("version 2 (revision ")
    assert "is replaced by version 3" in message
    assert (world.status.abandoned, world.status.quarantine) == ([], [])


def test_the_traffic_is_not_shared_out_before_the_last_pod_of_the_candidate_before_is_gone() -> None:
    world = trying()
    world.add(3)
    left: set[int] = set()
    while world.candidate() == 2 or tried(world).phase == "Starting":
        world.step()
        world.kubelet()
        left |= world.answering()
    assert not any(pod["metadata"]["labels"][names.VERSION] == "2" for pod in world.pods())
    assert left <= {1, 2, 3}
    assert world.moves[-1] == champion(world)


def test_a_pod_on_its_way_out_keeps_the_traffic_from_being_shared_out() -> None:
    world = trying()
    world.add(3)
    ending = [pod for pod in world.pods() if pod["metadata"]["labels"][names.VERSION] == "2"]
    for pod in ending:
        pod["metadata"] = {**pod["metadata"], "name": "slow", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    for _ in range(20):
        world.step()
        world.kubelet()
        world.ending = list(ending)
    assert tried(world).phase == "Starting"
    assert "has no pods any more: they would share the traffic too" in tried(world).message
    world.ending = []
    world.settle()
    assert (tried(world).phase, world.answering()) == ("Analysing", {1, 3})


def test_a_version_that_was_compared_with_another_champion_does_not_supersede() -> None:
    world = trying()
    world.add(3, against=None)
    world.settle()
    assert world.candidate() == 2


def test_a_candidate_whose_gate_rejects_it_in_the_middle_is_dropped() -> None:
    world = trying()
    world.judge(2, "Rejected")
    world.settle()
    assert (world.candidate(), world.answering(), world.replicas()) == (None, {1}, {1: 2})
    assert len(world.seen("RolloutCancelled")) == 1


def test_a_rollback_of_the_champion_drops_the_candidate_that_is_tried_beside_it() -> None:
    world = serving(1, 2, strategy=ONE_STEP)
    world.finds("Pass")
    world.settle()
    world.add(3)
    world.settle()
    assert world.answering() == {2, 3}
    world.act("Rollback")
    world.settle()
    assert (world.live(), world.candidate(), world.answering(), world.replicas()) == (1, None, {1}, {1: 2})
    assert [entry.number for entry in world.status.quarantine] == [2]


def test_a_rolled_back_champion_answers_alone_until_the_good_one_can() -> None:
    world = serving(1, 2, strategy=ONE_STEP)
    world.finds("Pass")
    world.settle()
    bad = champion(world)
    world.broken.add(world.moves[0])
    world.add(3)
    world.settle()
    world.act("Rollback")
    world.settle()
    assert (world.candidate(), world.answering(), world.moves[-1]) == (1, {2}, bad)


def test_a_pin_in_the_middle_ends_the_canary() -> None:
    world = trying()
    world.edit(pin={"version": 1})
    world.settle()
    assert (world.live(), world.candidate(), world.answering()) == (1, None, {1})
    world.edit(pin={"version": 2})
    world.settle()
    assert (world.live(), world.answering()) == (2, {2})


def test_a_promote_lets_the_candidate_through_without_a_verdict_and_nothing_newer_delays_it() -> None:
    world = trying(replicas=4)
    half = tried(world).revision
    world.finds("NoData")
    world.settle()
    world.half.add(half)
    world.act("Promote")
    world.step()
    assert tried(world).promoted_by is not None
    world.add(3)
    world.settle()
    assert (world.candidate(), tried(world).phase) == (2, "Promoting")
    world.half.clear()
    world.settle()
    assert world.live() == 2


def test_an_abort_takes_the_candidate_from_the_traffic_and_it_is_not_tried_again() -> None:
    world = trying()
    world.act("Abort")
    world.settle()
    assert (world.candidate(), world.answering(), world.replicas()) == (None, {1}, {1: 2})
    assert len(world.seen("CandidateAbandoned")) == 1


def let_through_and_pinned_back() -> World:
    """Return a world in which version 2 was let through, and a pin in the spec has brought version 1 back."""
    world = serving(1, strategy=ONE_STEP)
    world.add(2)
    world.settle()
    world.finds("Pass")
    world.settle()
    world.edit(pin={"version": 1})
    world.settle()
    return world


def test_what_serves_again_after_a_pin_was_good_before_and_is_not_tried_anew() -> None:
    world = let_through_and_pinned_back()
    world.edit(pin=None)
    world.settle()
    assert (world.live(), world.seen("CanaryStarted")[1:]) == (2, [])


def test_what_was_let_through_beside_another_champion_starts_anew() -> None:
    world = trying(strategy=ONE_STEP)
    world.broken.add(tried(world).revision)
    world.finds("Pass")
    world.settle()
    assert tried(world).phase == "Promoting"
    world.deployment["status"]["candidate"]["championRevision"] = "another"
    world.broken.clear()
    world.settle()
    assert (world.live(), tried(world).phase, tried(world).verdicts[0].verdict) == (1, "Analysing", "NoData")


def test_a_way_back_is_never_what_was_only_tried() -> None:
    """What serves may be barred by another's word: its version remembers a quarantine that this status has lost."""
    world = trying()
    barred = {"reason": "worse", "by": "alice", "at": "2026-01-01T00:00:00Z", "deployment": "flights"}
    world.versions[1]["status"]["quarantine"] = {**barred, "revision": champion(world)}
    world.settle()
    assert (world.live(), world.candidate(), world.answering()) == (1, None, {1})
    assert world.condition("Stalled") == ("True", "NoRollbackTarget")


# Edits


@pytest.mark.parametrize(
    ("weights", "step", "weight"),
    [([10, 25, 50], 2, 50), ([50], 0, 50), ([10, 40], 1, 40), ([5, 10], 1, 10), ([45, 48, 49], 2, 49)],
)
def test_after_an_edit_of_the_steps_a_candidate_goes_on_at_the_nearest_share(
    weights: list[int], step: int, weight: int
) -> None:
    world = trying()
    world.finds("Pass")
    world.settle()
    assert tried(world).weight == 50
    world.finds("Inconclusive")
    world.edit(strategy={"canary": {"steps": [{"weight": one} for one in weights]}})
    world.settle()
    assert (tried(world).step, tried(world).weight) == (step, weight)
    assert tried(world).step_since is not None


def test_the_pause_of_a_step_whose_share_was_edited_begins_anew() -> None:
    world = trying()
    world.finds("Pass")
    world.settle()
    before = tried(world).step_since
    world.edit(strategy={"canary": {"steps": [{"weight": 25}, {"weight": 40, "pause": "10m"}]}})
    world.settle()
    after = tried(world).step_since
    assert before is not None
    assert after is not None
    assert (tried(world).weight, after > before) == (40, True)


def test_a_strategy_that_becomes_blue_green_completes_at_once() -> None:
    world = trying()
    world.edit(strategy={"blueGreen": {}})
    world.settle()
    assert (world.live(), world.candidate(), world.answering()) == (2, None, {2})


def test_a_strategy_that_becomes_a_canary_tries_a_candidate_that_is_coming_up() -> None:
    """Its pods were born without the label of the champion's traffic, so they are made anew."""
    world = serving(1)
    world.add(2)
    world.step()
    world.broken.add(tried(world).revision)
    world.settle()
    assert (tried(world).champion_revision, world.replicas()) == (None, {1: 2, 2: 2})
    world.edit(strategy=STEPS)
    world.broken.clear()
    seen = set()
    while tried(world).phase == "Starting":
        seen.add(tried(world).message)
        world.step()
        world.kubelet()
    assert "its pods are recreated, so that they can share the traffic of version 1" in seen
    world.settle()
    assert (world.live(), world.answering(), world.replicas()) == (1, {1, 2}, {1: 2, 2: 1})


def test_a_candidate_follows_when_an_autoscaler_changes_the_champions_pods() -> None:
    world = trying()
    world.edit(server={"replicas": 9})
    world.settle()
    assert (world.replicas(), tried(world).actual_weight, tried(world).step) == ({1: 9, 2: 3}, 25, 0)
    world.edit(server={"replicas": 1})
    world.settle()
    assert (world.replicas(), tried(world).actual_weight) == ({1: 1, 2: 1}, 50)
    world.edit(server={"replicas": 0})
    world.settle()
    assert (world.replicas(), tried(world).actual_weight, world.live()) == ({1: 0, 2: 0}, None, 1)
    world.edit(server={"replicas": 3})
    world.settle()
    assert (world.replicas(), tried(world).phase) == ({1: 3, 2: 1}, "Analysing")


def test_another_server_in_the_middle_is_another_revision_and_starts_anew() -> None:
    world = trying()
    world.finds("Pass")
    world.settle()
    before = tried(world).revision
    world.edit(server={"replicas": 2, "image": "server:new"})
    world.settle()
    assert tried(world).revision != before
    assert (tried(world).number, tried(world).step, tried(world).verdicts[0].verdict) == (2, 0, "NoData")


# Pods


def test_pods_that_crash_in_the_middle_stay_visible_and_the_time_without_a_verdict_runs() -> None:
    world = trying()
    world.broken.add(tried(world).revision)
    world.settle()
    assert (tried(world).phase, world.answering()) == ("Analysing", {1})
    assert world.condition("Progressing") == ("True", "CandidateFailing")
    assert "the server ended with exit code 3: the digest does not match" in world.message("Progressing")
    world.now += timedelta(hours=24)
    world.settle()
    assert [entry.number for entry in world.status.abandoned] == [2]


def test_a_pass_does_not_save_a_candidate_whose_next_pods_never_come() -> None:
    world = trying()
    world.finds("Pass")
    world.half.add(tried(world).revision)
    world.settle()
    assert tried(world).step_since is None
    world.now += timedelta(hours=24)
    world.settle()
    assert [entry.number for entry in world.status.abandoned] == [2]


def test_a_champion_whose_deployment_was_deleted_gets_it_back() -> None:
    world = trying()
    del world.workloads[f"flights-{champion(world)}"]
    world.settle()
    assert (world.live(), world.answering(), world.replicas()) == (1, {1, 2}, {1: 2, 2: 1})


def test_pods_that_somebody_gave_to_a_former_candidate_end_the_sharing_until_they_are_gone() -> None:
    """A candidate that was let through before carries the label of the champion that a pin brought back."""
    world = let_through_and_pinned_back()
    world.edit(pin=None)
    world.add(3)
    world.settle()
    assert world.answering() == {1, 3}
    old = workload_of(world, 2)
    old["spec"]["replicas"] = 1
    old["metadata"]["generation"] += 1
    world.kubelet()
    assert world.answering() == {1, 2, 3}
    world.step()
    world.step()
    assert world.answering() == {1}
    world.settle()
    assert (world.answering(), workload_of(world, 2)["spec"]["replicas"]) == ({1, 3}, 0)


# The operator


@pytest.mark.parametrize("word", ["Pass", "Fail", "NoData"])
@pytest.mark.parametrize("writes", range(0, 30, 2))
def test_a_crash_after_any_write_of_a_canary_loses_nothing(writes: int, word: str) -> None:
    """The operator stops after so many writes, before and in the middle of a pass, and another one goes on."""
    world = serving(1, strategy=ONE_STEP, analysis={"maxDuration": "1h"})
    world.add(2)
    for _ in range(writes):
        world.step(crash_after=1)
        world.kubelet()
        if world.status.candidate and world.status.candidate.analysed_since:
            world.finds(word)
    world.step(crash_after=0)
    world.settle()
    world.finds(word)
    world.settle()
    world.now += timedelta(hours=1)
    world.settle()
    assert world.live() == (2 if word == "Pass" else 1)
    assert world.candidate() is None
    assert world.answering() == {world.live()}
    assert {number: pods for number, pods in world.replicas().items() if pods} == {world.live(): 2}


def test_what_a_deposed_leader_still_sends_for_a_dropped_candidate_is_refused() -> None:
    """It wrote that the candidate is judged, and stood still; the candidate was dropped before the Service moved."""
    world = serving(1, strategy=STEPS)
    world.add(2)
    world.step()
    while tried(world).phase == "Starting":
        world.step()
        world.kubelet()
    late = [action for action in world.plan().actions if action.manifest["kind"] == "Service"]
    assert world.service is not None
    version = world.service["metadata"]["resourceVersion"]
    assert [action.manifest["metadata"]["resourceVersion"] for action in late] == [version]
    assert isinstance(late[0], Apply)
    world.act("Abort")
    world.settle()
    assert world.service["metadata"]["resourceVersion"] != version
    assert world.moves == [champion(world)]


def test_what_serves_is_found_again_after_a_lost_status_and_what_was_tried_starts_anew() -> None:
    world = trying()
    before = champion(world)
    world.finds("Pass", "latency")
    world.settle()
    world.deployment["status"] = {"observedGeneration": -1}
    world.step()
    assert (world.live(), champion(world), world.candidate()) == (1, before, 2)
    assert (tried(world).phase, tried(world).verdicts) == ("Starting", [])
    world.step()
    assert world.answering() == {1}
    world.settle()
    assert (tried(world).phase, world.answering()) == ("Analysing", {1, 2})
    assert len(world.seen("TrafficSwitched")) == 1
    assert world.seen("StatusRecovered") == [
        f"version 1 (revision {before}) still takes the traffic; the status was lost"
    ]


def test_after_a_lost_status_nothing_is_called_live_that_was_rolled_back_before() -> None:
    world = serving(1, 2)
    world.broken.add(world.moves[0])
    world.act("Rollback")
    world.settle()
    entry = world.status.quarantine[0]
    barred = {"reason": "worse", "by": "alice", "at": "2026-01-01T00:00:00Z", "deployment": "flights"}
    world.versions[2]["status"]["quarantine"] = {**barred, "revision": entry.revision}
    world.deployment["status"] = {"observedGeneration": -1}
    world.broken.clear()
    world.settle()
    assert (world.live(), world.answering()) == (1, {1})


def test_what_cannot_be_told_after_a_lost_status_loses_the_share_of_the_candidate() -> None:
    world = trying()
    before = champion(world)
    del workload_of(world, 1)["metadata"]["annotations"][names.TEMPLATE_ANNOTATION]
    world.stores = []
    world.deployment["status"] = {"observedGeneration": -1}
    world.settle()
    assert (world.live(), world.moves[-1], world.answering()) == (None, before, {1})


# The last good revision


def test_the_last_good_revision_stays_warm_while_the_next_one_bakes_if_it_can_be_told_to_drain() -> None:
    world = serving(1, 2, drains=True)
    assert world.status.live is not None
    end = world.status.live.since + timedelta(hours=24)
    assert (world.replicas(), world.answering()) == ({1: 2, 2: 2}, {2})
    assert world.told == {name for name in world.told if name.startswith(f"flights-{world.moves[0]}")} != set()
    assert world.plan().requeue_at == end
    world.now = end
    world.settle()
    assert (world.replicas(), world.told) == ({1: 0, 2: 2}, set())


def test_a_last_good_revision_that_cannot_be_told_to_drain_is_shut_down_when_the_traffic_has_moved() -> None:
    assert serving(1, 2).replicas() == {1: 0, 2: 2}
    assert serving(1, 2, bakeDuration="0s", drains=True).replicas() == {1: 0, 2: 2}


def test_a_last_good_revision_is_warm_by_its_own_server_and_not_by_the_one_that_the_spec_asks_for() -> None:
    world = serving(1, drains=True)
    world.edit(server={"replicas": 2, "image": "other/server:1", "drains": False})
    world.settle()
    assert sorted(w["spec"]["replicas"] for w in world.workloads.values()) == [2, 2]
    world.edit(server={"replicas": 2})
    world.settle()
    assert sorted(w["spec"]["replicas"] for w in world.workloads.values()) == [0, 2]


def test_a_last_good_revision_in_quarantine_is_not_kept_warm() -> None:
    world = serving(1, 2, drains=True)
    assert world.status.last_good is not None
    barred = {"reason": "worse", "by": "alice", "at": "2026-01-01T00:00:00Z", "deployment": "flights"}
    world.versions[1]["status"]["quarantine"] = {**barred, "revision": world.status.last_good.revision}
    world.settle()
    assert world.replicas() == {1: 0, 2: 2}


def test_a_warm_revision_has_as_many_pods_as_what_serves() -> None:
    world = serving(1, 2, drains=True)
    world.edit(server={"replicas": 3})
    world.settle()
    assert world.replicas() == {1: 3, 2: 3}


def test_a_rollback_to_a_warm_revision_starts_no_pod() -> None:
    world = serving(1, 2, drains=True)
    world.act("Rollback")
    world.step()
    world.step()
    assert (world.live(), world.replicas()) == (1, {1: 2, 2: 2})
    world.settle()
    assert (world.answering(), world.replicas(), world.told) == ({1}, {1: 2}, set())


def test_a_warm_revision_that_would_share_the_traffic_of_a_canary_goes_cold() -> None:
    world = serving(1, strategy=ONE_STEP, drains=True)
    world.add(2)
    world.settle()
    world.finds("Pass")
    world.settle()
    world.edit(pin={"version": 1})
    world.settle()
    assert world.replicas() == {1: 2, 2: 2}
    world.edit(pin=None)
    world.add(3)
    world.settle()
    assert (world.answering(), world.replicas()) == ({1, 3}, {1: 2, 2: 0, 3: 1})
