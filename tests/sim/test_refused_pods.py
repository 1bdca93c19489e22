"""A pod that the API server refuses to create: its words reach the run and the TrainingJob, and the wait has an end.

A Job says nothing of it: its status stays empty, and only the Events of the Job controller name the cause.
"""

from __future__ import annotations

import asyncio

import pytest

from .behaviour import Training
from .harness import play
from .observations import is_idle, phases, serves
from .scenarios import LIMITS, first_version_serves, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, installation, training_job

NO_ACCOUNT = 'error looking up service account ml/trainer: serviceaccount "trainer" not found'
NO_CLASS = "no PriorityClass with name gpu was found"
NO_LIMITS = "failed quota: compute: must specify limits.cpu for: train"
POLICY = 'violates PodSecurity "restricted:latest": runAsNonRoot != true'
FULL = "exceeded quota: compute, requested: limits.cpu=2, used: limits.cpu=7, limited: limits.cpu=8"


def message(cluster: SimulatedCluster, kind: str, name: str, condition_type: str) -> str:
    conditions = cluster.status(kind, name).get("conditions", [])
    return next((str(item["message"]) for item in conditions if item["type"] == condition_type), "")


async def said_within_a_minute(cluster: SimulatedCluster, words: str) -> None:
    await cluster.until(lambda: cluster.objects("Job"), say="there is a Job")
    (run,) = [one for one in cluster.objects("TrainingRun") if one["status"].get("phase") not in ("Succeeded",)]
    name = run["metadata"]["name"]
    await cluster.until(
        lambda: words in message(cluster, "TrainingRun", name, "Ready"), within=60, say="the run says it"
    )
    await cluster.until(lambda: words in message(cluster, "TrainingJob", NAME, "Training"), within=60, say="so the job")


@pytest.mark.parametrize("words", [NO_ACCOUNT, NO_CLASS, NO_LIMITS, POLICY])
def test_the_words_of_a_refused_pod_reach_run_and_job_within_a_minute_and_the_attempt_fails_in_time(words: str) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        installation(cluster)
        cluster.training = lambda run, attempt: Training(refusal=words)
        cluster.create(training_job(limits={**LIMITS, "queueTimeout": "24h"}))
        await said_within_a_minute(cluster, words)
        await cluster.until(lambda: phases(cluster) == ["Failed"] and is_idle(cluster), within=660, say="the run fails")
        last = cluster.status("TrainingJob", NAME)["lastRun"]
        assert last["failure"]["class"] == "Admission", last
        assert words in last["failure"]["message"]
        (run,) = cluster.objects("TrainingRun")
        assert len(run["status"]["attempts"]) == 1

    play(scenario)


def test_a_full_quota_is_a_queue_that_is_named_and_left_once_there_is_room() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        cluster.training = lambda run, attempt: Training(refusal=FULL, refused_seconds=1200)
        jobs = len(cluster.objects("Job"))
        set_param(cluster, "depth", 7)
        await cluster.until(lambda: len(cluster.objects("Job")) > jobs, say="the next Job")
        await said_within_a_minute(cluster, FULL)
        await cluster.until(lambda: serves(cluster, 2), say="the pod was created once other pods had ended")

    play(scenario)


def test_a_quota_that_stays_full_fails_the_attempt_at_its_queue_timeout() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        installation(cluster)
        cluster.training = lambda run, attempt: Training(refusal=FULL)
        cluster.create(training_job(limits=LIMITS))
        await said_within_a_minute(cluster, FULL)
        await asyncio.sleep(1200)
        assert phases(cluster) == ["Pending"]
        await cluster.until(lambda: phases(cluster) == ["Failed"] and is_idle(cluster), within=660, say="the run fails")
        assert cluster.status("TrainingJob", NAME)["lastRun"]["failure"]["class"] == "Admission"

    play(scenario)


def test_a_new_leader_keeps_the_words_and_the_deadline_of_a_refused_pod() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        installation(cluster)
        cluster.training = lambda run, attempt: Training(refusal=NO_ACCOUNT)
        cluster.create(training_job(limits={**LIMITS, "queueTimeout": "24h"}))
        await said_within_a_minute(cluster, NO_ACCOUNT)
        for _ in range(3):
            await asyncio.sleep(150)
            await cluster.restart()
        await cluster.until(lambda: phases(cluster) == ["Failed"], within=240, say="the run fails in time")

    play(scenario)
