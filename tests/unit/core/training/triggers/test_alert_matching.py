"""Which alerts reach which TrainingJob, and by which trigger."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from steadfit.api.trainingjob import AlertTrigger, Schedule, Trigger
from steadfit.core.training.triggers.alert_matching import Listener, ReceivedAlert, by_model, reached, trigger_for

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def trigger(name: str = "drift", **labels: str) -> Trigger:
    return Trigger(name=name, alert=AlertTrigger(match_labels=labels))


def told(**labels: str) -> ReceivedAlert:
    return ReceivedAlert("f1", "firing", labels, NOW, NOW)


DRIFT = trigger(alertname="ModelInputDrift")
FLIGHTS = Listener("shop", "flights", [DRIFT])


@pytest.mark.parametrize(
    ("labels", "matches"),
    [
        ({"namespace": "shop", "model": "flights", "alertname": "ModelInputDrift"}, True),
        ({"namespace": "shop", "model": "flights", "alertname": "ModelInputDrift", "severity": "page"}, True),
        ({"namespace": "shop", "model": "flights", "alertname": "ModelErrorsHigh"}, False),
        ({"namespace": "shop", "model": "flights"}, False),
        ({"namespace": "bank", "model": "flights", "alertname": "ModelInputDrift"}, False),
        ({"model": "flights", "alertname": "ModelInputDrift"}, False),
        ({"namespace": "shop", "model": "ships", "alertname": "ModelInputDrift"}, False),
        ({"namespace": "shop", "alertname": "ModelInputDrift"}, False),
    ],
    ids=["same", "more labels", "other name", "no name", "other namespace", "no namespace", "other model", "no model"],
)
def test_an_alert_matches_by_namespace_model_and_every_label_asked_for(labels: dict[str, str], matches: bool) -> None:
    assert (trigger_for(told(**labels), FLIGHTS) is DRIFT) == matches
    assert bool(reached(told(**labels), by_model([FLIGHTS]))) == matches


def test_a_trigger_may_ask_for_another_model_than_its_own() -> None:
    fleet = Listener("shop", "flights", [trigger(alertname="FleetDrift", model="fleet")])
    listeners = by_model([fleet])
    assert reached(told(namespace="shop", model="fleet", alertname="FleetDrift"), listeners) == [fleet]
    assert reached(told(namespace="shop", model="flights", alertname="FleetDrift"), listeners) == []


def test_a_label_that_is_asked_for_as_empty_is_not_the_same_as_none() -> None:
    empty = Listener("shop", "flights", [trigger(team="")])
    assert trigger_for(told(namespace="shop", model="flights"), empty) is None


def test_the_first_trigger_that_matches_names_the_alert() -> None:
    first, second = trigger("first", alertname="A"), trigger("second", severity="page")
    both = Listener("shop", "flights", [Trigger(name="weekly", schedule=Schedule(cron="0 3 * * 1")), first, second])
    assert trigger_for(told(namespace="shop", model="flights", alertname="A", severity="page"), both) is first
    assert trigger_for(told(namespace="shop", model="flights", alertname="B", severity="page"), both) is second


def test_a_training_job_is_reached_once_however_many_of_its_triggers_match() -> None:
    both = Listener("shop", "flights", [trigger("first", alertname="A"), trigger("second", severity="page")])
    alert = told(namespace="shop", model="flights", alertname="A", severity="page")
    assert reached(alert, by_model([both])) == [both]


def test_an_alert_reaches_every_training_job_that_asks_for_it() -> None:
    others = [Listener("shop", name, [trigger(alertname="FleetDrift", model="fleet")]) for name in ("one", "two")]
    assert reached(told(namespace="shop", model="fleet", alertname="FleetDrift"), by_model(others)) == others


def test_a_training_job_without_alert_triggers_is_not_looked_at() -> None:
    weekly = Listener("shop", "flights", [Trigger(name="weekly", schedule=Schedule(cron="0 3 * * 1"))])
    assert by_model([weekly]) == {}
