"""The name of every Prometheus series that this server exports, each once.

The operator is an image of its own and declares what its rules read in `steadfit.core.series`; a test compares both
sides.
"""

from enum import StrEnum


class Series(StrEnum):
    """Series with the labels namespace, model, version and revision."""

    REQUESTS = "steadfit_server_requests_total"
    REQUEST_DURATION = "steadfit_server_request_duration_seconds"
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
    FEEDBACK_REJECTED = "steadfit_feedback_rejected_total"
    FEEDBACK_SQUARED_ERROR = "steadfit_feedback_squared_error_total"
    FEEDBACK_ABSOLUTE_ERROR = "steadfit_feedback_absolute_error_total"
    CAPTURE_ROWS = "steadfit_capture_rows_total"
