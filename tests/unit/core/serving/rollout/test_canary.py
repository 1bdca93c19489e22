"""A candidate takes a growing share of the traffic, step by step, until its verdicts let it through or put it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from steadfit.core.text import time_text
from steadfit.core.types import Arm, Compared

from tests.unit.core.serving.arms import ARMS
from tests.unit.core.serving.canaries import STEPS, champion, tried, trying
from tests.unit.core.serving.serving_cluster import ServingCluster, serving


def test_a_candidate_takes_no_traffic_before_the_pods_of_its_first_step_are_ready() -> None:
    cluster = serving(1, strategy=STEPS)
    cluster.add(2)
    cluster.step()
    cluster.broken.add(tried(cluster).revision)
    cluster.settle()
    assert (tried(cluster).phase, cluster.replicas(), cluster.answering()) == ("Starting", {1: 2, 2: 1}, {1})
    assert cluster.message("Progressing").startswith("version 2 comes up: 0 of 1 pods are ready: the server ended")
    cluster.broken.clear()
    cluster.settle()
    assert (tried(cluster).phase, cluster.answering()) == ("Analysing", {1, 2})


def test_the_share_that_few_pods_express_is_told_beside_the_one_that_was_asked_for() -> None:
    cluster = trying()
    assert (tried(cluster).step, tried(cluster).weight, tried(cluster).actual_weight) == (0, 25, 33)
    assert cluster.message("Progressing").startswith(
        "version 2 takes 33 % of the traffic (step 1 of 2 has weight 25 %, 1 of 3 pods); waits for"
    )
    assert cluster.seen("CanaryStarted") == [
        f"version 2 (revision {tried(cluster).revision}) takes 33 % of the traffic"
        " (step 1 of 2 has weight 25 %, 1 of 3 pods) beside version 1"
    ]


def test_a_step_ends_when_every_metric_passes_and_the_next_one_has_more_pods() -> None:
    cluster = trying()
    cluster.finds("Pass", "latency")
    cluster.settle()
    assert tried(cluster).step == 0
    cluster.finds("Pass")
    cluster.settle()
    assert (tried(cluster).step, tried(cluster).actual_weight, cluster.replicas()) == (1, 50, {1: 2, 2: 2})
    assert cluster.seen("CanaryStepStarted") == [
        f"version 2 (revision {tried(cluster).revision}) takes 50 % of the traffic (step 2 of 2, 2 of 4 pods)"
    ]


def test_no_step_ends_by_the_samples_of_the_step_before() -> None:
    cluster = trying(strategy={"canary": {"steps": [{"weight": 25}, {"weight": 40}, {"weight": 50}]}})
    for step in range(3):
        cluster.finds("Pass")
        cluster.compared["latency"] = replace(ARMS["Pass"], in_step=49)
        cluster.settle()
        assert (tried(cluster).step, tried(cluster).phase) == (step, "Analysing")
        assert "latency: fewer than 50 requests of the candidate in this step yet" in cluster.message("Progressing")
        cluster.compared["latency"] = replace(ARMS["Pass"], in_step=50)
        cluster.step()
        cluster.compared["latency"] = replace(ARMS["Pass"], in_step=0)
        cluster.settle()
    assert cluster.live() == 2


def test_a_step_without_samples_of_its_own_has_an_end() -> None:
    cluster = trying()
    cluster.finds("Pass")
    cluster.compared["latency"] = replace(ARMS["Pass"], in_step=0)
    cluster.settle()
    cluster.now += timedelta(hours=24)
    cluster.settle()
    assert [(entry.number, entry.by) for entry in cluster.status.abandoned] == [(2, "analysis")]


def test_a_step_lasts_as_long_as_its_pause_though_every_metric_passes() -> None:
    cluster = trying()
    cluster.finds("Pass")
    cluster.settle()
    since = tried(cluster).step_since
    assert since is not None
    cluster.now = since + timedelta(minutes=9, seconds=30)
    assert cluster.plan().requeue_at == since + timedelta(minutes=10)
    assert "the step's pause ends at 2026-01-01T00:1" in cluster.message("Progressing")
    cluster.settle()
    assert cluster.live() == 1
    cluster.now = since + timedelta(minutes=10)
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (2, None, {2})


def test_a_pause_counts_from_when_the_pods_of_the_step_are_ready() -> None:
    cluster = trying()
    cluster.half.add(tried(cluster).revision)
    cluster.finds("Pass")
    cluster.settle()
    assert (tried(cluster).step, tried(cluster).step_since) == (1, None)
    assert "waits for the pods of this step" in cluster.message("Progressing")
    cluster.now += timedelta(minutes=10)
    cluster.half.clear()
    cluster.settle()
    assert cluster.live() == 1
    cluster.now += timedelta(minutes=10)
    cluster.settle()
    assert cluster.live() == 2


def test_what_was_let_through_gets_all_of_its_pods_before_it_becomes_live() -> None:
    cluster = trying(replicas=4, strategy={"canary": {"steps": [{"weight": 20}]}})
    assert cluster.replicas() == {1: 4, 2: 1}
    cluster.finds("Pass")
    cluster.step()
    cluster.half.add(tried(cluster).revision)
    cluster.settle()
    assert (tried(cluster).phase, cluster.replicas(), cluster.live()) == ("Promoting", {1: 4, 2: 4}, 1)
    assert cluster.condition("Progressing") == ("True", "CandidateFailing")
    assert cluster.message("Progressing").startswith(
        "version 2 was promoted by the analysis and gets all of its pods: 3 of 4"
    )
    assert len(cluster.seen("Promoted")) == 1
    cluster.half.clear()
    cluster.settle()
    assert (cluster.live(), cluster.selected()) == (2, champion(cluster))


def test_the_champion_keeps_all_of_its_pods_until_the_traffic_has_left_it() -> None:
    cluster = serving(1, strategy={"canary": {"steps": [{"weight": 50}]}})
    cluster.add(2)
    while cluster.selected() == cluster.moves[0]:
        assert cluster.replicas()[1] == 2
        cluster.finds("Pass")
        cluster.step()
        cluster.kubelet()
    assert cluster.live() == 2


@pytest.mark.parametrize("metric", ["error-rate", "latency"])
def test_one_metric_that_fails_puts_a_candidate_back_and_into_quarantine(metric: str) -> None:
    cluster = trying()
    bad = tried(cluster).revision
    cluster.finds("Pass")
    cluster.finds("Fail", metric)
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering(), cluster.replicas()) == (1, None, {1}, {1: 2})
    (entry,) = cluster.status.quarantine
    assert (entry.revision, entry.number, entry.by) == (bad, 2, "analysis")
    assert entry.reason.startswith(
        f"worse than version 1 at 33 % of the traffic: {metric} Fail: candidate 20 % of 5,000"
    )
    assert len(cluster.seen("CanaryFailed")) == 1
    assert cluster.status.rollbacks == []


def test_what_was_put_back_is_not_tried_again() -> None:
    cluster = trying()
    cluster.finds("Fail")
    cluster.settle()
    cluster.now += timedelta(days=2)
    cluster.settle()
    assert (cluster.candidate(), len(cluster.seen("CanaryStarted"))) == (None, 1)


def test_a_candidate_that_was_put_back_leaves_the_traffic_before_its_pods_go() -> None:
    cluster = trying()
    cluster.finds("Fail")
    cluster.step()
    assert (cluster.candidate(), cluster.answering()) == (None, {1, 2})
    cluster.step()
    assert (cluster.moves[-1], cluster.replicas()) == (champion(cluster), {1: 2, 2: 1})
    cluster.step()
    assert cluster.replicas() == {1: 2, 2: 0}


def test_no_data_for_hours_decides_nothing() -> None:
    cluster = trying()
    for _ in range(20):
        cluster.finds("NoData")
        cluster.now += timedelta(hours=1)
        cluster.settle()
    assert (cluster.live(), tried(cluster).step, tried(cluster).phase) == (1, 0, "Analysing")
    assert (cluster.status.quarantine, cluster.seen("Promoted")) == ([], [])
    assert {verdict.verdict for verdict in tried(cluster).verdicts} == {"NoData"}


@pytest.mark.parametrize("word", ["NoData", "Inconclusive"])
def test_without_a_verdict_for_too_long_a_candidate_is_given_up_and_not_quarantined(word: str) -> None:
    cluster = trying()
    since, revision = tried(cluster).inconclusive_since, tried(cluster).revision
    assert since is not None
    assert cluster.plan().requeue_at == since + timedelta(hours=24)
    cluster.finds(word)
    cluster.settle()
    cluster.now = since + timedelta(hours=24)
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering(), cluster.replicas()) == (1, None, {1}, {1: 2})
    (entry,) = cluster.status.abandoned
    assert (entry.revision, entry.number, entry.by) == (revision, 2, "analysis")
    assert entry.reason.startswith("no verdict within 24h: error-rate")
    assert cluster.status.quarantine == []
    assert len(cluster.seen("CandidateAbandoned")) == 1
    assert cluster.condition("Progressing") == ("False", "CandidateAbandoned")
    assert "a Promote of version 2 serves it" in cluster.message("Progressing")


def test_what_was_given_up_is_not_chosen_again_by_itself_but_a_newer_version_is() -> None:
    cluster = trying(analysis={"maxDuration": "1m"})
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    assert [entry.number for entry in cluster.status.abandoned] == [2]
    cluster.now += timedelta(days=1)
    cluster.settle()
    assert cluster.candidate() is None
    cluster.add(3)
    cluster.settle()
    assert cluster.candidate() == 3


def test_an_older_version_does_not_return_when_the_newer_one_was_given_up() -> None:
    cluster = trying(analysis={"maxDuration": "1m"})
    cluster.add(3)
    cluster.settle()
    assert cluster.candidate() == 3
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    assert (cluster.candidate(), [entry.number for entry in cluster.status.abandoned]) == (None, [3])


def test_without_a_verdict_a_candidate_may_keep_its_share_until_a_person_decides() -> None:
    cluster = trying(analysis={"maxDuration": "1m", "onInconclusive": "Pause"})
    cluster.finds("NoData")
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    assert (tried(cluster).phase, cluster.answering()) == ("Paused", {1, 2})
    assert cluster.condition("Progressing") == ("True", "CanaryPaused")
    assert "no verdict within 1m: error-rate NoData: the source does not answer" in cluster.message("Progressing")
    assert cluster.message("Progressing").endswith("waits for a Promote or an Abort")
    cluster.finds("Pass")
    cluster.settle()
    assert (tried(cluster).phase, cluster.live()) == ("Paused", 1)
    assert len(cluster.seen("CanaryPaused")) == 1


@pytest.mark.parametrize(
    ("policy", "then"),
    [
        ("Abandon", "it is abandoned"),
        ("Pause", "it is paused"),
        ("Promote", "it is promoted if nothing speaks against it, else abandoned"),
    ],
)
def test_a_candidate_without_a_verdict_says_when_its_time_ends_and_what_follows(policy: str, then: str) -> None:
    cluster = trying(analysis={"maxDuration": "10m", "onInconclusive": policy})
    cluster.finds("Inconclusive")
    cluster.settle()
    assert cluster.condition("Progressing") == ("True", "CanaryAnalysing")
    since = tried(cluster).inconclusive_since
    assert since is not None
    end = time_text(since + timedelta(minutes=10))
    assert cluster.message("Progressing").endswith(f"; without a verdict by {end} {then}")
    cluster.act("Promote")
    cluster.settle()
    assert "without a verdict by" not in cluster.message("Progressing"), "a person has decided"


def test_a_paused_candidate_that_is_found_worse_goes_back_all_the_same() -> None:
    cluster = trying(analysis={"maxDuration": "1m", "onInconclusive": "Pause"})
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    cluster.finds("Fail")
    cluster.settle()
    assert (cluster.candidate(), [entry.number for entry in cluster.status.quarantine]) == (None, [2])


def test_a_dry_run_only_tells_that_a_candidate_would_be_put_back() -> None:
    cluster = trying(dryRun=True)
    cluster.finds("Fail", "latency")
    cluster.settle()
    assert (tried(cluster).phase, cluster.answering(), cluster.status.quarantine) == ("Paused", {1, 2}, [])
    assert "it would be rolled back and quarantined, but spec.dryRun is set: latency Fail" in cluster.message(
        "Progressing"
    )
    cluster.edit(dryRun=None)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (None, {1})


def test_a_pass_that_waits_for_its_pause_is_not_given_up() -> None:
    strategy = {"canary": {"steps": [{"weight": 25, "pause": "2h"}]}}
    cluster = trying(strategy=strategy, analysis={"maxDuration": "1h"})
    cluster.finds("Pass")
    cluster.settle()
    cluster.now += timedelta(minutes=90)
    cluster.settle()
    assert tried(cluster).phase == "Analysing"
    cluster.now += timedelta(minutes=30)
    cluster.settle()
    assert cluster.live() == 2


@pytest.mark.parametrize("lost", ["NoData", None], ids=["the source is away", "the operator restarts"])
def test_a_pass_that_is_lost_in_a_pause_is_given_up_only_after_as_long_without_one(lost: str | None) -> None:
    strategy = {"canary": {"steps": [{"weight": 25, "pause": "3h"}]}}
    cluster = trying(strategy=strategy, analysis={"maxDuration": "1h"})
    cluster.finds("Pass")
    cluster.settle()
    cluster.now += timedelta(minutes=90)
    if lost:
        cluster.finds(lost)
    else:
        cluster.compared = {}
    cluster.settle()
    assert tried(cluster).phase == "Analysing"
    cluster.now += timedelta(minutes=59)
    cluster.settle()
    assert tried(cluster).phase == "Analysing"
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    assert (cluster.candidate(), [entry.number for entry in cluster.status.abandoned]) == (None, [2])


def test_a_candidate_that_a_dry_run_paused_goes_on_when_it_is_not_found_worse_any_more() -> None:
    cluster = trying(dryRun=True)
    cluster.finds("Fail", "latency")
    cluster.settle()
    cluster.finds("NoData")
    cluster.settle()
    assert tried(cluster).phase == "Analysing"
    cluster.finds("Pass")
    cluster.settle()
    assert tried(cluster).step == 1


def test_a_pass_after_a_dry_runs_pause_starts_the_next_step_of_a_candidate_that_is_analysed() -> None:
    cluster = trying(dryRun=True)
    cluster.finds("Fail", "latency")
    cluster.settle()
    assert cluster.message("Progressing").endswith("; it keeps its share while the metric fails")
    cluster.finds("Pass")
    cluster.settle()
    assert (tried(cluster).step, tried(cluster).phase) == (1, "Analysing")
    assert len(cluster.seen("CanaryStepStarted")) == 1
    assert cluster.condition("Progressing") == ("True", "CanaryAnalysing")


@pytest.mark.parametrize("finding", ["NoData", "Pass"])
def test_a_dry_runs_pause_that_outlasts_the_time_for_a_verdict_ends_with_the_failure(finding: str) -> None:
    cluster = trying(dryRun=True, analysis={"maxDuration": "1h"})
    cluster.finds("Fail", "latency")
    cluster.settle()
    cluster.now += timedelta(hours=2)
    cluster.settle()
    assert tried(cluster).phase == "Paused"
    cluster.finds(finding)
    cluster.settle()
    assert (tried(cluster).phase, tried(cluster).step) == ("Analysing", 1 if finding == "Pass" else 0)
    cluster.finds("NoData")
    cluster.settle()
    cluster.now += timedelta(hours=1)
    cluster.settle()
    assert (cluster.candidate(), [entry.number for entry in cluster.status.abandoned]) == (None, [2])


def test_a_person_ends_the_pause_of_a_candidate_whose_replicas_went_to_0_and_came_back() -> None:
    cluster = trying(analysis={"maxDuration": "1m", "onInconclusive": "Pause"})
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    assert tried(cluster).phase == "Paused"
    for replicas in (0, 2):
        cluster.edit(server={"replicas": replicas})
        cluster.finds("Pass")
        cluster.settle()
        assert (tried(cluster).phase, tried(cluster).step, cluster.live()) == ("Paused", 0, 1)
    assert cluster.message("Progressing").endswith("waits for a Promote or an Abort")


def test_a_new_server_of_the_version_that_serves_is_tried_too() -> None:
    cluster = serving(1, strategy=STEPS)
    cluster.edit(server={"replicas": 2, "image": "server:new"})
    cluster.settle()
    assert (tried(cluster).phase, tried(cluster).number, cluster.live()) == ("Analysing", 1, 1)
    assert tried(cluster).revision != champion(cluster)


def test_a_server_that_is_worse_is_put_back_and_its_version_serves_by_the_pods_it_had() -> None:
    cluster = serving(1, strategy=STEPS)
    before = champion(cluster)
    cluster.edit(server={"replicas": 2, "image": "server:new"})
    cluster.settle()
    cluster.finds("Fail")
    cluster.settle()
    assert (champion(cluster), cluster.candidate()) == (before, None)
    assert cluster.condition("Progressing") == ("False", "Quarantined")
    assert "not its model, is in quarantine by analysis: " in cluster.message("Progressing")
    assert cluster.status.quarantine[0].digest is None


def test_a_server_that_was_given_up_is_not_tried_again_until_the_spec_asks_for_another() -> None:
    cluster = serving(1, strategy=STEPS, analysis={"maxDuration": "1m"})
    before = champion(cluster)
    cluster.edit(server={"replicas": 2, "image": "server:new"})
    cluster.settle()
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    assert (champion(cluster), cluster.candidate(), len(cluster.status.abandoned)) == (before, None, 1)
    cluster.edit(server={"replicas": 2, "image": "server:newer"})
    cluster.settle()
    assert tried(cluster).phase == "Analysing"


def test_the_first_version_is_not_tried_beside_nothing() -> None:
    cluster = serving(1, strategy=STEPS)
    assert (cluster.live(), cluster.seen("CanaryStarted")) == (1, [])


def test_a_pinned_version_is_a_persons_word_and_is_not_tried() -> None:
    cluster = serving(1, strategy=STEPS)
    cluster.edit(pin={"version": 2})
    cluster.add(2)
    cluster.settle()
    assert (cluster.live(), cluster.seen("CanaryStarted")) == (2, [])


def test_the_way_back_from_a_rollback_is_not_tried() -> None:
    cluster = trying(strategy={"canary": {"steps": [{"weight": 25}]}})
    cluster.finds("Pass")
    cluster.settle()
    assert cluster.live() == 2
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), len(cluster.seen("CanaryStarted"))) == (1, 1)


def test_nothing_is_tried_while_there_are_no_pods() -> None:
    cluster = serving(1, strategy=STEPS)
    cluster.edit(server={"replicas": 0})
    cluster.add(2)
    cluster.settle()
    assert (cluster.live(), tried(cluster).phase, cluster.replicas()) == (1, "Starting", {1: 0, 2: 0})
    assert "spec.server.replicas is 0" in cluster.message("Progressing")
    cluster.edit(server={"replicas": 2})
    cluster.settle()
    assert tried(cluster).phase == "Analysing"


def test_no_step_ends_while_there_are_no_pods() -> None:
    cluster = trying(strategy={"canary": {"steps": [{"weight": 25}]}})
    cluster.edit(server={"replicas": 0})
    cluster.settle()
    cluster.finds("Pass")
    cluster.settle()
    assert (cluster.live(), tried(cluster).phase) == (1, "Analysing")
    assert "spec.server.replicas is 0" in cluster.message("Progressing")


def test_a_promoted_candidate_does_not_go_live_by_being_scaled_to_zero() -> None:
    cluster = trying(replicas=4, strategy={"canary": {"steps": [{"weight": 20}]}})
    cluster.finds("Pass")
    cluster.half.add(tried(cluster).revision)
    cluster.settle()
    for replicas in (0, 4):
        cluster.edit(server={"replicas": replicas})
        cluster.settle()
        assert (cluster.live(), tried(cluster).phase) == (1, "Promoting")


@pytest.mark.parametrize("phase", ["Analysing", "Paused"])
def test_numbers_that_only_move_are_written_once_a_minute_by_a_pass_on_a_timer(phase: str) -> None:
    cluster = trying(analysis={"onInconclusive": "Pause", "maxDuration": "1m"} if phase == "Paused" else {})
    cluster.finds("Inconclusive")
    cluster.settle()
    if phase == "Paused":
        cluster.now += timedelta(minutes=1)
        cluster.settle()
    assert tried(cluster).phase == phase
    start, writes, wakes = cluster.now, [], 0
    while cluster.now - start < timedelta(minutes=10):
        requests = 400 + (cluster.now - start).total_seconds()
        moved = Compared(candidate=Arm(requests, 0.01, 1e-2), champion=Arm(2 * requests, 0.01, 1e-2))
        cluster.compared = dict.fromkeys(cluster.compared, moved)
        before = cluster.deployment["status"]
        cluster.step()
        if cluster.deployment["status"] != before:
            writes.append(cluster.now)
            samples = {verdict.samples for verdict in tried(cluster).verdicts}
            assert samples == {round(requests)}, "of every metric in one write"
        due = cluster.plan().requeue_at
        wakes += due is not None and cluster.now < due <= cluster.now + timedelta(minutes=1)
    assert 9 <= len(writes) <= 11
    assert wakes >= 600, "whatever else happens, a pass is due within the minute"


def test_numbers_that_stay_write_nothing() -> None:
    cluster = trying()
    cluster.finds("Inconclusive")
    cluster.settle()
    before = cluster.deployment["status"]
    cluster.now += timedelta(minutes=5)
    cluster.settle()
    assert cluster.deployment["status"] == before


def test_a_server_that_does_not_drain_behind_a_service_is_named() -> None:
    cluster = trying()
    assert cluster.condition("ConnectionDraining") == ("False", "DrainNotSupported")
    draining = trying(drains=True)
    assert draining.condition("ConnectionDraining") == ("True", "DrainSupported")


def ended(cluster: ServingCluster) -> bool:
    return cluster.candidate() is None and cluster.live() == 2


def test_a_canary_that_passes_comes_to_its_end_and_to_rest() -> None:
    cluster = trying()
    cluster.finds("Pass")
    cluster.settle()
    cluster.now += timedelta(minutes=10)
    cluster.settle()
    assert ended(cluster)
    assert cluster.plan().status == cluster.deployment["status"]
    assert cluster.moves[-2:] == [f"shared-{cluster.moves[0]}", champion(cluster)]
