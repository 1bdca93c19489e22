"""The comparison with the champion, and what the gate makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.api.data import Evaluation
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import EvaluationResult, ModelVersion
from steadfit.core.plans import model_version
from steadfit.core.types import ObservedModelVersion
from steadfit.core.versions import champion_comparison

from tests.unit.core.training.builders import NOW, training_job, version

JSON = dict[str, Any]

DIGEST = f"sha256:{9:064x}"


def compared(**changes: Any) -> JSON:
    numbers = {"value": 0.7, "difference": 0.01, "lower": -0.002, "upper": 0.022}
    named = {"version": "orders-v1", "digest": DIGEST, "metric": "roc_auc", "rows": 4000, "method": "paired bootstrap"}
    return {**named, **numbers, **changes}


def asked(margin: float | str = 0.005, metric: str = "roc_auc", goal: str = "Maximize", **changes: Any) -> JSON:
    metrics = [{"name": metric, "goal": goal, "threshold": 0.6 if goal == "Maximize" else 1.0}]
    holdout = {"by": "Hash", "column": "id"}
    return {"target": "late", "holdout": holdout, "metrics": metrics, "champion": {"margin": margin}, **changes}


def verdict(champion: JSON | None, **recipe: Any) -> tuple[str, str]:
    result = EvaluationResult.model_validate({"champion": champion} if champion else {})
    found = champion_comparison.judge(result, Evaluation.model_validate(asked(**recipe)))
    return found.verdict, found.message


@pytest.mark.parametrize(
    ("lower", "margin", "expected"),
    [
        (0.001, 0.005, "Pass"),
        (-0.0049, 0.005, "Pass"),
        (-0.005, 0.005, "Fail"),
        (-0.02, 0.005, "Fail"),
        (-0.02, 0.05, "Pass"),
        (0.001, 0.0, "Pass"),
        (0.0, 0.0, "Fail"),
    ],
)
def test_a_version_passes_when_the_whole_interval_lies_above_the_margin(
    lower: float, margin: float, expected: str
) -> None:
    assert verdict(compared(lower=lower), margin=margin)[0] == expected


@pytest.mark.parametrize(
    ("metric", "value", "lower", "margin", "expected"),
    [
        ("mae", 1000.0, -49.0, "5%", "Pass"),
        ("mae", 1000.0, -51.0, "5%", "Fail"),
        ("mae", 1000.0, -51.0, 50, "Fail"),
        ("mae", 1000.0, -49.0, 50, "Pass"),
        ("r2", -0.4, -0.019, "5%", "Pass"),
        ("r2", -0.4, -0.021, "5%", "Fail"),
        ("r2", 0.0, -0.001, "5%", "Fail"),
        ("r2", 0.0, 0.001, "5%", "Pass"),
    ],
)
def test_a_relative_margin_is_taken_of_the_champions_value_whatever_its_sign(
    metric: str, value: float, lower: float, margin: float | str, expected: str
) -> None:
    champion = compared(metric=metric, value=value, lower=lower, difference=0.0, upper=100.0)
    goal = "Maximize" if metric == "r2" else "Minimize"
    assert verdict(champion, margin=margin, metric=metric, goal=goal)[0] == expected


def test_the_sentence_names_a_relative_margin_and_what_it_comes_to() -> None:
    champion = compared(metric="mae", value=1000.0, difference=-20.0, lower=-30.0, upper=-10.0)
    assert verdict(champion, margin="5%", metric="mae", goal="Minimize")[1].startswith(
        "mae 1020 against 1000 of orders-v1 on the same 4000 rows is not worse by the margin 5% = 50 (worse by 20,"
    )


def test_the_gate_keeps_what_a_relative_margin_comes_to_and_nothing_without_a_champion() -> None:
    evaluation = Evaluation.model_validate(asked(margin="5%"))
    result = EvaluationResult.model_validate({"champion": compared(value=0.8)})
    assert champion_comparison.judge(result, evaluation).margin == pytest.approx(0.04)
    assert champion_comparison.judge(EvaluationResult(), evaluation).margin is None
    lost = EvaluationResult.model_validate({"champion": compared(value=None, reason="it is gone")})
    assert champion_comparison.judge(lost, evaluation).margin is None
    assert champion_comparison.judge(EvaluationResult(), Evaluation.model_validate(asked())).margin == 0.005


def test_a_point_estimate_that_is_better_does_not_pass_when_the_interval_is_wide() -> None:
    assert verdict(compared(difference=0.05, lower=-0.3, upper=0.4))[0] == "Fail"


def test_the_sentence_has_both_values_the_rows_and_the_interval() -> None:
    assert verdict(compared())[1] == (
        "roc_auc 0.71 against 0.7 of orders-v1 on the same 4000 rows is not worse by the margin 0.005"
        " (better by 0.01, 95 % interval -0.002 to +0.022, paired bootstrap)"
    )
    lost = compared(metric="brier_score", value=0.2, difference=-0.03, lower=-0.04, upper=-0.02)
    assert verdict(lost, metric="brier_score", goal="Minimize")[1] == (
        "brier_score 0.23 against 0.2 of orders-v1 on the same 4000 rows is not shown to be as good by the margin 0.005"
        " (worse by 0.03, 95 % interval +0.02 to +0.04, paired bootstrap)"
    )


@pytest.mark.parametrize(
    ("champion", "words"),
    [
        (compared(reason="its artifact is gone"), "was not compared with orders-v1: its artifact is gone"),
        (compared(reason="", lower=None), "the record does not hold the numbers"),
        (compared(value=None), "the record does not hold the numbers"),
        (compared(metric="accuracy"), "compared by accuracy, and the recipe's first metric is roc_auc by now"),
    ],
)
def test_what_could_not_be_compared_is_no_data_and_says_why(champion: JSON, words: str) -> None:
    found, message = verdict(champion)
    assert found == "NoData"
    assert words in message


def test_without_a_champion_the_verdict_is_named_bootstrap() -> None:
    assert verdict(None)[0] == "Bootstrap"


def judged(subject: ModelVersion, *deployments: ModelDeployment, **recipe: Any) -> tuple[ModelVersion, Any]:
    job = training_job(evaluation=asked(**recipe))
    plan = model_version.plan(ObservedModelVersion(subject, job, deployments), NOW)
    again = ModelVersion.model_validate({**subject.model_dump(by_alias=True), "status": plan.status})
    return again, plan


def measured(champion: JSON | None, value: float = 0.7) -> ModelVersion:
    found = {"champion": champion} if champion else {}
    return version(2, None, evaluation={"metrics": [{"name": "roc_auc", "value": value}], **found})


def conditions(subject: ModelVersion) -> dict[str, str]:
    return {condition.type: condition.reason for condition in subject.status.conditions}


BETTER, WORSE, UNKNOWN = compared(), compared(difference=-0.1, lower=-0.15, upper=-0.05), compared(reason="it is gone")


@pytest.mark.parametrize(
    ("champion", "value", "bootstrap", "phase"),
    [
        (BETTER, 0.7, "Thresholds", "Verified"),
        (BETTER, 0.5, "Thresholds", "Rejected"),
        (BETTER, 0.7, "Manual", "Verified"),
        (WORSE, 0.7, "Thresholds", "Rejected"),
        (UNKNOWN, 0.7, "Thresholds", "Held"),
        (UNKNOWN, 0.5, "Thresholds", "Rejected"),
        (None, 0.7, "Thresholds", "Verified"),
        (None, 0.7, "Manual", "Held"),
        (None, 0.5, "Manual", "Rejected"),
    ],
)
def test_a_version_is_verified_only_when_thresholds_and_comparison_or_bootstrap_say_so(
    champion: JSON | None, value: float, bootstrap: str, phase: str
) -> None:
    subject, plan = judged(measured(champion, value), bootstrap=bootstrap)
    assert subject.status.phase == phase
    assert [event.reason for event in plan.events] == [phase]
    assert plan.events[0].type == ("Normal" if phase == "Verified" else "Warning")
    assert "Stalled" in conditions(subject) or phase == "Verified"


def test_an_edit_of_the_margin_judges_again_both_ways() -> None:
    subject, _ = judged(measured(compared(lower=-0.01)))
    assert (subject.status.phase, subject.status.gate and subject.status.gate.verdict) == ("Rejected", "Fail")
    subject, plan = judged(subject, margin=0.02)
    assert subject.status.phase == "Verified"
    assert [event.reason for event in plan.events] == ["Verified"]
    subject, plan = judged(subject, margin=0.001)
    assert subject.status.phase == "Rejected"
    assert [event.reason for event in plan.events] == ["Rejected"]


@pytest.mark.parametrize(
    ("lower", "upper", "expected"), [(-0.004, 0.02, "Pass"), (-0.02, 0.02, "NoData"), (-0.02, -0.006, "Fail")]
)
def test_after_a_change_of_the_holdout_few_shared_rows_reject_only_what_is_shown_to_be_worse(
    lower: float, upper: float, expected: str
) -> None:
    found, message = verdict(compared(lower=lower, upper=upper, rows=40, sharedRows=40))
    assert found == expected
    assert "on the same 40 rows, those of the holdout that were held out from both, is" in message


def test_a_change_of_the_first_metric_lets_the_verdicts_stand() -> None:
    # It said `Held` of all versions, also of the one that serves, and no run followed: nothing is an input of a run.
    subject, _ = judged(measured(BETTER))
    for recipe in ({"metric": "accuracy"}, {"metric": "brier_score", "goal": "Minimize"}):
        again, plan = judged(subject, **recipe)
        assert (again.status.phase, plan.events) == ("Verified", ())
        assert again.status.gate == subject.status.gate
    back, _ = judged(again, margin=0.0)
    assert back.status.phase == "Rejected", "by the metric that it was compared by, it is judged again"


def test_a_further_metric_with_a_threshold_rejects_no_version_that_was_made_before() -> None:
    subject, _ = judged(measured(BETTER))
    metrics = [*asked()["metrics"], {"name": "log_loss", "goal": "Minimize", "threshold": 0.5}]
    assert judged(subject, metrics=metrics)[0].status.phase == "Verified"
    assert judged(measured(BETTER), metrics=metrics)[0].status.phase == "Rejected", "its recipe had the metric"


def test_a_training_job_that_was_made_again_judges_no_version_of_the_one_before() -> None:
    before = version(2, None, trainingJobRef={"name": "orders", "uid": "the-one-before"})
    unmeasured = {"metrics": [{"name": "roc_auc", "value": 0.5}]}
    judged_then = before.model_copy(
        update={
            "spec": before.spec.model_copy(update={"evaluation": EvaluationResult.model_validate(unmeasured)}),
            "status": before.status.model_copy(update={"phase": "Verified"}),
        }
    )
    assert judged(judged_then)[0].status.phase == "Verified", "its own gate let it through"
    assert judged(judged_then.model_copy(update={"status": before.status}))[0].status.phase == "Rejected", (
        "without a verdict, as in a restored cluster, it has no other judge"
    )


def verdict_message(subject: ModelVersion) -> str:
    return next(one.message for one in subject.status.conditions if one.type == "Ready")


def test_a_rejection_by_the_comparison_names_the_comparison_and_one_by_a_threshold_the_threshold() -> None:
    subject, _ = judged(measured(WORSE))
    assert "is not shown to be as good" in verdict_message(subject)
    subject, _ = judged(measured(BETTER, 0.5))
    assert verdict_message(subject) == "roc_auc 0.5 does not meet the threshold 0.6"


def test_a_held_version_says_why_and_what_to_do_and_that_it_serves_once_it_is_pinned() -> None:
    subject, _ = judged(measured(None), bootstrap="Manual")
    assert conditions(subject) == {"QuarantineStored": "NotQuarantined", "Ready": "Held", "Stalled": "Held"}
    assert verdict_message(subject).endswith("; it is held until it is pinned or promoted")
    live = {
        "revision": "r", "version": "orders-v2", "number": 2, "digest": subject.spec.artifact.digest,
        "templateDigest": "t", "since": NOW,
    }  # fmt: skip
    deployment = ModelDeployment.model_validate(
        {"metadata": {"name": "orders", "namespace": "shop"}, "spec": {}, "status": {"live": live}}
    )
    subject, _ = judged(subject, deployment, bootstrap="Manual")
    assert conditions(subject) == {"QuarantineStored": "NotQuarantined", "Ready": "HeldVersionServing"}
