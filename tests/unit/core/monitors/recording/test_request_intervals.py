"""Ends of intervals of failed and late requests: Prometheus computes them, and they rarely miss the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from steadfit.core.monitors.recording.requests import FEWEST, rank_below

from tests.unit.core.rules.rising_counters import LABELS, deployment, rising, scene

REQUESTS, DURATIONS = "steadfit_server_requests_total", "steadfit_server_request_duration_seconds_bucket"


@pytest.mark.parametrize(("requests", "failed"), [(2000, 80), (100, 6), (40, 40)])
def test_prometheus_computes_the_lower_end_of_the_share_of_failed_requests(
    tmp_path: Path, requests: int, failed: int
) -> None:
    a = scene(tmp_path, deployment({"name": "errors", "errorRate": {"max": 0.01}}))
    for code, count in (("200", requests - failed), ("503", failed)):
        a.scrape(REQUESTS, {**LABELS, "code": code}, rising(count))
    a.expect("steadfit:error_ratio:lower", 25, float(binomtest(failed, requests).proportion_ci(0.95, "wilson").low))
    a.play()


@pytest.mark.parametrize(("requests", "fewest"), [(5, 0), (50, 10), (800, 100), (9_000, 1_000), (200_000, 100_000)])
def test_prometheus_computes_the_lower_end_of_each_declared_quantile(
    tmp_path: Path, requests: int, fewest: int
) -> None:
    monitors = [{"name": f"q{i}", "latency": {"quantile": q, "max": "1s"}} for i, q in enumerate((0.5, 0.95))]
    a = scene(tmp_path, deployment(*monitors))
    a.scrape(REQUESTS, {**LABELS, "code": "200"}, rising(requests))
    edges, shares = [0, 0.01, 0.1, 1, 10], [0, 0.25, 0.75, 0.9, 1]
    for bound, share in zip(("0.01", "0.1", "1", "10", "+Inf"), (*shares[1:], 1), strict=True):
        a.scrape(DURATIONS, {**LABELS, "le": bound}, rising(requests * share))
    for quantile in (0.5, 0.95):
        expected = float(np.interp(binom.ppf(0.025, fewest, quantile) / max(fewest, 1), shares, edges))
        a.expect(f'steadfit:latency_seconds:lower{{quantile="{quantile}"}}', 25, expected)
    a.play()


def test_without_requests_there_is_no_interval(tmp_path: Path) -> None:
    monitors = [{"name": "l", "latency": {"max": "1s"}}, {"name": "e", "errorRate": {"max": 0.1}}]
    a = scene(tmp_path, deployment(*monitors))
    for code in ("200", "500"):
        a.scrape(REQUESTS, {**LABELS, "code": code}, rising(0))
    for bound in ("0.1", "+Inf"):
        a.scrape(DURATIONS, {**LABELS, "le": bound}, rising(0))
    a.expect("steadfit:error_ratio:lower", 25, None)
    a.expect("steadfit:latency_seconds:lower", 25, None)
    a.play()


@pytest.mark.parametrize("quantile", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("requests", [100, 1_000, 9_999])
def test_the_lower_end_of_a_quantile_lies_above_the_truth_in_at_most_2_5_per_cent(
    quantile: float, requests: int
) -> None:
    rank = rank_below(quantile, max(number for number in FEWEST if number <= requests))
    # It lies above if fewer latencies than that rank are at most the true quantile.
    assert binom.cdf(np.ceil(rank * requests) - 1, requests, quantile) <= 0.025
    assert quantile - rank < 0.35
