"""What is said of the HTTPRoute, and that a canary waits until requests reach it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.core.serving import serving_cluster_gateways
from tests.unit.core.serving.canaries import tried
from tests.unit.core.serving.serving_cluster import World
from tests.unit.core.serving.serving_cluster_gateways import accepts, answers

from .test_http_route import behind_a_gateway, route

FOREIGN = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "flights", "namespace": "shop", "uid": "theirs", "resourceVersion": "7", "generation": 1},
    "spec": {"rules": [{"backendRefs": [{"name": "elsewhere", "port": 80}]}]},
}


def waiting(gateway: Any) -> World:
    """Return a world in which version 2 waits beside version 1, and this is what the Gateways say."""
    world = behind_a_gateway()
    world.gateway = gateway
    world.add(2)
    world.settle()
    return world


def test_an_accepted_route_is_told_of_by_its_gateways() -> None:
    world = behind_a_gateway(
        traffic={"gatewayAPI": {"parentRefs": [{"name": "public", "namespace": "edge", "sectionName": "https"}]}}
    )
    assert world.condition("RouteReady") == ("True", "RouteAccepted")
    assert world.message("RouteReady") == "requests come through Gateway edge/public, listener https"


def test_without_gateways_in_the_spec_nothing_is_said_of_a_route() -> None:
    world = World()
    world.add(1)
    world.settle()
    assert world.condition("RouteReady") is None
    assert world.route is None
    assert world.services == {}


@pytest.mark.parametrize("kind", ["Accepted", "ResolvedRefs"])
def test_a_canary_does_not_begin_while_a_gateway_does_not_take_the_route(kind: str) -> None:
    world = waiting(lambda route: answers(route, route["metadata"]["generation"], **{kind: "False"}))
    assert world.condition("RouteReady") == ("False", "RouteNotAccepted")
    assert world.message("RouteReady") == "Gateway public does not accept the HTTPRoute: Because"
    assert tried(world).phase == "Starting"
    assert tried(world).message == (
        "its pods are ready, but no requests would reach them: Gateway public does not accept the HTTPRoute: Because"
    )
    assert world.condition("Ready") == ("True", "Serving")
    world.gateway = accepts
    world.settle()
    assert tried(world).phase == "Analysing"
    assert world.condition("RouteReady") == ("True", "RouteAccepted")


def test_what_a_gateway_said_of_an_earlier_generation_does_not_count() -> None:
    world = waiting(lambda route: answers(route, route["metadata"]["generation"] - 1))
    assert world.condition("RouteReady") == ("False", "RouteNotAccepted")
    assert world.message("RouteReady") == "Gateway public has not accepted the current HTTPRoute yet"
    assert tried(world).phase == "Starting"


def test_every_gateway_has_to_take_it() -> None:
    def one_of_them(route: dict[str, Any]) -> None:
        accepts(route)
        del route["status"]["parents"][1:]

    world = behind_a_gateway(
        traffic={"gatewayAPI": {"parentRefs": [{"name": "public"}, {"name": "public", "sectionName": "https"}]}}
    )
    world.gateway = one_of_them
    world.add(2)
    world.settle()
    assert "Gateway public, listener https has not accepted the current HTTPRoute yet" in world.message("RouteReady")
    assert tried(world).phase == "Starting"


def test_of_two_controllers_that_speak_for_a_gateway_one_is_enough() -> None:
    def two(route: dict[str, Any]) -> None:
        answers(route, route["metadata"]["generation"], Accepted="False")
        refused = route["status"]["parents"]
        accepts(route)
        route["status"]["parents"] = [*refused, *route["status"]["parents"]]

    assert tried(waiting(two)).phase == "Analysing"


def test_a_route_that_belongs_to_someone_else_is_left_alone_and_told_of() -> None:
    world = World(traffic=serving_cluster_gateways.TRAFFIC, strategy={"canary": {"steps": [{"weight": 20}]}})
    world.route = FOREIGN
    for number in (1, 2):
        world.add(number)
        world.settle()
    assert world.route == FOREIGN
    assert world.services == {}
    assert world.condition("RouteReady") == ("False", "RouteNotOwned")
    assert "belongs to someone else" in world.message("RouteReady")
    assert (world.live(), tried(world).phase) == (1, "Starting")
    assert world.condition("Ready") == ("True", "Serving")


def test_a_cluster_without_the_gateway_api_serves_by_the_service_and_says_so() -> None:
    world = World(traffic=serving_cluster_gateways.TRAFFIC, strategy={"canary": {"steps": [{"weight": 20}]}})
    world.gateway_api = False
    for number in (1, 2):
        world.add(number)
        world.settle()
    assert world.route is None
    assert world.services == {}
    assert world.condition("RouteReady") == ("False", "GatewayAPINotInstalled")
    assert "install the Gateway API" in tried(world).message
    assert (world.live(), tried(world).phase) == (1, "Starting")
    assert world.condition("Ready") == ("True", "Serving")
    world.gateway_api, world.gateway = True, accepts
    world.settle()
    assert tried(world).phase == "Analysing"
    assert serving_cluster_gateways.shares(world) == {1: 80, 2: 20}


def test_an_answer_for_another_gateway_of_the_name_does_not_count() -> None:
    def elsewhere(route: dict[str, Any]) -> None:
        accepts(route)
        route["status"]["parents"][0]["parentRef"] = {"name": "public", "namespace": "elsewhere"}

    world = waiting(elsewhere)
    assert tried(world).phase == "Starting"


def test_the_namespace_of_the_deployment_is_the_one_of_a_gateway_without() -> None:
    def spelled_out(route: dict[str, Any]) -> None:
        accepts(route)
        route["status"]["parents"][0]["parentRef"] = {"name": "public", "namespace": "shop"}

    world = waiting(spelled_out)
    assert tried(world).phase == "Analysing"
    assert route(world)["metadata"]["namespace"] == "shop"
