from __future__ import annotations

from typing import Any

import pytest
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core import monitor_causes

from .builders import NOW, at, deployment

RETRAIN = {"name": "inputs", "drift": {"max": 0.2}, "action": "Retrain"}
ALERT = {"name": "inputs", "drift": {"max": 0.2}, "action": "Alert"}


def state(phase: str = "Firing", name: str = "inputs") -> dict[str, Any]:
    return {"name": name, "phase": phase, "since": at(minutes=5), "message": "PSI 0.31 is above 0.2"}


@pytest.mark.parametrize(
    ("monitors", "phase", "asks"),
    [
        ([RETRAIN], "Firing", True),
        ([RETRAIN], "NoData", False),
        ([RETRAIN], "Pending", False),
        ([RETRAIN], "OK", False),
        ([ALERT], "Firing", False),
        ([], "Firing", False),
    ],
    ids=["firing", "no data", "pending", "ok", "an alert's monitor", "not in the spec any more"],
)
def test_a_monitor_asks_for_a_run_only_while_it_fires(monitors: Any, phase: str, asks: bool) -> None:
    found = monitor_causes.firing([deployment(status={"monitors": [state(phase)]}, monitors=monitors)])
    assert [one.name for one in found] == (["orders/inputs"] if asks else [])


def test_the_monitors_of_a_deployment_that_goes_away_ask_for_nothing() -> None:
    obj = deployment(status={"monitors": [state()]}, monitors=[RETRAIN])
    going = obj.metadata.model_copy(update={"deletion_timestamp": NOW})
    assert monitor_causes.firing([obj.model_copy(update={"metadata": going})]) == []


def test_a_cause_names_the_deployment_and_its_monitor_and_what_it_says() -> None:
    fleet: list[ModelDeployment] = [
        deployment(name, {"monitors": [state()]}, monitors=[RETRAIN]) for name in ("shadow", "orders")
    ]
    first, second = monitor_causes.causes(monitor_causes.firing(fleet), NOW)
    assert (first.type, first.monitor, first.trigger) == ("Monitor", "orders/inputs", None)
    assert first.key == "orders/inputs@2026-01-05T12:00:00Z"
    assert first.message == "monitor orders/inputs fires: PSI 0.31 is above 0.2"
    assert second.monitor == "shadow/inputs"
