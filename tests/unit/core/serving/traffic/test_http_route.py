"""The HTTPRoute: created once, moved by its weights, fenced by what was observed; one Service a revision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from steadfit.core.types import Action, Apply, Create, Replace

from tests.unit.core.serving import serving_cluster_gateways
from tests.unit.core.serving.canaries import champion, tried
from tests.unit.core.serving.serving_cluster import ServingCluster
from tests.unit.core.serving.serving_cluster_gateways import TRAFFIC, shares, weights

STEPS = {"canary": {"steps": [{"weight": weight, "pause": "10m"} for weight in (10, 50, 99)]}}


def behind_a_gateway(replicas: int = 2, strategy: dict[str, Any] | None = None, **spec: Any) -> ServingCluster:
    """Return a cluster in which version 1 serves, also through a Gateway that accepts whatever it is given."""
    cluster = ServingCluster(replicas=replicas, strategy=strategy or STEPS, **({"traffic": TRAFFIC} | spec))
    cluster.gateway = serving_cluster_gateways.accepts
    cluster.add(1)
    cluster.settle()
    return cluster


def tried_by_weight(replicas: int = 2, **spec: Any) -> ServingCluster:
    """Return a cluster in which version 2 takes the share of the first step beside version 1."""
    cluster = behind_a_gateway(replicas, **spec)
    cluster.add(2)
    cluster.settle()
    assert tried(cluster).phase == "Analysing"
    return cluster


def on_route(cluster: ServingCluster) -> list[Action]:
    actions = cluster.plan().actions
    return [action for action in actions if action.manifest["kind"] == "HTTPRoute"]


def route(cluster: ServingCluster) -> dict[str, Any]:
    assert cluster.route is not None
    return cluster.route


def test_the_first_version_gets_a_service_of_its_own_and_all_of_the_weight() -> None:
    cluster = behind_a_gateway(
        traffic={
            "gatewayAPI": {
                "parentRefs": [{"name": "public", "namespace": "edge", "sectionName": "https"}, {"name": "inner"}],
                "hostnames": ["flights.example.com"],
            }
        }
    )
    live = champion(cluster)
    assert route(cluster)["apiVersion"] == "gateway.networking.k8s.io/v1"
    metadata = route(cluster)["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("flights", "shop")
    assert metadata["ownerReferences"][0]["uid"] == "mdep-1"
    gateway = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    assert route(cluster)["spec"] == {
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
    service = cluster.services[f"flights-{live}"]
    assert service["spec"]["selector"] == {"steadfit.dev/model-deployment": "flights", "steadfit.dev/revision": live}
    assert service["metadata"]["ownerReferences"][0]["uid"] == "mdep-1"


def test_the_weights_of_a_canary_are_exact_and_the_service_selects_the_champion_alone() -> None:
    cluster = tried_by_weight()
    before = champion(cluster)
    selected = {"steadfit.dev/model-deployment": "flights", "steadfit.dev/revision": before}
    seen = [(tried(cluster).actual_weight, shares(cluster), cluster.replicas())]
    cluster.finds("Pass")
    for _ in range(2):
        cluster.now += timedelta(minutes=10)
        cluster.settle()
        assert cluster.service is not None
        assert cluster.service["spec"]["selector"] == selected
        seen.append((tried(cluster).actual_weight, shares(cluster), cluster.replicas()))
    assert seen == [
        (10, {1: 90, 2: 10}, {1: 2, 2: 1}),
        (50, {1: 50, 2: 50}, {1: 2, 2: 1}),
        (99, {1: 1, 2: 99}, {1: 2, 2: 2}),
    ]
    cluster.now += timedelta(minutes=10)
    cluster.settle()
    assert cluster.live() == 2
    assert shares(cluster) == {2: 100}
    assert cluster.replicas() == {1: 0, 2: 2}


def test_a_candidate_that_comes_up_is_named_without_weight() -> None:
    cluster = behind_a_gateway()
    cluster.gateway = lambda route: None
    cluster.add(2)
    cluster.settle()
    assert tried(cluster).phase == "Starting"
    assert shares(cluster) == {1: 100, 2: 0}


def test_a_new_step_takes_its_weight_once_its_pods_are_ready() -> None:
    cluster = tried_by_weight(replicas=20)
    candidate = tried(cluster).revision
    cluster.half.add(candidate)
    cluster.now += timedelta(minutes=10)
    cluster.finds("Pass")
    cluster.settle()
    assert tried(cluster).weight == 50
    assert shares(cluster) == {1: 90, 2: 10}
    cluster.half.clear()
    cluster.settle()
    assert shares(cluster) == {1: 50, 2: 50}


def test_a_candidate_without_ready_pods_has_no_weight_until_they_are_back() -> None:
    cluster = tried_by_weight()
    cluster.broken.add(tried(cluster).revision)
    cluster.settle()
    assert shares(cluster) == {1: 100, 2: 0}
    cluster.broken.clear()
    cluster.settle()
    assert shares(cluster) == {1: 90, 2: 10}


def test_a_candidate_that_fails_loses_its_weight_before_its_pods() -> None:
    cluster = tried_by_weight()
    cluster.finds("Fail")
    assert cluster.step()
    actions = [action.manifest["kind"] for action in cluster.plan().actions if isinstance(action, Apply | Replace)]
    assert "HTTPRoute" in actions
    assert "Deployment" not in actions
    cluster.settle()
    assert shares(cluster) == {1: 100}
    assert set(cluster.services) == {f"flights-{champion(cluster)}"}


def test_the_last_good_version_stays_in_the_route_without_weight_while_it_is_warm() -> None:
    cluster = behind_a_gateway(strategy={"blueGreen": {}})
    cluster.drains = True
    cluster.edit(server={"replicas": 2})
    cluster.settle()
    cluster.add(2)
    cluster.settle()
    assert cluster.live() == 2
    assert shares(cluster) == {1: 0, 2: 100}
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 1
    assert shares(cluster) == {1: 100}
    cluster.now += timedelta(hours=25)
    cluster.settle()
    assert len(cluster.services) == 1


def test_what_was_rolled_back_keeps_answering_until_what_was_good_is_complete() -> None:
    cluster = behind_a_gateway(strategy={"blueGreen": {}})
    good = champion(cluster)
    cluster.add(2)
    cluster.settle()
    bad = champion(cluster)
    cluster.broken.add(good)
    cluster.act("Rollback")
    cluster.settle()
    assert weights(cluster.route)[bad] == 100
    cluster.broken.clear()
    cluster.settle()
    assert weights(cluster.route) == {good: 100}


def test_a_route_as_it_should_be_is_left_alone() -> None:
    cluster = tried_by_weight()
    assert on_route(cluster) == []


def test_weights_that_somebody_edited_are_put_right_with_the_observed_uid_and_resource_version() -> None:
    cluster = tried_by_weight()
    for backend in route(cluster)["spec"]["rules"][0]["backendRefs"]:
        backend["weight"] = 50
    (action,) = on_route(cluster)
    assert isinstance(action, Replace)
    for field in ("uid", "resourceVersion"):
        assert action.manifest["metadata"][field] == route(cluster)["metadata"][field]
    cluster.settle()
    assert shares(cluster) == {1: 90, 2: 10}


def test_a_filter_that_somebody_added_is_taken_away() -> None:
    cluster = behind_a_gateway()
    route(cluster)["spec"]["rules"][0]["filters"] = [{"type": "RequestRedirect", "requestRedirect": {"hostname": "x"}}]
    cluster.settle()
    assert "filters" not in route(cluster)["spec"]["rules"][0]


def test_a_candidate_that_goes_changes_the_route_so_that_an_older_decision_meets_another_resource_version() -> None:
    cluster = tried_by_weight()
    tied = route(cluster)["metadata"]["annotations"]["steadfit.dev/decided-at"]
    assert tied == f"{cluster.status.dump()['live']['since']}/{cluster.status.dump()['candidate']['since']}"
    cluster.act("Abort")
    cluster.settle()
    assert (
        route(cluster)["metadata"]["annotations"]["steadfit.dev/decided-at"] == cluster.status.dump()["live"]["since"]
    )


def test_a_route_that_is_being_deleted_is_not_touched() -> None:
    cluster = tried_by_weight()
    route(cluster)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    route(cluster)["spec"]["hostnames"] = ["edited.example.com"]
    assert on_route(cluster) == []


def test_a_missing_route_is_created_with_the_shares_of_the_step() -> None:
    cluster = tried_by_weight()
    cluster.route = None
    (action,) = on_route(cluster)
    assert isinstance(action, Create)
    cluster.settle()
    assert shares(cluster) == {1: 90, 2: 10}


def test_a_service_that_is_missing_leaves_the_route_before_requests_meet_nothing() -> None:
    cluster = tried_by_weight()
    del cluster.services[f"flights-{tried(cluster).revision}"]
    cluster.step()
    assert shares(cluster) == {1: 100}
    cluster.settle()
    assert shares(cluster) == {1: 90, 2: 10}


def test_a_revisions_service_that_somebody_edited_is_put_right() -> None:
    cluster = behind_a_gateway()
    (service,) = cluster.services.values()
    service["spec"]["selector"] = {"app": "x"}
    cluster.settle()
    (service,) = cluster.services.values()
    assert service["spec"]["selector"]["steadfit.dev/revision"] == champion(cluster)


def test_without_gateways_in_the_spec_the_route_goes_first_and_the_services_after_it() -> None:
    cluster = behind_a_gateway(strategy={"blueGreen": {}})
    cluster.edit(traffic=None)
    cluster.settle()
    assert cluster.route is None
    assert cluster.services == {}
    assert cluster.condition("RouteReady") == ("True", "NoGateway")


def test_somebody_elses_route_is_neither_deleted_nor_believed() -> None:
    cluster = behind_a_gateway(strategy={"blueGreen": {}})
    route(cluster)["metadata"]["ownerReferences"] = [
        {"kind": "Rollout", "name": "else", "uid": "else", "controller": True}
    ]
    cluster.edit(traffic=None)
    assert on_route(cluster) == []


def test_what_the_route_still_sends_requests_to_keeps_its_pods_after_the_status_was_lost() -> None:
    cluster = tried_by_weight()
    candidate = tried(cluster).revision
    cluster.deployment["status"] = {"observedGeneration": -1}
    # The cluster fails a write that takes the pods from what has weight.
    cluster.step()
    assert weights(cluster.route)[candidate] == 10
    cluster.settle()
    assert cluster.live() == 1
    assert tried(cluster).revision == candidate
