"""Whoever changes the HTTPRoute or a Service again and again: put right ever more rarely, and it is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from steadfit.core import names

from .gateway import Gateways
from .harness import play
from .objects import JSON
from .observations import serves
from .scenarios import set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job
from .test_foreign_routes import impatient, named, wider
from .test_foreign_templates import reason, warnings
from .test_gateway import TRAFFIC

Change = Callable[[JSON], object]


async def serves_by_a_route(cluster: SimulatedCluster) -> None:
    Gateways(cluster)
    installation(cluster)
    cluster.create(training_job())
    cluster.create(model_deployment(traffic=TRAFFIC))
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
    await cluster.until(lambda: reason(cluster, "RouteReady").startswith("True"), within=60, say="it is accepted")
    await cluster.quiet()


def repairs(cluster: SimulatedCluster, kind: str, start: float) -> list[float]:
    return [
        change.at
        for change in cluster.history
        if change.ref.kind == kind and change.manager == "steadfit" and change.at >= start
    ]


async def insist(cluster: SimulatedCluster, kind: str, change: Change, seconds: float) -> float:
    """Change an object every five seconds, whenever it is as the operator wants it. Return when it began."""
    start, ours = cluster.loop.time(), (cluster.find(kind, NAME) or {})["spec"]
    while cluster.loop.time() < start + seconds:
        if (cluster.find(kind, NAME) or {})["spec"] == ours:
            cluster.edit(kind, NAME, change)
        await asyncio.sleep(5)
    return start


BOTH = (names.WRITTEN_ANNOTATION, names.DECIDED_ANNOTATION)


@pytest.mark.parametrize(
    ("kind", "change", "condition", "word", "lost"),
    [
        ("HTTPRoute", named, "RouteReady", "RouteContested", ()),
        ("HTTPRoute", impatient, "RouteReady", "RouteContested", BOTH),
        ("Service", wider, "Ready", "ServiceContested", ()),
        ("Service", wider, "Ready", "ServiceContested", BOTH),
        ("Service", wider, "Ready", "ServiceContested", BOTH[:1]),
        ("Service", wider, "Ready", "ServiceContested", BOTH[1:]),
    ],
)
def test_what_is_changed_again_and_again_is_put_right_ever_more_rarely_and_recovers_by_itself(
    kind: str, change: Change, condition: str, word: str, lost: Sequence[str]
) -> None:
    def replace(obj: JSON) -> None:
        change(obj)
        for annotation in lost:
            obj["metadata"]["annotations"].pop(annotation, None)

    async def story(cluster: SimulatedCluster) -> None:
        await serves_by_a_route(cluster)
        start = await insist(cluster, kind, replace, 5000)
        pauses = [later - earlier for earlier, later in pairwise(repairs(cluster, kind, start))]
        assert [round(pause / 60) for pause in pauses] == [0, 0, 10, 20, 40]
        said = reason(cluster, condition)
        assert said.startswith(f"False {word} someone else changes spec.")
        assert f"kubectl get {kind.lower()} {NAME} --show-managed-fields" in said
        assert "it is next put right at" in said
        assert warnings(cluster, f"{kind.removeprefix('HTTP')}Changed") >= 3
        await cluster.until(
            lambda: reason(cluster, condition).startswith("True"),
            within=6 * 3600,
            say="it is over when they have ended",
        )
        assert serves(cluster, 1)

    play(story, restart=False)


@pytest.mark.parametrize("lost", [(), BOTH], ids=str)
def test_a_decision_does_not_wait_for_the_pause_of_a_contested_service(lost: Sequence[str]) -> None:
    def replace(obj: JSON) -> None:
        wider(obj)
        for annotation in lost:
            obj["metadata"]["annotations"].pop(annotation, None)

    async def story(cluster: SimulatedCluster) -> None:
        await serves_by_a_route(cluster)
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        await cluster.quiet()
        await insist(cluster, "Service", replace, 300)
        assert "ServiceContested" in reason(cluster, "Stalled")
        cluster.create(action("back", "Rollback"))
        await cluster.until(lambda: serves(cluster, 1), within=60, say="version 1 serves")
        start = await insist(cluster, "Service", replace, 3600)
        assert len(repairs(cluster, "Service", start)) <= 4, "the pauses go on after the decision"

    play(story, restart=False)
