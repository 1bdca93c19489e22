"""The evaluation metrics: one table, from which fields, admission rules and the reference page are made.

The trainer image has the functions of the same names (`steadfit_trainer.metrics.registry`). The two are released apart
and share no code, so a test holds them against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic_core import core_schema

from .base import cel, validations

Task = Literal["Binary", "Multiclass", "Regression"]
Goal = Literal["Maximize", "Minimize"]


@dataclass(frozen=True, slots=True)
class EvaluationMetric:
    """What is known of one metric.

    Attributes
    ----------
    name
        As scikit-learn names it.
    title
        The same in words.
    goal
        Which direction is better.
    lower, upper
        Ends of its range; None = there is none.
    unit
        Of its values; empty for a number without one.
    tasks
        Kinds of models that the trainer computes it for.
    meaning
        Its definition, in a sentence.
    source
        Where that comes from.
    monitored
        Kinds of models whose outcome counters give it over a window, so that a monitor can watch it.
    canary
        How a canary compares it, answer by answer: as a share of right answers, or as the mean of an error. None = it
        is no mean over answers, which the sequential test needs.
    """

    name: str
    title: str
    goal: Goal
    lower: float | None
    upper: float | None
    unit: str
    tasks: tuple[Task, ...]
    meaning: str
    source: str
    monitored: tuple[Task, ...] = ()
    canary: Literal["Share", "Mean"] | None = None


_METRICS = (
    EvaluationMetric(
        "roc_auc",
        "area under the ROC curve",
        "Maximize",
        0,
        1,
        "",
        ("Binary", "Multiclass"),
        "Chance that a positive row scores above a negative one. Several classes: one against the rest, weighted by the"
        " class's share. Monitors take it from scores in twentieths, within 0.01.",
        "Hanley and McNeil 1982; `roc_auc_score(multi_class='ovr', average='weighted')`",
        monitored=("Binary",),
    ),
    EvaluationMetric(
        "average_precision",
        "average precision",
        "Maximize",
        0,
        1,
        "",
        ("Binary", "Multiclass"),
        "Area under the precision-recall curve, not interpolated. Several classes: one against the rest, unweighted"
        " mean. A model without skill has the share of positives.",
        "Boyd, Eng and Page 2013; `average_precision_score(average='macro')`",
    ),
    EvaluationMetric(
        "accuracy",
        "accuracy",
        "Maximize",
        0,
        1,
        "",
        ("Binary", "Multiclass"),
        "Share of rows whose label is right.",
        "`accuracy_score`",
        monitored=("Binary", "Multiclass"),
        canary="Share",
    ),
    EvaluationMetric(
        "balanced_accuracy",
        "balanced accuracy",
        "Maximize",
        0,
        1,
        "",
        ("Binary", "Multiclass"),
        "Mean over the classes of the share of their rows whose label is right.",
        "Brodersen and others 2010; `balanced_accuracy_score`",
        monitored=("Binary",),
    ),
    EvaluationMetric(
        "f1",
        "F1 score",
        "Maximize",
        0,
        1,
        "",
        ("Binary", "Multiclass"),
        "Harmonic mean of precision and recall, of the positive class. Several classes: unweighted mean.",
        "van Rijsbergen 1979; `f1_score(average='binary')`, of several classes `average='macro'`",
        monitored=("Binary",),
    ),
    EvaluationMetric(
        "brier_score",
        "Brier score",
        "Minimize",
        0,
        2,
        "",
        ("Binary", "Multiclass"),
        "Mean squared difference of probability and outcome; two classes: of the positive one, at most 1. Several"
        " classes: summed over them.",
        "Brier 1950; `brier_score_loss(scale_by_half=False)`, of two classes the default",
        monitored=("Binary",),
        canary="Mean",
    ),
    EvaluationMetric(
        "log_loss",
        "log loss",
        "Minimize",
        0,
        None,
        "nat",
        ("Binary", "Multiclass"),
        "Mean negative logarithm of the probability of what happened.",
        "Good 1952; `log_loss`",
    ),
    EvaluationMetric(
        "calibration_error",
        "calibration error",
        "Minimize",
        0,
        1,
        "",
        ("Binary",),
        "Distance of the probability of the positive class from the share of positives, over twentieths of the"
        " probability, weighted by their rows.",
        "Naeini, Cooper and Hauskrecht 2015: expected calibration error; not in scikit-learn",
        monitored=("Binary",),
    ),
    EvaluationMetric(
        "r2",
        "coefficient of determination",
        "Maximize",
        None,
        1,
        "",
        ("Regression",),
        "1 less the squared errors as a share of those of a model that predicts the mean of the rows; below 0 if it is"
        " worse than that one.",
        "Draper and Smith 1998; `r2_score`",
    ),
    EvaluationMetric(
        "mae",
        "mean absolute error",
        "Minimize",
        0,
        None,
        "the target's",
        ("Regression",),
        "Mean absolute difference of prediction and outcome.",
        "`mean_absolute_error`",
        monitored=("Regression",),
        canary="Mean",
    ),
    EvaluationMetric(
        "rmse",
        "root mean squared error",
        "Minimize",
        0,
        None,
        "the target's",
        ("Regression",),
        "Root of the mean squared difference of prediction and outcome.",
        "`root_mean_squared_error`",
        monitored=("Regression",),
    ),
)

METRICS: Mapping[str, EvaluationMetric] = {metric.name: metric for metric in _METRICS}
MAXIMIZED = tuple(metric.name for metric in _METRICS if metric.goal == "Maximize")
MINIMIZED = tuple(metric.name for metric in _METRICS if metric.goal == "Minimize")
MONITORED = tuple(metric.name for metric in _METRICS if metric.monitored)
COMPARED = tuple(metric.name for metric in _METRICS if metric.canary)
"""Metrics that a canary can compare."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """Restricts a field to some names of the table.

    Attributes
    ----------
    names
        What is taken.
    refusal
        The sentence for another one; without it the schema lists the names as an enumeration.
    """

    names: tuple[str, ...]
    refusal: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Take exactly these names."""
        return core_schema.literal_schema(list(self.names))

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: Any) -> dict[str, Any]:
        """Publish an enumeration, or a rule: an enumeration in a CRD has no sentence of its own."""
        if not self.refusal:
            published: dict[str, Any] = handler(schema)
            return published
        return {"type": "string", "maxLength": 64, **validations(cel(f"self in {list(self.names)}", self.refusal))}


_MODELS: Mapping[Task, str] = {"Binary": "two classes", "Multiclass": "several classes", "Regression": "a value"}


def models(tasks: Iterable[Task]) -> str:
    """Return kinds of models as a part of a sentence: `two classes, several classes`."""
    return ", ".join(_MODELS[task] for task in tasks)


def words(names: Iterable[str]) -> str:
    """Return names as a part of a sentence: `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
