"""Every metric that this image knows, with its functions.

The operator has a table of the same names in `steadfit.api.metrics`, because the two are released apart: a test holds
them against each other. A metric is added there and here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from steadfit_trainer.metrics import label_metrics, probability_metrics, regression_metrics
from steadfit_trainer.metrics.answers import Answers
from steadfit_trainer.metrics.intervals import Interval, McNemar, PairedBootstrap


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes
    ----------
    value : Callable[[Answers], float]
        Computes it on all rows; raises UndefinedMetricError where it has no value.
    interval : Interval
        How the difference of two models gets its interval.
    goal : Literal["Maximize", "Minimize"]
        Which direction is better.
    task : Literal["classification", "regression"]
        What kind of model it judges.
    needs_probabilities : bool
        Whether labels are not enough.
    """

    value: Callable[[Answers], float]
    interval: Interval
    goal: Literal["Maximize", "Minimize"]
    task: Literal["classification", "regression"] = "classification"
    needs_probabilities: bool = False

    def __post_init__(self) -> None:
        """Refuse a metric without an interval.

        Raises
        ------
        TypeError
            If `interval` is none of the known ones.
        """
        if not isinstance(self.interval, Interval):
            raise TypeError(f"the interval of a metric is a McNemar or a PairedBootstrap, not {self.interval!r}")


METRICS: Mapping[str, Metric] = {
    "roc_auc": Metric(
        probability_metrics.roc_auc,
        PairedBootstrap(probability_metrics.roc_auc_of_resamples),
        "Maximize",
        needs_probabilities=True,
    ),
    "average_precision": Metric(
        probability_metrics.average_precision,
        PairedBootstrap(probability_metrics.average_precision_of_resamples),
        "Maximize",
        needs_probabilities=True,
    ),
    "accuracy": Metric(label_metrics.accuracy, McNemar(label_metrics.right), "Maximize"),
    "balanced_accuracy": Metric(
        label_metrics.balanced_accuracy, PairedBootstrap(label_metrics.balanced_accuracy_of_resamples), "Maximize"
    ),
    "f1": Metric(label_metrics.f1, PairedBootstrap(label_metrics.f1_of_resamples), "Maximize"),
    "brier_score": Metric(
        probability_metrics.brier_score,
        PairedBootstrap(probability_metrics.brier_score_of_resamples),
        "Minimize",
        needs_probabilities=True,
    ),
    "log_loss": Metric(
        probability_metrics.log_loss,
        PairedBootstrap(probability_metrics.log_loss_of_resamples),
        "Minimize",
        needs_probabilities=True,
    ),
    "calibration_error": Metric(
        probability_metrics.calibration_error,
        PairedBootstrap(probability_metrics.calibration_error_of_resamples),
        "Minimize",
        needs_probabilities=True,
    ),
    "r2": Metric(regression_metrics.r2, PairedBootstrap(regression_metrics.r2_of_resamples), "Maximize", "regression"),
    "mae": Metric(
        regression_metrics.mae, PairedBootstrap(regression_metrics.mae_of_resamples), "Minimize", "regression"
    ),
    "rmse": Metric(
        regression_metrics.rmse, PairedBootstrap(regression_metrics.rmse_of_resamples), "Minimize", "regression"
    ),
}


def known(name: str) -> str:
    """Return the name of a metric.

    Raises
    ------
    ValueError
        If this image does not know it.
    """
    if name not in METRICS:
        raise ValueError(f"this trainer image has no metric {name}; it has {', '.join(METRICS)}")
    return name
