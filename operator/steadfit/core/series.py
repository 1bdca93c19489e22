"""The name of every Prometheus series that the operator reads or writes, each once.

The server is an image of its own and declares what it exports in `steadfit_server.telemetry.series`; a test compares
both sides.
"""

from __future__ import annotations

from enum import StrEnum


class ServerSeries(StrEnum):
    """Series that the model servers export and that rules or queries read."""

    REQUESTS = "steadfit_server_requests_total"
    REQUEST_DURATION_BUCKET = "steadfit_server_request_duration_seconds_bucket"
    DRAINING = "steadfit_server_draining"
    MODEL_INFO = "steadfit_model_info"
    PREDICTED_ROWS = "steadfit_predicted_rows_total"
    REFERENCE_SAMPLES = "steadfit_reference_samples"
    FEATURE_BIN = "steadfit_feature_bin_total"
    FEATURE_REFERENCE = "steadfit_feature_reference_ratio"
    FEATURE_IMPORTANCE = "steadfit_feature_importance_ratio"
    PREDICTION_BIN = "steadfit_prediction_bin_total"
    PREDICTION_REFERENCE = "steadfit_prediction_reference_ratio"
    FEEDBACK = "steadfit_feedback_total"
    FEEDBACK_SQUARED_ERROR = "steadfit_feedback_squared_error_total"
    FEEDBACK_ABSOLUTE_ERROR = "steadfit_feedback_absolute_error_total"


class RecordedSeries(StrEnum):
    """Series that the operator's rules record, for each window; `TAKES_TRAFFIC` has none."""

    TAKES_TRAFFIC = "steadfit:takes_traffic"
    REQUESTS = "steadfit:requests_count"
    PREDICTIONS = "steadfit:predictions_count"
    FEEDBACK = "steadfit:feedback_count"

    FEATURE_BIN_INCREASE = "steadfit:feature_bin_increase"
    FEATURE_INCREASE = "steadfit:feature_increase"
    FEATURE_BIN_REFERENCE = "steadfit:feature_bin_reference"
    FEATURE_BINS = "steadfit:feature_bins"
    FEATURE_BIN_RATIO = "steadfit:feature_bin_ratio"
    DRIFT_PSI = "steadfit:drift_psi"
    DRIFT_PSI_WEIGHTED = "steadfit:drift_psi:weighted"
    DRIFT_PSI_MAX = "steadfit:drift_psi:max"
    DRIFT_JS = "steadfit:drift_js"
    DRIFT_JS_WEIGHTED = "steadfit:drift_js:weighted"
    DRIFT_JS_MAX = "steadfit:drift_js:max"

    PREDICTION_BIN_INCREASE = "steadfit:prediction_bin_increase"
    PREDICTION_INCREASE = "steadfit:prediction_increase"
    PREDICTION_BIN_REFERENCE = "steadfit:prediction_bin_reference"
    PREDICTION_BINS = "steadfit:prediction_bins"
    PREDICTION_BIN_RATIO = "steadfit:prediction_bin_ratio"
    PREDICTION_DRIFT_PSI = "steadfit:prediction_drift_psi"
    PREDICTION_DRIFT_JS = "steadfit:prediction_drift_js"

    FEEDBACK_INCREASE = "steadfit:feedback_increase"
    QUALITY_ACCURACY = "steadfit:quality_accuracy"
    QUALITY_BALANCED_ACCURACY = "steadfit:quality_balanced_accuracy"
    QUALITY_F1 = "steadfit:quality_f1"
    QUALITY_ROC_AUC = "steadfit:quality_roc_auc"
    QUALITY_CALIBRATION_ERROR = "steadfit:quality_calibration_error"
    QUALITY_BRIER_SCORE = "steadfit:quality_brier_score"
    QUALITY_MAE = "steadfit:quality_mae"
    QUALITY_RMSE = "steadfit:quality_rmse"

    ERROR_RATIO = "steadfit:error_ratio"
    LATENCY = "steadfit:latency_seconds"


class OperatorSeries(StrEnum):
    """Series that the operator exports and that its rules read."""

    MONITOR_VALUE = "steadfit_monitor_value"
    ROLLBACKS_FROZEN = "steadfit_operator_rollbacks_frozen"
