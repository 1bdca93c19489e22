"""Recording rules for the number of requests and of predicted rows, for all models at once."""

from __future__ import annotations

from steadfit.core.promql import MODEL, Rule, record
from steadfit.core.series import RecordedSeries, ServerSeries


def requests(window: str, period: str) -> Rule:
    """Return the rule that counts inference requests; `period` is the window in PromQL."""
    return record(
        RecordedSeries.REQUESTS, f"sum by ({MODEL}) (increase({ServerSeries.REQUESTS}[{period}]))", window=window
    )


def predictions(window: str, period: str) -> Rule:
    """Return the rule that counts predicted rows; `period` is the window in PromQL."""
    return record(
        RecordedSeries.PREDICTIONS,
        f"sum by ({MODEL}) (increase({ServerSeries.PREDICTED_ROWS}[{period}]))",
        window=window,
    )
