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
    # The ends of their 95 % intervals on the good side.
    QUALITY_ACCURACY_UPPER = "steadfit:quality_accuracy:upper"
    QUALITY_BALANCED_ACCURACY_UPPER = "steadfit:quality_balanced_accuracy:upper"
    QUALITY_F1_UPPER = "steadfit:quality_f1:upper"
    QUALITY_ROC_AUC_UPPER = "steadfit:quality_roc_auc:upper"
    QUALITY_BRIER_SCORE_LOWER = "steadfit:quality_brier_score:lower"
    QUALITY_MAE_LOWER = "steadfit:quality_mae:lower"

    ERROR_RATIO = "steadfit:error_ratio"
    LATENCY_INCREASE = "steadfit:request_duration_seconds_increase"
    LATENCY = "steadfit:latency_seconds"
    # The lower ends of their 95 % intervals.
    ERROR_RATIO_LOWER = "steadfit:error_ratio:lower"
    LATENCY_LOWER = "steadfit:latency_seconds:lower"


class OperatorSeries(StrEnum):
    """Series that the operator exports."""

    # Named like the servers' series, because users write rules over them.
    MONITOR_VALUE = "steadfit_monitor_value"
    ALERTS = "steadfit_alerts_total"

    API_REQUESTS = "steadfit_operator_api_requests_total"
    LEASE_HELD = "steadfit_operator_lease_held"
    LEASE_RENEWALS = "steadfit_operator_lease_renewals_total"
    LEASE_FAILURES = "steadfit_operator_lease_failures_total"
    CERTIFICATE_EXPIRY = "steadfit_operator_certificate_expiry_timestamp_seconds"
    CA_WRITES = "steadfit_operator_ca_writes_total"
    CA_UNPUBLISHED = "steadfit_operator_ca_unpublished"
    HANDSHAKE_FAILURES = "steadfit_operator_handshake_failures_total"
    CERTIFICATE_RENEWALS = "steadfit_operator_certificate_renewals_total"
    INTAKE_REQUESTS = "steadfit_operator_intake_requests_total"
    ALERT_REQUESTS = "steadfit_operator_alert_requests_total"
    WATCH_EXITS = "steadfit_operator_watch_exits_total"
    METRIC_QUERIES = "steadfit_operator_metric_queries_total"
    TALLIES_READS = "steadfit_operator_tallies_reads_total"
    TALLIES_TRIALS = "steadfit_operator_tallies_trials"
    TALLIES_BEHIND_SECONDS = "steadfit_operator_tallies_behind_seconds"
    RULES = "steadfit_operator_rules"
    RULES_REFUSED_MODELS = "steadfit_operator_rules_refused_models"
    RULES_WRITES = "steadfit_operator_rules_writes_total"
    RULES_FAILURES = "steadfit_operator_rules_failures_total"
    QUEUE_DEPTH = "steadfit_operator_queue_depth"
    QUEUE_PROCESSING = "steadfit_operator_queue_processing"
    QUEUE_DELAYED = "steadfit_operator_queue_delayed"
    QUEUE_FAILING = "steadfit_operator_queue_failing"
    QUEUE_ADDS = "steadfit_operator_queue_adds_total"
    QUEUE_RETRIES = "steadfit_operator_queue_retries_total"
    QUEUE_WAIT_SECONDS = "steadfit_operator_queue_wait_seconds_total"
    PASSES = "steadfit_operator_passes_total"
    TIME_IN_PASSES = "steadfit_operator_pass_seconds_total"
    WATCH_EVENTS = "steadfit_operator_watch_events_total"
    CACHE_STALE_NEWS = "steadfit_operator_cache_stale_news_total"
    RESYNC_AGE_SECONDS = "steadfit_operator_resync_age_seconds"
    RESYNC_FAILURES = "steadfit_operator_resync_failures_total"
    RESYNC_REPAIRED_CHANGES = "steadfit_operator_resync_repaired_changes_total"
    RESYNC_REPAIRED_DELETIONS = "steadfit_operator_resync_repaired_deletions_total"
    WATCHES_STALE = "steadfit_operator_watches_stale"
    EVENTS_WRITTEN = "steadfit_operator_events_written_total"
    EVENTS_DROPPED = "steadfit_operator_events_dropped_total"
    CACHE_OBJECTS = "steadfit_operator_cache_objects"
    ROLLBACKS_FROZEN = "steadfit_operator_rollbacks_frozen"
    MODELS_OUTDATED = "steadfit_operator_models_outdated"
