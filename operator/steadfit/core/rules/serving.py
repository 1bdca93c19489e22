"""Which versions take traffic; requests, answered rows, errors and latency over one window; for all models at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .promql import MODEL, Rule, number, record

TAKES_TRAFFIC = "steadfit:takes_traffic"
"""The versions of which a pod runs that is not told to drain."""


def takes_traffic() -> Rule:
    """Return the rule for the versions that take traffic: one that is only kept warm has nothing but drained pods."""
    drained = f"min by ({MODEL}) (steadfit_server_draining) == 1"
    return record(TAKES_TRAFFIC, f"max by ({MODEL}) (steadfit_model_info) unless on ({MODEL}) {drained}")


def serving(window: str, period: str, quantiles: Iterable[float]) -> Iterator[Rule]:
    """Return the rules for one window; `period` is the window in PromQL, `quantiles` those of latency."""
    requests = f'steadfit:requests_count{{window="{window}"}}'
    yield record(
        "steadfit:requests_count",
        f"sum by ({MODEL}) (increase(steadfit_server_requests_total[{period}]))",
        window=window,
    )
    yield record(
        "steadfit:predictions_count",
        f"sum by ({MODEL}) (increase(steadfit_predicted_rows_total[{period}]))",
        window=window,
    )
    yield record(
        "steadfit:error_ratio",
        f'sum by ({MODEL}) (increase(steadfit_server_requests_total{{code=~"5.."}}[{period}]))'
        f" / on ({MODEL}) ({requests} > 0)",
        window=window,
    )
    buckets = f"sum by ({MODEL}, le) (increase(steadfit_server_request_duration_seconds_bucket[{period}]))"
    for quantile in sorted(set(quantiles)):
        # Without requests a quantile is NaN, which is no value.
        yield record(
            "steadfit:latency_seconds",
            f"histogram_quantile({number(quantile)}, {buckets}) >= 0",
            window=window,
            quantile=number(quantile),
        )
