"""A candidate is judged until it is live, and no phase of it lasts for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.core.serving.canaries import STEPS, tried, trying
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

ONE_STEP = {"canary": {"steps": [{"weight": 20}]}}
HOUR = timedelta(hours=1)


def promoting(**spec: Any) -> ServingCluster:
    """Return a cluster in which version 2 was promoted by the analysis, and one of its pods does not become ready."""
    cluster = trying(replicas=4, strategy=ONE_STEP, **spec)
    cluster.finds("Pass")
    cluster.half.add(tried(cluster).revision)
    cluster.settle()
    assert (tried(cluster).phase, cluster.live()) == ("Promoting", 1)
    return cluster


def starting(**spec: Any) -> ServingCluster:
    """Return a cluster in which version 1 serves, and no pod of version 2 becomes ready."""
    cluster = serving(1, **spec)
    cluster.add(2)
    cluster.step()
    cluster.broken.add(tried(cluster).revision)
    cluster.settle()
    assert (tried(cluster).phase, cluster.live()) == ("Starting", 1)
    return cluster


# Judged until live


def test_a_promoted_candidate_that_is_found_worse_before_it_is_live_goes_back() -> None:
    cluster = promoting()
    cluster.finds("Fail")
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering(), cluster.replicas()) == (1, None, {1}, {1: 4})
    (entry,) = cluster.status.quarantine
    assert (entry.number, entry.by) == (2, "analysis")


def test_a_promoted_candidate_is_found_worse_in_a_dry_run_and_waits_for_a_person() -> None:
    cluster = promoting(dryRun=True)
    cluster.finds("Fail")
    cluster.settle()
    assert (tried(cluster).phase, cluster.status.quarantine) == ("Paused", [])


@pytest.mark.parametrize("word", ["Inconclusive", "NoData"])
def test_a_promoted_candidate_goes_live_only_while_every_metric_passes(word: str) -> None:
    cluster = promoting()
    cluster.finds(word)
    cluster.half.clear()
    cluster.settle()
    assert (tried(cluster).phase, cluster.live()) == ("Promoting", 1)
    cluster.finds("Pass")
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (2, None)


def test_a_promoted_candidate_whose_pass_is_lost_is_given_up_after_the_longest_time_without_a_verdict() -> None:
    cluster = promoting(analysis={"maxDuration": "2h"})
    cluster.finds("NoData")
    cluster.half.clear()
    cluster.settle()
    cluster.now += 2 * HOUR
    cluster.settle()
    assert (cluster.candidate(), [entry.by for entry in cluster.status.abandoned]) == (None, ["analysis"])


def test_what_a_person_has_promoted_goes_live_whatever_the_analysis_finds() -> None:
    cluster = trying(replicas=4, strategy=ONE_STEP)
    cluster.half.add(tried(cluster).revision)
    cluster.act("Promote")
    cluster.settle()
    cluster.finds("Fail")
    cluster.half.clear()
    cluster.settle()
    assert (cluster.live(), cluster.status.quarantine) == (2, [])


# Deadlines


def test_a_promoted_candidate_whose_pods_do_not_all_come_is_given_up_at_its_deadline() -> None:
    cluster = promoting()
    since = tried(cluster).phase_since
    assert since is not None
    # The numbers of the verdicts are due every minute; the deadline is the earlier one in the last of them.
    cluster.now = since + HOUR - timedelta(seconds=30)
    cluster.settle()
    assert cluster.plan().requeue_at == since + HOUR
    cluster.now = since + HOUR
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering(), cluster.replicas()) == (1, None, {1}, {1: 4})
    (entry,) = cluster.status.abandoned
    assert (entry.number, entry.by) == (2, "progressDeadline")
    assert entry.reason.startswith("its pods were not ready within 1h: 3 of 4 pods are ready: the server ended")


@pytest.mark.parametrize("strategy", [None, STEPS], ids=["all at once", "by a canary"])
def test_a_candidate_that_never_starts_is_given_up_at_its_deadline(strategy: Any) -> None:
    cluster = starting(**({"strategy": strategy} if strategy else {}), progressDeadline="10m")
    assert "abandoned at 2026-01-01T00:1" in cluster.message("Progressing")
    cluster.now += timedelta(minutes=10)
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.replicas()) == (1, None, {1: 2})
    assert [(entry.number, entry.by) for entry in cluster.status.abandoned] == [(2, "progressDeadline")]
    assert "a Promote of version 2 serves it" in cluster.message("Progressing")
    assert len(cluster.seen("CandidateAbandoned")) == 1


def test_what_was_given_up_at_its_deadline_comes_back_by_a_promote_with_a_deadline_of_its_own() -> None:
    cluster = starting()
    cluster.now += HOUR
    cluster.settle()
    cluster.act("Promote", 2)
    cluster.settle()
    assert tried(cluster).promoted_by is not None
    cluster.now += HOUR
    cluster.settle()
    assert (cluster.candidate(), cluster.status.promoted) == (None, None)
    cluster.act("Promote", 2)
    cluster.broken.clear()
    cluster.settle()
    assert cluster.live() == 2


def test_a_candidate_that_a_person_promotes_late_has_its_whole_deadline() -> None:
    cluster = trying(replicas=4, strategy=ONE_STEP)
    cluster.now += 2 * HOUR
    cluster.settle()
    cluster.half.add(tried(cluster).revision)
    cluster.act("Promote")
    cluster.settle()
    cluster.now += timedelta(minutes=59)
    cluster.settle()
    assert tried(cluster).phase == "Promoting"
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    assert cluster.candidate() is None


def test_the_first_version_is_not_given_up_as_nothing_else_serves_and_says_what_helps() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.step()
    cluster.broken.add(tried(cluster).revision)
    cluster.settle()
    cluster.now += HOUR
    cluster.settle()
    assert cluster.condition("Progressing") == ("False", "ProgressDeadlineExceeded")
    assert cluster.message("Progressing").endswith("correct spec.server or the model")
    cluster.broken.clear()
    cluster.settle()
    assert cluster.live() == 1


def test_a_pin_that_does_not_start_is_kept_as_a_person_has_decided_and_says_what_helps() -> None:
    cluster = starting()
    cluster.edit(pin={"version": 2})
    cluster.settle()
    cluster.now += HOUR
    cluster.settle()
    assert cluster.condition("Progressing") == ("False", "ProgressDeadlineExceeded")
    assert cluster.message("Progressing").endswith("correct spec.server or the model, or unpin the version")
    assert (cluster.candidate(), cluster.status.abandoned) == (2, [])


def test_the_way_back_of_a_rollback_is_kept_and_says_what_helps() -> None:
    cluster = serving(1, 2)
    cluster.broken.add(cluster.moves[0])
    cluster.act("Rollback")
    cluster.settle()
    cluster.now += HOUR
    cluster.settle()
    assert (cluster.candidate(), cluster.status.abandoned) == (1, [])
    assert cluster.condition("Progressing") == ("False", "ProgressDeadlineExceeded")
    assert cluster.message("Progressing").endswith("correct spec.server, or name another version with a Rollback")


def scaled(cluster: ServingCluster, replicas: int, after: timedelta) -> None:
    """Let time pass, then scale as an autoscaler does."""
    cluster.now += after
    cluster.settle()
    cluster.edit(server={"replicas": replicas})
    cluster.settle()


def test_an_autoscaler_that_goes_to_0_and_back_neither_uses_up_a_deadline_nor_begins_it_anew() -> None:
    cluster = starting()
    for _ in range(3):
        scaled(cluster, 0, after=timedelta(minutes=19))
        assert "is abandoned at" not in cluster.message("Progressing")
        scaled(cluster, 2, after=30 * HOUR)
    assert cluster.candidate() == 2
    cluster.now += timedelta(minutes=4)
    cluster.settle()
    assert (cluster.candidate(), [entry.by for entry in cluster.status.abandoned]) == (None, ["progressDeadline"])


def test_no_time_at_0_replicas_counts_against_a_candidate_that_lacks_a_verdict() -> None:
    cluster = trying(strategy=ONE_STEP, analysis={"maxDuration": "2h"})
    cluster.finds("NoData")
    cluster.settle()
    for _ in range(3):
        scaled(cluster, 0, after=timedelta(minutes=39))
        scaled(cluster, 2, after=100 * HOUR)
    assert cluster.candidate() == 2
    cluster.now += timedelta(minutes=4)
    cluster.settle()
    assert (cluster.candidate(), [entry.by for entry in cluster.status.abandoned]) == (None, ["analysis"])


def test_a_candidate_of_a_status_without_the_beginning_of_its_phase_has_its_whole_deadline() -> None:
    cluster = starting()
    del cluster.deployment["status"]["candidate"]["phaseSince"]
    cluster.now += 30 * HOUR
    cluster.settle()
    assert cluster.candidate() == 2
    cluster.now += HOUR
    cluster.settle()
    assert cluster.candidate() is None
