"""The HTTPRoute: created once, moved by its weights, fenced by what was observed; one Service a revision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from steadfit.core.types import Apply, Create, Delete

from tests.unit.core.serving import serving_cluster_gateways
from tests.unit.core.serving.canaries import champion, tried
from tests.unit.core.serving.serving_cluster import World
from tests.unit.core.serving.serving_cluster_gateways import TRAFFIC, shares, weights

STEPS = {"canary": {"steps": [{"weight": weight, "pause": "10m"} for weight in (10, 50, 99)]}}


def behind_a_gateway(replicas: int = 2, strategy: dict[str, Any] | None = None, **spec: Any) -> World:
    """Return a world in which version 1 serves, also through a Gateway that accepts whatever it is given."""
    world = World(replicas=replicas, strategy=strategy or STEPS, **({"traffic": TRAFFIC} | spec))
    world.gateway = serving_cluster_gateways.accepts
    world.add(1)
    world.settle()
    return world


def tried_by_weight(replicas: int = 2, **spec: Any) -> World:
    """Return a world in which version 2 takes the share of the first step beside version 1."""
    world = behind_a_gateway(replicas, **spec)
    world.add(2)
    world.settle()
    assert tried(world).phase == "Analysing"
    return world


def on_route(world: World) -> list[Apply | Create | Delete]:
    actions = world.plan().actions
    return [action for action in actions if action.manifest["kind"] == "HTTPRoute"]


def route(world: World) -> dict[str, Any]:
    assert world.route is not None
    return world.route


def test_the_first_version_gets_a_service_of_its_own_and_all_of_the_weight() -> None:
    world = behind_a_gateway(
        traffic={
            "gatewayAPI": {
                "parentRefs": [{"name": "public", "namespace": "edge", "sectionName": "https"}, {"name": "inner"}],
                "hostnames": ["flights.example.com"],
            }
        }
    )
    live = champion(world)
    assert route(world)["apiVersion"] == "gateway.networking.k8s.io/v1"
    metadata = route(world)["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("flights", "shop")
    assert metadata["ownerReferences"][0]["uid"] == "mdep-1"
    gateway = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    assert route(world)["spec"] == {
        "parentRefs": [
            {**gateway, "name": "public", "namespace": "edge", "sectionName": "https"},
            {**gateway, "name": "inner"},
        ],
        "hostnames": ["flights.example.com"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [
                    {"group": "", "kind": "Service", "name": f"flights-{live}", "port": 80, "weight": 100},
                ],
            }
        ],
    }
    service = world.services[f"flights-{live}"]
    assert service["spec"]["selector"] == {"steadfit.dev/model-deployment": "flights", "steadfit.dev/revision": live}
    assert service["metadata"]["ownerReferences"][0]["uid"] == "mdep-1"


def test_the_weights_of_a_canary_are_exact_and_the_service_selects_the_champion_alone() -> None:
    world = tried_by_weight()
    before = champion(world)
    selected = {"steadfit.dev/model-deployment": "flights", "steadfit.dev/revision": before}
    seen = [(tried(world).actual_weight, shares(world), world.replicas())]
    world.finds("Pass")
    for _ in range(2):
        world.now += timedelta(minutes=10)
        world.settle()
        assert world.service is not None
        assert world.service["spec"]["selector"] == selected
        seen.append((tried(world).actual_weight, shares(world), world.replicas()))
    assert seen == [
        (10, {1: 90, 2: 10}, {1: 2, 2: 1}),
        (50, {1: 50, 2: 50}, {1: 2, 2: 1}),
        (99, {1: 1, 2: 99}, {1: 2, 2: 2}),
    ]
    world.now += timedelta(minutes=10)
    world.settle()
    assert world.live() == 2
    assert shares(world) == {2: 100}
    assert world.replicas() == {1: 0, 2: 2}


def test_a_candidate_that_comes_up_is_named_without_weight() -> None:
    world = behind_a_gateway()
    world.gateway = lambda route: None
    world.add(2)
    world.settle()
    assert tried(world).phase == "Starting"
    assert shares(world) == {1: 100, 2: 0}


def test_a_new_step_takes_its_weight_once_its_pods_are_ready() -> None:
    world = tried_by_weight(replicas=20)
    candidate = tried(world).revision
    world.half.add(candidate)
    world.now += timedelta(minutes=10)
    world.finds("Pass")
    world.settle()
    assert tried(world).weight == 50
    assert shares(world) == {1: 90, 2: 10}
    world.half.clear()
    world.settle()
    assert shares(world) == {1: 50, 2: 50}


def test_a_candidate_without_ready_pods_has_no_weight_until_they_are_back() -> None:
    world = tried_by_weight()
    world.broken.add(tried(world).revision)
    world.settle()
    assert shares(world) == {1: 100, 2: 0}
    world.broken.clear()
    world.settle()
    assert shares(world) == {1: 90, 2: 10}


def test_a_candidate_that_fails_loses_its_weight_before_its_pods() -> None:
    world = tried_by_weight()
    world.finds("Fail")
    assert world.step()
    actions = [action.manifest["kind"] for action in world.plan().actions if isinstance(action, Apply)]
    assert "HTTPRoute" in actions
    assert "Deployment" not in actions
    world.settle()
    assert shares(world) == {1: 100}
    assert set(world.services) == {f"flights-{champion(world)}"}


def test_the_last_good_version_stays_in_the_route_without_weight_while_it_is_warm() -> None:
    world = behind_a_gateway(strategy={"blueGreen": {}})
    world.drains = True
    world.edit(server={"replicas": 2})
    world.settle()
    world.add(2)
    world.settle()
    assert world.live() == 2
    assert shares(world) == {1: 0, 2: 100}
    world.act("Rollback")
    world.settle()
    assert world.live() == 1
    assert shares(world) == {1: 100}
    world.now += timedelta(hours=25)
    world.settle()
    assert len(world.services) == 1


def test_what_was_rolled_back_keeps_answering_until_what_was_good_is_complete() -> None:
    world = behind_a_gateway(strategy={"blueGreen": {}})
    good = champion(world)
    world.add(2)
    world.settle()
    bad = champion(world)
    world.broken.add(good)
    world.act("Rollback")
    world.settle()
    assert weights(world.route)[bad] == 100
    world.broken.clear()
    world.settle()
    assert weights(world.route) == {good: 100}


def test_a_route_as_it_should_be_is_left_alone() -> None:
    world = tried_by_weight()
    assert on_route(world) == []


def test_weights_that_somebody_edited_are_put_right_with_the_observed_uid_and_resource_version() -> None:
    world = tried_by_weight()
    for backend in route(world)["spec"]["rules"][0]["backendRefs"]:
        backend["weight"] = 50
    (action,) = on_route(world)
    assert isinstance(action, Apply)
    for field in ("uid", "resourceVersion"):
        assert action.manifest["metadata"][field] == route(world)["metadata"][field]
    world.settle()
    assert shares(world) == {1: 90, 2: 10}


def test_a_filter_that_somebody_added_is_taken_away() -> None:
    world = behind_a_gateway()
    route(world)["spec"]["rules"][0]["filters"] = [{"type": "RequestRedirect", "requestRedirect": {"hostname": "x"}}]
    world.settle()
    assert "filters" not in route(world)["spec"]["rules"][0]


def test_a_candidate_that_goes_changes_the_route_so_that_an_older_decision_meets_another_resource_version() -> None:
    world = tried_by_weight()
    tied = route(world)["metadata"]["annotations"]["steadfit.dev/decided-at"]
    assert tied == f"{world.status.dump()['live']['since']}/{world.status.dump()['candidate']['since']}"
    world.act("Abort")
    world.settle()
    assert route(world)["metadata"]["annotations"]["steadfit.dev/decided-at"] == world.status.dump()["live"]["since"]


def test_a_route_that_is_being_deleted_is_not_touched() -> None:
    world = tried_by_weight()
    route(world)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    route(world)["spec"]["hostnames"] = ["edited.example.com"]
    assert on_route(world) == []


def test_a_missing_route_is_created_with_the_shares_of_the_step() -> None:
    world = tried_by_weight()
    world.route = None
    (action,) = on_route(world)
    assert isinstance(action, Create)
    world.settle()
    assert shares(world) == {1: 90, 2: 10}


def test_a_service_that_is_missing_leaves_the_route_before_requests_meet_nothing() -> None:
    world = tried_by_weight()
    del world.services[f"flights-{tried(world).revision}"]
    world.step()
    assert shares(world) == {1: 100}
    world.settle()
    assert shares(world) == {1: 90, 2: 10}


def test_a_revisions_service_that_somebody_edited_is_put_right() -> None:
    world = behind_a_gateway()
    (service,) = world.services.values()
    service["spec"]["selector"] = {"app": "x"}
    world.settle()
    (service,) = world.services.values()
    assert service["spec"]["selector"]["steadfit.dev/revision"] == champion(world)


def test_without_gateways_in_the_spec_the_route_goes_first_and_the_services_after_it() -> None:
    world = behind_a_gateway(strategy={"blueGreen": {}})
    world.edit(traffic=None)
    world.settle()
    assert world.route is None
    assert world.services == {}
    assert world.condition("RouteReady") is None


def test_somebody_elses_route_is_neither_deleted_nor_believed() -> None:
    world = behind_a_gateway(strategy={"blueGreen": {}})
    route(world)["metadata"]["ownerReferences"] = [{"uid": "else", "controller": True}]
    world.edit(traffic=None)
    assert on_route(world) == []


def test_what_the_route_still_sends_requests_to_keeps_its_pods_after_the_status_was_lost() -> None:
    world = tried_by_weight()
    candidate = tried(world).revision
    world.deployment["status"] = {"observedGeneration": -1}
    # The world fails a write that takes the pods from what has weight.
    world.step()
    assert weights(world.route)[candidate] == 10
    world.settle()
    assert world.live() == 1
    assert tried(world).revision == candidate
