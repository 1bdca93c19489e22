"""A leader whose clock was ahead leaves times in the future; the next leader is not bound by them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from steadfit.core import names

from .harness import play
from .measuring import Prometheus
from .objects import JSON
from .observations import is_idle, serves
from .scenarios import LIMITS, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job
from .test_recovery import ERRORS, measures, quarantined, rollbacks, status

SKEW = timedelta(minutes=1)
HOURLY: JSON = {"name": "hourly", "schedule": {"cron": "0 * * * *"}}
PLANNED = {"nextScheduledAt", "nextRunAt", "until"}


def ahead(value: Any, now: datetime, path: str = "") -> Iterator[str]:
    """Yield the times in a status that lie in the future and say when something happened."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name not in PLANNED:
                yield from ahead(child, now, f"{path}.{name}")
    elif isinstance(value, list):
        for child in value:
            yield from ahead(child, now, path)
    elif path.endswith(("At", "at", ".since", "Since", "Time")) and datetime.fromisoformat(value) > now + SKEW:
        yield f"{path}: {value}"


def times_ahead(cluster: SimulatedCluster) -> list[str]:
    now = cluster.loop.now()
    kinds = ("TrainingJob", "TrainingRun", "ModelVersion", "ModelDeployment", "ModelAction")
    found = [found for kind in kinds for obj in cluster.objects(kind) for found in ahead(obj.get("status", {}), now)]
    return [*found, *copies_ahead(cluster)]


def copies_ahead(cluster: SimulatedCluster) -> list[str]:
    """Return the times in the future that the operator has copied into other objects."""
    now, found = cluster.loop.now(), []
    for kind in ("Service", "HTTPRoute", "Deployment", "ControllerRevision"):
        for obj in cluster.objects(kind):
            place = f"{kind} {obj['metadata']['name']}"
            for text in obj["metadata"].get("annotations", {}).get(names.DECIDED_ANNOTATION, "").split("/"):
                if text and datetime.fromisoformat(text) > now + SKEW:
                    found.append(f"{place} decided at {text}")
            found += [f"{place}{one}" for one in ahead(obj.get("data", {}).get("entry", {}), now)]
    return found


async def next_leader(cluster: SimulatedCluster, ahead_by: timedelta) -> None:
    cluster.clock_ahead = ahead_by
    await cluster.restart()


async def two_versions(cluster: SimulatedCluster, **spec: Any) -> None:
    """Begin as every story here does: version 2 serves, and then comes a leader whose clock is a year ahead."""
    installation(cluster)
    cluster.create(
        training_job(limits=LIMITS, triggers=[HOURLY | {"schedule": HOURLY["schedule"] | {"suspend": True}}])
    )
    cluster.create(model_deployment(**spec))
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: serves(cluster, 2) and is_idle(cluster), say="version 2 serves")
    await next_leader(cluster, timedelta(days=400))


def test_a_release_holds_although_the_leader_that_quarantined_had_a_clock_ahead() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await two_versions(cluster)
        cluster.create(action("away", "Quarantine", version=2))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves again")
        second = f"{NAME}-v2"
        await cluster.until(lambda: "quarantine" in cluster.status("ModelVersion", second), say="version 2 has it too")
        assert times_ahead(cluster)
        await next_leader(cluster, timedelta())
        # At once: the release and the correction of the version's status have no order.
        cluster.create(action("mercy", "Release", version=2))
        await cluster.until(lambda: "quarantine" not in cluster.status("ModelVersion", second), say="it is released")
        cluster.create(action("forth", "Promote", version=2))
        await cluster.until(lambda: serves(cluster, 2), say="the released version serves")
        assert not times_ahead(cluster)

    play(scenario, restart=False)


def test_monitors_roll_back_a_day_later_although_the_leader_before_had_a_clock_ahead() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        bad: set[int] = set()
        Prometheus(cluster, measures(lambda version: version in bad))
        await two_versions(cluster, monitors=[ERRORS], limits={"maxRollbacksPerDay": 1})
        cluster.create(action("older", "Promote", version=1))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
        cluster.create(action("newer", "Promote", version=2))
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        bad.add(2)
        await cluster.until(lambda: rollbacks(cluster) == [2] and serves(cluster, 1), say="version 2 is rolled back")
        await next_leader(cluster, timedelta())
        await cluster.until(lambda: not times_ahead(cluster), say="no time lies in the future")
        await asyncio.sleep(25 * 3600)
        bad.add(3)
        set_param(cluster, "depth", 7)
        await cluster.until(lambda: 3 in quarantined(cluster), say="version 3 is rolled back, a day later")
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves again")

    play(scenario, restart=False)


def test_every_time_that_a_leader_with_a_clock_ahead_has_written_is_rewritten_once() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await two_versions(cluster)
        cluster.create(action("hold", "Pin", version=1))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 is pinned")
        cluster.edit("TrainingJob", NAME, lambda job: job["spec"].update(triggers=[HOURLY]))
        await cluster.until(lambda: cluster.status("TrainingJob", NAME).get("triggers"), say="the schedule has begun")
        await next_leader(cluster, timedelta())
        runs = len(cluster.objects("TrainingRun"))
        await cluster.until(lambda: not times_ahead(cluster), say="no time lies in the future")
        pinned = status(cluster)["override"]["at"]
        await cluster.until(
            lambda: len(cluster.objects("TrainingRun")) > runs, within=3700, say="the schedule starts a run in an hour"
        )
        assert status(cluster)["override"]["at"] == pinned
        cluster.edit("TrainingJob", NAME, lambda job: job["spec"].update(suspend=True))
        await cluster.until(lambda: is_idle(cluster), say="the run has ended")

    play(scenario, restart=False)


def test_no_object_keeps_a_copy_of_a_time_that_a_leader_with_a_clock_ahead_has_written() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        bad: set[int] = set()
        Prometheus(cluster, measures(lambda version: version in bad))
        await two_versions(cluster, monitors=[ERRORS])
        before = cluster.status("ModelDeployment", NAME)["live"]["revision"]
        cluster.edit(
            "ModelDeployment", NAME, lambda one: one["spec"].update(server={"env": [{"name": "A", "value": "b"}]})
        )
        await cluster.until(
            lambda: cluster.status("ModelDeployment", NAME)["live"]["revision"] != before and is_idle(cluster),
            say="the new pod template serves",
        )
        await asyncio.sleep(1)
        cluster.create(action("template", "Rollback"))
        await cluster.until(
            lambda: any("entry" in one["data"] for one in cluster.objects("ControllerRevision")), say="it is recorded"
        )
        await cluster.until(lambda: serves(cluster, 2) and is_idle(cluster), say="the proven template serves")
        bad.add(2)
        await cluster.until(lambda: 2 in quarantined(cluster), say="version 2 is rolled back by a monitor")
        cluster.create(action("mercy", "Release", version=2))
        await asyncio.sleep(60)
        assert copies_ahead(cluster)
        await next_leader(cluster, timedelta())
        await cluster.until(lambda: not times_ahead(cluster), within=600, say="no time lies in the future")
        await asyncio.sleep(600)
        assert times_ahead(cluster) == []

    play(scenario, restart=False)
