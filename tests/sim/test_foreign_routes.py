"""What decides which requests reach which version is the operator's alone, in the HTTPRoute and in the Services."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from .gateway import Gateways, shares
from .harness import play
from .objects import JSON
from .observations import condition, serves
from .scenarios import first_version_serves
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, installation, model_deployment, training_job
from .test_gateway import TRAFFIC, status

NAMED: JSON = {"gatewayAPI": {**TRAFFIC["gatewayAPI"], "hostnames": ["a.example.com"]}}

Change = Callable[[JSON], object]


async def behind_a_gateway(cluster: SimulatedCluster, traffic: JSON) -> JSON:
    """Begin: version 1 serves through a Gateway. Return the spec of its route."""
    Gateways(cluster)
    installation(cluster)
    cluster.create(training_job())
    cluster.create(model_deployment(traffic=traffic))
    await cluster.until(lambda: serves(cluster, 1) and shares(cluster) == {1: 100}, say="version 1 serves")
    await cluster.until(lambda: condition(status(cluster), "RouteReady") == "True", within=60, say="it is accepted")
    return spec(cluster)


def spec(cluster: SimulatedCluster, kind: str = "HTTPRoute") -> JSON:
    found: JSON = (cluster.find(kind, NAME) or {}).get("spec", {})
    return found


def named(route: JSON) -> None:
    route["spec"]["hostnames"] = ["elsewhere.example.com"]


def default_gateways(route: JSON) -> None:
    route["spec"]["useDefaultGateways"] = "All"


def other_parent(route: JSON) -> None:
    route["spec"]["parentRefs"].append({"group": "", "kind": "Service", "name": "mesh"})


def only_some_paths(route: JSON) -> None:
    route["spec"]["rules"][0]["matches"] = [{"path": {"type": "Exact", "value": "/x"}}]


def impatient(route: JSON) -> None:
    route["spec"]["rules"][0]["timeouts"] = {"request": "1ms"}


@pytest.mark.parametrize("change", [named, default_gateways, other_parent, only_some_paths, impatient])
def test_a_field_of_the_route_that_someone_else_sets_is_put_back(change: Change) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        wished = await behind_a_gateway(cluster, TRAFFIC)
        cluster.edit("HTTPRoute", NAME, change)
        await cluster.until(lambda: spec(cluster) == wished, within=30, say="the route is as it was")
        told = [one for one in cluster.properties.states if one["kind"] == "ModelDeployment"]
        reasons = {one["reason"] for state in told for one in state["status"].get("conditions", ())}
        assert "RouteChanged" in reasons

    play(story)


def test_hostnames_that_leave_the_spec_leave_the_route() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        assert (await behind_a_gateway(cluster, NAMED))["hostnames"] == ["a.example.com"]
        cluster.edit("ModelDeployment", NAME, lambda one: one["spec"]["traffic"]["gatewayAPI"].pop("hostnames"))
        await cluster.until(lambda: "hostnames" not in spec(cluster), within=30, say="the route has no hostnames")

    play(story)


def test_a_route_that_is_as_it_should_be_is_not_written() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await behind_a_gateway(cluster, TRAFFIC)
        cluster.edit("HTTPRoute", NAME, named)
        await asyncio.sleep(60)
        start = cluster.loop.time()
        await asyncio.sleep(1800)
        assert [write for write in cluster.writes_since(start) if "HTTPRoute" in write] == []

    play(story)


def another_port(service: JSON) -> None:
    service["spec"]["ports"].append({"name": "else", "port": 81, "protocol": "TCP", "targetPort": 9000})


def to_pods_that_are_not_ready(service: JSON) -> None:
    service["spec"]["publishNotReadyAddresses"] = True


def by_address_of_the_client(service: JSON) -> None:
    service["spec"] |= {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}


def elsewhere(service: JSON) -> None:
    service["spec"] |= {"type": "ExternalName", "externalName": "elsewhere.example.com"}


def wider(service: JSON) -> None:
    service["spec"]["selector"] = {"app": "x"}


@pytest.mark.parametrize(
    "change", [another_port, to_pods_that_are_not_ready, by_address_of_the_client, elsewhere, wider]
)
def test_a_field_of_the_service_that_decides_who_answers_is_put_back(change: Change) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        await cluster.quiet()
        wished = spec(cluster, "Service")
        cluster.edit("Service", NAME, change)
        await cluster.until(lambda: spec(cluster, "Service") == wished, within=30, say="the Service is as it was")

    play(story)


def test_what_the_cluster_keeps_in_a_service_stays() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        await cluster.quiet()
        theirs = {"internalTrafficPolicy": "Local", "trafficDistribution": "PreferClose"}
        cluster.edit("Service", NAME, lambda one: one["spec"].update(theirs))
        cluster.edit("Service", NAME, wider)
        await asyncio.sleep(60)
        assert spec(cluster, "Service").items() >= theirs.items()
        assert serves(cluster, 1)

    play(story)
