"""The Service: created once, moved by its selector, fenced by what was observed."""

from __future__ import annotations

from steadfit.core.types import Apply, Create

from tests.unit.core.serving.serving_cluster import World, serving


def actions_on_service(world: World) -> list[Apply | Create]:
    return [
        action
        for action in world.plan().actions
        if isinstance(action, Apply | Create) and action.manifest["kind"] == "Service"
    ]


def test_a_missing_service_is_created_and_never_applied() -> None:
    world = serving(1)
    world.service = None
    (action,) = actions_on_service(world)
    assert isinstance(action, Create)
    manifest = action.manifest
    assert (manifest["metadata"]["name"], manifest["metadata"]["namespace"]) == ("flights", "shop")
    assert manifest["metadata"]["ownerReferences"][0]["uid"] == "mdep-1"
    assert manifest["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "steadfit"
    assert manifest["spec"]["ports"] == [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]


def test_an_existing_service_is_applied_with_the_observed_uid_and_resource_version() -> None:
    world = serving(1)
    assert world.service is not None
    world.service["spec"]["selector"] = {"app": "somebody edited it"}
    (action,) = actions_on_service(world)
    assert isinstance(action, Apply)
    for field in ("uid", "resourceVersion"):
        assert action.manifest["metadata"][field] == world.service["metadata"][field]


def test_a_service_that_is_as_it_should_be_is_left_alone() -> None:
    world = serving(1)
    assert world.service is not None
    world.service["spec"] |= {"clusterIP": "10.0.0.1", "sessionAffinity": "None"}
    world.service["spec"]["ports"][0]["nodePort"] = 30000
    assert actions_on_service(world) == []


def test_a_new_decision_changes_the_service_so_that_an_older_one_meets_another_resource_version() -> None:
    world = serving(1)
    assert world.service is not None
    world.service["metadata"]["annotations"]["steadfit.dev/decided-at"] = "2020-01-01T00:00:00Z"
    (action,) = actions_on_service(world)
    assert isinstance(action, Apply)
    since = world.status.dump()["live"]["since"]
    assert action.manifest["metadata"]["annotations"] == {"steadfit.dev/decided-at": since}


def test_ports_that_somebody_edited_are_put_right() -> None:
    world = serving(1)
    assert world.service is not None
    world.service["spec"]["ports"][0]["targetPort"] = 9999
    world.settle()
    assert world.service["spec"]["ports"][0]["targetPort"] == "http"


def test_a_service_that_is_being_deleted_is_not_touched() -> None:
    world = serving(1)
    assert world.service is not None
    world.service["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    world.service["spec"]["selector"] = {"app": "x"}
    assert actions_on_service(world) == []


def test_a_service_that_another_controller_owns_is_not_touched() -> None:
    world = serving(1)
    assert world.service is not None
    world.service["metadata"]["ownerReferences"] = [{"uid": "else", "controller": True}]
    world.service["spec"]["selector"] = {"app": "x"}
    assert actions_on_service(world) == []


def test_the_service_is_never_made_for_a_revision_in_quarantine() -> None:
    world = serving(1, 2)
    world.broken.add(world.moves[0])
    world.act("Rollback")
    world.settle()
    world.service = None
    assert actions_on_service(world) == []
