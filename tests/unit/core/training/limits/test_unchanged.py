"""Alerts and monitors on unchanged data: nothing is trained, and the breaker stays closed."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.core.training.training_cluster import TrainingCluster

JOB = ("TrainingJob", "orders")
TRIGGER = {"name": "drift", "alert": {"matchLabels": {"alertname": "ModelInputDrift"}}}
LIMITS = {"cooldown": "10m", "breakAfter": 2, "maxRunsPerDay": 20}


def skip(cluster: TrainingCluster) -> None:
    """Let fetch find the data of version 1."""
    cluster.settle()
    cluster.fail(13, "Known: orders-v1", step="fetch")
    cluster.settle()


def test_a_run_on_known_data_is_skipped_before_it_trains_and_names_the_version() -> None:
    cluster = TrainingCluster(triggers=[TRIGGER], limits=LIMITS)
    cluster.run_well()
    cluster.advance(hours=1)
    cluster.tell()
    skip(cluster)
    run = cluster.run
    assert (run.status.phase, run.status.failure) == ("Skipped", None)
    assert cluster.condition("TrainingRun", run.name) == (
        "True",
        "InputsKnown",
        "version orders-v1 was trained from the same recipe and data, so nothing was trained",
    )
    last = cluster.job.status.last_run
    assert last is not None
    assert (last.phase, last.version, last.known_version) == ("Skipped", None, "orders-v1")
    assert cluster.condition(*JOB, "LastRunSucceeded")[:2] == ("True", "InputsKnown")
    assert "RunSkipped" in cluster.reasons("TrainingJob")


def test_an_alert_on_unchanged_data_looks_once_a_day_and_does_not_open_the_breaker() -> None:
    cluster = TrainingCluster(triggers=[TRIGGER], limits=LIMITS)
    cluster.run_well()
    cluster.advance(hours=1)
    for _ in range(5):
        cluster.tell()
        runs = len(cluster.runs())
        skip(cluster)
        assert len(cluster.runs()) == min(runs + 1, 11)
        for hours in (1, 8, 14):
            cluster.advance(hours=hours)
            cluster.tell()
            cluster.settle()
            assert cluster.job.status.active_run is None
            waiting = cluster.job.status.waiting
            assert waiting is not None
            assert waiting.reason == "DataUnchanged"
            assert waiting.until == cluster.run.status.finished_at + timedelta(hours=24)  # type: ignore[operator]
        assert not [item for item in cluster.job.status.conditions if item.type == "RetrainingPaused"]
        cluster.advance(hours=1)
    assert {entry.outcome for entry in cluster.job.status.automatic_runs} == {"Skipped"}
    assert len(cluster.versions()) == 1


def test_new_data_is_trained_on_and_ends_the_pause() -> None:
    cluster = TrainingCluster(triggers=[TRIGGER], limits=LIMITS)
    cluster.run_well()
    cluster.advance(hours=1)
    cluster.tell()
    skip(cluster)
    cluster.advance(hours=24)
    cluster.tell()
    cluster.run_well()
    assert [item.name for item in cluster.versions()] == ["orders-v1", "orders-v2"]
    cluster.advance(minutes=11)
    cluster.settle()
    waiting = cluster.job.status.waiting
    assert waiting is None or waiting.reason != "DataUnchanged"


def test_a_person_is_not_held_back_by_unchanged_data() -> None:
    cluster = TrainingCluster(triggers=[TRIGGER], limits=LIMITS)
    cluster.run_well()
    cluster.advance(hours=1)
    cluster.tell()
    skip(cluster)
    cluster.retrain("again")
    cluster.run_well()
    assert [item.name for item in cluster.versions()] == ["orders-v1", "orders-v2"]


def test_a_name_that_no_version_has_any_more_is_a_failure_of_fetch_that_is_tried_again() -> None:
    cluster = TrainingCluster()
    cluster.settle()
    cluster.fail(13, "Known: somebody-v9", step="fetch")
    cluster.settle()
    failure = cluster.run.status.failure
    assert failure is not None
    assert failure.failure_class == "Infrastructure"
    assert cluster.run.status.next_attempt_at is not None
