"""A candidate takes a growing share of the traffic, step by step, until its verdicts let it through or put it back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from steadfit.core.types import Arm, Compared

from tests.unit.core.serving.canaries import STEPS, champion, tried, trying
from tests.unit.core.serving.serving_cluster import World, serving


def test_a_candidate_takes_no_traffic_before_the_pods_of_its_first_step_are_ready() -> None:
    world = serving(1, strategy=STEPS)
    world.add(2)
    world.step()
    world.broken.add(tried(world).revision)
    world.settle()
    assert (tried(world).phase, world.replicas(), world.answering()) == ("Starting", {1: 2, 2: 1}, {1})
    assert world.message("Progressing").startswith("version 2 comes up: 0 of 1 pods are ready: the server ended")
    world.broken.clear()
    world.settle()
    assert (tried(world).phase, world.answering()) == ("Analysing", {1, 2})


def test_the_share_that_few_pods_express_is_told_beside_the_one_that_was_asked_for() -> None:
    world = trying()
    assert (tried(world).step, tried(world).weight, tried(world).actual_weight) == (0, 25, 33)
    assert world.message("Progressing").startswith(
        "version 2 takes 33 % of the traffic (step 1 of 2 has weight 25 %, 1 of 3 pods); waits for"
    )
    assert world.seen("CanaryStarted") == [
        f"version 2 (revision {tried(world).revision}) takes 33 % of the traffic"
        " (step 1 of 2 has weight 25 %, 1 of 3 pods) beside version 1"
    ]


def test_a_step_ends_when_every_metric_passes_and_the_next_one_has_more_pods() -> None:
    world = trying()
    world.finds("Pass", "latency")
    world.settle()
    assert tried(world).step == 0
    world.finds("Pass")
    world.settle()
    assert (tried(world).step, tried(world).actual_weight, world.replicas()) == (1, 50, {1: 2, 2: 2})
    assert world.seen("CanaryStepStarted") == [
        f"version 2 (revision {tried(world).revision}) takes 50 % of the traffic (step 2 of 2, 2 of 4 pods)"
    ]


def test_a_step_lasts_as_long_as_its_pause_though_every_metric_passes() -> None:
    world = trying()
    world.finds("Pass")
    world.settle()
    since = tried(world).step_since
    assert since is not None
    assert world.plan().requeue_at == since + timedelta(minutes=10)
    assert "the step's pause ends at 2026-01-01T00:1" in world.message("Progressing")
    world.now = since + timedelta(minutes=9)
    world.settle()
    assert world.live() == 1
    world.now = since + timedelta(minutes=10)
    world.settle()
    assert (world.live(), world.candidate(), world.answering()) == (2, None, {2})


def test_a_pause_counts_from_when_the_pods_of_the_step_are_ready() -> None:
    world = trying()
    world.half.add(tried(world).revision)
    world.finds("Pass")
    world.settle()
    assert (tried(world).step, tried(world).step_since) == (1, None)
    assert "waits for the pods of this step" in world.message("Progressing")
    world.now += timedelta(minutes=10)
    world.half.clear()
    world.settle()
    assert world.live() == 1
    world.now += timedelta(minutes=10)
    world.settle()
    assert world.live() == 2


def test_what_was_let_through_gets_all_of_its_pods_before_it_becomes_live() -> None:
    world = trying(replicas=4, strategy={"canary": {"steps": [{"weight": 20}]}})
    assert world.replicas() == {1: 4, 2: 1}
    world.finds("Pass")
    world.step()
    world.half.add(tried(world).revision)
    world.settle()
    assert (tried(world).phase, world.replicas(), world.live()) == ("Promoting", {1: 4, 2: 4}, 1)
    assert world.condition("Progressing") == ("True", "CandidateFailing")
    assert world.message("Progressing").startswith(
        "version 2 was promoted by the analysis and gets all of its pods: 3 of 4"
    )
    assert len(world.seen("Promoted")) == 1
    world.half.clear()
    world.settle()
    assert (world.live(), world.selected()) == (2, champion(world))


def test_the_champion_keeps_all_of_its_pods_until_the_traffic_has_left_it() -> None:
    world = serving(1, strategy={"canary": {"steps": [{"weight": 50}]}})
    world.add(2)
    while world.selected() == world.moves[0]:
        assert world.replicas()[1] == 2
        world.finds("Pass")
        world.step()
        world.kubelet()
    assert world.live() == 2


@pytest.mark.parametrize("metric", ["error-rate", "latency"])
def test_one_metric_that_fails_puts_a_candidate_back_and_into_quarantine(metric: str) -> None:
    world = trying()
    bad = tried(world).revision
    world.finds("Pass")
    world.finds("Fail", metric)
    world.settle()
    assert (world.live(), world.candidate(), world.answering(), world.replicas()) == (1, None, {1}, {1: 2})
    (entry,) = world.status.quarantine
    assert (entry.revision, entry.number, entry.by) == (bad, 2, "analysis")
    assert entry.reason.startswith(
        f"worse than version 1 at 33 % of the traffic: {metric} Fail: candidate 20 % of 5,000"
    )
    assert len(world.seen("CanaryFailed")) == 1
    assert world.status.rollbacks == []


def test_what_was_put_back_is_not_tried_again() -> None:
    world = trying()
    world.finds("Fail")
    world.settle()
    world.now += timedelta(days=2)
    world.settle()
    assert (world.candidate(), len(world.seen("CanaryStarted"))) == (None, 1)


def test_a_candidate_that_was_put_back_leaves_the_traffic_before_its_pods_go() -> None:
    world = trying()
    world.finds("Fail")
    world.step()
    assert (world.candidate(), world.answering()) == (None, {1, 2})
    world.step()
    assert (world.moves[-1], world.replicas()) == (champion(world), {1: 2, 2: 1})
    world.step()
    assert world.replicas() == {1: 2, 2: 0}


def test_no_data_for_hours_decides_nothing() -> None:
    world = trying()
    for _ in range(20):
        world.finds("NoData")
        world.now += timedelta(hours=1)
        world.settle()
    assert (world.live(), tried(world).step, tried(world).phase) == (1, 0, "Analysing")
    assert (world.status.quarantine, world.seen("Promoted")) == ([], [])
    assert {verdict.verdict for verdict in tried(world).verdicts} == {"NoData"}


@pytest.mark.parametrize("word", ["NoData", "Inconclusive"])
def test_without_a_verdict_for_too_long_a_candidate_is_given_up_and_not_barred(word: str) -> None:
    world = trying()
    since, revision = tried(world).analysed_since, tried(world).revision
    assert since is not None
    assert world.plan().requeue_at == since + timedelta(hours=24)
    world.finds(word)
    world.settle()
    world.now = since + timedelta(hours=24)
    world.settle()
    assert (world.live(), world.candidate(), world.answering(), world.replicas()) == (1, None, {1}, {1: 2})
    (entry,) = world.status.abandoned
    assert (entry.revision, entry.number, entry.by) == (revision, 2, "analysis")
    assert entry.reason.startswith("no verdict within 24h: error-rate")
    assert world.status.quarantine == []
    assert len(world.seen("CandidateAbandoned")) == 1
    assert world.condition("Progressing") == ("False", "CandidateAbandoned")
    assert "a Promote of version 2 serves it" in world.message("Progressing")


def test_what_was_given_up_is_not_chosen_again_by_itself_but_a_newer_version_is() -> None:
    world = trying(analysis={"maxDuration": "1m"})
    world.now += timedelta(minutes=1)
    world.settle()
    assert [entry.number for entry in world.status.abandoned] == [2]
    world.now += timedelta(days=1)
    world.settle()
    assert world.candidate() is None
    world.add(3)
    world.settle()
    assert world.candidate() == 3


def test_an_older_version_gets_its_turn_when_the_newer_one_was_given_up() -> None:
    world = trying(analysis={"maxDuration": "1m"})
    world.add(3)
    world.settle()
    assert world.candidate() == 3
    world.now += timedelta(minutes=1)
    world.settle()
    assert (world.candidate(), [entry.number for entry in world.status.abandoned]) == (2, [3])


def test_without_a_verdict_a_candidate_may_keep_its_share_until_a_person_decides() -> None:
    world = trying(analysis={"maxDuration": "1m", "onInconclusive": "Pause"})
    world.finds("NoData")
    world.now += timedelta(minutes=1)
    world.settle()
    assert (tried(world).phase, world.answering()) == ("Paused", {1, 2})
    assert world.condition("Progressing") == ("True", "CanaryPaused")
    assert "no verdict within 1m: error-rate NoData: the source does not answer" in world.message("Progressing")
    assert world.message("Progressing").endswith("waits for a Promote or an Abort")
    world.finds("Pass")
    world.settle()
    assert (tried(world).phase, world.live()) == ("Paused", 1)
    assert len(world.seen("CanaryPaused")) == 1


def test_a_paused_candidate_that_is_found_worse_goes_back_all_the_same() -> None:
    world = trying(analysis={"maxDuration": "1m", "onInconclusive": "Pause"})
    world.now += timedelta(minutes=1)
    world.settle()
    world.finds("Fail")
    world.settle()
    assert (world.candidate(), [entry.number for entry in world.status.quarantine]) == (None, [2])


def test_a_dry_run_only_tells_that_a_candidate_would_be_put_back() -> None:
    world = trying(dryRun=True)
    world.finds("Fail", "latency")
    world.settle()
    assert (tried(world).phase, world.answering(), world.status.quarantine) == ("Paused", {1, 2}, [])
    assert "it would be rolled back and quarantined, but spec.dryRun is set: latency Fail" in world.message(
        "Progressing"
    )
    world.edit(dryRun=None)
    world.settle()
    assert (world.candidate(), world.answering()) == (None, {1})


def test_a_pass_that_waits_for_its_pause_is_not_given_up() -> None:
    strategy = {"canary": {"steps": [{"weight": 25, "pause": "2h"}]}}
    world = trying(strategy=strategy, analysis={"maxDuration": "1h"})
    world.finds("Pass")
    world.settle()
    world.now += timedelta(minutes=90)
    world.settle()
    assert tried(world).phase == "Analysing"
    world.now += timedelta(minutes=30)
    world.settle()
    assert world.live() == 2


@pytest.mark.parametrize("lost", ["NoData", None], ids=["the source is away", "the operator restarts"])
def test_a_pass_that_is_lost_in_a_pause_is_given_up_only_after_as_long_without_one(lost: str | None) -> None:
    strategy = {"canary": {"steps": [{"weight": 25, "pause": "3h"}]}}
    world = trying(strategy=strategy, analysis={"maxDuration": "1h"})
    world.finds("Pass")
    world.settle()
    world.now += timedelta(minutes=90)
    if lost:
        world.finds(lost)
    else:
        world.compared = {}
    world.settle()
    assert tried(world).phase == "Analysing"
    world.now += timedelta(minutes=59)
    world.settle()
    assert tried(world).phase == "Analysing"
    world.now += timedelta(minutes=1)
    world.settle()
    assert (world.candidate(), [entry.number for entry in world.status.abandoned]) == (None, [2])


def test_a_candidate_that_a_dry_run_paused_goes_on_when_it_is_not_found_worse_any_more() -> None:
    world = trying(dryRun=True)
    world.finds("Fail", "latency")
    world.settle()
    world.finds("NoData")
    world.settle()
    assert tried(world).phase == "Analysing"
    world.finds("Pass")
    world.settle()
    assert tried(world).step == 1


def test_a_new_server_of_the_version_that_serves_is_tried_too() -> None:
    world = serving(1, strategy=STEPS)
    world.edit(server={"replicas": 2, "image": "server:new"})
    world.settle()
    assert (tried(world).phase, tried(world).number, world.live()) == ("Analysing", 1, 1)
    assert tried(world).revision != champion(world)


def test_a_server_that_is_worse_is_put_back_and_its_version_serves_by_the_pods_it_had() -> None:
    world = serving(1, strategy=STEPS)
    before = champion(world)
    world.edit(server={"replicas": 2, "image": "server:new"})
    world.settle()
    world.finds("Fail")
    world.settle()
    assert (champion(world), world.candidate()) == (before, None)
    assert world.condition("Progressing") == ("False", "OlderPodTemplate")
    assert world.status.quarantine[0].digest is None


def test_a_server_that_was_given_up_is_not_tried_again_until_the_spec_asks_for_another() -> None:
    world = serving(1, strategy=STEPS, analysis={"maxDuration": "1m"})
    before = champion(world)
    world.edit(server={"replicas": 2, "image": "server:new"})
    world.settle()
    world.now += timedelta(minutes=1)
    world.settle()
    assert (champion(world), world.candidate(), len(world.status.abandoned)) == (before, None, 1)
    world.edit(server={"replicas": 2, "image": "server:newer"})
    world.settle()
    assert tried(world).phase == "Analysing"


def test_the_first_version_is_not_tried_beside_nothing() -> None:
    world = serving(1, strategy=STEPS)
    assert (world.live(), world.seen("CanaryStarted")) == (1, [])


def test_a_pinned_version_is_a_persons_word_and_is_not_tried() -> None:
    world = serving(1, strategy=STEPS)
    world.edit(pin={"version": 2})
    world.add(2)
    world.settle()
    assert (world.live(), world.seen("CanaryStarted")) == (2, [])


def test_the_way_back_from_a_rollback_is_not_tried() -> None:
    world = trying(strategy={"canary": {"steps": [{"weight": 25}]}})
    world.finds("Pass")
    world.settle()
    assert world.live() == 2
    world.act("Rollback")
    world.settle()
    assert (world.live(), len(world.seen("CanaryStarted"))) == (1, 1)


def test_nothing_is_tried_while_there_are_no_pods() -> None:
    world = serving(1, replicas=0, strategy=STEPS)
    world.add(2)
    world.settle()
    assert (world.live(), tried(world).phase, world.replicas()) == (1, "Starting", {1: 0, 2: 0})
    assert "spec.server.replicas is 0" in world.message("Progressing")
    world.edit(server={"replicas": 2})
    world.settle()
    assert tried(world).phase == "Analysing"


def test_numbers_that_only_move_write_nothing() -> None:
    world = trying()
    world.finds("Inconclusive")
    world.settle()
    before = world.deployment["status"]
    world.compared["latency"] = Compared(candidate=Arm(400, 0.02, 1e-2), champion=Arm(900, 0.01, 1e-2))
    world.settle()
    assert world.deployment["status"] == before


def test_a_server_that_does_not_drain_behind_a_service_is_named() -> None:
    world = trying()
    assert world.condition("ConnectionDraining") == ("False", "DrainNotSupported")
    draining = trying(drains=True)
    assert draining.condition("ConnectionDraining") is None


def ended(world: World) -> bool:
    return world.candidate() is None and world.live() == 2


def test_a_canary_that_passes_comes_to_its_end_and_to_rest() -> None:
    world = trying()
    world.finds("Pass")
    world.settle()
    world.now += timedelta(minutes=10)
    world.settle()
    assert ended(world)
    assert world.plan().status == world.deployment["status"]
    assert world.moves[-2:] == [f"mix-{world.moves[0]}", champion(world)]
