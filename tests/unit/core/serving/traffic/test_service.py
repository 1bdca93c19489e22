"""The Service: created once, moved by its selector, fenced by what was observed."""

from __future__ import annotations

from steadfit.core.types import Create, Replace

from tests.unit.core.serving.serving_cluster import ServingCluster, serving


def actions_on_service(cluster: ServingCluster) -> list[Create | Replace]:
    return [
        action
        for action in cluster.plan().actions
        if isinstance(action, Create | Replace) and action.manifest["kind"] == "Service"
    ]


def test_a_missing_service_is_created_and_never_applied() -> None:
    cluster = serving(1)
    cluster.service = None
    (action,) = actions_on_service(cluster)
    assert isinstance(action, Create)
    manifest = action.manifest
    assert (manifest["metadata"]["name"], manifest["metadata"]["namespace"]) == ("flights", "shop")
    assert manifest["metadata"]["ownerReferences"][0]["uid"] == "mdep-1"
    assert manifest["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "steadfit"
    assert manifest["spec"]["ports"] == [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]


def test_an_existing_service_is_applied_with_the_observed_uid_and_resource_version() -> None:
    cluster = serving(1)
    assert cluster.service is not None
    cluster.service["spec"]["selector"] = {"app": "somebody edited it"}
    (action,) = actions_on_service(cluster)
    assert isinstance(action, Replace)
    for field in ("uid", "resourceVersion"):
        assert action.manifest["metadata"][field] == cluster.service["metadata"][field]


def test_a_service_that_is_as_it_should_be_is_left_alone() -> None:
    cluster = serving(1)
    assert cluster.service is not None
    cluster.service["spec"] |= {"clusterIP": "10.0.0.1", "sessionAffinity": "None"}
    cluster.service["spec"]["ports"][0]["nodePort"] = 30000
    assert actions_on_service(cluster) == []


def test_a_new_decision_changes_the_service_so_that_an_older_one_meets_another_resource_version() -> None:
    cluster = serving(1)
    assert cluster.service is not None
    cluster.service["metadata"]["annotations"]["steadfit.dev/decided-at"] = "2020-01-01T00:00:00Z"
    (action,) = actions_on_service(cluster)
    assert isinstance(action, Replace)
    since = cluster.status.dump()["live"]["since"]
    assert action.manifest["metadata"]["annotations"]["steadfit.dev/decided-at"] == since


def test_ports_that_somebody_edited_are_put_right() -> None:
    cluster = serving(1)
    assert cluster.service is not None
    cluster.service["spec"]["ports"][0]["targetPort"] = 9999
    cluster.settle()
    assert cluster.service["spec"]["ports"][0]["targetPort"] == "http"


def test_a_service_that_is_being_deleted_is_not_touched() -> None:
    cluster = serving(1)
    assert cluster.service is not None
    cluster.service["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.service["spec"]["selector"] = {"app": "x"}
    assert actions_on_service(cluster) == []


def test_a_service_that_another_controller_owns_is_not_touched() -> None:
    cluster = serving(1)
    assert cluster.service is not None
    cluster.service["metadata"]["ownerReferences"] = [
        {"kind": "Rollout", "name": "else", "uid": "else", "controller": True}
    ]
    cluster.service["spec"]["selector"] = {"app": "x"}
    assert actions_on_service(cluster) == []


def test_the_service_is_never_made_for_a_revision_in_quarantine() -> None:
    cluster = serving(1, 2)
    cluster.broken.add(cluster.moves[0])
    cluster.act("Rollback")
    cluster.settle()
    cluster.service = None
    assert actions_on_service(cluster) == []
