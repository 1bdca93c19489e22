"""Alerts fire when the value has passed its level for long enough, and stop when it is back at the clearing level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from tests.support.promtool import STEP, Scene
from tests.unit.core.rules.rising_counters import LABELS, deployment, drift, feature, psi, rising, scene, serve

STEPS_A_MINUTE = 60 // STEP
EVEN = [5000] * 2


def fires(monitor: str, version: str = "3", model: str = "flights") -> dict[str, str]:
    return {"monitor": monitor, "model": model, "namespace": "ns", "severity": "warning", "version": version}


def paced(*parts: tuple[int, float]) -> list[float]:
    """A counter by (minutes, rise in a minute)."""
    rises = [rise / STEPS_A_MINUTE for minutes, rise in parts for _ in range(minutes * STEPS_A_MINUTE)]
    return [0.0, *accumulate(rises)]


def requests(a: Scene, *parts: tuple[int, float, float]) -> None:
    """Requests by (minutes, good ones a minute, failed ones a minute), of a version that runs all the time."""
    good = paced(*((minutes, rise) for minutes, rise, _ in parts))
    a.scrape("steadfit_model_info", LABELS, [1.0] * len(good))
    a.scrape("steadfit_server_requests_total", {**LABELS, "code": "200"}, good)
    failed = paced(*((minutes, rise) for minutes, _, rise in parts))
    a.scrape("steadfit_server_requests_total", {**LABELS, "code": "500"}, failed)


def errors(**parts: Any) -> dict[str, Any]:
    return {"name": "errors", "errorRate": {"max": 0.1}, "window": "2m", **parts}


def test_an_alert_fires_above_its_level_goes_on_above_the_clearing_level_and_ends_below_it(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(errors(clear=0.05)))
    requests(a, (10, 93, 7), (10, 80, 20), (10, 93, 7), (10, 98, 2))
    a.alerts("ModelErrorsHigh", 9)  # 0.07 lies above the clearing level, but nothing fires yet
    a.alerts("ModelErrorsHigh", 18, fires("errors"))
    a.alerts("ModelErrorsHigh", 28, fires("errors"))
    a.alerts("ModelErrorsHigh", 38)
    a.play()


def test_without_a_clearing_level_it_is_the_level_less_a_tenth(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(errors()))
    requests(a, (10, 80, 20), (10, 90.5, 9.5), (10, 91.5, 8.5))
    a.alerts("ModelErrorsHigh", 8, fires("errors"))
    a.alerts("ModelErrorsHigh", 18, fires("errors"))
    a.alerts("ModelErrorsHigh", 28)
    a.play()


def test_an_alert_waits_until_its_condition_has_held_for_the_declared_time(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(errors(**{"for": "5m"})))
    requests(a, (10, 100, 0), (20, 50, 50))
    a.alerts("ModelErrorsHigh", 14)
    a.alerts("ModelErrorsHigh", 17, fires("errors"))
    a.play()


def test_with_fewer_samples_than_the_least_nothing_fires(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(errors(minSamples=100)))
    requests(a, (10, 0, 40), (10, 0, 60))
    a.alerts("ModelErrorsHigh", 9)
    a.alerts("ModelErrorsHigh", 19, fires("errors"))
    a.play()


def test_a_share_of_failed_requests_that_chance_alone_may_give_alerts_nobody(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(errors(minSamples=20)))
    requests(a, (10, 17, 3), (10, 170, 30))
    a.alerts("ModelErrorsHigh", 9)
    a.alerts("ModelErrorsHigh", 19, fires("errors"))
    a.play()


def test_what_fires_ends_when_too_few_samples_are_left(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(errors()))
    requests(a, (10, 50, 50), (10, 0, 5))
    a.alerts("ModelErrorsHigh", 9, fires("errors"))
    a.alerts("ModelErrorsHigh", 19)
    a.play()


def test_a_version_that_has_gone_alerts_no_more_although_its_answers_are_still_in_the_window(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(errors(window="30m")))
    values: Sequence[float] = paced((10, 100))
    for code in ("200", "500"):
        labels = {**LABELS, "code": code}
        a.scrape("steadfit_server_requests_total", labels, values)
    a.scrape("steadfit_model_info", LABELS, [1.0] * len(values))
    a.alerts("ModelErrorsHigh", 10, fires("errors"))
    a.expect("steadfit:error_ratio", 20, 0.5)
    a.alerts("ModelErrorsHigh", 20)
    a.play()


def test_a_version_that_is_only_kept_warm_alerts_no_more_but_one_of_which_some_pods_serve_does(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(errors(window="30m")))
    requests(a, (20, 50, 50))
    draining = [0.0] * (10 * STEPS_A_MINUTE) + [1.0] * (10 * STEPS_A_MINUTE + 1)
    a.scrape("steadfit_server_draining", {**LABELS, "pod": "one"}, draining)
    late = [0.0] * (15 * STEPS_A_MINUTE) + [1.0] * (5 * STEPS_A_MINUTE + 1)
    a.scrape("steadfit_server_draining", {**LABELS, "pod": "two"}, late)
    a.alerts("ModelErrorsHigh", 9, fires("errors"))
    a.alerts("ModelErrorsHigh", 13, fires("errors"))
    a.alerts("ModelErrorsHigh", 18)
    a.play()


@pytest.mark.parametrize("action", ["Rollback", "Alert"])
def test_a_person_is_called_when_automatic_rollbacks_are_frozen(tmp_path: Path, action: str) -> None:
    a = scene(tmp_path, deployment(errors(action=action)))
    for model, frozen in (("flights", 1.0), ("other", 0.0)):
        labels = {"namespace": "ns", "model": model, "pod": "operator-1"}
        a.scrape("steadfit_operator_rollbacks_frozen", labels, [frozen] * 21)
    called = [{"namespace": "ns", "model": "flights", "severity": "critical"}] if action == "Rollback" else []
    summary = "Automatic rollbacks of ns/flights are frozen: spec.limits.maxRollbacksPerDay is reached."
    a.alerts("ModelRollbacksFrozen", 5, *called, summary=summary)
    a.play()


def test_the_alert_names_version_and_monitor_and_says_value_and_level(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(errors()))
    requests(a, (10, 80, 20))
    summary = "ns/flights version 3 failed 20% of its requests over 2m, at most 0.1 of them is expected."
    a.alerts("ModelErrorsHigh", 9, fires("errors"), summary=summary)
    a.play()


def test_alerts_of_one_model_do_not_touch_another(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(errors()), deployment(errors(errorRate={"max": 0.6}), name="other"))
    for model in ("flights", "other", "unwatched"):
        labels = {**LABELS, "model": model}
        a.scrape("steadfit_model_info", labels, [1.0] * 21)
        for code in ("200", "500"):
            a.scrape("steadfit_server_requests_total", {**labels, "code": code}, paced((10, 100)))
    a.alerts("ModelErrorsHigh", 9, fires("errors"))
    a.play()


MOVED, STEADY = [800, 200], [505, 495]


@pytest.mark.parametrize(
    ("kind", "moved", "name"),
    [
        ({}, "heavy", "ModelInputDrift"),
        ({"features": "Any"}, "light", "ModelInputDrift"),
        ({"features": ["light", "absent"]}, "light", "ModelInputDrift"),
        ({"features": "Any", "statistic": "JS", "max": 0.2}, "light", "ModelInputDrift"),
    ],
)
@pytest.mark.parametrize("fired", [True, False])
def test_a_drift_monitor_watches_the_features_it_names(
    tmp_path: Path, kind: dict[str, Any], moved: str, name: str, fired: bool
) -> None:
    a = scene(tmp_path, deployment(drift(**kind)))
    serve(a, rows=1000)
    # What is not watched has moved in every case; it must not matter.
    others = {"heavy", "light", "prediction"} - {moved}
    elsewhere = {"heavy": {"prediction"}, "light": {"prediction"}, "prediction": others}[moved]
    for feature_name, importance in (("heavy", 0.9), ("light", 0.1), ("prediction", None)):
        changed = feature_name in elsewhere or (fired and feature_name == moved)
        feature(a, feature_name, MOVED if changed else STEADY, EVEN, importance=importance)
    a.alerts(name, 25, *([fires("drift")] if fired else []))
    a.play()


@pytest.mark.parametrize("statistic", ["PSI", "JS"])
@pytest.mark.parametrize("fired", [True, False])
def test_a_prediction_drift_monitor_watches_the_answers_alone(tmp_path: Path, statistic: str, fired: bool) -> None:
    monitor = {"name": "drift", "predictionDrift": {"statistic": statistic, "max": 0.2}}
    a = scene(tmp_path, deployment(monitor))
    serve(a, rows=1000)
    # A column of the name is an input like any other, and it has moved in both cases.
    for number, count in enumerate(MOVED):
        column = {**LABELS, "feature": "prediction", "bin": str(number)}
        a.scrape("steadfit_feature_bin_total", column, rising(float(count)))
        a.scrape("steadfit_feature_reference_ratio", column, [0.5] * 60)
    feature(a, "heavy", MOVED, EVEN, importance=0.9)
    feature(a, "prediction", MOVED if fired else STEADY, EVEN)
    a.alerts("ModelPredictionDrift", 25, *([fires("drift")] if fired else []))
    a.alerts("ModelInputDrift", 25)
    a.play()


def test_an_alert_of_prediction_drift_says_how_far_the_answers_have_moved(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment({"name": "drift", "predictionDrift": {"max": 0.2}}))
    serve(a, rows=1000)
    feature(a, "prediction", MOVED, EVEN)
    text = (
        "The answers of ns/flights version 3 differ from its training data: "
        f"PSI is {psi(MOVED, EVEN):.4g} over 10m, at most 0.2 is expected."
    )
    a.alerts("ModelPredictionDrift", 25, fires("drift"), summary=text)
    a.play()


def test_drift_is_judged_from_500_samples_on_unless_the_monitor_says_otherwise(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(drift(), drift("sooner", minSamples=300)))
    serve(a, rows=400)
    feature(a, "x", [320, 80], EVEN, importance=1.0)
    a.alerts("ModelInputDrift", 25, fires("sooner"))
    a.play()


def test_a_feature_of_any_name_is_matched_literally(tmp_path: Path) -> None:
    strange = 'a.b|c\\d "é" 🛫 {{ $value }} +'
    a = scene(tmp_path, deployment(drift(features=[strange, "y"])), deployment(drift(features=["a.c"]), name="other"))
    for model in ("flights", "other"):
        labels = {**LABELS, "model": model}
        serve(a, labels, rows=1000)
        feature(a, strange if model == "flights" else "abc", [800, 200], EVEN, importance=1.0, labels=labels)
    a.alerts("ModelInputDrift", 25, fires("drift"))
    a.play()


Feed = Callable[[Scene], None]


def _accuracy(a: Scene) -> None:
    for outcome, count in (("correct", 120), ("wrong", 180)):
        a.scrape("steadfit_feedback_total", {**LABELS, "bin": "x", "outcome": outcome}, paced((30, count / 10)))


def _mae(a: Scene) -> None:
    a.scrape("steadfit_feedback_total", {**LABELS, "bin": "value", "outcome": "observed"}, paced((30, 30)))
    a.scrape("steadfit_feedback_absolute_error_total", LABELS, paced((30, 180)))
    a.scrape("steadfit_feedback_squared_error_total", LABELS, paced((30, 1200)))


def _slow(a: Scene) -> None:
    a.scrape("steadfit_server_requests_total", {**LABELS, "code": "200"}, paced((30, 100)))
    for bound, count in (("0.1", 50), ("0.5", 100), ("+Inf", 100)):
        labels = {**LABELS, "le": bound}
        a.scrape("steadfit_server_request_duration_seconds_bucket", labels, paced((30, count)))


def _query(a: Scene) -> None:
    a.scrape("steadfit_monitor_value", {k: v for k, v in fires("m").items() if k != "severity"}, [7.0] * 60)


@pytest.mark.parametrize(
    ("monitor", "name", "feed", "summary"),
    [
        (
            {"quality": {"metric": "accuracy", "min": 0.5}},
            "ModelQualityLow",
            _accuracy,
            "The accuracy of ns/flights version 3 is 0.4 over 10m, at least 0.5 is expected.",
        ),
        (
            {"quality": {"metric": "mae", "max": 5}},
            "ModelQualityLow",
            _mae,
            "The mean absolute error of ns/flights version 3 is 6 over 10m, at most 5 is expected.",
        ),
        (
            {"latency": {"quantile": 0.75, "max": "250ms"}},
            "ModelLatencyHigh",
            _slow,
            "The 0.75 quantile of the latency of ns/flights version 3 is 0.3 s over 10m, at most 0.25 s is expected.",
        ),
        (
            {"query": {"promQL": "sum(broken", "max": 5}},
            "ModelQuery",
            _query,
            "The query of the monitor m on ns/flights version 3 gives 7, at most 5 is expected.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("Model") else "",
)
def test_every_kind_of_monitor_has_its_alert(
    tmp_path: Path, monitor: dict[str, Any], name: str, feed: Feed, summary: str
) -> None:
    a = scene(tmp_path, deployment({"name": "m", **monitor}))
    a.scrape("steadfit_model_info", LABELS, [1.0] * 60)
    feed(a)
    a.alerts(name, 25, fires("m"), summary=summary)
    a.play()


def test_an_alert_of_drift_says_how_far_the_inputs_have_moved(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(drift()))
    serve(a, rows=1000)
    feature(a, "x", MOVED, EVEN, importance=1.0)
    text = (
        "The inputs of ns/flights version 3 differ from its training data: "
        f"PSI is {psi(MOVED, EVEN):.4g} over 10m, at most 0.2 is expected."
    )
    a.alerts("ModelInputDrift", 25, fires("drift"), summary=text)
    a.play()


@pytest.mark.parametrize(("rows_a_minute", "alerts"), [(8, False), (80, True)])
def test_an_accuracy_below_its_level_fires_only_when_its_interval_is_below_it_too(
    tmp_path: Path, rows_a_minute: float, alerts: bool
) -> None:
    quality = {"name": "m", "quality": {"metric": "accuracy", "min": 0.5}, "minSamples": 50}
    a = scene(tmp_path, deployment(quality))
    a.scrape("steadfit_model_info", LABELS, [1.0] * 60)
    for outcome, share in (("correct", 0.45), ("wrong", 0.55)):
        labels = {**LABELS, "bin": "setosa", "outcome": outcome}
        a.scrape("steadfit_feedback_total", labels, paced((30, share * rows_a_minute)))
    a.expect("steadfit:quality_accuracy", 25, 0.45)
    a.alerts("ModelQualityLow", 25, *([fires("m")] if alerts else []))
    a.play()
