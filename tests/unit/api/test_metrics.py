"""The table of metrics, and the functions of the trainer image that it is the table of."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from steadfit.api.data import Metric
from steadfit.api.metrics import COMPARED, METRICS, MONITORED, EvaluationMetric, words
from steadfit.api.monitor import Quality
from steadfit.api.strategy import QualityComparison
from steadfit_trainer.config import Metric as TrainerMetric
from steadfit_trainer.metrics import registry

EACH = pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
ROOT = Path(__file__).parents[3]


def test_the_operator_and_the_trainer_know_the_same_metrics() -> None:
    assert list(METRICS) == list(registry.METRICS)


@EACH
def test_the_trainer_judges_by_the_goal_and_for_the_task_of_the_table(metric: EvaluationMetric) -> None:
    function = registry.METRICS[metric.name]
    assert function.goal == metric.goal
    assert (function.task == "regression") == (metric.tasks == ("Regression",))
    assert ("Regression" in metric.tasks) == (metric.tasks == ("Regression",)), "no metric is of both"
    assert TrainerMetric(name=metric.name).name == metric.name


@EACH
def test_a_metric_is_admitted_where_the_table_says_so(metric: EvaluationMetric) -> None:
    Metric(name=metric.name, goal=metric.goal)
    side = "min" if metric.goal == "Maximize" else "max"
    for model, fields, admitted in (
        (Quality, {"metric": metric.name, side: 0.5}, metric.name in MONITORED),
        (QualityComparison, {"metric": metric.name}, metric.name in COMPARED),
    ):
        if admitted:
            model.model_validate(fields)
        else:
            with pytest.raises(ValidationError):
                model.model_validate(fields)


@EACH
def test_a_metric_is_monitored_and_compared_for_models_that_have_it(metric: EvaluationMetric) -> None:
    assert set(metric.monitored) <= set(metric.tasks)
    assert metric.canary is None or metric.monitored


@EACH
def test_the_best_value_is_an_end_of_the_range(metric: EvaluationMetric) -> None:
    best = metric.upper if metric.goal == "Maximize" else metric.lower
    assert best is not None
    assert math.isfinite(best)


def test_an_unknown_metric_is_refused() -> None:
    fields: dict[str, Any] = {"name": "f2", "goal": "Maximize"}
    with pytest.raises(ValidationError, match="roc_auc"):
        Metric.model_validate(fields)


def test_the_reference_has_a_row_for_each_metric() -> None:
    rows = [line.split("|") for line in (ROOT / "docs/reference/metrics.md").read_text().splitlines() if "| `" in line]
    assert [row[1].strip(" `") for row in rows] == list(METRICS)


@pytest.mark.parametrize(("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_names_are_listed_as_a_sentence_has_them(names: list[str], text: str) -> None:
    assert words(names) == text
