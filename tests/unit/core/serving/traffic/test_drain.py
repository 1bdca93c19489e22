"""Which pods are told to drain, how they are told, and that nobody else is."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from steadfit.core import names
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.traffic import drain
from steadfit.core.types import Apply

from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import NAMESPACE

JSON = dict[str, Any]


def pods_of(cluster: ServingCluster, number: int, *told: bool, **changes: Any) -> list[JSON]:
    """Return running pods of a version's revision, as they are frozen in its Deployment; `told` says which drain."""
    (workload,) = [
        workload
        for workload in cluster.workloads.values()
        if workload["metadata"]["labels"][names.VERSION] == str(number)
    ]
    template = workload["spec"]["template"]
    return [
        {
            "metadata": {
                "name": f"v{number}-{index}",
                "namespace": NAMESPACE,
                "uid": f"uid-v{number}-{index}",
                "resourceVersion": "77",
                "labels": template["metadata"]["labels"],
                "annotations": {"mine": "stays", **({names.DRAIN_ANNOTATION: "true"} if is_told else {})},
                **changes.get("metadata", {}),
            },
            "spec": template["spec"],
            "status": {"phase": changes.get("phase", "Running")},
        }
        for index, is_told in enumerate(told)
    ]


def orders(cluster: ServingCluster, pods: list[JSON]) -> dict[str, bool]:
    """Return who is told what: True = drain, False = no longer."""
    actions = drain.annotate(Fleet(dataclasses.replace(cluster.observe(), pods=pods)))
    found = {}
    for action in actions:
        assert isinstance(action, Apply)
        annotations = action.manifest["metadata"]["annotations"]
        assert annotations in ({}, {names.DRAIN_ANNOTATION: "true"})
        found[action.manifest["metadata"]["name"]] = bool(annotations)
    return found


def candidate(cluster: ServingCluster, **fields: Any) -> None:
    """Make the last good revision of the status a candidate: the live one is its champion."""
    status = cluster.deployment["status"]
    status["candidate"] = {**status.pop("lastGood"), "championRevision": status["live"]["revision"], **fields}


def test_pods_that_the_traffic_left_are_told_to_drain_and_those_it_goes_to_are_not() -> None:
    cluster = serving(1, 2, drains=True)
    assert orders(cluster, pods_of(cluster, 1, False, False) + pods_of(cluster, 2, False)) == {
        "v1-0": True,
        "v1-1": True,
    }


def test_pods_that_know_are_not_told_again() -> None:
    cluster = serving(1, 2, drains=True)
    assert orders(cluster, pods_of(cluster, 1, True) + pods_of(cluster, 2, False)) == {}


def test_a_pod_that_takes_traffic_again_is_told_to_drain_no_longer() -> None:
    cluster = serving(1, 2, drains=True)
    assert orders(cluster, pods_of(cluster, 2, True)) == {"v2-0": False}


def test_what_goes_live_again_stops_draining_before_the_service_moves() -> None:
    cluster = serving(1, 2, drains=True)
    status = cluster.deployment["status"]
    status["live"], status["lastGood"] = status["lastGood"], None
    assert orders(cluster, pods_of(cluster, 1, True) + pods_of(cluster, 2, False)) == {"v1-0": False}


def test_a_candidate_that_has_no_clients_yet_is_not_told_to_drain() -> None:
    cluster = serving(1, 2, drains=True)
    candidate(cluster)
    assert orders(cluster, pods_of(cluster, 1, False)) == {}


def test_a_candidate_that_had_traffic_and_has_none_any_more_drains() -> None:
    cluster = serving(1, 2, drains=True)
    candidate(cluster, phase="Paused", analysedSince="2026-01-01T00:00:00Z")
    assert orders(cluster, pods_of(cluster, 1, False)) == {"v1-0": True}


def test_a_candidate_that_a_gateway_sends_requests_to_does_not_drain_though_no_service_selects_it() -> None:
    cluster = serving(1, 2)
    candidate(cluster, phase="Analysing", analysedSince="2026-01-01T00:00:00Z")
    cluster.deployment["spec"]["traffic"] = {"gatewayAPI": {"parentRefs": [{"name": "edge"}]}}
    assert orders(cluster, pods_of(cluster, 1, False)) == {}


def test_neither_of_two_revisions_that_share_the_traffic_drains() -> None:
    cluster = serving(1, 2, drains=True)
    candidate(cluster, phase="Analysing", analysedSince="2026-01-01T00:00:00Z")
    champion = cluster.deployment["status"]["live"]["revision"]
    assert cluster.service is not None
    cluster.service["spec"]["selector"] = {
        names.MODEL_DEPLOYMENT: "flights",
        f"{names.TRAFFIC_PREFIX}{champion}": "true",
    }
    pods = pods_of(cluster, 1, True) + pods_of(cluster, 2, False)
    for pod in pods:
        pod["metadata"]["labels"] = {**pod["metadata"]["labels"], f"{names.TRAFFIC_PREFIX}{champion}": "true"}
    assert orders(cluster, pods) == {"v1-0": False}


@pytest.mark.parametrize("changes", [{"phase": "Pending"}, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}])
def test_a_pod_that_does_not_run_or_ends_is_told_nothing(changes: JSON) -> None:
    cluster = serving(1, 2, drains=True)
    assert orders(cluster, pods_of(cluster, 1, False, **changes)) == {}


@pytest.mark.parametrize(
    ("server", "is_supported"),
    [
        ({}, True),
        ({"drains": False}, False),
        ({"image": "other/server:1"}, False),
        ({"image": "other/server:1", "drains": True}, True),
    ],
)
def test_only_a_server_that_drains_is_told_and_has_the_file_for_it(server: JSON, is_supported: bool) -> None:
    cluster = ServingCluster(server={"replicas": 2, **server})
    cluster.settle()
    for number in (1, 2):
        cluster.add(number)
        cluster.settle()
    assert drain.supported(cluster.fleet.observed.deployment) is is_supported
    assert orders(cluster, pods_of(cluster, 1, False)) == ({"v1-0": True} if is_supported else {})
    for workload in cluster.fleet.workloads:
        assert drain.can_drain(workload) is is_supported
    spec = pods_of(cluster, 2, False)[0]["spec"]
    volumes = [volume for volume in spec["volumes"] if "downwardAPI" in volume]
    mounts = {mount["mountPath"]: mount for mount in spec["containers"][0]["volumeMounts"]}
    if not is_supported:
        assert (volumes, "/steadfit/pod" in mounts) == ([], False)
        return
    (volume,) = volumes
    field = {"fieldPath": "metadata.annotations['steadfit.dev/drain']"}
    assert volume["downwardAPI"] == {"items": [{"path": "drain", "fieldRef": field}]}
    assert mounts["/steadfit/pod"] == {"name": volume["name"], "mountPath": "/steadfit/pod", "readOnly": True}


def test_a_pod_is_told_by_what_it_was_born_with_and_not_by_what_the_spec_asks_for_now() -> None:
    cluster = serving(1, 2, drains=True)
    ours = pods_of(cluster, 1, False)
    cluster.edit(server={"replicas": 2, "image": "other/server:1"})
    assert orders(cluster, ours) == {"v1-0": True}


def test_an_order_changes_one_annotation_of_the_very_pod_whatever_its_status_is_by_now() -> None:
    cluster = serving(1, 2, drains=True)
    observed = dataclasses.replace(cluster.observe(), pods=pods_of(cluster, 1, False))
    assert drain.annotate(Fleet(observed)) == [
        Apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": "v1-0",
                    "namespace": NAMESPACE,
                    "uid": "uid-v1-0",
                    "annotations": {names.DRAIN_ANNOTATION: "true"},
                },
            },
            field_manager="steadfit-drain",
        )
    ]
