"""The verdict of the servers' own counts by connection."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.rollout import Candidate, Verdict
from steadfit.core.serving.evidence.cell import Cell
from steadfit.core.serving.evidence.evidence import Evidence
from steadfit.core.serving.rollout.analysis import decision_key, judge
from steadfit.core.serving.rollout.by_connection import compared
from steadfit.core.types import Compared, SequentialResult

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ERRORS: dict[str, Any] = {"name": "errors", "errorRate": {"margin": 0.01}}
PERCENTAGE: dict[str, Any] = {"name": "errors", "errorRate": {"margin": "50%"}}


def deployment(metric: dict[str, Any] = ERRORS, **analysis: Any) -> ModelDeployment:
    spec = {"analysis": {"metrics": [metric], "minSamples": 200, **analysis}}
    return ModelDeployment.model_validate({"metadata": {"name": "flights", "namespace": "shop"}, "spec": spec})


def candidate() -> Candidate:
    revision = {"revision": "b", "version": "flights-v7", "number": 7, "digest": "d", "templateDigest": "t"}
    fields = {"since": NOW.isoformat(), "phase": "Analysing", "championRevision": "a"}
    return Candidate.model_validate(revision | fields)


def evidence(seconds: int, mine: int, theirs: int, requests: int = 10) -> Evidence:
    """Return the evidence of so many seconds in which so many of the requests of each arm are bad."""
    made = Evidence(0)
    for second in range(seconds):
        arms = [
            [Cell(second, f"{arm}-{second}-{number}", 1, int(number < bad)) for number in range(requests)]
            for arm, bad in (("b", mine), ("a", theirs))
        ]
        made.add(second, *arms)
    return made


def verdict(of: ModelDeployment, found: Compared) -> Verdict:
    (one,) = judge(of, candidate(), {"errors": found}, NOW).verdicts
    return one


def test_a_candidate_that_fails_everything_fails_before_it_has_min_samples() -> None:
    spec = deployment()
    found = compared(spec.spec.analysis, spec.spec.analysis.metrics[0], evidence(3, 10, 0))
    one = verdict(spec, found)
    assert one.verdict == "Fail"
    assert one.message.startswith("candidate 100 % of 30, champion 0 % of 30: worse (likelihood ratio ")
    assert one.query == "GET /tallies of each pod of both"


def test_a_candidate_passes_only_with_min_samples() -> None:
    spec = deployment()
    few = compared(spec.spec.analysis, spec.spec.analysis.metrics[0], evidence(15, 0, 0))
    assert verdict(spec, few).verdict == "NoData"
    assert verdict(spec, few).message == "fewer than 200 requests of the candidate and the champion yet"
    many = compared(spec.spec.analysis, spec.spec.analysis.metrics[0], evidence(200, 0, 0))
    assert verdict(spec, many).verdict == "Pass"


def test_without_requests_to_both_there_is_no_data() -> None:
    spec = deployment()
    found = compared(spec.spec.analysis, spec.spec.analysis.metrics[0], Evidence(0))
    assert (found.code, verdict(spec, found).verdict) == ("TooFewSamples", "NoData")


def test_a_percentage_is_taken_of_the_champions_rate() -> None:
    wide, narrow = deployment(PERCENTAGE), deployment()
    # 20 % beside 20 %: half of it is ten points, which so many requests show; one point is not shown.
    shown = evidence(150, 2, 2)
    assert verdict(wide, compared(wide.spec.analysis, wide.spec.analysis.metrics[0], shown)).verdict == "Pass"
    assert verdict(narrow, compared(narrow.spec.analysis, narrow.spec.analysis.metrics[0], shown)).verdict != "Pass"


@pytest.mark.parametrize("metrics", [1, 2])
def test_the_metrics_that_compare_share_the_false_alarms(metrics: int) -> None:
    late = {"name": "late", "latency": {"max": "250ms"}}
    condition = {"name": "fuel", "query": {"promQL": "fuel", "min": 10}}
    spec = deployment(metrics=[*[ERRORS, late, condition][:metrics], condition])
    found = compared(spec.spec.analysis, spec.spec.analysis.metrics[0], made := evidence(2, 3, 0))
    assert found.result is not None
    assert (found.result.verdict == "Fail") == (made.value >= metrics / 0.01)


def test_the_verdict_of_time_slices_says_why_it_is_not_one_by_connection() -> None:
    spec = deployment(minSamples=50)
    one = compared(spec.spec.analysis, spec.spec.analysis.metrics[0], evidence(100, 0, 0))
    why = "by time slices from Prometheus, as a pod of the candidate answers /tallies with HTTP 404"
    sliced = Compared("promql", one.candidate, one.champion, in_step=1000, fallback=why)
    assert verdict(spec, sliced).message.endswith(f"; {why}")


def test_a_verdict_that_changes_is_another_decision() -> None:
    spec = deployment(minSamples=50)
    metric = spec.spec.analysis.metrics[0]
    passed = compared(spec.spec.analysis, metric, evidence(200, 0, 0))
    failed = Compared("q", passed.candidate, passed.champion, in_step=2000, result=SequentialResult("Fail", 9.0, 1.0))
    keys = {decision_key(spec.spec.analysis, metric, each) for each in (passed, failed)}
    assert len(keys) == 2


@pytest.mark.parametrize("bad", [0, 1])
def test_without_a_margin_it_is_the_larger_of_one_point_and_three_tenths_of_the_champions_rate(bad: int) -> None:
    plain, one_point = deployment({"name": "errors", "errorRate": {}}), deployment()
    # Of both, 0 or 10 % fail. One point of 0 %, and three of 10 %, are shown by so many requests; one of 10 % is not.
    seen = evidence(250, bad, bad)
    found = verdict(plain, compared(plain.spec.analysis, plain.spec.analysis.metrics[0], seen))
    assert found.verdict == "Pass"
    assert ("30% of the champion's, 3 %" in found.message) == bool(bad)
    by_point = verdict(one_point, compared(one_point.spec.analysis, one_point.spec.analysis.metrics[0], seen))
    assert (by_point.verdict == "Pass") == (not bad)
