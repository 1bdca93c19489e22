"""What a comparison asks, asked of Prometheus' own code."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from steadfit.api.strategy import Analysis, AnalysisMetric
from steadfit.prometheus.canary_queries import BUCKETS, comparison
from steadfit.prometheus.canary_trial import Trial

from tests.support.promtool import STEP, Scene

SLICE = 4 * STEP
LABELS = {"namespace": "ns", "model": "flights", "version": "7"}
REQUESTS = "steadfit_server_requests_total"
LATENCY = "steadfit_server_request_duration_seconds_bucket"
CANDIDATE, CHAMPION = {**LABELS, "revision": "bbb"}, {**LABELS, "version": "6", "revision": "aaa"}


def trial() -> Trial:
    return Trial("ns", "flights", 7, "bbb", "aaa", datetime(2026, 1, 1, tzinfo=UTC), Analysis(), {})


def metric(**kind: Any) -> AnalysisMetric:
    return AnalysisMetric.model_validate({"name": "m", **kind})


def asked(of: AnalysisMetric, step: int = SLICE) -> str:
    return comparison(trial(), of, step)


def scene(directory: Path) -> Scene:
    return Scene(directory, "groups: []")


def even(a_step: float, steps: int = 60, start: float = 0.0) -> list[float | None]:
    return [start + a_step * step for step in range(steps)]


ERRORS = metric(errorRate={})


def test_every_request_of_a_slice_counts_once_over_all_pods(tmp_path: Path) -> None:
    a = scene(tmp_path)
    for pod in ("p", "q"):
        a.scrape(REQUESTS, {**CANDIDATE, "pod": pod, "code": "200"}, even(9))
    a.expect(asked(ERRORS), 10, 2 * 9 * 4)
    a.expect(asked(ERRORS), 12.25, 2 * 9 * 4)
    a.expect(asked(ERRORS, STEP), 10, 2 * 9)
    a.expect(asked(ERRORS, 20 * STEP), 10, 2 * 9 * 20)
    a.play()


def test_slices_next_to_each_other_make_up_the_whole(tmp_path: Path) -> None:
    a = scene(tmp_path)
    values = [float(7 * step**2) for step in range(60)]
    a.scrape(REQUESTS, {**CANDIDATE, "code": "200"}, values)
    for end in range(4, 40, 4):
        a.expect(asked(ERRORS), end / 2, values[end] - values[end - 4])
    a.play()


def test_arms_are_told_apart_by_revision_and_codes_by_code(tmp_path: Path) -> None:
    a = scene(tmp_path)
    for arm in (CANDIDATE, CHAMPION):
        for code in ("200", "500"):
            a.scrape(REQUESTS, {**arm, "pod": "p", "code": code}, even(1))
    a.expect(f"count({asked(ERRORS)})", 10, 4)
    a.expect(f"count(count by (revision) ({asked(ERRORS)}))", 10, 2)
    a.play()


@pytest.mark.parametrize("other", [{"revision": "ccc"}, {"model": "other"}, {"namespace": "elsewhere"}])
def test_nothing_else_is_counted(tmp_path: Path, other: dict[str, str]) -> None:
    a = scene(tmp_path)
    a.scrape(REQUESTS, {**CANDIDATE, "code": "200", **other}, even(9))
    a.expect(asked(ERRORS), 10, None)
    a.play()


def test_a_counter_that_began_anew_counts_from_there(tmp_path: Path) -> None:
    a = scene(tmp_path)
    # Restarted between minutes 9 and 9.5; `increase` takes 0 for the value between.
    a.scrape(REQUESTS, {**CANDIDATE, "code": "200"}, [*even(10, 19), *even(10, 30, start=5)])
    a.expect(asked(ERRORS), 10, 30 + 5, tolerance=15)
    a.expect(asked(ERRORS), 12, 40)
    a.play()


def test_a_pod_that_came_within_a_slice_counts_from_its_first_scrape(tmp_path: Path) -> None:
    a = scene(tmp_path)
    a.scrape(REQUESTS, {**CANDIDATE, "code": "200", "pod": "old"}, even(10))
    a.scrape(REQUESTS, {**CANDIDATE, "code": "200", "pod": "new"}, [None] * 18 + even(10))
    a.expect(asked(ERRORS), 10, 40 + 20, tolerance=10)
    a.play()


def test_a_counter_that_was_not_scraped_for_long_does_not_count_its_whole_life(tmp_path: Path) -> None:
    a = scene(tmp_path)
    life = even(1000, 60)
    a.scrape(REQUESTS, {**CANDIDATE, "code": "200"}, [*life[:5], *[None] * 20, *life[25:]])
    a.expect(asked(ERRORS), 12.5, None)
    a.expect(asked(ERRORS), 13.5, 2000, tolerance=2000)
    a.play()


def test_a_pod_that_is_gone_counts_until_it_went(tmp_path: Path) -> None:
    a = scene(tmp_path)
    a.scrape(REQUESTS, {**CANDIDATE, "code": "200", "pod": "stays"}, even(10))
    a.scrape(REQUESTS, {**CANDIDATE, "code": "200", "pod": "goes"}, [*even(10, 19), None, None])
    a.expect(asked(ERRORS), 12, 80, tolerance=41)
    a.play()


@pytest.mark.parametrize(
    ("asked_for", "counted"),
    [("250ms", "0.25"), ("200ms", "0.25"), ("1ms", "0.001"), ("0.7s", "1.0"), ("1s", "1"), ("60s", "10.0")],
)
def test_a_latency_counts_as_the_next_bound_however_it_is_written(tmp_path: Path, asked_for: str, counted: str) -> None:
    a = scene(tmp_path)
    others = [f"{bound:g}" for bound in BUCKETS if bound != float(counted)]
    for bound in (counted, "+Inf", *others):
        a.scrape(LATENCY, {**CANDIDATE, "le": bound}, even({counted: 3, "+Inf": 8}.get(bound, 100.0)))
    expression = asked(metric(latency={"max": asked_for}))
    a.expect(f"count({expression})", 10, 2)
    a.expect(f"min({expression})", 10, 12)
    a.expect(f"max({expression})", 10, 32)
    a.play()


@pytest.mark.parametrize(("name", "lines"), [("accuracy", 3), ("brier_score", 3), ("mae", 3)])
def test_a_quality_asks_for_outcomes_and_the_sums_of_their_errors(tmp_path: Path, name: str, lines: int) -> None:
    a = scene(tmp_path)
    for outcome in ("positive", "negative", "observed"):
        a.scrape("steadfit_feedback_total", {**CANDIDATE, "bin": "3", "outcome": outcome}, even(1))
    a.scrape("steadfit_feedback_squared_error_total", CANDIDATE, even(0.25))
    a.scrape("steadfit_feedback_absolute_error_total", CANDIDATE, even(0.5))
    expression = asked(metric(quality={"metric": name}))
    a.expect(f"count({expression})", 10, lines)
    if name != "accuracy":
        a.expect(f"min({expression})", 10, 1)
    a.play()


def test_the_longest_question_fits_a_verdict() -> None:
    long = Trial("n" * 63, "m" * 40, 10**9, "b" * 10, "a" * 10, datetime(2026, 1, 1, tzinfo=UTC), Analysis(), {})
    kinds: list[dict[str, Any]] = [{"errorRate": {}}, {"latency": {}}]
    kinds += [{"quality": {"metric": name}} for name in ("accuracy", "brier_score", "mae")]
    for kind in kinds:
        assert len(comparison(long, metric(**kind), 86400)) < 4096
