from __future__ import annotations

from typing import Any

import pytest
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.serving.recovery import retrain_causes

from tests.unit.core.training.builders import NOW, at, deployment

RETRAIN = {"name": "inputs", "drift": {"max": 0.2}, "action": "Retrain"}
ALERT = {"name": "inputs", "drift": {"max": 0.2}, "action": "Alert"}
RECOVER = {"name": "quality", "quality": {"metric": "accuracy", "min": 0.7}, "action": "Recover"}
ROLLBACK = {"name": "inputs", "errorRate": {"max": 0.2}, "action": "Rollback"}
LIVE = {
    "revision": "r",
    "version": "orders-v3",
    "number": 3,
    "digest": "d",
    "templateDigest": "t",
    "since": at(minutes=1),
}


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
        ([ROLLBACK], "Firing", False),
        ([], "Firing", False),
    ],
    ids=["firing", "no data", "pending", "ok", "an alert's monitor", "a rollback's", "not in the spec any more"],
)
def test_a_monitor_asks_for_a_run_only_while_it_fires(monitors: Any, phase: str, asks: bool) -> None:
    found = retrain_causes.firing([deployment(status={"monitors": [state(phase)]}, monitors=monitors)])
    assert [one.name for one in found] == (["orders/inputs"] if asks else [])


def attributed(verdict: str | None, **change: Any) -> dict[str, Any]:
    found = {
        "monitor": "quality",
        "since": at(minutes=5),
        "number": 3,
        "comparedNumber": 2,
        "run": "orders-e1",
        "decidedAt": at(minutes=5),
        "message": "concept drift: accuracy is 0.6",
        **({"verdict": verdict} if verdict else {}),
    }
    return found | change


@pytest.mark.parametrize(
    ("diagnoses", "phase", "asks"),
    [
        ([attributed("ConceptDrift")], "Firing", True),
        ([attributed("ModelWorse")], "Firing", False),
        ([attributed("Inconclusive")], "Firing", False),
        ([attributed(None)], "Firing", False),
        ([], "Firing", False),
        ([attributed("ConceptDrift")], "NoData", False),
        ([attributed("ConceptDrift")], "OK", False),
        ([attributed("ConceptDrift", since=at(minutes=4))], "Firing", False),
        ([attributed("ConceptDrift", number=2)], "Firing", False),
        ([attributed("ConceptDrift", monitor="other")], "Firing", False),
    ],
    ids=[
        "concept drift",
        "the model is worse",
        "undecided",
        "being found out",
        "not begun",
        "no data",
        "ok",
        "of another time",
        "of another version",
        "of another monitor",
    ],
)
def test_a_monitor_of_action_recover_asks_for_a_run_only_when_the_world_is_to_blame(
    diagnoses: Any, phase: str, asks: bool
) -> None:
    status = {"monitors": [state(phase, "quality")], "diagnoses": diagnoses, "live": LIVE}
    found = retrain_causes.firing([deployment(status=status, monitors=[RECOVER])])
    assert [one.message for one in found] == (["concept drift: accuracy is 0.6"] if asks else [])


@pytest.mark.parametrize("monitor", [RETRAIN, RECOVER], ids=["retrain", "recover"])
def test_a_deployment_in_a_dry_run_asks_for_nothing(monitor: Any) -> None:
    states = [state(), state(name="quality")]
    status = {"monitors": states, "diagnoses": [attributed("ConceptDrift")], "live": LIVE}
    assert retrain_causes.firing([deployment(status=status, monitors=[monitor])]) != []
    assert retrain_causes.firing([deployment(status=status, monitors=[monitor], dryRun=True)]) == []


def test_the_monitors_of_a_deployment_that_goes_away_ask_for_nothing() -> None:
    obj = deployment(status={"monitors": [state()]}, monitors=[RETRAIN])
    going = obj.metadata.model_copy(update={"deletion_timestamp": NOW})
    assert retrain_causes.firing([obj.model_copy(update={"metadata": going})]) == []


def test_a_cause_names_the_deployment_and_its_monitor_and_what_it_says() -> None:
    fleet: list[ModelDeployment] = [
        deployment(name, {"monitors": [state()]}, monitors=[RETRAIN]) for name in ("shadow", "orders")
    ]
    first, second = retrain_causes.causes(retrain_causes.firing(fleet), NOW)
    assert (first.type, first.monitor, first.trigger) == ("Monitor", "orders/inputs", None)
    assert first.key == "orders/inputs@2026-01-05T12:00:00Z"
    assert first.message == "monitor orders/inputs fires: PSI 0.31 is above 0.2"
    assert second.monitor == "shadow/inputs"
