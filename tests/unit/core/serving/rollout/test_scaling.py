"""Scale is applied alone and fenced; what the Service points at keeps its pods."""

from __future__ import annotations

from steadfit.core.types import Apply, Delete

from tests.unit.core.serving.serving_cluster import serving


def test_a_scale_is_applied_alone_and_fenced_by_what_was_observed() -> None:
    cluster = serving(1)
    cluster.edit(server={"replicas": 5})
    cluster.step()
    (action,) = cluster.plan().actions
    assert isinstance(action, Apply)
    (observed,) = cluster.workloads.values()
    assert action.field_manager == "steadfit-scale"
    assert action.manifest == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            **{key: observed["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")},
            "annotations": {"steadfit.dev/decided-at": cluster.status.dump()["live"]["since"]},
        },
        "spec": {"replicas": 5},
    }


def test_a_new_decision_changes_the_deployment_so_that_an_older_one_meets_another_resource_version() -> None:
    cluster = serving(1)
    (workload,) = cluster.workloads.values()
    workload["metadata"]["annotations"]["steadfit.dev/decided-at"] = "2020-01-01T00:00:00Z"
    before = workload["metadata"]["resourceVersion"]
    cluster.settle()
    assert workload["metadata"]["annotations"]["steadfit.dev/decided-at"] == cluster.status.dump()["live"]["since"]
    assert workload["metadata"]["resourceVersion"] != before


def test_what_somebody_scaled_by_hand_is_put_right() -> None:
    cluster = serving(1)
    (workload,) = cluster.workloads.values()
    workload["spec"]["replicas"] = 0
    cluster.settle()
    assert cluster.replicas() == {1: 2}


def test_a_deployment_that_is_being_deleted_is_neither_scaled_nor_created_again() -> None:
    cluster = serving(1)
    (workload,) = cluster.workloads.values()
    workload["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    workload["spec"]["replicas"] = 0
    assert cluster.plan().actions == ()


def test_what_the_service_points_at_keeps_its_pods_though_nothing_tells_any_more_what_it_is() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.deployment["status"] = {"observedGeneration": -1}
    (workload,) = cluster.workloads.values()
    del workload["metadata"]["annotations"]["steadfit.dev/pod-template-digest"]
    cluster.stores = []
    cluster.settle()
    assert cluster.live() is None
    assert cluster.replicas() == {1: 2}


def test_a_deployment_is_deleted_by_its_uid() -> None:
    cluster = serving(1, 2)
    cluster.add(3)
    deleted: list[Delete] = []
    for _ in range(30):
        deleted.extend(action for action in cluster.plan().actions if isinstance(action, Delete))
        cluster.step()
        cluster.kubelet()
    assert deleted
    assert {action.manifest["metadata"]["labels"]["steadfit.dev/version"] for action in deleted} == {"1"}
    assert all(action.manifest["metadata"]["uid"] for action in deleted)


def test_a_deployment_without_a_place_in_the_plan_that_is_being_deleted_is_left_alone() -> None:
    cluster = serving(1, 2)
    old = cluster.workloads[f"flights-{cluster.moves[0]}"]
    old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    old["spec"]["replicas"] = 1
    assert cluster.plan().actions == ()


def test_the_deployment_of_a_revision_in_quarantine_is_not_made_again() -> None:
    cluster = serving(1, 2)
    cluster.broken.add(cluster.moves[0])
    cluster.act("Rollback")
    cluster.settle()
    del cluster.workloads[f"flights-{cluster.moves[1]}"]
    cluster.settle()
    assert cluster.replicas() == {1: 2}
