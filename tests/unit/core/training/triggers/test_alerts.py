from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.core.training.triggers import alerts as alert_triggers

from tests.unit.core.training.builders import DRIFT, NOW, alert, at, training_job

QUALITY = {"name": "quality", "alert": {"matchLabels": {"alertname": "ModelQualityLow"}}}
STRICT = {"name": "drift", "alert": {"matchLabels": {"alertname": "ModelInputDrift", "severity": "page"}}}
HOURLY = {"name": "drift", "schedule": {"cron": "0 * * * *"}}


def firing(*alerts: dict[str, Any], triggers: Any = (DRIFT, QUALITY)) -> list[str]:
    job = training_job({"alerts": list(alerts)}, triggers=list(triggers))
    return [entry.fingerprint for entry in alert_triggers.firing(job, job.status.alerts, NOW)]


@pytest.mark.parametrize(
    ("told", "triggers", "asks"),
    [
        (alert(), [DRIFT], True),
        (alert(status="resolved"), [DRIFT], False),
        (alert(receivedAt=at(hours=11, minutes=59)), [DRIFT], True),
        (alert(receivedAt=at(hours=12)), [DRIFT], False),
        (alert(startsAt=at(days=90)), [DRIFT], True),
        (alert(trigger="nobody"), [DRIFT], False),
        (alert(), [], False),
        (alert(), [HOURLY], False),
        (alert(), [STRICT], False),
        (alert(labels={"alertname": "ModelInputDrift", "severity": "page"}), [STRICT], True),
    ],
    ids=[
        "firing",
        "resolved",
        "told again within 12 hours",
        "not told again for 12 hours",
        "firing for long",
        "of an unknown trigger",
        "of no trigger",
        "of a trigger that is a schedule by now",
        "of a trigger that was edited and asks for more",
        "of the edited trigger, told again",
    ],
)
def test_an_alert_asks_for_a_run_while_it_fires_and_is_told(told: Any, triggers: Any, asks: bool) -> None:
    assert bool(firing(told, triggers=triggers)) is asks


def test_alerts_ask_in_the_order_of_their_triggers() -> None:
    quality = alert("c", trigger="quality", alertname="ModelQualityLow", labels={"alertname": "ModelQualityLow"})
    assert firing(quality, alert("b"), alert("a")) == ["a", "b", "c"]
    assert firing(quality, alert("b"), alert("a"), triggers=[QUALITY, DRIFT]) == ["c", "a", "b"]


def test_a_cause_carries_its_trigger_the_time_of_the_decision_and_all_alerts_by_name_and_short_fingerprint() -> None:
    quality = alert("c" * 16, trigger="quality", alertname="ModelQualityLow", labels={"alertname": "ModelQualityLow"})
    job = training_job({"alerts": [alert("a" * 16), alert("b" * 16), quality]}, triggers=[DRIFT, QUALITY])
    first, second = alert_triggers.causes(alert_triggers.firing(job, job.status.alerts, NOW), NOW)
    assert (first.type, first.trigger, first.key) == ("Alert", "drift", "drift@2026-01-05T12:00:00Z")
    assert first.message == "alert ModelInputDrift (aaaaaaaa and 1 more) fires"
    assert (second.trigger, second.message) == ("quality", "alert ModelQualityLow (cccccccc) fires")


def test_a_cause_of_as_many_alerts_as_there_can_be_fits_into_a_run() -> None:
    names = [f"{number:02}" + "n" * 254 for number in range(64)]
    job = training_job(
        {"alerts": [alert(str(index), alertname=name) for index, name in enumerate(names)]}, triggers=[DRIFT]
    )
    (cause,) = alert_triggers.causes(alert_triggers.firing(job, job.status.alerts, NOW), NOW)
    assert len(cause.message) == 1024


@pytest.mark.parametrize(
    ("told", "stays"),
    [
        (alert(), True),
        (alert(receivedAt=at(days=30)), True),
        (alert(status="resolved", receivedAt=at(hours=23, minutes=59)), True),
        (alert(status="resolved", receivedAt=at(hours=24)), False),
        (alert(trigger="nobody"), False),
    ],
    ids=["firing", "stale", "resolved", "resolved a day ago", "its trigger is gone"],
)
def test_only_what_says_nothing_any_more_leaves_the_intakes_list(told: Any, stays: bool) -> None:
    job = training_job({"alerts": [told]}, triggers=[DRIFT])
    assert alert_triggers.kept(job, NOW) == (job.status.alerts if stays else [])


def test_it_is_known_when_an_alert_stops_to_ask_and_when_it_is_forgotten() -> None:
    told = [alert("a", receivedAt=at()), alert("b", "resolved", receivedAt=at())]
    job = training_job({"alerts": told}, triggers=[DRIFT])
    assert alert_triggers.changes_at(job.status.alerts) == [NOW + timedelta(hours=12), NOW + timedelta(hours=24)]
