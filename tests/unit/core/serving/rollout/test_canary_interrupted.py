"""What comes in between: newer versions, edits, people, crashes of pods and of the operator, a lost status."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.core import names
from steadfit.core.types import Replace

from tests.unit.core.serving.canaries import STEPS, champion, tried, trying
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

ONE_STEP = {"canary": {"steps": [{"weight": 25}]}}


def workload_of(cluster: ServingCluster, number: int) -> dict[str, Any]:
    (found,) = [w for w in cluster.workloads.values() if w["metadata"]["labels"][names.VERSION] == str(number)]
    return found


# Versions and people


def test_a_newer_version_supersedes_the_candidate_and_starts_at_the_first_step() -> None:
    cluster = trying()
    cluster.finds("Pass")
    cluster.settle()
    cluster.add(3)
    cluster.settle()
    assert (tried(cluster).number, tried(cluster).step, tried(cluster).phase) == (3, 0, "Analysing")
    assert (cluster.answering(), cluster.replicas()) == ({1, 3}, {1: 2, 3: 1})
    (message,) = cluster.seen("RolloutSuperseded")
    assert message.startswith("version 2 (revision ")
    assert "is replaced by version 3" in message
    assert (cluster.status.abandoned, cluster.status.quarantine) == ([], [])


def test_the_traffic_is_not_shared_out_before_the_last_pod_of_the_candidate_before_is_gone() -> None:
    cluster = trying()
    cluster.add(3)
    left: set[int] = set()
    while cluster.candidate() == 2 or tried(cluster).phase == "Starting":
        cluster.step()
        cluster.kubelet()
        left |= cluster.answering()
    assert not any(pod["metadata"]["labels"][names.VERSION] == "2" for pod in cluster.pods())
    assert left <= {1, 2, 3}
    assert cluster.moves[-1] == champion(cluster)


def test_a_pod_on_its_way_out_keeps_the_traffic_from_being_shared_out() -> None:
    cluster = trying()
    cluster.add(3)
    ending = [pod for pod in cluster.pods() if pod["metadata"]["labels"][names.VERSION] == "2"]
    for pod in ending:
        pod["metadata"] = {**pod["metadata"], "name": "slow", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    for _ in range(20):
        cluster.step()
        cluster.kubelet()
        cluster.ending = list(ending)
    assert tried(cluster).phase == "Starting"
    assert "has no pods any more: they would share the traffic too" in tried(cluster).message
    cluster.ending = []
    cluster.settle()
    assert (tried(cluster).phase, cluster.answering()) == ("Analysing", {1, 3})


def test_a_version_that_was_compared_with_another_champion_does_not_supersede() -> None:
    cluster = trying()
    cluster.add(3, against=None)
    cluster.settle()
    assert cluster.candidate() == 2


def test_a_candidate_whose_gate_rejects_it_in_the_middle_is_dropped() -> None:
    cluster = trying()
    cluster.judge(2, "Rejected")
    cluster.settle()
    assert (cluster.candidate(), cluster.answering(), cluster.replicas()) == (None, {1}, {1: 2})
    assert len(cluster.seen("RolloutCancelled")) == 1


def test_a_rollback_of_the_champion_drops_the_candidate_that_is_tried_beside_it() -> None:
    cluster = serving(1, 2, strategy=ONE_STEP)
    cluster.finds("Pass")
    cluster.settle()
    cluster.add(3)
    cluster.settle()
    assert cluster.answering() == {2, 3}
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering(), cluster.replicas()) == (1, None, {1}, {1: 2})
    assert [entry.number for entry in cluster.status.quarantine] == [2]


def test_a_rolled_back_champion_answers_alone_until_the_good_one_can() -> None:
    cluster = serving(1, 2, strategy=ONE_STEP)
    cluster.finds("Pass")
    cluster.settle()
    bad = champion(cluster)
    cluster.broken.add(cluster.moves[0])
    cluster.add(3)
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.candidate(), cluster.answering(), cluster.moves[-1]) == (1, {2}, bad)


def test_a_pin_in_the_middle_ends_the_canary() -> None:
    cluster = trying()
    cluster.edit(pin={"version": 1})
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (1, None, {1})
    cluster.edit(pin={"version": 2})
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (2, {2})


def test_a_promote_lets_the_candidate_through_without_a_verdict_and_nothing_newer_delays_it() -> None:
    cluster = trying(replicas=4)
    half = tried(cluster).revision
    cluster.finds("NoData")
    cluster.settle()
    cluster.half.add(half)
    cluster.act("Promote")
    cluster.step()
    assert tried(cluster).promoted_by is not None
    cluster.add(3)
    cluster.settle()
    assert (cluster.candidate(), tried(cluster).phase) == (2, "Promoting")
    cluster.half.clear()
    cluster.settle()
    assert cluster.live() == 2


def test_an_abort_takes_the_candidate_from_the_traffic_and_it_is_not_tried_again() -> None:
    cluster = trying()
    cluster.act("Abort")
    cluster.settle()
    assert (cluster.candidate(), cluster.answering(), cluster.replicas()) == (None, {1}, {1: 2})
    assert len(cluster.seen("CandidateAbandoned")) == 1


def let_through_and_pinned_back() -> ServingCluster:
    """Return a cluster in which version 2 was let through, and a pin in the spec has brought version 1 back."""
    cluster = serving(1, strategy=ONE_STEP)
    cluster.add(2)
    cluster.settle()
    cluster.finds("Pass")
    cluster.settle()
    cluster.edit(pin={"version": 1})
    cluster.settle()
    return cluster


def test_what_serves_again_after_a_pin_was_good_before_and_is_not_tried_anew() -> None:
    cluster = let_through_and_pinned_back()
    cluster.edit(pin=None)
    cluster.settle()
    assert (cluster.live(), cluster.seen("CanaryStarted")[1:]) == (2, [])


def test_what_was_let_through_beside_another_champion_starts_anew() -> None:
    cluster = trying(strategy=ONE_STEP)
    cluster.broken.add(tried(cluster).revision)
    cluster.finds("Pass")
    cluster.settle()
    assert tried(cluster).phase == "Promoting"
    cluster.deployment["status"]["candidate"]["championRevision"] = "another"
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.live(), tried(cluster).phase, tried(cluster).verdicts[0].verdict) == (1, "Analysing", "NoData")


def test_a_way_back_is_never_what_was_only_tried() -> None:
    """A live version may remember a quarantine that this status has lost."""
    cluster = trying()
    quarantined = {"reason": "worse", "by": "alice", "at": "2026-01-01T00:00:00Z", "deployment": "flights"}
    cluster.versions[1]["status"]["quarantine"] = {**quarantined, "revision": champion(cluster)}
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (1, None, {1})
    assert cluster.condition("Stalled") == ("True", "NoRollbackTarget")


# Edits


@pytest.mark.parametrize(
    ("weights", "step", "weight"),
    [([10, 25, 50], 2, 50), ([50], 0, 50), ([10, 40], 1, 40), ([5, 10], 1, 10), ([45, 48, 49], 2, 49)],
)
def test_after_an_edit_of_the_steps_a_candidate_goes_on_at_the_nearest_share(
    weights: list[int], step: int, weight: int
) -> None:
    cluster = trying()
    cluster.finds("Pass")
    cluster.settle()
    assert tried(cluster).weight == 50
    cluster.finds("Inconclusive")
    cluster.edit(strategy={"canary": {"steps": [{"weight": one} for one in weights]}})
    cluster.settle()
    assert (tried(cluster).step, tried(cluster).weight) == (step, weight)
    assert tried(cluster).step_since is not None


def test_the_pause_of_a_step_whose_share_was_edited_begins_anew() -> None:
    cluster = trying()
    cluster.finds("Pass")
    cluster.settle()
    before = tried(cluster).step_since
    cluster.edit(strategy={"canary": {"steps": [{"weight": 25}, {"weight": 40, "pause": "10m"}]}})
    cluster.settle()
    after = tried(cluster).step_since
    assert before is not None
    assert after is not None
    assert (tried(cluster).weight, after > before) == (40, True)


def test_a_strategy_that_becomes_blue_green_completes_at_once() -> None:
    cluster = trying()
    cluster.edit(strategy={"blueGreen": {}})
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (2, None, {2})


def test_a_strategy_that_becomes_a_canary_tries_a_candidate_that_is_coming_up() -> None:
    """Its pods were born without the label of the champion's traffic, so they are made anew."""
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    cluster.broken.add(tried(cluster).revision)
    cluster.settle()
    assert (tried(cluster).champion_revision, cluster.replicas()) == (None, {1: 2, 2: 2})
    cluster.edit(strategy=STEPS)
    cluster.broken.clear()
    seen = set()
    while tried(cluster).phase == "Starting":
        seen.add(tried(cluster).message)
        cluster.step()
        cluster.kubelet()
    assert "its pods are recreated, so that they can share the traffic of version 1" in seen
    cluster.settle()
    assert (cluster.live(), cluster.answering(), cluster.replicas()) == (1, {1, 2}, {1: 2, 2: 1})


def test_a_candidate_follows_when_an_autoscaler_changes_the_champions_pods() -> None:
    cluster = trying()
    cluster.edit(server={"replicas": 9})
    cluster.settle()
    assert (cluster.replicas(), tried(cluster).actual_weight, tried(cluster).step) == ({1: 9, 2: 3}, 25, 0)
    cluster.edit(server={"replicas": 1})
    cluster.settle()
    assert (cluster.replicas(), tried(cluster).actual_weight) == ({1: 1, 2: 1}, 50)
    cluster.edit(server={"replicas": 0})
    cluster.settle()
    assert (cluster.replicas(), tried(cluster).actual_weight, cluster.live()) == ({1: 0, 2: 0}, None, 1)
    cluster.edit(server={"replicas": 3})
    cluster.settle()
    assert (cluster.replicas(), tried(cluster).phase) == ({1: 3, 2: 1}, "Analysing")


def test_another_server_in_the_middle_is_another_revision_and_starts_anew() -> None:
    cluster = trying()
    cluster.finds("Pass")
    cluster.settle()
    before = tried(cluster).revision
    cluster.edit(server={"replicas": 2, "image": "server:new"})
    cluster.settle()
    assert tried(cluster).revision != before
    assert (tried(cluster).number, tried(cluster).step, tried(cluster).verdicts[0].verdict) == (2, 0, "NoData")


# Pods


def test_pods_that_crash_in_the_middle_stay_visible_and_the_time_without_a_verdict_runs() -> None:
    cluster = trying()
    cluster.broken.add(tried(cluster).revision)
    cluster.settle()
    assert (tried(cluster).phase, cluster.answering()) == ("Analysing", {1})
    assert cluster.condition("Progressing") == ("True", "CandidateFailing")
    assert "the server ended with exit code 3: the digest does not match" in cluster.message("Progressing")
    cluster.now += timedelta(hours=24)
    cluster.settle()
    assert [entry.number for entry in cluster.status.abandoned] == [2]


def test_a_pass_does_not_save_a_candidate_whose_next_pods_never_come() -> None:
    cluster = trying()
    cluster.finds("Pass")
    cluster.half.add(tried(cluster).revision)
    cluster.settle()
    assert tried(cluster).step_since is None
    cluster.now += timedelta(hours=24)
    cluster.settle()
    assert [entry.number for entry in cluster.status.abandoned] == [2]


def test_a_champion_whose_deployment_was_deleted_gets_it_back() -> None:
    cluster = trying()
    del cluster.workloads[f"flights-{champion(cluster)}"]
    cluster.settle()
    assert (cluster.live(), cluster.answering(), cluster.replicas()) == (1, {1, 2}, {1: 2, 2: 1})


def test_pods_that_somebody_gave_to_a_former_candidate_end_the_sharing_until_they_are_gone() -> None:
    """A candidate that was let through before carries the label of the champion that a pin brought back."""
    cluster = let_through_and_pinned_back()
    cluster.edit(pin=None)
    cluster.add(3)
    cluster.settle()
    assert cluster.answering() == {1, 3}
    old = workload_of(cluster, 2)
    old["spec"]["replicas"] = 1
    old["metadata"]["generation"] += 1
    cluster.kubelet()
    assert cluster.answering() == {1, 2, 3}
    cluster.step()
    cluster.step()
    assert cluster.answering() == {1}
    cluster.settle()
    assert (cluster.answering(), workload_of(cluster, 2)["spec"]["replicas"]) == ({1, 3}, 0)


# The operator


@pytest.mark.parametrize("word", ["Pass", "Fail", "NoData"])
@pytest.mark.parametrize("writes", range(0, 30, 2))
def test_a_crash_after_any_write_of_a_canary_loses_nothing(writes: int, word: str) -> None:
    """The operator stops after so many writes, before and in the middle of a pass, and another one goes on."""
    cluster = serving(1, strategy=ONE_STEP, analysis={"maxDuration": "1h"})
    cluster.add(2)
    for _ in range(writes):
        cluster.step(crash_after=1)
        cluster.kubelet()
        if cluster.status.candidate and cluster.status.candidate.analysed_since:
            cluster.finds(word)
    cluster.step(crash_after=0)
    cluster.settle()
    cluster.finds(word)
    cluster.settle()
    cluster.now += timedelta(hours=1)
    cluster.settle()
    assert cluster.live() == (2 if word == "Pass" else 1)
    assert cluster.candidate() is None
    assert cluster.answering() == {cluster.live()}
    assert {number: pods for number, pods in cluster.replicas().items() if pods} == {cluster.live(): 2}


def test_what_a_deposed_leader_still_sends_for_a_dropped_candidate_is_refused() -> None:
    """It wrote that the candidate is judged, and stood still; the candidate was dropped before the Service moved."""
    cluster = serving(1, strategy=STEPS)
    cluster.add(2)
    cluster.step()
    while tried(cluster).phase == "Starting":
        cluster.step()
        cluster.kubelet()
    late = [action for action in cluster.plan().actions if action.manifest["kind"] == "Service"]
    assert cluster.service is not None
    version = cluster.service["metadata"]["resourceVersion"]
    assert [action.manifest["metadata"]["resourceVersion"] for action in late] == [version]
    assert isinstance(late[0], Replace)
    cluster.act("Abort")
    cluster.settle()
    assert cluster.service["metadata"]["resourceVersion"] != version
    assert cluster.moves == [champion(cluster)]


def test_what_serves_is_found_again_after_a_lost_status_and_what_was_tried_starts_anew() -> None:
    cluster = trying()
    before = champion(cluster)
    cluster.finds("Pass", "latency")
    cluster.settle()
    cluster.deployment["status"] = {"observedGeneration": -1}
    cluster.step()
    assert (cluster.live(), champion(cluster), cluster.candidate()) == (1, before, 2)
    assert (tried(cluster).phase, tried(cluster).verdicts) == ("Starting", [])
    cluster.step()
    assert cluster.answering() == {1}
    cluster.settle()
    assert (tried(cluster).phase, cluster.answering()) == ("Analysing", {1, 2})
    assert len(cluster.seen("TrafficSwitched")) == 1
    assert cluster.seen("StatusRecovered") == [
        f"version 1 (revision {before}) still takes the traffic; the status was lost"
    ]


def test_after_a_lost_status_nothing_is_called_live_that_was_rolled_back_before() -> None:
    cluster = serving(1, 2)
    cluster.broken.add(cluster.moves[0])
    cluster.act("Rollback")
    cluster.settle()
    entry = cluster.status.quarantine[0]
    quarantined = {"reason": "worse", "by": "alice", "at": "2026-01-01T00:00:00Z", "deployment": "flights"}
    cluster.versions[2]["status"]["quarantine"] = {**quarantined, "revision": entry.revision}
    cluster.deployment["status"] = {"observedGeneration": -1}
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})


def test_what_cannot_be_told_after_a_lost_status_loses_the_share_of_the_candidate() -> None:
    cluster = trying()
    before = champion(cluster)
    del workload_of(cluster, 1)["metadata"]["annotations"][names.TEMPLATE_ANNOTATION]
    cluster.stores = []
    cluster.deployment["status"] = {"observedGeneration": -1}
    cluster.settle()
    assert (cluster.live(), cluster.moves[-1], cluster.answering()) == (None, before, {1})


# The last good revision


def test_the_last_good_revision_stays_warm_while_the_next_one_bakes_if_it_can_be_told_to_drain() -> None:
    cluster = serving(1, 2, drains=True)
    assert cluster.status.live is not None
    end = cluster.status.live.since + timedelta(hours=24)
    assert (cluster.replicas(), cluster.answering()) == ({1: 2, 2: 2}, {2})
    assert cluster.told == {name for name in cluster.told if name.startswith(f"flights-{cluster.moves[0]}")} != set()
    assert cluster.plan().requeue_at == end
    cluster.now = end
    cluster.settle()
    assert (cluster.replicas(), cluster.told) == ({1: 0, 2: 2}, set())


def test_a_last_good_revision_that_cannot_be_told_to_drain_is_shut_down_when_the_traffic_has_moved() -> None:
    assert serving(1, 2).replicas() == {1: 0, 2: 2}
    assert serving(1, 2, bakeDuration="0s", drains=True).replicas() == {1: 0, 2: 2}


def test_a_last_good_revision_is_warm_by_its_own_server_and_not_by_the_one_that_the_spec_asks_for() -> None:
    cluster = serving(1, drains=True)
    cluster.edit(server={"replicas": 2, "image": "other/server:1", "drains": False})
    cluster.settle()
    assert sorted(w["spec"]["replicas"] for w in cluster.workloads.values()) == [2, 2]
    cluster.edit(server={"replicas": 2})
    cluster.settle()
    assert sorted(w["spec"]["replicas"] for w in cluster.workloads.values()) == [0, 2]


def test_a_last_good_revision_in_quarantine_is_not_kept_warm() -> None:
    cluster = serving(1, 2, drains=True)
    assert cluster.status.last_good is not None
    quarantined = {"reason": "worse", "by": "alice", "at": "2026-01-01T00:00:00Z", "deployment": "flights"}
    cluster.versions[1]["status"]["quarantine"] = {**quarantined, "revision": cluster.status.last_good.revision}
    cluster.settle()
    assert cluster.replicas() == {1: 0, 2: 2}


def test_a_warm_revision_has_as_many_pods_as_what_serves() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.edit(server={"replicas": 3})
    cluster.settle()
    assert cluster.replicas() == {1: 3, 2: 3}


def test_a_rollback_to_a_warm_revision_starts_no_pod() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.act("Rollback")
    cluster.step()
    cluster.step()
    assert (cluster.live(), cluster.replicas()) == (1, {1: 2, 2: 2})
    cluster.settle()
    assert (cluster.answering(), cluster.replicas(), cluster.told) == ({1}, {1: 2}, set())


def test_a_warm_revision_that_would_share_the_traffic_of_a_canary_goes_cold() -> None:
    cluster = serving(1, strategy=ONE_STEP, drains=True)
    cluster.add(2)
    cluster.settle()
    cluster.finds("Pass")
    cluster.settle()
    cluster.edit(pin={"version": 1})
    cluster.settle()
    assert cluster.replicas() == {1: 2, 2: 2}
    cluster.edit(pin=None)
    cluster.add(3)
    cluster.settle()
    assert (cluster.answering(), cluster.replicas()) == ({1, 3}, {1: 2, 2: 0, 3: 1})
