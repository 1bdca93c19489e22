"""Servers that end by themselves, or lose their readiness, hold a version and put it back, without any metric."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from steadfit.api.rollout import PodFailure
from steadfit.core.serving.stability import pod_failures
from steadfit.core.types import PodTimes

from tests.unit.core.serving import failing_pods
from tests.unit.core.serving.canaries import STEPS, tried, trying
from tests.unit.core.serving.serving_cluster import START, ServingCluster, serving

MINUTE = timedelta(minutes=1)
ONE_STEP = {"canary": {"steps": [{"weight": 50}]}}
Disruption = Callable[[ServingCluster, int], None]


def falls(cluster: ServingCluster, number: int, times: int = 1, every: timedelta = MINUTE, **how: Any) -> None:
    """Let the server of a version end so many times, and come back each time."""
    for _ in range(times):
        cluster.now += every
        failing_pods.end(cluster, number, **how)
        cluster.settle()
        if failing_pods.pods_of(cluster, number):
            failing_pods.regain(cluster, number)
        cluster.settle()


def passing(**spec: Any) -> ServingCluster:
    """Return a cluster in which every metric of version 2 passes."""
    cluster = trying(**{"strategy": ONE_STEP, **spec})
    cluster.finds("Pass")
    return cluster


# The candidate of a canary


def test_one_exit_holds_a_candidate_though_every_metric_passes_until_its_server_has_stayed_for_ten_minutes() -> None:
    cluster = trying(strategy=ONE_STEP)
    falls(cluster, 2)
    cluster.finds("Pass")
    cluster.settle()
    assert (cluster.live(), tried(cluster).phase) == (1, "Analysing")
    assert cluster.condition("Progressing") == ("True", "Unstable")
    (failure,) = cluster.status.pod_failures
    end = failure.at + timedelta(minutes=10)
    assert (
        "; unstable: 1 restart of 1 pod, last OOMKilled (exit code 137); version 1 had none; raise"
        f" spec.server.resources.limits.memory; it is held until {end:%Y-%m-%dT%H:%M:%SZ}, and rolled back at 3 within"
        " an hour; without a verdict by "
    ) in cluster.message("Progressing")
    assert len(cluster.seen("Unstable")) == 1
    due = cluster.plan().requeue_at
    assert due is not None
    assert due <= end
    cluster.now = end
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (2, None)


@pytest.mark.parametrize("word", ["Pass", "NoData", "Inconclusive"])
def test_three_exits_put_a_candidate_back_whatever_is_measured(word: str) -> None:
    cluster = trying()
    cluster.finds(word)
    falls(cluster, 2, 3)
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (1, None, {1})
    (entry,) = cluster.status.quarantine
    assert (entry.number, entry.by) == (2, "stability")
    assert entry.reason == (
        "unstable: 3 restarts of 1 pod in 3 min, last OOMKilled (exit code 137); version 1 had none; raise"
        " spec.server.resources.limits.memory"
    )
    assert len(cluster.seen("CanaryFailed")) == 1
    assert cluster.status.pod_failures == []


@pytest.mark.parametrize(("reason", "code"), [("Error", 1), ("Completed", 0), ("Error", 137)])
def test_an_exit_of_any_code_counts_also_that_by_a_liveness_probe(reason: str, code: int) -> None:
    cluster = trying()
    falls(cluster, 2, 3, reason=reason, code=code)
    (entry,) = cluster.status.quarantine
    assert f"last {reason} (exit code {code})" in entry.reason
    assert entry.reason.endswith("; correct spec.server or the model"), "its pods are gone, and so are their logs"


def test_what_a_server_said_last_outlives_its_pod() -> None:
    cluster = trying()
    line = '{"level": "error", "message": "cannot bind", "exception": "File x\\nOSError: 98"}'
    falls(cluster, 2, 3, reason="Error", code=1, message=f"starting\n{line}\n")
    (entry,) = cluster.status.quarantine
    assert "last Error (exit code 1) with: starting | cannot bind: OSError: 98; version 1 had none" in entry.reason
    assert "kubectl logs" not in entry.reason
    assert any("cannot bind: OSError: 98" in message for message in cluster.seen("Quarantined"))


def test_while_a_candidate_is_held_the_log_of_its_pod_is_named() -> None:
    cluster = trying()
    falls(cluster, 2, 1, reason="Error", code=1)
    pod = failing_pods.pods_of(cluster, 2)[0]["metadata"]["name"]
    assert f"until then read `kubectl logs --previous {pod}`" in cluster.message("Progressing")


def test_three_exits_in_more_than_an_hour_only_hold() -> None:
    cluster = trying()
    cluster.finds("NoData")
    falls(cluster, 2, 6, every=timedelta(minutes=31))
    assert (cluster.status.quarantine, tried(cluster).number) == ([], 2)


def test_a_loss_of_readiness_that_lasts_for_five_minutes_puts_a_candidate_back() -> None:
    cluster = passing()
    cluster.finds("NoData")
    failing_pods.lose_readiness(cluster, 2)
    cluster.settle()
    assert cluster.condition("Progressing") == ("True", "Unstable")
    (failure,) = cluster.status.pod_failures
    assert (failure.reason, failure.exit_code, failure.until) == ("NotReady", None, None)
    assert cluster.plan().requeue_at == failure.at + timedelta(minutes=5)
    cluster.now = failure.at + timedelta(minutes=4)
    cluster.settle()
    assert cluster.status.quarantine == []
    cluster.now = failure.at + timedelta(minutes=5)
    cluster.settle()
    (entry,) = cluster.status.quarantine
    assert entry.reason.startswith("unstable: 1 loss of readiness of 1 pod, last NotReady; version 1 had none; correct")


def test_a_short_loss_of_readiness_holds_for_ten_minutes_from_its_end() -> None:
    cluster = trying(strategy=ONE_STEP)
    failing_pods.lose_readiness(cluster, 2)
    cluster.settle()
    cluster.now += MINUTE
    failing_pods.regain(cluster, 2)
    cluster.finds("Pass")
    cluster.settle()
    (failure,) = cluster.status.pod_failures
    assert failure.until is not None
    assert cluster.live() == 1
    cluster.now = failure.until + timedelta(minutes=10)
    cluster.settle()
    assert cluster.live() == 2


def test_a_hang_that_its_liveness_probe_ends_counts_once() -> None:
    cluster = trying()
    failing_pods.lose_readiness(cluster, 2)
    cluster.settle()
    (lost,) = cluster.status.pod_failures
    cluster.now += MINUTE
    failing_pods.end(cluster, 2, "Error", 137)
    pod = failing_pods.pods_of(cluster, 2)[0]
    ended = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
    ended["containerID"] = lost.container
    cluster.befallen[pod["metadata"]["name"]]["status"]["containerStatuses"][0]["lastState"] = {"terminated": ended}
    cluster.settle()
    assert [one.reason for one in cluster.status.pod_failures] == ["Error"]


def test_a_candidate_does_not_begin_to_take_traffic_within_ten_minutes_of_an_exit() -> None:
    cluster = serving(1, replicas=4, strategy={"canary": {"steps": [{"weight": 50}]}})
    cluster.add(2)
    cluster.step()
    cluster.half.add(tried(cluster).revision)
    cluster.settle()
    failing_pods.end(cluster, 2)
    cluster.settle()
    cluster.half.clear()
    failing_pods.regain(cluster, 2)
    cluster.settle()
    assert (tried(cluster).phase, cluster.condition("Progressing")) == ("Starting", ("True", "Unstable"))
    cluster.now += timedelta(minutes=10)
    cluster.settle()
    assert tried(cluster).phase == "Analysing"


def test_crashes_before_a_pod_was_ever_ready_are_left_to_the_progress_deadline() -> None:
    cluster = serving(1, strategy=STEPS)
    cluster.add(2)
    cluster.step()
    cluster.broken.add(tried(cluster).revision)
    cluster.settle()
    assert cluster.status.pod_failures == []
    assert cluster.condition("Progressing") == ("True", "CandidateFailing")


# What counts for nothing


@pytest.mark.parametrize(
    "disruption",
    [failing_pods.evict, failing_pods.disrupt, failing_pods.lose_node, failing_pods.restart_node],
    ids=lambda one: one.__name__,
)
def test_what_the_cluster_does_to_pods_counts_for_nothing(disruption: Disruption) -> None:
    cluster = trying()
    for _ in range(5):
        cluster.now += MINUTE
        disruption(cluster, 2)
        cluster.settle()
        assert cluster.status.pod_failures == []
        failing_pods.replace(cluster, 2)
        cluster.settle()
    cluster.finds("Pass")
    cluster.settle()
    cluster.now += timedelta(minutes=10)
    cluster.settle()
    assert cluster.live() == 2


def test_pods_of_a_template_that_someone_else_has_changed_count_for_nothing() -> None:
    cluster = trying()
    name = f"flights-{tried(cluster).revision}"
    containers = cluster.workloads[name]["spec"]["template"]["spec"]["containers"]
    containers[0]["image"] = "another:1"
    failing_pods.end(cluster, 2)
    cluster.step()
    assert cluster.status.pod_failures == []


# The champion as control


def test_beside_a_champion_that_restarts_as_often_a_candidate_is_held_and_not_failed() -> None:
    cluster = passing()
    for _ in range(10):
        falls(cluster, 2)
        falls(cluster, 1)
    assert (cluster.live(), cluster.status.quarantine) == (1, [])
    assert "10 restarts of 1 pod" in cluster.message("Progressing")
    assert "version 1 had 10 restarts" in cluster.message("Progressing")
    assert "and rolled back once its pods fail four times as often as those of version 1; without a verdict" in (
        cluster.message("Progressing")
    )


@pytest.mark.parametrize(("replicas", "fails_at"), [(1, 6), (2, 5), (4, 4)])
def test_a_restart_of_the_champion_counts_for_each_pod_of_the_candidate_beside_its_own(
    replicas: int, fails_at: int
) -> None:
    cluster = trying(replicas)
    falls(cluster, 1)
    falls(cluster, 2, fails_at - 1)
    assert cluster.status.quarantine == []
    falls(cluster, 2)
    (entry,) = cluster.status.quarantine
    assert "version 1 had 1 restart;" in entry.reason


def test_four_restarts_of_the_champion_half_an_hour_apart_protect_no_candidate() -> None:
    cluster = trying(strategy=ONE_STEP)
    cluster.finds("NoData")
    falls(cluster, 1, 4, every=timedelta(minutes=30))
    falls(cluster, 2, 8)
    assert cluster.status.quarantine == []
    falls(cluster, 2)
    (entry,) = cluster.status.quarantine
    assert "version 1 had 2 restarts;" in entry.reason


def test_a_held_candidate_has_an_end() -> None:
    cluster = passing(analysis={"maxDuration": "1h"})
    for _ in range(40):
        if cluster.candidate() is None:
            break
        falls(cluster, 2)
        falls(cluster, 1)
    assert [(entry.number, entry.by) for entry in cluster.status.abandoned] == [(2, "analysis")]


def test_a_candidate_that_answers_alone_is_held_and_not_failed() -> None:
    cluster = trying()
    good = cluster.status.live
    assert good is not None
    cluster.most_ready[good.revision] = 0
    cluster.settle()
    falls(cluster, 2, 4)
    assert (cluster.status.quarantine, cluster.answering()) == ([], {2})


# Persons, dry runs, and rollouts without a canary


def test_what_a_person_promotes_goes_live_all_the_same() -> None:
    cluster = trying()
    falls(cluster, 2)
    cluster.act("Promote")
    cluster.settle()
    assert cluster.live() == 2


def test_in_a_dry_run_an_unstable_candidate_waits_for_a_person() -> None:
    cluster = passing(dryRun=True)
    falls(cluster, 2, 3)
    assert (tried(cluster).phase, cluster.status.quarantine) == ("Paused", [])
    assert "would be rolled back" in cluster.message("Progressing")


def test_without_a_canary_a_candidate_is_held_and_put_back_as_well() -> None:
    cluster = serving(1, replicas=4)
    cluster.add(2)
    cluster.step()
    cluster.half.add(tried(cluster).revision)
    cluster.settle()
    falls(cluster, 2)
    cluster.half.clear()
    cluster.settle()
    assert (cluster.live(), cluster.condition("Progressing")) == (1, ("True", "Unstable"))
    falls(cluster, 2, 2)
    assert [(entry.number, entry.by) for entry in cluster.status.quarantine] == [(2, "stability")]


# The bake


def test_while_it_bakes_a_version_whose_server_ends_three_times_is_rolled_back() -> None:
    cluster = serving(1, 2)
    falls(cluster, 2, 2)
    assert cluster.live() == 2
    falls(cluster, 2)
    assert cluster.live() == 1
    (entry,) = cluster.status.quarantine
    assert (entry.number, entry.by) == (2, "stability")
    assert [one.number for one in cluster.status.rollbacks] == [2]
    assert cluster.seen("AutomaticRollback") == [f"version 2 is rolled back: {entry.reason}"]


def test_what_it_did_as_a_candidate_counts_after_its_promotion() -> None:
    cluster = passing()
    falls(cluster, 2, 2)
    cluster.now += timedelta(minutes=11)
    cluster.settle()
    assert cluster.live() == 2
    falls(cluster, 2)
    assert cluster.live() == 1


def test_after_the_bake_nothing_is_rolled_back() -> None:
    cluster = serving(1, 2, bakeDuration="10m")
    cluster.now += timedelta(minutes=11)
    falls(cluster, 2, 4)
    assert cluster.live() == 2


def test_a_version_that_has_baked_is_not_rolled_back_after_it_came_back() -> None:
    cluster = serving(1, 2, bakeDuration="10m")
    cluster.now += timedelta(minutes=11)
    cluster.settle()
    cluster.add(3)
    cluster.settle()
    falls(cluster, 3, 3)
    assert cluster.live() == 2
    falls(cluster, 2, 4)
    assert cluster.live() == 2


def test_a_version_that_came_back_before_it_had_baked_is_rolled_back_too() -> None:
    cluster = serving(1, 2, 3)
    falls(cluster, 3, 3)
    assert cluster.live() == 2
    falls(cluster, 2, 3)
    assert cluster.live() == 1


def test_a_dry_run_says_what_would_be_rolled_back() -> None:
    cluster = serving(1, 2, dryRun=True)
    falls(cluster, 2, 3)
    assert cluster.live() == 2
    assert cluster.message("DryRun").startswith(
        "version 2 would be rolled back to version 1 by stability: unstable: 3 restarts of 1 pod"
    )


# What is remembered


def test_an_exit_that_no_pass_saw_while_it_lasted_counts_of_a_pod_that_took_traffic() -> None:
    cluster = trying()
    since = tried(cluster).analysed_since
    assert since is not None
    cluster.now += MINUTE
    failing_pods.end(cluster, 2)
    failing_pods.regain(cluster, 2)
    name = failing_pods.pods_of(cluster, 2)[0]["metadata"]["name"]
    later = {"metadata": {"creationTimestamp": (since + MINUTE).isoformat()}}
    cluster.befallen[name] |= later
    cluster.settle()
    assert cluster.status.pod_failures == []
    cluster.befallen[name] |= {"metadata": {"creationTimestamp": (since - MINUTE).isoformat()}}
    cluster.settle()
    assert len(cluster.status.pod_failures) == 1


def test_the_failures_of_a_pod_are_remembered_when_it_is_gone() -> None:
    cluster = trying()
    for _ in range(2):
        falls(cluster, 2)
        failing_pods.replace(cluster, 2)
        cluster.settle()
    assert len(cluster.status.pod_failures) == 2
    falls(cluster, 2)
    assert [entry.number for entry in cluster.status.quarantine] == [2]


def test_a_day_later_and_beyond_twelve_of_a_revision_failures_are_forgotten() -> None:
    cluster = passing(analysis={"maxDuration": "60h"})
    for _ in range(14):
        falls(cluster, 2)
        falls(cluster, 1)
    failures = cluster.status.pod_failures
    live = cluster.status.live
    assert live is not None
    assert len([one for one in failures if one.revision == live.revision]) == pod_failures.MAX_ENTRIES
    assert len(failures) == 2 * pod_failures.MAX_ENTRIES
    assert cluster.live() == 1, "the newest still holds"
    cluster.compared = {}
    cluster.finds("NoData")
    cluster.now += timedelta(hours=25)
    cluster.settle()
    assert cluster.status.pod_failures == []


# Clocks of nodes


def exits_at(cluster: ServingCluster, minutes: float, times: PodTimes | None) -> list[PodFailure]:
    """Let a server end by a clock that is ahead by some minutes, and return what is remembered of it."""
    skew = timedelta(minutes=minutes)
    cluster.now += timedelta(hours=2)
    cluster.now += skew
    failing_pods.end(cluster, 2)
    cluster.now -= skew
    metadata = failing_pods.pods_of(cluster, 2)[0]["metadata"]
    cluster.befallen[metadata["name"]] |= {"metadata": {"creationTimestamp": START.isoformat()}}
    if times is not None:
        cluster.pod_times[metadata["uid"]] = times
    cluster.settle()
    return cluster.status.pod_failures


@pytest.mark.parametrize("minutes", [-600, -90, -2, 2, 6, 600])
def test_an_exit_that_the_operator_saw_come_has_happened_then_whatever_time_it_bears(minutes: int) -> None:
    cluster = trying()
    seen = cluster.now + timedelta(hours=2)
    (failure,) = exits_at(cluster, minutes, PodTimes(first_seen=START, exit_seen=seen))
    assert failure.at == seen


@pytest.mark.parametrize("seconds", [-50, 0, 50])
def test_a_time_that_is_within_a_minute_of_what_the_operator_saw_stands(seconds: int) -> None:
    cluster = trying()
    seen = cluster.now + timedelta(hours=2)
    (failure,) = exits_at(cluster, seconds / 60, PodTimes(first_seen=START, exit_seen=seen))
    assert failure.at == seen + timedelta(seconds=seconds)


@pytest.mark.parametrize(("minutes", "expected"), [(-30, -30), (-6000, None), (6, 0), (600, 0)])
def test_an_exit_that_a_pod_showed_from_the_first_has_happened_in_its_life(minutes: int, expected: int | None) -> None:
    cluster = trying()
    seen = cluster.now + timedelta(hours=2)
    (failure,) = exits_at(cluster, minutes, PodTimes(first_seen=seen))
    assert failure.at == (START if expected is None else seen + timedelta(minutes=expected))
