"""What is said of the HTTPRoute, and that a canary waits until requests reach it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.core.serving import serving_cluster_gateways
from tests.unit.core.serving.canaries import tried
from tests.unit.core.serving.serving_cluster import ServingCluster
from tests.unit.core.serving.serving_cluster_gateways import accepts, answers

from .test_http_route import behind_a_gateway, route

FOREIGN = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "flights", "namespace": "shop", "uid": "theirs", "resourceVersion": "7", "generation": 1},
    "spec": {"rules": [{"backendRefs": [{"name": "elsewhere", "port": 80}]}]},
}


def waiting(gateway: Any) -> ServingCluster:
    """Return a cluster in which version 2 waits beside version 1, and this is what the Gateways say."""
    cluster = behind_a_gateway()
    cluster.gateway = gateway
    cluster.add(2)
    cluster.settle()
    return cluster


def test_an_accepted_route_is_told_of_by_its_gateways() -> None:
    cluster = behind_a_gateway(
        traffic={"gatewayAPI": {"parentRefs": [{"name": "public", "namespace": "edge", "sectionName": "https"}]}}
    )
    assert cluster.condition("RouteReady") == ("True", "RouteAccepted")
    assert cluster.message("RouteReady") == "requests come through Gateway edge/public, listener https"


def test_without_gateways_in_the_spec_nothing_is_said_of_a_route() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.settle()
    assert cluster.condition("RouteReady") == ("True", "NoGateway")
    assert cluster.route is None
    assert cluster.services == {}


@pytest.mark.parametrize("kind", ["Accepted", "ResolvedRefs"])
def test_a_canary_does_not_begin_while_a_gateway_does_not_take_the_route(kind: str) -> None:
    cluster = waiting(lambda route: answers(route, route["metadata"]["generation"], **{kind: "False"}))
    assert cluster.condition("RouteReady") == ("False", "RouteNotAccepted")
    assert cluster.message("RouteReady") == "Gateway public does not accept the HTTPRoute: Because"
    assert tried(cluster).phase == "Starting"
    assert tried(cluster).message == (
        "its pods are ready, but no requests would reach them: Gateway public does not accept the HTTPRoute: Because"
    )
    assert cluster.condition("Ready") == ("True", "Serving")
    cluster.gateway = accepts
    cluster.settle()
    assert tried(cluster).phase == "Analysing"
    assert cluster.condition("RouteReady") == ("True", "RouteAccepted")


def test_what_a_gateway_said_of_an_earlier_generation_does_not_count() -> None:
    cluster = waiting(lambda route: answers(route, route["metadata"]["generation"] - 1))
    assert cluster.condition("RouteReady") == ("False", "RouteNotAccepted")
    assert cluster.message("RouteReady") == "Gateway public has not accepted the current HTTPRoute yet"
    assert tried(cluster).phase == "Starting"


def test_every_gateway_has_to_take_it() -> None:
    def one_of_them(route: dict[str, Any]) -> None:
        accepts(route)
        del route["status"]["parents"][1:]

    cluster = behind_a_gateway(
        traffic={"gatewayAPI": {"parentRefs": [{"name": "public"}, {"name": "public", "sectionName": "https"}]}}
    )
    cluster.gateway = one_of_them
    cluster.add(2)
    cluster.settle()
    assert "Gateway public, listener https has not accepted the current HTTPRoute yet" in cluster.message("RouteReady")
    assert tried(cluster).phase == "Starting"


def test_of_two_controllers_that_speak_for_a_gateway_one_is_enough() -> None:
    def two(route: dict[str, Any]) -> None:
        answers(route, route["metadata"]["generation"], Accepted="False")
        refused = route["status"]["parents"]
        accepts(route)
        route["status"]["parents"] = [*refused, *route["status"]["parents"]]

    assert tried(waiting(two)).phase == "Analysing"


def test_a_route_that_belongs_to_someone_else_is_left_alone_and_told_of() -> None:
    cluster = ServingCluster(traffic=serving_cluster_gateways.TRAFFIC, strategy={"canary": {"steps": [{"weight": 20}]}})
    cluster.route = FOREIGN
    for number in (1, 2):
        cluster.add(number)
        cluster.settle()
    assert cluster.route == FOREIGN
    assert cluster.services == {}
    assert cluster.condition("RouteReady") == ("False", "RouteNotOwned")
    assert "belongs to someone else" in cluster.message("RouteReady")
    assert (cluster.live(), tried(cluster).phase) == (1, "Starting")
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_cluster_without_the_gateway_api_serves_by_the_service_and_says_so() -> None:
    cluster = ServingCluster(traffic=serving_cluster_gateways.TRAFFIC, strategy={"canary": {"steps": [{"weight": 20}]}})
    cluster.gateway_api = False
    for number in (1, 2):
        cluster.add(number)
        cluster.settle()
    assert cluster.route is None
    assert cluster.services == {}
    assert cluster.condition("RouteReady") == ("False", "GatewayAPINotInstalled")
    assert "install the Gateway API" in tried(cluster).message
    assert (cluster.live(), tried(cluster).phase) == (1, "Starting")
    assert cluster.condition("Ready") == ("True", "Serving")
    cluster.gateway_api, cluster.gateway = True, accepts
    cluster.settle()
    assert tried(cluster).phase == "Analysing"
    assert serving_cluster_gateways.shares(cluster) == {1: 80, 2: 20}


def test_an_answer_for_another_gateway_of_the_name_does_not_count() -> None:
    def elsewhere(route: dict[str, Any]) -> None:
        accepts(route)
        route["status"]["parents"][0]["parentRef"] = {"name": "public", "namespace": "elsewhere"}

    cluster = waiting(elsewhere)
    assert tried(cluster).phase == "Starting"


def test_the_namespace_of_the_deployment_is_the_one_of_a_gateway_without() -> None:
    def spelled_out(route: dict[str, Any]) -> None:
        accepts(route)
        route["status"]["parents"][0]["parentRef"] = {"name": "public", "namespace": "shop"}

    cluster = waiting(spelled_out)
    assert tried(cluster).phase == "Analysing"
    assert route(cluster)["metadata"]["namespace"] == "shop"
