"""From alerts and monitors to runs: what the plan of a TrainingJob does over hours and days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.core.plans import training_job

from tests.unit.core.training.builders import DRIFT, NOW, alert, at, observed_job, revision, training_run, version
from tests.unit.core.training.builders import training_job as recipe
from tests.unit.core.training.training_cluster import TrainingCluster

JOB = ("TrainingJob", "orders")
HOURLY = {"name": "hourly", "schedule": {"cron": "0 * * * *"}}
WORSE = {
    "evaluation": {"metrics": {"roc_auc": 0.5}, "holdoutRows": 20, "holdoutDigest": None, "by": "Time", "column": "at"}
}


def trained(**spec: Any) -> TrainingCluster:
    """Return a cluster with a first version, whose cooldown is over."""
    cluster = TrainingCluster(**{"triggers": [DRIFT], **spec})
    cluster.run_well()
    cluster.advance(hours=1)
    cluster.settle()
    return cluster


def causes(cluster: TrainingCluster) -> list[str]:
    return [run.spec.cause.type for run in cluster.runs()]


def reason(cluster: TrainingCluster) -> str | None:
    waiting = cluster.job.status.waiting
    return waiting.reason if waiting else None


def end_in_vain(cluster: TrainingCluster) -> None:
    """Let the run in flight end with a version that is not good enough, and its alert be told again."""
    cluster.run_well(**WORSE)
    cluster.tell()
    cluster.settle()


def test_an_alert_that_fires_starts_a_run_that_says_why() -> None:
    cluster = trained()
    cluster.tell()
    cluster.settle()
    cause = cluster.run.spec.cause
    assert (cause.type, cause.trigger, cause.key) == ("Alert", "drift", "drift@2026-01-05T13:00:00Z")
    assert cause.message == "alert ModelInputDrift (3f2a9c1b) fires"
    status = cluster.job.status
    assert status.waiting is None, "the run in flight serves it"
    assert [(run.name, run.at, run.outcome) for run in status.automatic_runs] == [
        (cluster.run.name, cluster.now, "Open")
    ]
    assert ("TrainingJob", "RunStarted", f"run {cluster.run.name}: {cause.message}") in cluster.events


def test_a_monitor_that_fires_starts_a_run_that_says_why() -> None:
    cluster = trained(triggers=[])
    state = {"name": "drift", "phase": "Firing", "since": at(), "message": "PSI 0.31 is above 0.2"}
    cluster.serve(monitors=[state])
    cluster.settle()
    cause = cluster.run.spec.cause
    assert (cause.type, cause.monitor) == ("Monitor", "orders/drift")
    assert cause.message == "monitor orders/drift fires: PSI 0.31 is above 0.2"
    assert [run.name for run in cluster.job.status.automatic_runs] == [cluster.run.name]


def test_a_world_that_moved_is_learned_within_the_cooldown_and_says_why() -> None:
    cluster = TrainingCluster(triggers=[])
    cluster.run_well()
    live = {**revision(1, at()), "digest": cluster.versions()[0].spec.artifact.digest}
    entry = {
        "monitor": "quality",
        "since": at(),
        "number": live["number"],
        "decidedAt": at(),
        "verdict": "ConceptDrift",
        "message": "concept drift: no good version that served before version 1 is left to roll back to",
    }
    deployment = cluster.serve(
        monitors=[{"name": "quality", "phase": "Firing", "since": at(), "message": "accuracy is 0.6"}],
        diagnoses=[entry],
        live=live,
    )
    quality = {"name": "quality", "quality": {"metric": "accuracy", "min": 0.7}, "action": "Recover"}
    deployment["spec"]["monitors"] = [quality]
    cluster.settle()
    assert (reason(cluster), causes(cluster)) == ("Cooldown", ["SpecChange"])
    cluster.advance(hours=1)
    cluster.settle()
    assert causes(cluster) == ["SpecChange", "Monitor"]
    message = cluster.run.spec.cause.message
    assert (
        message == "monitor orders/quality fires: concept drift: no good version that served before version 1 is left"
        " to roll back to"
    )


def test_one_run_serves_all_alerts_and_monitors_and_names_them() -> None:
    cluster = trained()
    for number in range(3):
        cluster.tell(f"{number}" * 16)
    cluster.serve(monitors=[{"name": "drift", "phase": "Firing", "since": at(), "message": "PSI"}])
    cluster.settle()
    assert causes(cluster) == ["SpecChange", "Alert"]
    assert cluster.run.spec.cause.message == (
        "alert ModelInputDrift (00000000 and 2 more) fires; monitor orders/drift fires: PSI"
    )


def test_an_alert_that_fires_on_through_the_cooldown_is_looked_at_again_when_it_ends() -> None:
    cluster = TrainingCluster(triggers=[DRIFT])
    cluster.run_well()
    cluster.advance(minutes=20)
    cluster.tell()
    cluster.settle()
    waiting = cluster.job.status.waiting
    assert waiting is not None
    assert (waiting.reason, waiting.causes) == ("Cooldown", ["alert ModelInputDrift"])
    assert waiting.until == NOW + timedelta(hours=1)
    assert cluster.requeue[JOB] == NOW + timedelta(hours=1)
    assert causes(cluster) == ["SpecChange"]
    cluster.run_until_due()
    assert cluster.now == NOW + timedelta(hours=1)
    assert causes(cluster) == ["SpecChange", "Alert"]
    assert cluster.job.status.waiting is None


def test_an_alert_that_is_resolved_in_the_cooldown_starts_nothing() -> None:
    cluster = TrainingCluster(triggers=[DRIFT])
    cluster.run_well()
    cluster.tell()
    cluster.settle()
    cluster.tell(status="resolved")
    cluster.settle()
    assert cluster.job.status.waiting is None
    cluster.advance(hours=30)
    cluster.settle()
    assert causes(cluster) == ["SpecChange"]


def test_the_cooldown_begins_anew_when_the_version_takes_over() -> None:
    cluster = trained()
    digest = cluster.versions()[0].spec.artifact.digest
    cluster.serve(live={**revision(1, "2026-01-05T12:45:00Z"), "digest": digest})
    cluster.tell()
    cluster.settle()
    assert reason(cluster) == "Cooldown"
    assert cluster.job.status.waiting is not None
    assert cluster.job.status.waiting.until == NOW + timedelta(minutes=105)


def test_an_alert_waits_for_the_rollout_and_the_gate() -> None:
    cluster = trained()
    cluster.serve(candidate={**revision(1, at()), "phase": "Analysing"})
    cluster.tell()
    cluster.settle()
    assert reason(cluster) == "RolloutInProgress"
    assert causes(cluster) == ["SpecChange"]
    del cluster.serve()["status"]["candidate"]
    cluster.settle()
    assert causes(cluster) == ["SpecChange", "Alert"]


def test_a_version_without_a_verdict_holds_alerts_back() -> None:
    job = recipe({"alerts": [alert()], "inputHash": training_run().spec.input_hash}, triggers=[DRIFT])
    plan = training_job.plan(observed_job(job, versions=[version(1), version(2, phase=None)]), NOW)
    assert plan.status["waiting"]["reason"] == "RolloutInProgress"
    judged = training_job.plan(observed_job(job, versions=[version(1), version(2, phase="Held")]), NOW)
    assert judged.status["activeRun"]["cause"]["type"] == "Alert"


def test_what_begins_during_a_run_waits_for_its_end_and_then_for_the_cooldown() -> None:
    cluster = trained()
    cluster.tell("a" * 16)
    cluster.settle()
    cluster.train_runs()
    cluster.advance(minutes=5)
    cluster.tell("b" * 16, alertname="ModelInputDrift2")
    cluster.settle()
    waiting = cluster.job.status.waiting
    assert waiting is not None
    assert (waiting.reason, waiting.causes) == ("RunInFlight", ["alert ModelInputDrift2"])
    assert cluster.condition(*JOB, "Training")[2].endswith(f"alert ModelInputDrift2: {waiting.message}")
    cluster.publish()
    assert reason(cluster) == "Cooldown"
    assert len(cluster.runs()) == 2


def test_the_breaker_makes_runs_that_bring_nothing_rarer_and_says_so() -> None:
    cluster = trained(limits={"breakAfter": 2, "maxRunsPerDay": 48})
    cluster.tell()
    gaps: list[float] = []
    ended = cluster.now
    for _ in range(7):
        while len(cluster.runs()) == 1 + len(gaps):
            cluster.tell()
            cluster.settle()
            if len(cluster.runs()) == 1 + len(gaps):
                cluster.run_until_due()
        gaps.append((cluster.now - ended) / timedelta(hours=1))
        end_in_vain(cluster)
        ended = cluster.now
    assert gaps == [0, 1, 2, 4, 8, 16, 24]
    status, why, message = cluster.condition(*JOB, "RetrainingPaused")
    assert (status, why) == ("True", "CircuitBreakerOpen")
    assert "7 runs in a row by alerts and monitors produced no better version" in message
    assert cluster.reasons("TrainingJob").count("RetrainingPaused") == 6
    assert reason(cluster) == "CircuitBreakerOpen"
    assert cluster.condition(*JOB)[0] == "True", "an application does not turn red"


def test_a_better_version_closes_the_breaker() -> None:
    cluster = trained(limits={"breakAfter": 1})
    cluster.tell()
    cluster.settle()
    end_in_vain(cluster)
    assert reason(cluster) == "CircuitBreakerOpen"
    cluster.retrain("ada-mended-the-labels")
    cluster.run_well()
    cluster.settle()
    assert reason(cluster) == "Cooldown"
    types = [item["type"] for item in cluster.objects[JOB]["status"]["conditions"]]
    assert "RetrainingPaused" not in types


def test_the_budget_of_a_day_is_kept_and_a_slot_is_used_when_it_is_free() -> None:
    cluster = trained(limits={"breakAfter": 20, "maxRunsPerDay": 2})
    first = cluster.now
    for _ in range(2):
        cluster.tell()
        cluster.settle()
        cluster.run_well()
        cluster.advance(hours=2)
    cluster.tell()
    cluster.settle()
    assert reason(cluster) == "RunLimitReached"
    assert causes(cluster).count("Alert") == 2
    while cluster.now < first + timedelta(hours=24):
        cluster.tell()
        cluster.run_until_due()
    assert cluster.now == first + timedelta(hours=24)
    assert causes(cluster).count("Alert") == 3


@pytest.mark.parametrize(
    ("limits", "held"),
    [
        ({"maxRunsPerDay": 1}, "RunLimitReached"),
        ({"breakAfter": 1, "maxRunsPerDay": 9}, "CircuitBreakerOpen"),
        ({"cooldown": "30h", "breakAfter": 9}, "Cooldown"),
    ],
)
def test_a_person_a_change_and_a_schedule_are_not_limited(limits: Any, held: str) -> None:
    cluster = trained(limits=limits)
    cluster.advance(hours=30)
    cluster.tell()
    cluster.settle()
    end_in_vain(cluster)
    assert reason(cluster) == held
    cluster.retrain("now")
    end_in_vain(cluster)
    cluster.edit(params={"depth": 9})
    end_in_vain(cluster)
    cluster.edit(triggers=[DRIFT, HOURLY])
    cluster.settle()
    cluster.advance(hours=1)
    end_in_vain(cluster)
    assert causes(cluster) == ["SpecChange", "Alert", "Action", "SpecChange", "Schedule"]
    assert reason(cluster) == held


def test_a_run_that_somebody_asked_for_serves_the_alerts_too_and_uses_no_budget() -> None:
    cluster = trained()
    cluster.tell()
    cluster.retrain("now")
    cluster.settle()
    cause = cluster.run.spec.cause
    assert cause.type == "Action"
    assert cause.message == "Retrain by ada: the labels were corrected; alert ModelInputDrift (3f2a9c1b) fires"
    assert cluster.job.status.automatic_runs == []
    assert cluster.job.status.waiting is None


def test_an_alert_comes_before_a_schedule() -> None:
    cluster = trained(triggers=[DRIFT, HOURLY])
    cluster.run_well()
    cluster.advance(hours=1)
    cluster.tell()
    cluster.settle()
    assert cluster.run.spec.cause.type == "Alert"
    assert cluster.run.spec.cause.message.endswith("schedule hourly was due at 2026-01-05T14:00:00Z")


def test_a_suspended_recipe_holds_alerts_back_and_lets_them_go_when_it_is_resumed() -> None:
    cluster = trained(suspend=False)
    cluster.edit(suspend=True)
    cluster.tell()
    cluster.settle()
    assert reason(cluster) == "Suspended"
    assert causes(cluster) == ["SpecChange"]
    cluster.edit(suspend=False)
    cluster.settle()
    assert causes(cluster) == ["SpecChange", "Alert"]


def test_a_recipe_that_cannot_be_followed_holds_alerts_back() -> None:
    cluster = trained()
    cluster.edit(storeRef={"name": "nobody"})
    cluster.tell()
    cluster.settle()
    assert reason(cluster) == "NotReady"


def test_an_alert_that_is_not_told_again_stops_to_wait() -> None:
    cluster = trained(limits={"cooldown": "20h"})
    cluster.tell()
    cluster.settle()
    assert reason(cluster) == "Cooldown"
    while cluster.now < NOW + timedelta(hours=22):
        cluster.run_until_due()
        if cluster.requeue[JOB] is None:
            break
    assert causes(cluster) == ["SpecChange"]
    assert cluster.job.status.waiting is None
    assert cluster.now == NOW + timedelta(hours=13)


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
    cluster = trained()
    cluster.tell(status="resolved")
    cluster.settle()
    assert cluster.requeue[JOB] == cluster.now + timedelta(hours=24)
    cluster.run_until_due()
    assert cluster.job.status.alerts == []
    assert cluster.requeue[JOB] is None


def test_a_wait_is_shown_and_told_once_and_counted_by_its_reason() -> None:
    cluster = trained()
    cluster.edit(suspend=True)
    for minute in range(5):
        cluster.tell(f"{minute}" * 16, alertname=f"Drift{minute}")
        cluster.settle()
        cluster.advance(minutes=1)
    waiting = cluster.job.status.waiting
    assert waiting is not None
    assert waiting.since == NOW + timedelta(hours=1)
    assert cluster.condition(*JOB, "Training") == (
        "False",
        "Suspended",
        "no run is in flight; alert Drift0, alert Drift1, alert Drift2 and 2 more: waits until spec.suspend is false",
    )
    assert cluster.reasons("TrainingJob").count("RetrainingWaiting") == 1
    assert [(item.reason, item.count) for item in cluster.job.status.skipped] == [("Suspended", 1)]


@pytest.mark.parametrize("at_moment", ["decided", "running", "published"])
def test_a_status_that_is_lost_while_a_run_is_in_flight_starts_no_second_one(at_moment: str) -> None:
    cluster = trained()
    cluster.tell()
    cluster.settle()
    if at_moment != "decided":
        cluster.train_runs()
        cluster.settle()
    cluster.objects[JOB]["status"] = {"observedGeneration": -1}
    cluster.tell()
    cluster.settle()
    assert causes(cluster) == ["SpecChange", "Alert"]
    cluster.run_well()
    if at_moment == "published":
        cluster.objects[JOB]["status"] = {"observedGeneration": -1}
        cluster.tell()
        cluster.settle()
    assert causes(cluster) == ["SpecChange", "Alert"], "the cooldown follows from the runs"
    assert reason(cluster) == "Cooldown"
    assert [run.outcome for run in cluster.job.status.automatic_runs] == ["Better"]
