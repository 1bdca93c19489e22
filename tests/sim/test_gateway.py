"""By a Gateway a candidate takes exact shares of the traffic, and no route ever sends requests to what is put back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from steadfit.core.serving.traffic import route_weights, traffic_label

from .client import Interruption
from .comparing import Comparisons, Failing
from .fault_injection import comes_through, has_bad_days
from .gateway import Gateways, shares
from .harness import play
from .objects import JSON
from .observations import condition, is_idle, is_ready, live, serves
from .scenarios import LIMITS, Scenario, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, installation, model_deployment, training_job

STEPS: JSON = {"canary": {"steps": [{"weight": 5}, {"weight": 90, "pause": "10m"}]}}
TRAFFIC: JSON = {"gatewayAPI": {"parentRefs": [{"name": "public", "namespace": "edge"}]}}


async def a_candidate_waits_for_the_gateway_api(cluster: SimulatedCluster, failing: Failing) -> None:
    """Begin as every story here does: version 2 waits beside version 1, and then the cluster gets the Gateway API."""
    installation(cluster)
    cluster.create(training_job(limits=LIMITS))
    cluster.create(model_deployment(strategy=STEPS, traffic=TRAFFIC))
    Comparisons(cluster, failing)
    await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 serves by the Service")
    set_param(cluster, "depth", 6)
    await cluster.until(
        lambda: "install the Gateway API" in candidate(cluster).get("message", ""), say="version 2 waits"
    )
    assert condition(status(cluster), "RouteReady") == "False"
    assert is_ready(cluster, "ModelDeployment")
    Gateways(cluster)
    await cluster.until(lambda: shares(cluster).get(2), within=180, say="version 2 takes a share")


def status(cluster: SimulatedCluster) -> JSON:
    return cluster.status("ModelDeployment", NAME)


def candidate(cluster: SimulatedCluster) -> JSON:
    found: JSON = status(cluster).get("candidate", {})
    return found


async def a_good_candidate_takes_over_by_weights(cluster: SimulatedCluster) -> None:
    await a_candidate_waits_for_the_gateway_api(cluster, lambda version: 0.01)
    await cluster.until(
        lambda: shares(cluster) == {1: 10, 2: 90} or live(cluster) == 2, say="version 2 takes most of it"
    )
    await cluster.until(lambda: serves(cluster, 2) and shares(cluster) == {2: 100}, say="version 2 serves alone")
    await cluster.until(lambda: condition(status(cluster), "RouteReady") == "True", say="the route is taken as it is")


async def a_bad_candidate_loses_its_weight(cluster: SimulatedCluster) -> None:
    await a_candidate_waits_for_the_gateway_api(cluster, lambda version: 0.2 if version == 2 else 0.01)
    await cluster.until(lambda: serves(cluster, 1) and shares(cluster) == {1: 100}, say="version 1 serves alone")
    assert [(entry["number"], entry["by"]) for entry in status(cluster)["quarantine"]] == [(2, "analysis")]
    await cluster.until(lambda: len(cluster.objects("Service")) == 2, say="the Service of version 2 is gone")


async def the_route_goes_with_the_wish_for_it(cluster: SimulatedCluster) -> None:
    await a_candidate_waits_for_the_gateway_api(cluster, lambda version: 0.01)
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].pop("traffic"))
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].pop("strategy"))
    await cluster.until(lambda: cluster.find("HTTPRoute", NAME) is None, say="the route is gone")
    await cluster.until(lambda: len(cluster.objects("Service")) == 1, say="the revisions' Services are gone")
    assert serves(cluster, 2)


STORIES: tuple[Scenario, ...] = (
    a_good_candidate_takes_over_by_weights,
    a_bad_candidate_loses_its_weight,
    the_route_goes_with_the_wish_for_it,
)
INTERRUPTIONS: tuple[Interruption, ...] = ("before", "after", "frozen")
SAMPLE = 6
"""How many interruptions a story gets by default; `EFFORT=all` hits every write."""


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_canary_by_a_gateway_comes_to_its_end(story: Scenario) -> None:
    play(story)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", STORIES[:2], ids=lambda story: story.__name__)
def test_hit_at_a_write_a_canary_by_a_gateway_comes_to_its_end_all_the_same(story: Scenario) -> None:
    comes_through(story, INTERRUPTIONS, sample=SAMPLE, beginning=3)


@pytest.mark.timeout(900)
def test_on_a_bad_day_a_canary_by_a_gateway_comes_to_its_end_all_the_same() -> None:
    has_bad_days(STORIES[:2], 2)


def test_a_weight_for_a_candidate_that_was_dropped_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = route_weights.desired

    def forgetful(*args: object) -> Mapping[str, int]:
        with monkeypatch.context() as patch:
            patch.setattr(traffic_label, "sharing_candidate", lambda status: status.candidate)
            return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(route_weights, "desired", forgetful)
    with pytest.raises(AssertionError, match="which is neither live nor tried"):
        play(a_good_candidate_takes_over_by_weights, restart=False)
