"""The phases of a monitor of action Retrain, signal by signal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit.api.monitor import Monitor, MonitorState
from steadfit.core.monitors.evaluation import decision_key, evaluate, query_key
from steadfit.core.monitors.thresholds import thresholds
from steadfit.core.types import Signal

from tests.unit.core.serving.serving_cluster import START, ServingCluster, serving

DRIFT: dict[str, Any] = {"name": "drift", "drift": {"max": 0.2}, "action": "Retrain"}
AUC: dict[str, Any] = {"name": "auc", "quality": {"metric": "roc_auc", "min": 0.7}, "action": "Retrain"}


def monitor(**spec: Any) -> Monitor:
    return Monitor.model_validate({**DRIFT, **spec})


def after(spec: Monitor, *signals: Signal | None, every: int = 60) -> list[MonitorState]:
    """Return the states of a monitor after each of these signals, which came a minute apart."""
    states: list[MonitorState] = []
    for number, signal in enumerate(signals):
        now = START + timedelta(seconds=every * number)
        states.append(evaluate(spec, states[-1] if states else None, signal, now).state)
    return states


def drift(*values: float | None, samples: float = 1000) -> list[Signal]:
    return [Signal(value, samples) if value is not None else Signal(reason="no answer") for value in values]


@pytest.mark.parametrize(
    ("spec", "values", "phases"),
    [
        ({}, [0.1, 0.2, 0.21], ["OK", "OK", "Firing"]),
        # The level less a tenth is 0.18: in between, what fires goes on and what does not does not begin.
        ({}, [0.19, 0.3, 0.19, 0.181, 0.18, 0.19], ["OK", "Firing", "Firing", "Firing", "OK", "OK"]),
        ({"clear": 0.05}, [0.3, 0.1, 0.05], ["Firing", "Firing", "OK"]),
        ({"for": "2m"}, [0.3, 0.3, 0.3, 0.3], ["Pending", "Pending", "Firing", "Firing"]),
        ({"for": "2m"}, [0.3, 0.19, 0.3, 0.3, 0.3], ["Pending", "OK", "Pending", "Pending", "Firing"]),
        # No data: no verdict, nothing goes on firing, and `for` begins anew.
        ({}, [0.3, None, 0.19], ["Firing", "NoData", "OK"]),
        ({}, [None, 0.3], ["NoData", "Firing"]),
        ({"for": "2m"}, [0.3, None, 0.3, 0.3, 0.3], ["Pending", "NoData", "Pending", "Pending", "Firing"]),
        (AUC, [0.7, 0.69, 0.76, 0.77, 0.71], ["OK", "Firing", "Firing", "OK", "OK"]),
    ],
)
def test_values_lead_to_phases(spec: dict[str, Any], values: list[float | None], phases: list[str]) -> None:
    base = {} if "quality" in spec else DRIFT
    states = after(Monitor.model_validate({**base, **spec}), *drift(*values))
    assert [state.phase for state in states] == phases


@pytest.mark.parametrize(
    ("quality", "value", "bound", "phase"),
    [
        ({"metric": "roc_auc", "min": 0.7}, 0.66, 0.71, "OK"),
        ({"metric": "roc_auc", "min": 0.7}, 0.66, 0.7, "OK"),
        ({"metric": "roc_auc", "min": 0.7}, 0.66, 0.69, "Firing"),
        ({"metric": "mae", "max": 5}, 5.5, 4.9, "OK"),
        ({"metric": "mae", "max": 5}, 5.5, 5.1, "Firing"),
        ({"metric": "rmse", "max": 5}, 5.5, None, "Firing"),
    ],
)
def test_a_fall_in_quality_fires_only_when_its_whole_interval_lies_beyond_the_level(
    quality: dict[str, Any], value: float, bound: float | None, phase: str
) -> None:
    spec = Monitor.model_validate({**AUC, "quality": quality})
    (state,) = after(spec, Signal(value, 4000, bound))
    assert state.phase == phase
    assert decision_key(spec, Signal(value, 4000, bound))[0] == ("Breached" if phase == "Firing" else "Between")


def test_what_fires_goes_on_while_its_interval_reaches_the_level_and_names_the_interval() -> None:
    states = after(Monitor.model_validate(AUC), *[Signal(value, 4000, value + 0.03) for value in (0.66, 0.69, 0.77)])
    assert [state.phase for state in states] == ["Firing", "Firing", "OK"]
    assert states[0].message == "roc_auc is 0.66 (95 % interval to 0.69) over 1h from 4000 samples; it fires below 0.7"


@pytest.mark.parametrize(
    ("spec", "samples", "phase"),
    [
        (DRIFT, 499, "NoData"),
        (DRIFT, 500, "Firing"),
        ({**DRIFT, "minSamples": 200}, 200, "Firing"),
        ({"name": "p", "predictionDrift": {"max": 0.2}}, 499, "NoData"),
        ({"name": "p", "predictionDrift": {"max": 0.2}}, 500, "Firing"),
        ({**AUC, "quality": {"metric": "mae", "max": 0.1}}, 199, "NoData"),
        ({**AUC, "quality": {"metric": "mae", "max": 0.1}}, 200, "Firing"),
        ({"name": "q", "query": {"promQL": "up", "max": 0.1}}, None, "Firing"),
    ],
)
def test_a_value_from_too_few_samples_is_no_data(spec: dict[str, Any], samples: float | None, phase: str) -> None:
    (state,) = after(Monitor.model_validate(spec), Signal(0.9, samples))
    assert state.phase == phase


@pytest.mark.parametrize(
    ("spec", "limit", "clear", "above"),
    [
        ({"drift": {"max": 0.2}}, 0.2, 0.18, True),
        ({"predictionDrift": {"max": 0.2}}, 0.2, 0.18, True),
        ({"quality": {"metric": "roc_auc", "min": 0.7}}, 0.7, 0.77, False),
        ({"quality": {"metric": "accuracy", "min": 0.95}}, 0.95, 0.975, False),
        ({"query": {"promQL": "x", "max": -10}}, -10, -11, True),
        ({"query": {"promQL": "x", "min": -10}}, -10, -9, False),
        ({"query": {"promQL": "x", "min": 0}}, 0, 0, False),
        ({"latency": {"max": "250ms"}}, 0.25, 0.225, True),
        ({"errorRate": {"max": 0.01}, "clear": 0.002}, 0.01, 0.002, True),
    ],
)
def test_the_thresholds_of_every_kind(spec: dict[str, Any], limit: float, clear: float, above: bool) -> None:
    found = thresholds(Monitor.model_validate({"name": "m", **spec}))
    assert (found.limit, found.above) == (limit, above)
    assert found.clear == pytest.approx(clear)


def test_a_value_that_only_moves_writes_nothing() -> None:
    first, second, third = after(monitor(), *drift(0.3, 0.4, 0.5))
    assert first == second == third
    assert first.value == 0.3
    assert first.since == START
    assert (
        first.message
        == "the PSI of the inputs, weighted by importance, is 0.3 over 1h from 1000 samples; it fires above 0.2"
    )


def test_no_data_tells_its_newest_reason_and_since_when() -> None:
    first, second = after(monitor(), Signal(reason="no answer"), Signal(reason="not a number"))
    assert (first.message, first.since) == ("no answer", START)
    assert (second.message, second.since) == ("not a number", START)


def test_pending_comes_back_when_for_is_over() -> None:
    found = evaluate(monitor(**{"for": "5m"}), None, Signal(0.3, 1000), START)
    assert found.due == START + timedelta(minutes=5)


@pytest.mark.parametrize(("phase", "stays"), [("OK", True), ("NoData", True), ("Pending", False), ("Firing", False)])
def test_a_process_that_has_not_measured_yet_acts_on_nothing_and_rewrites_nothing(phase: Any, stays: bool) -> None:
    before = MonitorState(name="drift", phase=phase, since=START, message="as it was")
    found = evaluate(monitor(), before, None, START + timedelta(minutes=1)).state
    assert found == before if stays else found.phase == "NoData"


@given(
    spec=st.sampled_from([{}, {"for": "2m"}, {"clear": 0.1}]),
    signals=st.lists(
        st.one_of(
            st.none(),
            st.just(Signal(reason="no answer")),
            st.builds(Signal, st.floats(0, 1), st.integers(0, 1000)),
        ),
        max_size=30,
    ),
)
def test_what_fires_has_a_value_from_enough_samples_that_is_not_safe(
    spec: dict[str, Any], signals: list[Signal | None]
) -> None:
    chosen = monitor(**spec)
    for signal, state in zip(signals, after(chosen, *signals), strict=True):
        if state.phase in ("Firing", "Pending"):
            assert signal is not None
            assert signal.value is not None
            assert signal.samples is not None
            assert signal.samples >= 500
            assert thresholds(chosen).side(signal.value) != "Clear"
        if signal is None or signal.value is None:
            assert state.phase in ("NoData", "OK")


def test_only_another_side_or_another_reason_is_another_decision_key() -> None:
    spec = monitor()
    assert decision_key(spec, Signal(0.3, 1000)) == decision_key(spec, Signal(0.9, 500))
    assert decision_key(spec, Signal(0.3, 10)) == decision_key(spec, Signal(0.1, 20))
    kinds = [Signal(0.3, 1000), Signal(0.19, 1000), Signal(0.1, 1000), Signal(0.3, 1), Signal(reason="gone")]
    assert len({decision_key(spec, signal) for signal in kinds}) == len(kinds)


def test_limits_are_not_part_of_the_query_key_and_everything_else_is() -> None:
    spec = monitor()
    for same in ({"drift": {"max": 0.5}}, {"clear": 0.1}, {"for": "1m"}, {"minSamples": 900}):
        assert query_key(monitor(**same)) == query_key(spec)
    for other in (
        {"drift": {"max": 0.2, "statistic": "JS"}},
        {"drift": {"max": 0.2, "features": "Any"}},
        {"window": "2h"},
    ):
        assert query_key(monitor(**other)) != query_key(spec)


# In a deployment


def phase(cluster: ServingCluster, name: str = "drift") -> str:
    return next(state.phase for state in cluster.status.monitors if state.name == name)


def watching(*monitors: dict[str, Any]) -> ServingCluster:
    return serving(1, monitors=list(monitors))


def at(cluster: ServingCluster, now: datetime) -> None:
    cluster.now = now
    cluster.settle()


def test_a_monitor_that_fires_is_in_the_status_and_told_once() -> None:
    cluster = watching(DRIFT)
    cluster.signals = {"drift": Signal(0.3, 1000)}
    cluster.settle()
    assert phase(cluster) == "Firing"
    cluster.signals = {"drift": Signal(0.4, 2000)}
    cluster.settle()
    cluster.signals = {"drift": Signal(0.1, 2000)}
    cluster.settle()
    told = [event.reason for event in cluster.events if event.reason.startswith("Monitor")]
    assert told == ["MonitorFiring", "MonitorResolved"]


def test_for_ends_by_itself() -> None:
    cluster = watching({**DRIFT, "for": "5m"})
    cluster.signals = {"drift": Signal(0.3, 1000)}
    cluster.settle()
    due = cluster.plan().requeue_at
    assert phase(cluster) == "Pending"
    assert due is not None
    at(cluster, due)
    assert phase(cluster) == "Firing"


def test_monitors_of_action_alert_are_left_to_prometheus() -> None:
    cluster = watching({**DRIFT, "action": "Alert"})
    cluster.signals = {"drift": Signal(0.3, 1000)}
    cluster.settle()
    assert cluster.status.monitors == []
    assert cluster.condition("MetricsAvailable") == ("True", "NothingMeasured")


def test_a_new_live_version_begins_without_a_verdict() -> None:
    cluster = watching(DRIFT)
    cluster.signals = {"drift": Signal(0.3, 1000)}
    cluster.settle()
    cluster.add(2)
    cluster.edit(pin={"version": 2})
    seen = []
    for _ in range(10):
        cluster.step()
        cluster.kubelet()
        seen.append((cluster.status.live.number if cluster.status.live else 0, phase(cluster)))
    # The value of version 1 is told once more, but in the pass that makes version 2 live it does not count.
    assert [state for number, state in seen if number == 1][-1] == "Firing"
    assert next(state for number, state in seen if number == 2) == "NoData"


def test_a_deployment_without_data_says_so_and_stays_ready() -> None:
    cluster = watching(DRIFT, AUC)
    cluster.signals = {
        "drift": Signal(reason="the model has no feature distence", code="UnknownFeature"),
        "auc": Signal(0.8, 1000),
    }
    cluster.settle()
    assert cluster.condition("MetricsAvailable") == ("False", "UnknownFeature")
    assert cluster.message("MetricsAvailable") == "drift: the model has no feature distence"
    assert cluster.condition("Ready") == ("True", "Serving")
    cluster.signals["drift"] = Signal(0.1, 1000)
    cluster.settle()
    assert cluster.condition("MetricsAvailable") == ("True", "Available")


def test_before_anything_serves_there_is_nothing_to_measure() -> None:
    cluster = serving(monitors=[DRIFT])
    assert cluster.condition("MetricsAvailable") == ("False", "NotServing")


def test_a_restarted_operator_that_has_not_measured_yet_writes_nothing_over_missing_data() -> None:
    cluster = watching(DRIFT)
    cluster.signals = {"drift": Signal(reason="no answer", code="Unreachable")}
    cluster.settle()
    stored = cluster.deployment["status"]
    cluster.signals = {}
    assert cluster.plan().status == stored


def test_a_query_of_action_alert_decides_nothing_and_without_a_number_is_named_where_its_author_looks() -> None:
    cluster = watching({"name": "mine", "query": {"promQL": "up", "max": 1}})
    assert cluster.condition("MetricsAvailable") == ("True", "NothingMeasured")
    cluster.signals = {"mine": Signal(reason="the expression gives a matrix", code="WrongType")}
    cluster.settle()
    assert cluster.condition("MetricsAvailable") == ("False", "WrongType")
    assert cluster.message("MetricsAvailable") == "mine: the expression gives a matrix"
    cluster.signals = {"mine": Signal(5.0)}
    cluster.settle()
    assert cluster.condition("MetricsAvailable") == ("True", "Available")
    assert cluster.status.monitors == []
