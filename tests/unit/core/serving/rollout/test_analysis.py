"""What an analysis makes of what was measured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.rollout import Candidate, Verdict
from steadfit.core.monitors import condition as monitors_condition
from steadfit.core.serving.rollout.analysis import Finding, decision_key, judge, tolerance
from steadfit.core.types import Arm, Compared

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ERRORS: dict[str, Any] = {"name": "errors", "errorRate": {"margin": 0.01}}
LATE: dict[str, Any] = {"name": "late", "latency": {"max": "250ms", "margin": 0.05}}
RIGHT: dict[str, Any] = {"name": "right", "quality": {"metric": "accuracy", "margin": 0.02}}
BRIER: dict[str, Any] = {"name": "brier", "quality": {"metric": "brier_score", "margin": 0.02}}
FUEL: dict[str, Any] = {"name": "fuel", "query": {"promQL": "fuel", "min": 10}}


def deployment(*metrics: dict[str, Any], **analysis: Any) -> ModelDeployment:
    spec = {"analysis": {"metrics": list(metrics), **analysis}}
    return ModelDeployment.model_validate({"metadata": {"name": "flights", "namespace": "shop"}, "spec": spec})


def candidate(*verdicts: Verdict, phase: str = "Analysing", **fields: Any) -> Candidate:
    return Candidate.model_validate(
        {
            "revision": "b",
            "version": "flights-v7",
            "number": 7,
            "digest": "d",
            "templateDigest": "t",
            "since": NOW.isoformat(),
            "phase": phase,
            "championRevision": "a",
            "verdicts": [verdict.dump() for verdict in verdicts],
            **fields,
        }
    )


def share(events: float, count: float) -> Arm:
    rate = (events + 0.5) / (count + 1)
    return Arm(count, events / count, rate * (1 - rate) / count)


def errors(mine: float, of: float, theirs: float, of_theirs: float) -> Compared:
    return Compared("q", share(mine, of), share(theirs, of_theirs), in_step=of)


GOOD = errors(10, 5000, 30, 15000)
BAD = errors(33, 812, 24, 2410)
OPEN = errors(9, 812, 24, 2410)


def found(metric: dict[str, Any], compared: Compared | None, *before: Verdict, at: datetime = NOW) -> Finding:
    given = {} if compared is None else {metric["name"]: compared}
    return judge(deployment(metric), candidate(*before), given, at)


def verdict(metric: dict[str, Any], compared: Compared | None) -> Verdict:
    (one,) = found(metric, compared).verdicts
    return one


def test_a_candidate_that_is_worse_fails_with_both_numbers_in_the_sentence() -> None:
    one = verdict(ERRORS, BAD)
    assert one.verdict == "Fail"
    assert one.message.startswith("candidate 4.06 % of 812, champion 0.996 % of 2,410: worse (likelihood ratio ")
    assert (one.value, one.champion_value, one.samples, one.champion_samples) == (0.0406404, 0.00995851, 812, 2410)
    assert (one.query, one.at) == ("q", NOW)


def test_a_candidate_that_is_not_worse_beyond_the_margin_passes() -> None:
    one = verdict(ERRORS, GOOD)
    assert one.verdict == "Pass"
    assert one.message == "candidate 0.2 % of 5,000, champion 0.2 % of 15,000: not worse by more than 1 %"


def test_what_is_neither_is_inconclusive() -> None:
    one = verdict(ERRORS, OPEN)
    assert one.verdict == "Inconclusive"
    assert one.message.endswith("not known yet whether it is worse by more than 1 %")


def relative(metric: dict[str, Any], percentage: str) -> dict[str, Any]:
    """Return the metric with a margin in per cent of the champion's value."""
    kind = next(name for name in metric if name != "name")
    return {**metric, kind: {**metric[kind], "margin": percentage}}


@pytest.mark.parametrize(
    ("metric", "mine", "theirs", "percentage", "word"),
    [
        (ERRORS, Arm(9000, 0.11, 1e-8), Arm(9000, 0.1, 1e-8), "20%", "Fail"),
        (ERRORS, Arm(9000, 0.1, 1e-6), Arm(9000, 0.1, 1e-6), "20%", "Pass"),
        (ERRORS, Arm(9000, 0.1, 1e-6), Arm(9000, 0.1, 1e-6), "1%", "Inconclusive"),
        (RIGHT, Arm(9000, 0.8, 1e-6), Arm(9000, 0.8, 1e-6), "2%", "Pass"),
        (BRIER, Arm(9000, 2000, 25.0), Arm(9000, 2000, 25.0), "2%", "Pass"),
        (BRIER, Arm(9000, 2000, 25.0), Arm(9000, 2000, 25.0), "0.2%", "Inconclusive"),
    ],
)
def test_a_relative_margin_is_taken_of_the_champions_mean(
    metric: dict[str, Any], mine: Arm, theirs: Arm, percentage: str, word: str
) -> None:
    assert verdict(relative(metric, percentage), Compared("q", mine, theirs)).verdict == word


def test_a_relative_margin_of_nothing_lets_only_a_better_candidate_pass_and_still_finds_a_broken_one() -> None:
    none = Arm(3000, 0.0, 1e-7)
    by_a_fifth = relative(ERRORS, "20%")
    assert verdict(by_a_fifth, Compared("q", Arm(3000, 0.0, 1e-7), none)).verdict == "Inconclusive"
    assert verdict(by_a_fifth, Compared("q", Arm(3000, 0.5, 1e-4), none)).verdict == "Fail"
    perfect = Compared("q", Arm(3000, 0.0, 1e-7), Arm(3000, 0.0, 1e-7))
    assert verdict(relative(BRIER, "5%"), perfect).verdict == "Inconclusive"


def test_the_uncertainty_of_the_champions_mean_counts_in_a_relative_margin() -> None:
    (metric,) = deployment(relative(ERRORS, "100%")).spec.analysis.metrics
    found = tolerance(metric, Arm(900, 0.05, 2e-6), Arm(900, 0.05, 1e-6))
    assert (found.margin, found.scale) == (0.05, 0.05)
    assert found.variance == pytest.approx(2e-6 + 4 * 1e-6)
    (metric,) = deployment(relative(RIGHT, "50%")).spec.analysis.metrics
    assert tolerance(metric, Arm(900, 0.8, 2e-6), Arm(900, 0.8, 1e-6)).variance == pytest.approx(2e-6 + 0.25e-6)
    (metric,) = deployment(ERRORS).spec.analysis.metrics
    assert tolerance(metric, Arm(900, 0.05, 2e-6), Arm(900, 0.05, 1e-6)).variance == pytest.approx(3e-6)


def test_the_sentence_names_a_relative_margin_and_what_it_comes_to() -> None:
    equal = Compared("q", Arm(9000, 0.1, 1e-6), Arm(9000, 0.1, 1e-6))
    assert verdict(relative(ERRORS, "20%"), equal).message == (
        "candidate 10 % of 9,000, champion 10 % of 9,000: not worse by more than 20% of the champion's, 2 %"
    )


@pytest.mark.parametrize(
    ("compared", "who"),
    [
        (errors(20, 49, 1, 5000), "the candidate"),
        (errors(50, 5000, 1, 49), "the champion"),
        (errors(0, 10, 0, 10), "the candidate and the champion"),
    ],
)
def test_too_few_samples_of_either_arm_are_no_data(compared: Compared, who: str) -> None:
    one = verdict(ERRORS, compared)
    assert (one.verdict, one.message) == ("NoData", f"fewer than 50 requests of {who} yet")


def test_the_least_number_of_samples_is_the_analysis_own() -> None:
    (one,) = judge(deployment(ERRORS, minSamples=1000), candidate(), {"errors": BAD}, NOW).verdicts
    assert one.message == "fewer than 1000 requests of the candidate yet"


def test_fewer_than_five_failures_prove_nothing() -> None:
    sure = Compared("q", Arm(1000, 0.004, 1e-12), Arm(1000, 0.0, 1e-12))
    assert verdict(ERRORS, sure).verdict == "Inconclusive"
    sure = Compared("q", Arm(1000, 0.005, 1e-12), Arm(1000, 0.0, 1e-12))
    assert verdict(ERRORS, sure).verdict == "Fail"


def test_what_befell_both_arms_at_once_is_left_out_where_the_difference_is_known() -> None:
    together = Compared("q", BAD.candidate, BAD.champion, difference=0.0)
    assert verdict(ERRORS, BAD).verdict == "Fail"
    assert verdict(ERRORS, together).verdict != "Fail"


@pytest.mark.parametrize(
    ("metric", "mine", "theirs", "word"),
    [
        (LATE, Arm(2000, 0.2, 1e-4), Arm(6000, 0.05, 1e-5), "Fail"),
        (LATE, Arm(2000, 0.05, 1e-4), Arm(6000, 0.2, 1e-5), "Pass"),
        (RIGHT, Arm(2000, 0.6, 1e-4), Arm(6000, 0.8, 1e-5), "Fail"),
        (RIGHT, Arm(2000, 0.8, 1e-4), Arm(6000, 0.6, 1e-5), "Pass"),
        (BRIER, Arm(2000, 0.3, 1e-4), Arm(6000, 0.2, 1e-5), "Fail"),
        (BRIER, Arm(2000, 0.2, 1e-4), Arm(6000, 0.3, 1e-5), "Pass"),
    ],
)
def test_worse_is_more_late_answers_fewer_right_ones_and_larger_errors(
    metric: dict[str, Any], mine: Arm, theirs: Arm, word: str
) -> None:
    assert verdict(metric, Compared("q", mine, theirs)).verdict == word


def test_errors_are_told_as_numbers_and_shares_in_per_cent() -> None:
    compared = Compared("q", Arm(2000, 0.3, 1e-4), Arm(6000, 0.2, 1e-5))
    assert verdict(BRIER, compared).message.startswith("candidate 0.3 of 2,000, champion 0.2 of 6,000: worse")
    compared = Compared("q", Arm(2000, 0.6, 1e-4), Arm(6000, 0.8, 1e-5))
    assert verdict(RIGHT, compared).message.startswith("candidate 60 % of 2,000, champion 80 % of 6,000: worse")


@pytest.mark.parametrize(
    ("compared", "word", "message"),
    [
        (Compared("q", value=10), "Pass", "the expression is 10 and must be at least 10"),
        (
            Compared("q", value=9),
            "Inconclusive",
            "the expression is 9 and must be at least 10; only a comparison puts a candidate back",
        ),
        (Compared("q", reason="there is no MetricSource x"), "NoData", "there is no MetricSource x"),
    ],
)
def test_an_expression_holds_a_candidate_but_never_fails_it(compared: Compared, word: str, message: str) -> None:
    one = verdict(FUEL, compared)
    assert (one.verdict, one.message) == (word, message)


def test_no_answer_is_no_data_whatever_was_known_before() -> None:
    before = verdict(ERRORS, BAD)
    one = found(ERRORS, Compared(reason="MetricSource default: it did not answer within 5 s"), before)
    assert one.outcome == "Inconclusive"
    assert one.verdicts[0].verdict == "NoData"


@pytest.mark.parametrize("word", ["Pass", "Fail"])
def test_nothing_follows_from_what_a_process_before_this_one_found(word: str) -> None:
    before = verdict(ERRORS, GOOD if word == "Pass" else BAD)
    assert before.verdict == word
    one = found(ERRORS, None, before, at=NOW + timedelta(hours=1))
    assert (one.verdicts, one.outcome, one.sentence) == ([before], "Inconclusive", "waits for errors: not measured yet")


def test_the_numbers_of_a_verdict_move_once_a_minute_and_no_more_often() -> None:
    before, more = verdict(ERRORS, OPEN), errors(10, 900, 27, 2700)
    assert found(ERRORS, more, before, at=NOW + timedelta(seconds=59)).verdicts == [before]
    (later,) = found(ERRORS, more, before, at=NOW + timedelta(seconds=60)).verdicts
    assert (later.verdict, later.samples, later.at) == (before.verdict, 900, NOW + timedelta(seconds=60))
    assert later.message.startswith("candidate 1.11 % of 900")
    assert found(ERRORS, OPEN, before, at=NOW + timedelta(hours=1)).verdicts == [before], "and only if they have moved"
    changed = found(ERRORS, BAD, before, at=NOW + timedelta(seconds=1))
    assert changed.verdicts[0].at == NOW + timedelta(seconds=1)


def test_while_there_is_too_little_data_its_number_is_written_once_a_minute_and_another_reason_at_once() -> None:
    before = verdict(ERRORS, errors(0, 10, 0, 30))
    few = errors(0, 11, 0, 33)
    assert found(ERRORS, few, before, at=NOW + timedelta(seconds=59)).verdicts == [before]
    assert found(ERRORS, few, before, at=NOW + timedelta(seconds=60)).verdicts[0].samples == 11
    down = Compared(reason="MetricSource default: it did not answer")
    (other,) = found(ERRORS, down, before, at=NOW + timedelta(seconds=1)).verdicts
    assert (other.message, other.at) == ("MetricSource default: it did not answer", NOW)


@pytest.mark.parametrize(
    ("errors_say", "late_say", "outcome"),
    [
        (GOOD, Compared("q", Arm(2000, 0.05, 1e-5), Arm(6000, 0.05, 1e-5), in_step=2000), "Pass"),
        (GOOD, Compared(reason="down"), "Inconclusive"),
        (GOOD, None, "Inconclusive"),
        (OPEN, Compared("q", Arm(2000, 0.05, 1e-5), Arm(6000, 0.05, 1e-5)), "Inconclusive"),
        (BAD, Compared(reason="down"), "Fail"),
        (BAD, Compared("q", Arm(2000, 0.05, 1e-5), Arm(6000, 0.05, 1e-5)), "Fail"),
    ],
)
def test_one_failure_is_enough_and_all_must_pass(errors_say: Compared, late_say: Compared | None, outcome: str) -> None:
    given = {"errors": errors_say} | ({} if late_say is None else {"late": late_say})
    assert judge(deployment(ERRORS, LATE), candidate(), given, NOW).outcome == outcome


def test_the_sentence_names_what_is_worse_or_what_is_waited_for() -> None:
    given = {"errors": BAD, "late": Compared(reason="down")}
    assert judge(deployment(ERRORS, LATE), candidate(), given, NOW).sentence.startswith("errors Fail: candidate 4.06 %")
    given["errors"] = GOOD
    assert judge(deployment(ERRORS, LATE), candidate(), given, NOW).sentence == "waits for late NoData: down"


def test_a_decision_key_changes_with_the_verdict_or_the_reason_and_not_with_the_numbers() -> None:
    analysis = deployment(ERRORS).spec.analysis
    (metric,) = analysis.metrics
    same = decision_key(analysis, metric, OPEN), decision_key(analysis, metric, errors(10, 900, 27, 2700))
    assert same[0] == same[1]
    others = [decision_key(analysis, metric, one) for one in (GOOD, BAD, Compared(reason="x"), Compared(reason="y"))]
    assert len({*others, same[0]}) == 5


def test_an_analysis_without_data_is_named_in_metrics_available() -> None:
    given = {
        "errors": Compared(reason="MetricSource default: down"),
        "late": Compared(reason="MetricSource default: down"),
    }
    verdicts = judge(deployment(ERRORS, LATE), candidate(), given, NOW).verdicts
    (condition,) = monitors_condition.conditions([], [], candidate(*verdicts))
    assert (condition.status, condition.reason) == ("False", "NoAnalysisData")
    assert condition.message == "the analysis of version 7 has no data: MetricSource default: down (errors, late)"


def test_an_analysis_with_data_is_named_among_what_is_measured() -> None:
    one = candidate(verdict(ERRORS, OPEN))
    (condition,) = monitors_condition.conditions([], [], one)
    assert (condition.status, condition.message) == ("True", "measured: errors")
    promoted = candidate(*one.verdicts, phase="Promoting", promotedBy="alice")
    (condition,) = monitors_condition.conditions([], [], promoted)
    assert (condition.status, condition.reason) == ("True", "NothingMeasured")
