"""A Refresh with a selector goes from one ModelDeployment to the next, and stops at the first that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from .behaviour import Serving
from .client import Interruption, Write
from .harness import hit, play
from .objects import JSON
from .observations import condition, serves
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job

MODELS = ["a", "b", "c", "d", "e"]
NEW = "registry.example.com/steadfit/server@sha256:" + "3" * 64


def member(name: str) -> JSON:
    found = model_deployment(name, trainingJobRef={"name": NAME}, bakeDuration="10m")
    found["metadata"]["labels"] = {"model": name}
    return found


async def upgraded(cluster: SimulatedCluster, broken: str = "") -> None:
    """Let five models serve, and upgrade the operator; the new server of one of them does not start."""

    def serving(deployment: Mapping[str, Any]) -> Serving:
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        of = deployment["metadata"]["ownerReferences"][0]["name"]
        return Serving(outcome="NeverReady") if (of, container["image"]) == (broken, NEW) else Serving()

    cluster.serving = serving
    installation(cluster)
    cluster.create(training_job())
    for name in MODELS:
        cluster.create(member(name))
    for name in MODELS:
        await cluster.until(lambda name=name: serves(cluster, 1, name), say=f"{name} serves")  # type: ignore[misc]
    cluster.platform = replace(cluster.platform, server_image=NEW)
    await cluster.restart()
    await cluster.until(lambda: outdated(cluster) == MODELS, say="every model keeps its pods")
    await asyncio.sleep(2)


def refresh(name: str = "all", pace: JSON | None = None, selector: JSON | None = None) -> JSON:
    found = action(name, "Refresh")
    found["spec"]["target"] = {"kind": "ModelDeployment", "selector": selector or {}}
    if pace is not None:
        found["spec"]["pace"] = pace
    return found


def outdated(cluster: SimulatedCluster) -> list[str]:
    """Return the models that keep older pods."""
    return [name for name in MODELS if condition(cluster.status("ModelDeployment", name), "UpToDate") == "False"]


def coming(cluster: SimulatedCluster) -> list[str]:
    """Return the models with a candidate."""
    return [name for name in MODELS if cluster.status("ModelDeployment", name).get("candidate")]


def under_way(cluster: SimulatedCluster) -> list[str]:
    """Return the models whose turn it is."""
    progress = cluster.status("ModelAction", "all").get("progress", {})
    return [turn["name"] for turn in progress.get("underWay", ())]


def ended(cluster: SimulatedCluster, name: str = "all") -> str | None:
    """Return the reason of the end of the action, once it has ended."""
    conditions = cluster.status("ModelAction", name).get("conditions", ())
    return next((one["reason"] for one in conditions if one["type"] == "Finished"), None)


def most_at_once(cluster: SimulatedCluster) -> int:
    """Return the most models that had their turn at the same time."""
    turns = (
        change.new.get("status", {}).get("progress", {}).get("underWay", ())
        for change in cluster.history
        if change.ref.kind == "ModelAction"
    )
    return max(map(len, turns), default=0)


async def the_third_of_five_fails(cluster: SimulatedCluster) -> None:
    await upgraded(cluster, broken="c")
    cluster.create(refresh())
    await cluster.until(lambda: ended(cluster), say="it has ended")
    assert ended(cluster) == "RefreshStopped"
    status = cluster.status("ModelAction", "all")
    assert (status["progress"]["total"], status["progress"]["refreshed"]) == (5, 2)
    assert status["message"].startswith("ModelDeployment c: ")
    assert "2 of 5 ModelDeployments are refreshed" in status["message"]
    await asyncio.sleep(600)
    assert outdated(cluster) == ["c", "d", "e"]
    assert most_at_once(cluster) == 1


def test_a_refresh_of_a_namespace_stops_at_the_model_whose_new_server_fails() -> None:
    play(the_third_of_five_fails)


@pytest.mark.parametrize("interruption", ["before", "after"])
@pytest.mark.parametrize("nth", [1, 4])
def test_a_restart_in_the_middle_changes_neither_the_order_nor_the_end(nth: int, interruption: Interruption) -> None:
    seen = 0

    def is_nth(write: Write) -> bool:
        nonlocal seen
        seen += write.ref.kind == "ModelAction" and write.verb == "status"
        return seen == nth and write.ref.kind == "ModelAction"

    assert hit(the_third_of_five_fails, is_nth, interruption).crashes == 1


def test_the_next_model_waits_for_the_bake_of_the_one_before_and_a_rollback_in_it_stops_the_rest() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await upgraded(cluster)
        cluster.create(refresh())
        await cluster.until(lambda: "a" not in outdated(cluster), say="a is live with its new pods")
        await asyncio.sleep(300)
        assert under_way(cluster) == ["a"]
        cluster.create(action("back", "Rollback", target="a"))
        await cluster.until(lambda: ended(cluster), say="it has ended")
        assert ended(cluster) == "RefreshStopped"
        assert "ModelDeployment a: version 1 was rolled back" in cluster.status("ModelAction", "all")["message"]
        assert outdated(cluster)[-4:] == MODELS[1:]

    play(story)


def test_all_models_are_refreshed_at_the_pace_that_was_asked_for() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await upgraded(cluster)
        selector: JSON = {"matchExpressions": [{"key": "model", "operator": "NotIn", "values": ["b"]}]}
        cluster.create(refresh("all", {"maxConcurrent": 2}, selector))
        await cluster.until(lambda: ended(cluster), say="it has ended")
        assert ended(cluster) == "Succeeded"
        assert cluster.status("ModelAction", "all")["message"] == "4 of 4 ModelDeployments are refreshed"
        assert (outdated(cluster), most_at_once(cluster)) == (["b"], 2)
        cluster.create(refresh("again"))
        await cluster.until(lambda: ended(cluster, "again"), say="the second has ended")
        assert cluster.status("ModelAction", "again")["progress"]["refreshed"] == 5

    play(story)


def test_a_model_that_refuses_is_named_and_the_next_one_has_its_turn() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await upgraded(cluster)
        cluster.edit("ModelDeployment", "a", lambda obj: obj["spec"]["server"].update(replicas=0))
        await asyncio.sleep(60)
        cluster.create(refresh())
        await cluster.until(lambda: under_way(cluster) == ["c"], say="it is the turn of c")
        cluster.delete("ModelDeployment", "c")
        cluster.delete("ModelDeployment", "d")
        await cluster.until(lambda: ended(cluster), say="it has ended")
        status = cluster.status("ModelAction", "all")
        assert status["message"] == "2 of 3 ModelDeployments are refreshed, 1 refused: a (ScaledToZero)"
        assert {one["name"] for one in status["progress"]["refusals"]} == {"a"}
        assert status["progress"]["total"] == 3

    play(story)


def test_a_deleted_action_begins_no_further_turn() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await upgraded(cluster)
        cluster.create(refresh())
        await cluster.until(lambda: coming(cluster) == ["a"], say="a comes up")
        cluster.delete("ModelAction", "all")
        await asyncio.sleep(3600)
        assert outdated(cluster) == MODELS[1:]

    play(story)


def test_a_turn_that_does_not_end_stops_the_action_at_its_deadline() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await upgraded(cluster, broken="a")
        cluster.create(refresh(pace={"memberDeadline": "2m"}))
        await cluster.until(lambda: ended(cluster), within=300, say="it has ended")
        message = cluster.status("ModelAction", "all")["message"]
        assert message.startswith("ModelDeployment a: it is not live with the new pods after 2m")
        await asyncio.sleep(3600)
        assert outdated(cluster) == MODELS

    play(story)
