"""Where traffic is too thin for a verdict, the status says what it allows, and a policy decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from steadfit.core.types import Arm, Compared

from tests.unit.core.serving.arms import METRICS
from tests.unit.core.serving.canaries import tried, trying
from tests.unit.core.serving.serving_cluster import ServingCluster

FEW = Compared(candidate=Arm(10, 0.0, 1e-2), champion=Arm(90, 0.0, 1e-3), in_step=10)
WORSE = replace(FEW, candidate=Arm(10, 0.1, 1e-2))
ONE_STEP = {"canary": {"steps": [{"weight": 10}]}}


def thin(policy: str, found: Compared = FEW) -> ServingCluster:
    """Return a cluster whose candidate got ten requests in a day, of which these were measured."""
    cluster = trying(replicas=4, strategy=ONE_STEP, analysis={"onInconclusive": policy})
    cluster.finds("NoData")
    cluster.compared = dict.fromkeys(METRICS, found)
    cluster.now += timedelta(hours=23)
    cluster.settle()
    assert tried(cluster).phase == "Analysing"
    return cluster


def a_day_is_over(cluster: ServingCluster) -> None:
    cluster.now += timedelta(hours=1)
    cluster.settle()


def test_the_status_says_what_the_traffic_allows_and_what_helps() -> None:
    cluster = thin("Abandon")
    assert (
        "the candidate gets about 10 of them a day, so minSamples of 50 take about 5 days, and maxDuration is 24h:"
        " raise maxDuration or the weight, lower minSamples, or set onInconclusive to Promote"
    ) in cluster.message("Progressing")
    a_day_is_over(cluster)
    assert "minSamples of 50 take about 5 days" in cluster.status.abandoned[0].reason


def test_a_candidate_that_waits_for_samples_has_a_reason_of_its_own() -> None:
    assert thin("Abandon").condition("Progressing") == ("True", "AwaitingSamples")
    cluster = trying(strategy=ONE_STEP)
    for found, reason in (("NoData", "CanaryAnalysing"), ("Inconclusive", "CanaryAnalysing")):
        cluster.finds(found)
        cluster.settle()
        assert cluster.condition("Progressing") == ("True", reason), "the source does not answer, or the test goes on"


def test_the_status_says_how_many_samples_there_are_and_counts_on_once_a_minute() -> None:
    cluster = thin("Abandon")
    assert "error-rate 10 of the candidate, 90 of the champion" in cluster.message("Progressing")
    cluster.compared = dict.fromkeys(METRICS, replace(FEW, candidate=Arm(20, 0.0, 1e-2)))
    cluster.settle()
    assert "error-rate 20 of the candidate" not in cluster.message("Progressing"), "each measurement is no write"
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    at = f"{max(one.at for one in tried(cluster).verdicts):%Y-%m-%dT%H:%M:%SZ}"
    assert f"; at {at}: error-rate 20 of the candidate, 90 of the champion; latency " in cluster.message("Progressing")


def test_enough_traffic_is_not_spoken_of() -> None:
    cluster = trying(strategy=ONE_STEP)
    cluster.finds("NoData")
    cluster.compared = dict.fromkeys(METRICS, FEW)
    cluster.now += timedelta(minutes=50)
    cluster.settle()
    assert "maxDuration" not in cluster.message("Progressing")
    cluster.compared = dict.fromkeys(METRICS, replace(FEW, candidate=Arm(150, 0.0, 1e-2)))
    cluster.now += timedelta(minutes=50)
    cluster.settle()
    assert "maxDuration" not in cluster.message("Progressing")


def test_a_candidate_that_nothing_speaks_against_is_promoted_where_the_policy_says_so() -> None:
    cluster = thin("Promote")
    a_day_is_over(cluster)
    assert (cluster.live(), cluster.status.abandoned) == (2, [])
    (message,) = cluster.seen("Promoted")
    assert message.endswith(
        "by the analysis: no verdict within 24h, nothing speaks against it, and onInconclusive is Promote"
    )


def test_by_default_it_is_abandoned() -> None:
    cluster = thin("Abandon")
    a_day_is_over(cluster)
    assert (cluster.live(), [entry.number for entry in cluster.status.abandoned]) == (1, [2])


@pytest.mark.parametrize(
    ("found", "against"),
    [
        (WORSE, "worse by more than the margin so far"),
        (Compared(reason="the source does not answer", code="Unreachable"), "the source does not answer"),
    ],
)
def test_a_candidate_that_something_speaks_against_is_abandoned(found: Compared, against: str) -> None:
    cluster = thin("Promote", found)
    a_day_is_over(cluster)
    assert cluster.live() == 1
    assert against in cluster.status.abandoned[0].reason.partition("against it: ")[2]


def test_what_is_found_worse_is_rolled_back_whatever_the_policy() -> None:
    cluster = thin("Promote")
    cluster.finds("Fail")
    a_day_is_over(cluster)
    assert [entry.number for entry in cluster.status.quarantine] == [2]


def test_a_candidate_without_its_pods_is_not_promoted_without_a_verdict() -> None:
    cluster = thin("Promote")
    cluster.deployment["status"]["candidate"].pop("stepSince")
    cluster.half.add(tried(cluster).revision)
    cluster.kubelet()
    a_day_is_over(cluster)
    assert cluster.live() == 1
