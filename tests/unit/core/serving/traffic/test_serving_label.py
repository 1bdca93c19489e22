"""The pods that serve have one label, whatever their revision, so that a PodDisruptionBudget counts them alone."""

from __future__ import annotations

import dataclasses

from steadfit.core import names
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.traffic import serving_label
from steadfit.core.types import Apply

from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import NAMESPACE

ONE_STEP = {"canary": {"steps": [{"weight": 25}]}}


def labelled(cluster: ServingCluster) -> dict[int, int]:
    """Return the number of pods with the label, by version."""
    found: dict[int, int] = {}
    for pod in cluster.pods():
        labels = pod["metadata"]["labels"]
        if labels.get(names.SERVING) == "live" and "deletionTimestamp" not in pod["metadata"]:
            found[int(labels[names.VERSION])] = found.get(int(labels[names.VERSION]), 0) + 1
    return found


def test_the_live_pods_are_labelled_and_the_warm_ones_are_not() -> None:
    cluster = serving(1, drains=True)
    assert labelled(cluster) == {1: 2}
    cluster.add(2)
    cluster.settle()
    assert (labelled(cluster), cluster.replicas()) == ({2: 2}, {1: 2, 2: 2})


def test_after_a_rollback_the_label_is_on_the_pods_of_the_good_version() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.act("Rollback")
    cluster.settle()
    assert labelled(cluster) == {1: 2}


def test_a_new_pod_of_the_live_version_is_labelled() -> None:
    cluster = serving(1, drains=True)
    cluster.edit(server={"replicas": 4})
    cluster.settle()
    assert labelled(cluster) == {1: 4}


def test_the_pods_of_a_canary_are_not_labelled_before_it_is_live() -> None:
    cluster = serving(1, strategy=ONE_STEP, drains=True)
    cluster.add(2)
    cluster.settle()
    assert (cluster.answering(), labelled(cluster)) == ({1, 2}, {1: 2})
    cluster.finds("Pass")
    cluster.settle()
    assert labelled(cluster) == {2: 2}


def test_what_answers_in_place_of_the_live_version_is_labelled_beside_it() -> None:
    cluster = serving(1, 2, drains=True)
    assert cluster.status.live is not None
    cluster.broken.add(cluster.status.live.revision)
    cluster.settle()
    assert (cluster.answering(), labelled(cluster)) == ({1}, {1: 2, 2: 2})


def test_a_server_that_cannot_drain_is_labelled_too() -> None:
    assert labelled(serving(1, 2)) == {2: 2}


def test_the_label_is_one_field_of_the_very_pod_and_no_terminating_pod_is_changed() -> None:
    cluster = serving(1, drains=True)
    (one, other) = (dict(pod) for pod in cluster.pods())
    for pod in (one, other):
        pod["metadata"] = {**pod["metadata"], "labels": {**pod["metadata"]["labels"]}}
        del pod["metadata"]["labels"][names.SERVING]
    other["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    fleet = Fleet(dataclasses.replace(cluster.observe(), pods=[one, other]))
    metadata = {"name": one["metadata"]["name"], "namespace": NAMESPACE, "uid": one["metadata"]["uid"]}
    assert serving_label.keep(cluster.status, fleet) == [
        Apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "labels": {names.SERVING: "live"}}},
            field_manager="steadfit-serving",
        )
    ]
