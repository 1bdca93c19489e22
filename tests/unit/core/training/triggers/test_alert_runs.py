"""From alerts and monitors to runs: what the plan of a TrainingJob does over hours and days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.core.plans import training_job

from tests.unit.core.training.builders import DRIFT, NOW, alert, at, observed_job, revision, training_run, version
from tests.unit.core.training.builders import training_job as recipe
from tests.unit.core.training.training_cluster import World

JOB = ("TrainingJob", "orders")
HOURLY = {"name": "hourly", "schedule": {"cron": "0 * * * *"}}
WORSE = {
    "evaluation": {"metrics": {"roc_auc": 0.5}, "holdoutRows": 20, "holdoutDigest": None, "by": "Time", "column": "at"}
}


def trained(**spec: Any) -> World:
    """Return a world with a first version, whose cooldown is over."""
    world = World(**{"triggers": [DRIFT], **spec})
    world.run_well()
    world.advance(hours=1)
    world.settle()
    return world


def causes(world: World) -> list[str]:
    return [run.spec.cause.type for run in world.runs()]


def reason(world: World) -> str | None:
    waiting = world.job.status.waiting
    return waiting.reason if waiting else None


def end_in_vain(world: World) -> None:
    """Let the run in flight end with a version that is not good enough, and its alert be told again."""
    world.run_well(**WORSE)
    world.tell()
    world.settle()


def test_an_alert_that_fires_starts_a_run_that_says_why() -> None:
    world = trained()
    world.tell()
    world.settle()
    cause = world.run.spec.cause
    assert (cause.type, cause.trigger, cause.key) == ("Alert", "drift", "drift@2026-01-05T13:00:00Z")
    assert cause.message == "alert ModelInputDrift (3f2a9c1b) fires"
    status = world.job.status
    assert status.waiting is None, "the run in flight serves it"
    assert [(run.name, run.at, run.outcome) for run in status.automatic_runs] == [(world.run.name, world.now, "Open")]
    assert ("TrainingJob", "RunStarted", f"run {world.run.name}: {cause.message}") in world.events


def test_a_monitor_that_fires_starts_a_run_that_says_why() -> None:
    world = trained(triggers=[])
    state = {"name": "drift", "phase": "Firing", "since": at(), "message": "PSI 0.31 is above 0.2"}
    world.serve(monitors=[state])
    world.settle()
    cause = world.run.spec.cause
    assert (cause.type, cause.monitor) == ("Monitor", "orders/drift")
    assert cause.message == "monitor orders/drift fires: PSI 0.31 is above 0.2"
    assert [run.name for run in world.job.status.automatic_runs] == [world.run.name]


def test_a_world_that_moved_is_learned_within_the_cooldown_and_says_why() -> None:
    world = World(triggers=[])
    world.run_well()
    live = revision(1, at())
    entry = {
        "monitor": "quality",
        "since": at(),
        "number": live["number"],
        "decidedAt": at(),
        "verdict": "ConceptDrift",
        "message": "concept drift: no good version before version 1 is left to roll back to",
    }
    deployment = world.serve(
        monitors=[{"name": "quality", "phase": "Firing", "since": at(), "message": "accuracy is 0.6"}],
        diagnoses=[entry],
        live=live,
    )
    quality = {"name": "quality", "quality": {"metric": "accuracy", "min": 0.7}, "action": "Recover"}
    deployment["spec"]["monitors"] = [quality]
    world.settle()
    assert (reason(world), causes(world)) == ("Cooldown", ["SpecChange"])
    world.advance(hours=1)
    world.settle()
    assert causes(world) == ["SpecChange", "Monitor"]
    message = world.run.spec.cause.message
    assert (
        message
        == "monitor orders/quality fires: concept drift: no good version before version 1 is left to roll back to"
    )


def test_one_run_serves_all_alerts_and_monitors_and_names_them() -> None:
    world = trained()
    for number in range(3):
        world.tell(f"{number}" * 16)
    world.serve(monitors=[{"name": "drift", "phase": "Firing", "since": at(), "message": "PSI"}])
    world.settle()
    assert causes(world) == ["SpecChange", "Alert"]
    assert world.run.spec.cause.message == (
        "alert ModelInputDrift (00000000 and 2 more) fires; monitor orders/drift fires: PSI"
    )


def test_an_alert_that_fires_on_through_the_cooldown_is_looked_at_again_when_it_ends() -> None:
    world = World(triggers=[DRIFT])
    world.run_well()
    world.advance(minutes=20)
    world.tell()
    world.settle()
    waiting = world.job.status.waiting
    assert waiting is not None
    assert (waiting.reason, waiting.causes) == ("Cooldown", ["alert ModelInputDrift"])
    assert waiting.until == NOW + timedelta(hours=1)
    assert world.requeue[JOB] == NOW + timedelta(hours=1)
    assert causes(world) == ["SpecChange"]
    world.run_until_due()
    assert world.now == NOW + timedelta(hours=1)
    assert causes(world) == ["SpecChange", "Alert"]
    assert world.job.status.waiting is None


def test_an_alert_that_is_resolved_in_the_cooldown_starts_nothing() -> None:
    world = World(triggers=[DRIFT])
    world.run_well()
    world.tell()
    world.settle()
    world.tell(status="resolved")
    world.settle()
    assert world.job.status.waiting is None
    world.advance(hours=30)
    world.settle()
    assert causes(world) == ["SpecChange"]


def test_the_cooldown_begins_anew_when_the_version_takes_over() -> None:
    world = trained()
    world.serve(live=revision(1, "2026-01-05T12:45:00Z"))
    world.tell()
    world.settle()
    assert reason(world) == "Cooldown"
    assert world.job.status.waiting is not None
    assert world.job.status.waiting.until == NOW + timedelta(minutes=105)


def test_an_alert_waits_for_the_rollout_and_the_gate() -> None:
    world = trained()
    world.serve(candidate=revision(1, at()))
    world.tell()
    world.settle()
    assert reason(world) == "RolloutInProgress"
    assert causes(world) == ["SpecChange"]
    del world.serve()["status"]["candidate"]
    world.settle()
    assert causes(world) == ["SpecChange", "Alert"]


def test_a_version_without_a_verdict_holds_alerts_back() -> None:
    job = recipe({"alerts": [alert()], "inputHash": training_run().spec.input_hash}, triggers=[DRIFT])
    plan = training_job.plan(observed_job(job, versions=[version(1), version(2, phase=None)]), NOW)
    assert plan.status["waiting"]["reason"] == "RolloutInProgress"
    judged = training_job.plan(observed_job(job, versions=[version(1), version(2, phase="Held")]), NOW)
    assert judged.status["activeRun"]["cause"]["type"] == "Alert"


def test_what_begins_during_a_run_waits_for_its_end_and_then_for_the_cooldown() -> None:
    world = trained()
    world.tell("a" * 16)
    world.settle()
    world.train_runs()
    world.advance(minutes=5)
    world.tell("b" * 16, alertname="ModelInputDrift2")
    world.settle()
    waiting = world.job.status.waiting
    assert waiting is not None
    assert (waiting.reason, waiting.causes) == ("RunInFlight", ["alert ModelInputDrift2"])
    assert world.condition(*JOB, "Training")[2].endswith(f"alert ModelInputDrift2: {waiting.message}")
    world.publish()
    assert reason(world) == "Cooldown"
    assert len(world.runs()) == 2


def test_the_breaker_makes_runs_that_bring_nothing_rarer_and_says_so() -> None:
    world = trained(limits={"breakAfter": 2, "maxRunsPerDay": 48})
    world.tell()
    gaps: list[float] = []
    ended = world.now
    for _ in range(7):
        while len(world.runs()) == 1 + len(gaps):
            world.tell()
            world.settle()
            if len(world.runs()) == 1 + len(gaps):
                world.run_until_due()
        gaps.append((world.now - ended) / timedelta(hours=1))
        end_in_vain(world)
        ended = world.now
    assert gaps == [0, 1, 2, 4, 8, 16, 24]
    status, why, message = world.condition(*JOB, "RetrainingPaused")
    assert (status, why) == ("True", "CircuitBreakerOpen")
    assert "7 runs in a row by alerts and monitors produced no better version" in message
    assert world.reasons("TrainingJob").count("RetrainingPaused") == 6
    assert reason(world) == "CircuitBreakerOpen"
    assert world.condition(*JOB)[0] == "True", "an application does not turn red"


def test_a_better_version_closes_the_breaker() -> None:
    world = trained(limits={"breakAfter": 1})
    world.tell()
    world.settle()
    end_in_vain(world)
    assert reason(world) == "CircuitBreakerOpen"
    world.retrain("ada-mended-the-labels")
    world.run_well()
    world.settle()
    assert reason(world) == "Cooldown"
    types = [item["type"] for item in world.objects[JOB]["status"]["conditions"]]
    assert "RetrainingPaused" not in types


def test_the_budget_of_a_day_is_kept_and_a_slot_is_used_when_it_is_free() -> None:
    world = trained(limits={"breakAfter": 20, "maxRunsPerDay": 2})
    first = world.now
    for _ in range(2):
        world.tell()
        world.settle()
        world.run_well()
        world.advance(hours=2)
    world.tell()
    world.settle()
    assert reason(world) == "RunLimitReached"
    assert causes(world).count("Alert") == 2
    while world.now < first + timedelta(hours=24):
        world.tell()
        world.run_until_due()
    assert world.now == first + timedelta(hours=24)
    assert causes(world).count("Alert") == 3


@pytest.mark.parametrize(
    ("limits", "held"),
    [
        ({"maxRunsPerDay": 1}, "RunLimitReached"),
        ({"breakAfter": 1, "maxRunsPerDay": 9}, "CircuitBreakerOpen"),
        ({"cooldown": "30h", "breakAfter": 9}, "Cooldown"),
    ],
)
def test_a_person_a_change_and_a_schedule_are_not_limited(limits: Any, held: str) -> None:
    world = trained(limits=limits)
    world.advance(hours=30)
    world.tell()
    world.settle()
    end_in_vain(world)
    assert reason(world) == held
    world.retrain("now")
    end_in_vain(world)
    world.edit(params={"depth": 9})
    end_in_vain(world)
    world.edit(triggers=[DRIFT, HOURLY])
    world.settle()
    world.advance(hours=1)
    end_in_vain(world)
    assert causes(world) == ["SpecChange", "Alert", "Action", "SpecChange", "Schedule"]
    assert reason(world) == held


def test_a_run_that_somebody_asked_for_serves_the_alerts_too_and_uses_no_budget() -> None:
    world = trained()
    world.tell()
    world.retrain("now")
    world.settle()
    cause = world.run.spec.cause
    assert cause.type == "Action"
    assert cause.message == "Retrain by ada: the labels were corrected; alert ModelInputDrift (3f2a9c1b) fires"
    assert world.job.status.automatic_runs == []
    assert world.job.status.waiting is None


def test_an_alert_comes_before_a_schedule() -> None:
    world = trained(triggers=[DRIFT, HOURLY])
    world.run_well()
    world.advance(hours=1)
    world.tell()
    world.settle()
    assert world.run.spec.cause.type == "Alert"
    assert world.run.spec.cause.message.endswith("schedule hourly was due at 2026-01-05T14:00:00Z")


def test_a_suspended_recipe_holds_alerts_back_and_lets_them_go_when_it_is_resumed() -> None:
    world = trained(suspend=False)
    world.edit(suspend=True)
    world.tell()
    world.settle()
    assert reason(world) == "Suspended"
    assert causes(world) == ["SpecChange"]
    world.edit(suspend=False)
    world.settle()
    assert causes(world) == ["SpecChange", "Alert"]


def test_a_recipe_that_cannot_be_followed_holds_alerts_back() -> None:
    world = trained()
    world.edit(storeRef={"name": "nobody"})
    world.tell()
    world.settle()
    assert reason(world) == "NotReady"


def test_an_alert_that_is_not_told_again_stops_to_wait() -> None:
    world = trained(limits={"cooldown": "20h"})
    world.tell()
    world.settle()
    assert reason(world) == "Cooldown"
    while world.now < NOW + timedelta(hours=22):
        world.run_until_due()
        if world.requeue[JOB] is None:
            break
    assert causes(world) == ["SpecChange"]
    assert world.job.status.waiting is None
    assert world.now == NOW + timedelta(hours=13)


def test_the_intakes_entries_are_left_as_they_are() -> None:
    told = [
        alert("a", receivedAt="2026-01-05T11:59:00.123456Z"),
        alert("b", "resolved"),
        alert("c", trigger="gone"),
        alert("d", "resolved", receivedAt=at(days=2)),
    ]
    job = recipe({"alerts": told, "alertsDropped": 3}, triggers=[DRIFT])
    plan = training_job.plan(observed_job(job), NOW)
    assert plan.status["alerts"] == told[:2]
    assert plan.status["alertsDropped"] == 3


def test_a_resolved_alert_is_forgotten_after_a_day_without_any_news() -> None:
    world = trained()
    world.tell(status="resolved")
    world.settle()
    assert world.requeue[JOB] == world.now + timedelta(hours=24)
    world.run_until_due()
    assert world.job.status.alerts == []
    assert world.requeue[JOB] is None


def test_a_wait_is_shown_and_told_once_and_counted_by_its_reason() -> None:
    world = trained()
    world.edit(suspend=True)
    for minute in range(5):
        world.tell(f"{minute}" * 16, alertname=f"Drift{minute}")
        world.settle()
        world.advance(minutes=1)
    waiting = world.job.status.waiting
    assert waiting is not None
    assert waiting.since == NOW + timedelta(hours=1)
    assert world.condition(*JOB, "Training") == (
        "False",
        "Suspended",
        "no run is in flight; alert Drift0, alert Drift1, alert Drift2 and 2 more: waits until spec.suspend is false",
    )
    assert world.reasons("TrainingJob").count("RetrainingWaiting") == 1
    assert [(item.reason, item.count) for item in world.job.status.skipped] == [("Suspended", 1)]


@pytest.mark.parametrize("at_moment", ["decided", "running", "published"])
def test_a_status_that_is_lost_while_a_run_is_in_flight_starts_no_second_one(at_moment: str) -> None:
    world = trained()
    world.tell()
    world.settle()
    if at_moment != "decided":
        world.train_runs()
        world.settle()
    world.objects[JOB]["status"] = {"observedGeneration": -1}
    world.tell()
    world.settle()
    assert causes(world) == ["SpecChange", "Alert"]
    world.run_well()
    if at_moment == "published":
        world.objects[JOB]["status"] = {"observedGeneration": -1}
        world.tell()
        world.settle()
    assert causes(world) == ["SpecChange", "Alert"], "the cooldown follows from the runs"
    assert reason(world) == "Cooldown"
    assert [run.outcome for run in world.job.status.automatic_runs] == ["Better"]
