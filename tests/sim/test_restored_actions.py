"""Actions that come back without their status: restored, or created again by a GitOps tool. None of them runs twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from steadfit.core import names

from .harness import play
from .objects import JSON
from .observations import is_idle, serves
from .scenarios import first_version_serves
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action

Restore = Callable[[Mapping[str, Any]], JSON]


def from_a_backup(stored: Mapping[str, Any]) -> JSON:
    """Return what `kubectl get -o yaml`, or a backup tool, brings back: metadata without what the server sets."""
    kept = ("name", "namespace", "labels", "annotations")
    metadata = {key: value for key, value in stored["metadata"].items() if key in kept}
    return {**{key: stored[key] for key in ("apiVersion", "kind", "spec")}, "metadata": metadata}


def from_git(stored: Mapping[str, Any]) -> JSON:
    """Return what a GitOps tool creates again: what the user wrote."""
    again = from_a_backup(stored)
    again["metadata"].pop("annotations", None)
    return again


async def decisions_of_a_year(cluster: SimulatedCluster) -> None:
    """Let every verb be done once; version 3 serves in the end."""
    await first_version_serves(cluster)
    steps: list[tuple[str, str, int | None, int]] = [
        ("again", "Retrain", None, 2),
        ("hold", "Pin", 1, 1),
        ("let-go", "Unpin", None, 2),
        ("back", "Rollback", None, 1),
        ("mercy", "Release", 2, 1),
        ("older", "Promote", 2, 2),
        ("away", "Quarantine", 1, 2),
        ("once-more", "Retrain", None, 3),
    ]
    for name, verb, version, serving in steps:
        cluster.create(action(name, verb, version))
        await cluster.until(partial(has_phase, cluster, name, "Succeeded"), say=f"{verb} is done")
        await cluster.until(partial(serves, cluster, serving), say=f"version {serving} serves")
    await cluster.until(lambda: is_idle(cluster), say="nothing trains")


def phase(cluster: SimulatedCluster, name: str) -> str | None:
    return cluster.status("ModelAction", name).get("phase")


def has_phase(cluster: SimulatedCluster, name: str, wanted: str) -> bool:
    return phase(cluster, name) == wanted


def reason(cluster: SimulatedCluster, name: str) -> str | None:
    conditions = cluster.status("ModelAction", name).get("conditions", [])
    return next((str(item["reason"]) for item in conditions if item["type"] == "Ready"), None)


@pytest.mark.parametrize("restore", [from_a_backup, from_git])
def test_actions_that_come_back_without_status_are_rejected_and_change_nothing(restore: Restore) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await decisions_of_a_year(cluster)
        runs, quarantine = (
            len(cluster.objects("TrainingRun")),
            cluster.status("ModelDeployment", NAME).get("quarantine"),
        )
        backup = [restore(one) for one in cluster.objects("ModelAction")]
        for one in backup:
            cluster.delete("ModelAction", one["metadata"]["name"])
        await asyncio.sleep(60)
        for one in reversed(backup):
            cluster.create(one)
        names_ = [one["metadata"]["name"] for one in backup]
        await cluster.until(lambda: all(phase(cluster, name) == "Rejected" for name in names_), say="all are rejected")
        assert {reason(cluster, name) for name in names_} == {"Expired"}
        await asyncio.sleep(900)
        assert serves(cluster, 3)
        assert len(cluster.objects("TrainingRun")) == runs
        assert cluster.status("ModelDeployment", NAME).get("quarantine") == quarantine

    play(scenario)


def test_an_action_that_was_pending_in_the_backup_does_not_run_after_the_restore() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        cluster.edit("TrainingJob", NAME, lambda job: job["spec"].update(suspend=True))
        cluster.create(action("again", "Retrain"))
        await cluster.until(lambda: phase(cluster, "again") == "Pending", say="the action waits")
        await asyncio.sleep(30)
        (backup,) = (from_a_backup(one) for one in cluster.objects("ModelAction"))
        cluster.delete("ModelAction", "again")
        await asyncio.sleep(60)
        cluster.edit("TrainingJob", NAME, lambda job: job["spec"].update(suspend=False))
        cluster.create(backup)
        await cluster.until(lambda: reason(cluster, "again") == "Expired", say="it is rejected")
        await asyncio.sleep(600)
        assert len(cluster.objects("TrainingRun")) == 1

    play(scenario)


def test_actions_restored_before_their_targets_do_not_run() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        deployment = cluster.find("ModelDeployment", NAME)
        assert deployment is not None
        cluster.delete("ModelDeployment", NAME)
        cluster.stop()
        await asyncio.sleep(60)
        cluster.create(action("hold", "Pin", 1))
        await asyncio.sleep(5)
        cluster.create(from_git(deployment))
        cluster.boot()
        await cluster.until(lambda: reason(cluster, "hold") == "Expired", say="it is rejected")
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
        assert "override" not in cluster.status("ModelDeployment", NAME)

    play(scenario)


def test_a_copy_of_an_action_under_a_new_name_says_what_to_remove() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        cluster.create(action("again", "Retrain"))
        await cluster.until(lambda: phase(cluster, "again") == "Succeeded", say="it is done")
        stored = cluster.find("ModelAction", "again")
        assert stored is not None
        copy = from_a_backup(stored)
        copy["metadata"]["name"] = "copied"
        cluster.create(copy)
        await cluster.until(lambda: reason(cluster, "copied") == "Expired", say="the copy is rejected")
        assert names.ACCEPTED_ANNOTATION in cluster.status("ModelAction", "copied")["message"]

    play(scenario)


def test_an_old_request_expires_and_a_new_one_of_the_same_name_is_done() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)

        def requested(hours: float) -> JSON:
            at = cluster.loop.now().timestamp() - 3600 * hours
            found = action("again", "Retrain")
            found["spec"]["requestedAt"] = _time(at)
            return found

        cluster.create(requested(hours=2))
        await cluster.until(lambda: reason(cluster, "again") == "Expired", say="it is rejected")
        cluster.delete("ModelAction", "again")
        cluster.create(requested(hours=0))
        await cluster.until(lambda: phase(cluster, "again") == "Succeeded", say="a fresh one is done")
        cluster.delete("ModelAction", "again")
        await asyncio.sleep(120)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        cluster.create(requested(hours=0))
        await cluster.until(lambda: phase(cluster, "again") == "Succeeded", say="a later one of the name is done")
        await cluster.until(lambda: serves(cluster, 3), say="version 3 serves")

    play(scenario)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
