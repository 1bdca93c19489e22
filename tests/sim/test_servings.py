"""Servings without room in the status of a version go to the store, and leave the status once they are there."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from steadfit_artifact.servings import parse
from steadfit_artifact.store import ObjectMissingError
from steadfit_artifact.store import Store as ArtifactStore

from .client import Interruption, Write
from .harness import hit, play
from .loop import SimLoop
from .objects import JSON
from .observations import serves
from .scenarios import first_version_serves
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, model_deployment

VERSION = f"{NAME}-v1"


def serving(cluster: SimulatedCluster, number: int, by: str) -> JSON:
    """Return the record of a ModelDeployment that was abandoned long ago."""
    began = cluster.loop.now() - timedelta(days=200 - number)
    return {
        "deployment": "shadow",
        "deploymentUid": f"{by}-{number}",
        "startedAt": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "endedAt": (began + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "share": 25,
        "outcome": "Abandoned",
        "letThrough": False,
    }


def remember(cluster: SimulatedCluster, numbers: range, by: str = "uid") -> None:
    """Let a version remember more servings."""
    status = cluster.status("ModelVersion", VERSION)
    past = [serving(cluster, number, by) for number in numbers]
    ended = [one for one in status.get("served", ()) if "endedAt" in one]
    going_on = [one for one in status.get("served", ()) if "endedAt" not in one]
    status["served"] = [*ended, *past, *going_on]
    cluster.store.set_status(cluster.ref("ModelVersion", VERSION), status, "a-test")


def in_status(cluster: SimulatedCluster) -> set[str]:
    """Return the uids of the ModelDeployments whose servings the status has."""
    return {one["deploymentUid"] for one in cluster.status("ModelVersion", VERSION)["served"]}


def in_store(cluster: SimulatedCluster) -> set[str]:
    """Return the uids of the ModelDeployments whose servings the store has."""
    version = cluster.find("ModelVersion", VERSION)
    assert version is not None
    at = f"{version['spec']['artifact']['uri']}servings.json"
    try:
        raw = ArtifactStore("s3://models", cluster.training_nodes.bucket).get(at)
    except ObjectMissingError:
        return set()
    found = parse(raw, at).servings
    assert len({(one.deployment_uid, one.started_at) for one in found}) == len(found), "each one once"
    return {one.deployment_uid for one in found}


def uids(numbers: range, by: str = "uid") -> set[str]:
    return {f"{by}-{number}" for number in numbers}


async def forty_servings_go_to_the_store(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    lost: list[set[str]] = []

    def check(_: object) -> None:
        if cluster.find("ModelVersion", VERSION) and cluster.status("ModelVersion", VERSION).get("served"):
            lost.append(known - in_status(cluster) - in_store(cluster))

    known = uids(range(40))
    remember(cluster, range(40))
    cluster.store.listeners.append(check)
    await cluster.until(lambda: len(in_store(cluster)) == 16, say="a batch is in the store")
    await cluster.until(lambda: len(in_status(cluster)) == 25, say="it has left the status")
    await asyncio.sleep(300)
    assert in_store(cluster) == uids(range(16)), "those that ended first; the rest is no batch yet"
    assert not set().union(*lost)
    assert not [job for job in cluster.objects("Job") if job["metadata"]["name"].endswith("-quarantine")]
    assert serves(cluster, 1)


def test_a_serving_leaves_the_status_only_once_the_store_has_it() -> None:
    play(forty_servings_go_to_the_store)


@pytest.mark.parametrize("interruption", ["before", "after"])
@pytest.mark.parametrize("kind", ["ModelVersion", "Job"])
def test_a_crash_between_the_write_and_the_status_loses_no_serving(kind: str, interruption: Interruption) -> None:
    begun = False

    def is_it(write: Write) -> bool:
        """Return whether a write is the first to the status after the Job was created, or that which creates it."""
        nonlocal begun
        of_the_job = write.ref.kind == "Job" and write.ref.name.endswith("-quarantine")
        found = of_the_job if kind == "Job" else begun and write.ref.kind == kind
        begun = begun or of_the_job
        return found

    assert hit(forty_servings_go_to_the_store, is_it, interruption).crashes >= 1


def test_while_the_store_is_away_servings_wait_and_what_has_no_room_is_said() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        cluster.training_nodes.bucket_is_away = True
        remember(cluster, range(60))
        await asyncio.sleep(720)
        assert uids(range(60)) <= in_status(cluster)
        failure = cluster.status("ModelVersion", VERSION)["noteFailure"]
        assert (failure["of"], failure["failures"] >= 3) == ("Servings", True)
        remember(cluster, range(60, 95))
        await asyncio.sleep(60)
        assert uids(range(95)) <= in_status(cluster), "96 have room"
        cluster.create(model_deployment("second", trainingJobRef={"name": NAME}))
        await cluster.until(lambda: serves(cluster, 1, "second"), say="the version serves once more")
        await cluster.until(lambda: uids(range(95)) - in_status(cluster) == {"uid-0"}, say="the oldest makes room")
        said = json.dumps([change.new for change in cluster.history if change.ref.kind == "Event"])
        assert ("uid uid-0)" in said, "uid uid-1)" in said) == (True, False)
        cluster.training_nodes.bucket_is_away = False
        await cluster.until(lambda: len(in_status(cluster)) < 33, within=3600, say="the store has the rest")
        assert in_store(cluster) | in_status(cluster) >= uids(range(1, 95))
        assert "noteFailure" not in cluster.status("ModelVersion", VERSION)

    play(story)


def test_two_clusters_on_one_bucket_keep_each_others_servings() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        assert isinstance(cluster.loop, SimLoop)
        other = SimulatedCluster(cluster.loop)
        other.training_nodes.bucket = cluster.training_nodes.bucket
        other.boot()
        await first_version_serves(cluster)
        await first_version_serves(other)
        remember(cluster, range(40), "one")
        remember(other, range(40), "two")
        await cluster.until(lambda: len(in_store(cluster)) == 32, say="both have written")
        assert in_store(cluster) == in_store(other) == uids(range(16), "one") | uids(range(16), "two")
        await asyncio.sleep(300)
        other.check()
        other.stop()

    play(story)
