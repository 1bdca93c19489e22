"""What nobody has judged does not stay live: a pin is no verdict, and no edit, deletion or restore forgets one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from steadfit.core.serving.selection import served

from .behaviour import Serving
from .comparing import Comparisons
from .harness import play
from .objects import JSON
from .observations import is_idle, live, serves
from .scenarios import LIMITS, first_version_serves, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job
from .test_canary import STEPS, a_candidate_is_tried, candidate, fails, status


def quarantined(cluster: SimulatedCluster) -> list[int]:
    return [entry["number"] for entry in status(cluster).get("quarantine", ())]


def let_through(cluster: SimulatedCluster) -> list[int]:
    return [entry["number"] for entry in status(cluster).get("servedVersions", ())]


async def pin(cluster: SimulatedCluster, name: str, number: int) -> None:
    cluster.create(action(name, "Pin", number))
    await cluster.until(lambda: serves(cluster, number), say=f"version {number} serves by its pin")


async def ends_in_quarantine(cluster: SimulatedCluster, compared: Comparisons) -> None:
    """See that version 1 serves, version 2 is tried beside it from the beginning, and is found worse."""
    await cluster.until(lambda: live(cluster) == 1, say="version 1, which was let through, is live")
    await cluster.until(lambda: bool(candidate(cluster).get("analysedSince")), say="version 2 is tried anew")
    assert let_through(cluster) == [1]
    compared.away = False
    await cluster.until(lambda: quarantined(cluster) == [2], say="version 2 is found worse")
    await asyncio.sleep(600)
    assert serves(cluster, 1)


async def a_bad_candidate_that_was_pinned(cluster: SimulatedCluster) -> None:
    compared = await a_candidate_is_tried(cluster, fails(2))
    compared.away = True
    await pin(cluster, "two", 2)
    cluster.create(action("open", "Unpin"))
    await ends_in_quarantine(cluster, compared)


async def a_bad_candidate_that_was_pinned_by_the_spec(cluster: SimulatedCluster) -> None:
    compared = await a_candidate_is_tried(cluster, fails(2))
    compared.away = True
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(pin={"version": 2}))
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves by its pin")
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].pop("pin"))
    await ends_in_quarantine(cluster, compared)


async def a_bad_candidate_that_was_pinned_and_lost_its_status(cluster: SimulatedCluster) -> None:
    compared = await a_candidate_is_tried(cluster, fails(2))
    compared.away = True
    await pin(cluster, "two", 2)
    await asyncio.sleep(30)
    cluster.lose_status("ModelDeployment", NAME)
    await asyncio.sleep(30)
    assert live(cluster) == 2, "a pin lasts until Unpin"
    cluster.create(action("open", "Unpin"))
    await ends_in_quarantine(cluster, compared)


async def a_bad_candidate_that_was_pinned_before_the_good_one(cluster: SimulatedCluster) -> None:
    compared = await a_candidate_is_tried(cluster, fails(2))
    compared.away = True
    await pin(cluster, "two", 2)
    await pin(cluster, "one", 1)
    assert "lastGood" not in status(cluster)
    cluster.create(action("open", "Unpin"))
    await ends_in_quarantine(cluster, compared)


@pytest.mark.parametrize(
    "story",
    [
        a_bad_candidate_that_was_pinned,
        a_bad_candidate_that_was_pinned_by_the_spec,
        a_bad_candidate_that_was_pinned_and_lost_its_status,
        a_bad_candidate_that_was_pinned_before_the_good_one,
    ],
    ids=lambda story: story.__name__,
)
def test_after_its_pin_a_version_gives_way_to_what_was_let_through_and_is_tried(story: Any) -> None:
    play(story)


def test_a_pod_template_that_only_a_pin_has_served_is_tried_when_the_pin_ends() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        def revision() -> str:
            return str(status(cluster).get("live", {}).get("revision"))

        installation(cluster)
        cluster.create(training_job(limits=LIMITS))
        cluster.create(model_deployment(strategy=STEPS))
        compared = Comparisons(cluster, fails(0))
        await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 serves")
        judged, compared.away = revision(), True
        cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(pin={"version": 1}))
        cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"]["server"].update(image="mine:2"))
        await cluster.until(lambda: revision() != judged and serves(cluster, 1), say="another server serves by its pin")
        pinned = revision()
        cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].pop("pin"))
        await cluster.until(lambda: revision() == judged, say="the server that was let through serves")
        await cluster.until(lambda: bool(candidate(cluster).get("analysedSince")), say="the other one is tried")
        assert (candidate(cluster)["revision"], candidate(cluster)["championRevision"]) == (pinned, judged)
        compared.away = False
        await cluster.until(lambda: revision() == pinned, say="it is as good")

    play(scenario)


def test_taking_a_pin_for_a_verdict_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "is_let_through", lambda ref, status: True)
    with pytest.raises(AssertionError, match="was let through by its pin"):
        play(a_bad_candidate_that_was_pinned, restart=False)


def test_after_its_pin_a_version_stays_while_no_other_one_was_let_through() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        installation(cluster)
        recipe = training_job(limits=LIMITS)
        recipe["spec"]["evaluation"]["bootstrap"] = "Manual"
        cluster.create(recipe)
        cluster.create(model_deployment())
        await cluster.until(
            lambda: cluster.status("ModelVersion", f"{NAME}-v1").get("phase") == "Held", say="version 1 is held"
        )
        await pin(cluster, "one", 1)
        cluster.create(action("open", "Unpin"))
        await asyncio.sleep(600)
        assert (serves(cluster, 1), let_through(cluster)) == (True, [])
        cluster.create(action("good", "Promote", 1))
        await cluster.until(lambda: let_through(cluster) == [1], say="a person lets it through")
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2), say="the next version serves")
        assert status(cluster)["lastGood"]["number"] == 1

    play(scenario)


def test_without_a_canary_the_gate_lets_a_version_through_that_was_pinned() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        cluster.create(action("one", "Pin", 1))
        set_param(cluster, "depth", 6)
        await cluster.until(
            lambda: cluster.status("ModelVersion", f"{NAME}-v2").get("phase") == "Verified", say="version 2 is good"
        )
        await pin(cluster, "two", 2)
        assert let_through(cluster) == [1]
        cluster.create(action("open", "Unpin"))
        await cluster.until(lambda: let_through(cluster) == [1, 2], say="version 2 is let through")
        assert serves(cluster, 2)

    play(scenario)


@pytest.mark.parametrize("strategy", [{"blueGreen": {}}, None], ids=["blueGreen", "none"])
def test_a_candidate_that_was_found_worse_is_not_let_through_by_another_strategy(strategy: JSON | None) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await a_candidate_is_tried(cluster, fails(2, 0.3), dryRun=True)
        await cluster.until(lambda: candidate(cluster).get("phase") == "Paused", say="version 2 is found worse")

        def change(obj: JSON) -> None:
            obj["spec"].pop("strategy")
            obj["spec"].update({"strategy": strategy} if strategy else {})

        cluster.edit("ModelDeployment", NAME, change)
        await cluster.until(lambda: not candidate(cluster), say="version 2 is no candidate any more")
        await asyncio.sleep(600)
        assert serves(cluster, 1)
        assert [(entry["number"], entry["by"]) for entry in status(cluster)["abandoned"]] == [(2, "analysis")]
        cluster.create(action("nevertheless", "Promote", 2))
        await cluster.until(lambda: serves(cluster, 2), say="a person promotes it")

    play(scenario)


def test_a_live_version_continues_to_serve_after_its_modelversion_is_deleted() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2) and is_idle(cluster), say="version 2 serves")
        cluster.delete("ModelVersion", f"{NAME}-v2")
        await asyncio.sleep(600)
        assert (serves(cluster, 2), candidate(cluster)) == (True, {})
        cluster.create(action("again", "Retrain"))
        await cluster.until(
            lambda: cluster.status("ModelVersion", f"{NAME}-v3").get("phase") == "Held", say="3 cannot be compared"
        )
        assert serves(cluster, 2)
        cluster.create(action("three", "Promote", 3))
        await cluster.until(lambda: serves(cluster, 3), say="version 3 serves by a person's word")

    play(scenario)


def test_a_rollback_whose_version_is_released_meanwhile_ends_and_says_so() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        for number in (2, 3):
            set_param(cluster, "depth", number)
            await cluster.until(lambda number=number: serves(cluster, number), say=f"{number} serves")  # type: ignore[misc]
        cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(bakeDuration="1s"))
        await asyncio.sleep(60)
        cluster.serving = lambda deployment: Serving("NeverReady")
        cluster.create(action("back", "Rollback"))
        await cluster.until(lambda: candidate(cluster).get("number") == 2, say="version 2 comes up")
        cluster.create(action("mercy", "Release", 3))
        await cluster.until(lambda: cluster.status("ModelAction", "back").get("phase") != "Pending", say="it is over")
        said = cluster.status("ModelAction", "back")
        assert (said["phase"], "version 3" in said["message"]) == ("Rejected", True)
        cluster.serving = lambda deployment: Serving()
        await asyncio.sleep(600)
        assert (serves(cluster, 3), candidate(cluster), let_through(cluster)) == (True, {}, [1, 2, 3])

    play(scenario)


async def applied_again(cluster: SimulatedCluster, **spec: Any) -> None:
    cluster.delete("ModelDeployment", NAME)
    await cluster.until(
        lambda: not cluster.objects("Service") and not cluster.objects("Deployment"), say="servers are collected"
    )
    cluster.create(model_deployment(**spec))


async def a_version_that_was_aborted(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    cluster.serving = lambda deployment: Serving(seconds=600)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: candidate(cluster).get("number") == 2, say="version 2 comes up")
    cluster.create(action("stop", "Abort"))
    await cluster.until(lambda: not candidate(cluster), say="it is abandoned")
    await asyncio.sleep(60)
    cluster.serving = lambda deployment: Serving()


def abandoned(cluster: SimulatedCluster) -> list[tuple[int, str]]:
    return [(entry["number"], entry["by"]) for entry in status(cluster).get("abandoned", ())]


@pytest.mark.parametrize("strategy", [None, STEPS], ids=["blueGreen", "canary"])
def test_a_version_that_was_aborted_does_not_return_when_its_deployment_is_applied_again(strategy: JSON | None) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await a_version_that_was_aborted(cluster)
        Comparisons(cluster, fails(0))
        await applied_again(cluster, **({"strategy": strategy} if strategy else {}))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves again")
        await asyncio.sleep(3600)
        assert serves(cluster, 1)
        assert abandoned(cluster) == [(2, "jane@example.com (stop)")]
        cluster.create(action("after-all", "Promote", 2))
        await cluster.until(lambda: serves(cluster, 2), say="a person promotes it")
        await cluster.until(
            lambda: not cluster.status("ModelVersion", f"{NAME}-v2").get("abandoned"), say="the version knows"
        )

    play(scenario)


def test_a_version_that_was_aborted_does_not_return_when_the_status_is_lost() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await a_version_that_was_aborted(cluster)
        cluster.lose_status("ModelDeployment", NAME)
        await asyncio.sleep(600)
        assert serves(cluster, 1)
        assert abandoned(cluster) == [(2, "jane@example.com (stop)")]

    play(scenario)


def test_a_first_version_that_was_aborted_does_not_return_when_its_deployment_is_applied_again() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        installation(cluster)
        cluster.serving = lambda deployment: Serving(seconds=600)
        cluster.create(training_job(limits=LIMITS))
        cluster.create(model_deployment())
        await cluster.until(lambda: candidate(cluster).get("number") == 1, say="version 1 comes up")
        cluster.create(action("stop", "Abort"))
        await cluster.until(lambda: not candidate(cluster), say="it is abandoned")
        await asyncio.sleep(60)
        await applied_again(cluster)
        await asyncio.sleep(600)
        assert (live(cluster), candidate(cluster)) == (None, {})
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2), say="the next version serves")

    play(scenario)
