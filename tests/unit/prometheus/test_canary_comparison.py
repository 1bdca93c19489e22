"""From lines of counts to both arms of a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from steadfit.api.metrics import COMPARED
from steadfit.api.strategy import Analysis, AnalysisMetric
from steadfit.core.types import Compared
from steadfit.prometheus.answer import Line, Lines, NoAnswer
from steadfit.prometheus.canary_comparison import KINDS, compared
from steadfit.prometheus.canary_queries import QUALITY, Grid, grid
from steadfit.prometheus.canary_trial import Trial, expression

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
SLICES = Grid(1000, 15, 20)
SQUARED, ABSOLUTE = "steadfit_feedback_squared_error_total", "steadfit_feedback_absolute_error_total"
ERRORS: dict[str, Any] = {"errorRate": {}}
LATE: dict[str, Any] = {"latency": {"max": "250ms"}}

Counts = Sequence[tuple[dict[str, str], float]]


def trial() -> Trial:
    return Trial("shop", "flights", 7, "bbb", "aaa", SINCE, Analysis(), {})


def quality(name: str) -> dict[str, Any]:
    return {"quality": {"metric": name}}


def arm(revision: str, counts: Counts, ends: Sequence[int] = SLICES.ends) -> list[Line]:
    """Lines that count as much in every slice."""
    return [Line({"revision": revision, **labels}, {float(end): value for end in ends}) for labels, value in counts]


def read(kind: Mapping[str, Any], lines: Sequence[Line]) -> Compared:
    metric = AnalysisMetric.model_validate({"name": "m", **kind})
    return compared(trial(), metric, SLICES, Lines(tuple(lines)), "asked")


def both(kind: Mapping[str, Any], mine: Counts, theirs: Counts) -> Compared:
    return read(kind, [*arm("bbb", mine), *arm("aaa", theirs)])


def codes(well: float, failed: float) -> Counts:
    return [({"code": "200"}, well), ({"code": "500"}, failed), ({"code": "503"}, 0.0)]


def test_errors_are_the_5xx_among_all_requests() -> None:
    found = both(ERRORS, codes(95, 5), codes(297, 3))
    assert found.candidate is not None
    assert found.champion is not None
    assert (found.candidate.count, found.candidate.mean) == (2000, 0.05)
    assert found.champion.count == 6000
    assert found.champion.mean == pytest.approx(0.01)
    assert found.difference == pytest.approx(0.04)
    assert found.candidate.variance == pytest.approx(0.05 * 0.95 / 2000, rel=0.02)
    assert (found.query, found.reason) == ("asked", "")


def test_late_is_what_is_beyond_the_bound() -> None:
    found = both(LATE, [({"le": "0.25"}, 90), ({"le": "+Inf"}, 100)], [({"le": "0.25"}, 100), ({"le": "+Inf"}, 100)])
    assert found.candidate is not None
    assert found.champion is not None
    assert (found.candidate.mean, found.champion.mean, found.candidate.count) == (0.1, 0.0, 2000)


def test_accuracy_cuts_scores_in_the_middle_and_counts_classes_as_they_are() -> None:
    binary = [
        ({"bin": "10", "outcome": "positive"}, 30.0),
        ({"bin": "10", "outcome": "negative"}, 10.0),
        ({"bin": "9", "outcome": "positive"}, 5.0),
        ({"bin": "9", "outcome": "negative"}, 55.0),
    ]
    classes = [({"bin": "15", "outcome": "correct"}, 70.0), ({"bin": "15", "outcome": "wrong"}, 30.0)]
    found = both(quality("accuracy"), binary, classes)
    assert found.candidate is not None
    assert found.champion is not None
    assert (found.candidate.mean, found.champion.mean, found.candidate.count) == (0.85, 0.7, 2000)


def test_a_brier_score_and_its_variance_are_those_of_the_same_answers() -> None:
    draws = np.random.default_rng(3)
    scores = draws.beta(2, 5, 20_000)
    outcomes = (draws.random(scores.size) < scores).astype(int)
    errors = (scores - outcomes) ** 2
    bins = np.floor(scores * 20).astype(int)
    counts: list[tuple[dict[str, str], float]] = [
        (
            {"bin": str(index), "outcome": name},
            float(np.sum((bins == index) & (outcomes == value))) / SLICES.count,
        )
        for index in range(20)
        for name, value in (("negative", 0), ("positive", 1))
    ]
    counts.append(({"part": SQUARED}, float(errors.sum()) / SLICES.count))
    found = both(quality("brier_score"), counts, counts)
    assert found.candidate is not None
    assert found.candidate.count == pytest.approx(scores.size)
    assert found.candidate.mean == pytest.approx(errors.mean())
    assert found.candidate.variance == pytest.approx(errors.var() / scores.size, rel=0.05)


def test_a_mean_absolute_error_and_its_variance_are_those_of_the_same_answers() -> None:
    errors = np.abs(np.random.default_rng(4).normal(0, 30, 20_000))
    counts: Counts = [
        ({"bin": "value", "outcome": "observed"}, errors.size / SLICES.count),
        ({"part": ABSOLUTE}, float(errors.sum()) / SLICES.count),
        ({"part": SQUARED}, float((errors**2).sum()) / SLICES.count),
    ]
    found = both(quality("mae"), counts, counts)
    assert found.candidate is not None
    assert found.candidate.mean == pytest.approx(errors.mean())
    assert found.candidate.variance == pytest.approx(errors.var() / errors.size, rel=0.01)


def test_every_metric_that_a_canary_may_name_is_compared_and_no_other() -> None:
    assert set(QUALITY) == set(COMPARED), "canary_queries.QUALITY has not the metrics with `canary` in api/metrics.py"
    assert set(KINDS) == set(COMPARED), "canary_comparison.KINDS has not the metrics with `canary` in api/metrics.py"


def test_of_the_wrong_outcomes_there_are_no_samples() -> None:
    observed: Counts = [({"bin": "value", "outcome": "observed"}, 100.0)]
    found = both(quality("accuracy"), observed, observed)
    assert (found.candidate, found.code) == (None, "TooFewSamples")
    assert found.reason == "there were no outcomes of both at the same time yet"


def test_slices_without_a_point_count_nothing() -> None:
    found = read(ERRORS, [*arm("bbb", codes(95, 5), list(SLICES.ends)[10:]), *arm("aaa", codes(297, 3))])
    assert found.candidate is not None
    assert found.champion is not None
    assert (found.candidate.count, found.champion.count) == (1000, 6000)


@pytest.mark.parametrize(("mine", "who"), [(True, "candidate (revision bbb)"), (False, "champion (revision aaa)")])
def test_an_arm_that_is_not_there_or_not_any_more_is_no_data(mine: bool, who: str) -> None:
    here, away = ("aaa", "bbb") if mine else ("bbb", "aaa")
    found = read(ERRORS, arm(here, codes(95, 5)))
    assert (found.candidate, found.code) == (None, "NoSeries")
    assert f"there is no steadfit_server_requests_total of the {who}" in found.reason
    gone = read(ERRORS, [*arm(here, codes(95, 5)), *arm(away, codes(95, 5), list(SLICES.ends)[:-1])])
    assert (gone.candidate, gone.code) == (None, "NotScraped")
    assert who in gone.reason


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_no_data(value: float) -> None:
    found = both(ERRORS, codes(95, value), codes(95, 5))
    assert (found.candidate, found.code) == (None, "NotANumber")


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        (LATE, [({"le": "+Inf"}, 100.0)]),
        (LATE, [({"le": "0.25"}, 100.0)]),
        (quality("brier_score"), [({"bin": "1", "outcome": "positive"}, 100.0)]),
        (quality("mae"), [({"bin": "value", "outcome": "observed"}, 100.0), ({"part": SQUARED}, 1.0)]),
    ],
)
def test_lines_without_those_that_give_them_a_meaning_are_no_data(kind: dict[str, Any], counts: Counts) -> None:
    found = both(kind, counts, counts)
    assert (found.candidate, found.code) == (None, "NoSeries")


def test_an_answer_of_other_times_or_with_one_series_twice_is_none() -> None:
    with pytest.raises(NoAnswer, match="other times"):
        read(ERRORS, [*arm("bbb", codes(95, 5), [1, *SLICES.ends]), *arm("aaa", codes(95, 5))])
    with pytest.raises(NoAnswer, match="two values"):
        read(ERRORS, [*arm("bbb", codes(95, 5)), *arm("bbb", codes(95, 5)), *arm("aaa", codes(95, 5))])


@pytest.mark.parametrize(
    ("elapsed", "interval", "step", "count"),
    [
        (14, 15, None, None),
        (15, 15, 15, 1),
        (100, 15, 15, 6),
        (100, 1, 15, 6),
        (100, 40, 40, 2),
        (450, 15, 15, 30),
        (3600, 15, 120, 30),
        (86400, 15, 2880, 30),
        (1000, 15, 34, 29),
    ],
)
def test_slices_are_at_least_15_seconds_and_at_most_30(
    elapsed: int, interval: float, step: int | None, count: int | None
) -> None:
    now = SINCE + timedelta(seconds=elapsed)
    found = grid(SINCE, now, interval)
    if found is None:
        assert step is None
        return
    assert (found.step, found.count) == (step, count)
    assert found.last == now.timestamp()
    assert found.first - found.step >= SINCE.timestamp()
    assert len(list(found.ends)) == count


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.9])
def test_no_slice_begins_before_the_candidate_took_traffic(fraction: float) -> None:
    since = SINCE + timedelta(seconds=fraction)
    for tenths in range(150, 6000, 7):
        found = grid(since, since + timedelta(seconds=tenths / 10), 15)
        if found is not None:
            assert found.first - found.step >= since.timestamp()


def test_version_and_revision_stand_in_an_expression() -> None:
    asked = expression(trial(), 'fuel{version="$version",revision="$revision",cost="$versions",at="$x"}')
    assert asked == 'fuel{version="7",revision="bbb",cost="$versions",at="$x"}'
