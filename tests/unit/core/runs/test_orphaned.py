"""A run ends though its TrainingJob is gone without it: deleted with --cascade=orphan, or restored from a backup."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.unit.core.training.builders import disruption, ended, running
from tests.unit.core.training.training_cluster import FINISHED, TrainingCluster

RUN = "TrainingRun"
UID = "uid-1"

Moment = Callable[[TrainingCluster], None]


def begun(cluster: TrainingCluster) -> None:
    """Let the first attempt have its Job."""


def restored(cluster: TrainingCluster) -> None:
    """Let the run come back as from a backup: without its status, its owner and its Job."""
    run = cluster.newest(RUN)
    run["metadata"].pop("ownerReferences")
    run["metadata"]["creationTimestamp"] = cluster.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    run["status"] = {"observedGeneration": -1}
    cluster.remove("Job", cluster.newest("Job")["metadata"]["name"])


def trains(cluster: TrainingCluster) -> None:
    cluster.train_runs()
    cluster.settle()


def waits_for_its_next_attempt(cluster: TrainingCluster) -> None:
    cluster.train_runs()
    cluster.pod(ended(0), ended(0), running(minutes=1), phase="Running", conditions=[disruption()])
    cluster.settle()
    assert cluster.run.status.next_attempt_at is not None


def has_posted_its_result(cluster: TrainingCluster) -> None:
    cluster.train_runs()
    cluster.post()


def orphaned(moment: Moment, *, made_again: bool = False) -> TrainingCluster:
    """Return a cluster whose run has lost its TrainingJob at a moment; it may be made again with another uid."""
    cluster = TrainingCluster()
    cluster.settle()
    moment(cluster)
    job = cluster.objects.pop(("TrainingJob", "orders"))
    assert job["metadata"]["uid"] == UID
    if made_again:
        spec = {**job["spec"], "suspend": True}
        cluster._add("TrainingJob", {"metadata": {"name": "orders"}, "spec": spec})
    return cluster


@pytest.mark.parametrize("made_again", [False, True])
def test_a_restored_run_ends_after_a_minute_and_says_which_training_job_it_misses(made_again: bool) -> None:
    cluster = orphaned(restored, made_again=made_again)
    cluster.settle()
    assert cluster.condition(RUN, cluster.run.name) == ("False", "Pending", "waits for its TrainingJob")
    cluster.run_until_due()
    assert cluster.run.status.phase == "Cancelled"
    finished = cluster.run.status.finished_at
    created = cluster.run.metadata.creation_timestamp
    assert finished is not None
    assert created is not None
    assert finished - created == timedelta(minutes=1)
    status, reason, message = cluster.condition(RUN, cluster.run.name)
    assert (status, reason) == ("False", "Cancelled")
    assert f"TrainingJob orders with the uid {UID} does not exist" in message
    assert message.endswith("delete this TrainingRun if nothing needs it")
    assert cluster.reasons(RUN)[-1] == "RunCancelled"
    assert cluster.every("Job") == []


@pytest.mark.parametrize("moment", [begun, restored, trains, waits_for_its_next_attempt, has_posted_its_result])
def test_every_run_ends_whenever_its_training_job_goes_away_without_it(moment: Moment) -> None:
    cluster = orphaned(moment)
    cluster.settle()
    for _ in range(20):
        cluster.advance(hours=12)
        cluster.settle()
    assert cluster.run.status.phase in FINISHED, cluster.condition(RUN, cluster.run.name)
    assert cluster.condition(RUN, cluster.run.name, "Finished")[0] == "True"


def test_an_orphaned_run_that_failed_is_not_tried_again_and_keeps_its_failure() -> None:
    cluster = orphaned(waits_for_its_next_attempt)
    cluster.settle()
    assert cluster.run.status.phase == "Failed"
    failure = cluster.run.status.failure
    assert failure is not None
    assert failure.failure_class == "Infrastructure"
    assert len(cluster.run.status.attempts) == 1
