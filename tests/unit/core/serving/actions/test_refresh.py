"""Refresh brings the live version along with an upgrade of the operator, by the rollout that the spec asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.core.serving.canaries import STEPS, tried
from tests.unit.core.serving.revisions.recorded_clusters import recorded
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

PINNED = {"strategy": STEPS, "pin": {"version": 1}}


def upgraded(**spec: Any) -> ServingCluster:
    cluster = serving(1, **spec)
    cluster.platform = replace(cluster.platform, server_image="steadfit/server:2")
    cluster.settle()
    return cluster


def passes(cluster: ServingCluster) -> None:
    for _ in range(3):
        cluster.finds("Pass")
        cluster.settle()
        cluster.now += timedelta(minutes=11)
    cluster.settle()


def test_without_a_canary_the_version_serves_with_the_present_template_once_its_pods_are_ready() -> None:
    cluster = upgraded()
    before = cluster.selected()
    name = cluster.act("Refresh")
    cluster.settle()
    assert cluster.record(name) == ("Succeeded", "version 1 serves with the pod template of this operator")
    assert cluster.selected() != before
    assert (cluster.live(), cluster.condition("UpToDate")) == (1, ("True", "UpToDate"))
    assert cluster.status.refresh is None


@pytest.mark.parametrize("spec", [{"strategy": STEPS}, PINNED])
def test_with_a_canary_it_goes_live_by_its_verdicts_a_pinned_one_too(spec: dict[str, Any]) -> None:
    cluster = upgraded(**spec)
    name = cluster.act("Refresh")
    cluster.settle()
    assert (tried(cluster).phase, tried(cluster).number, cluster.record(name)[0]) == ("Analysing", 1, "Pending")
    passes(cluster)
    assert cluster.record(name)[0] == "Succeeded"
    assert cluster.condition("UpToDate") == ("True", "UpToDate")


@pytest.mark.parametrize("spec", [{"strategy": STEPS}, PINNED])
def test_a_refresh_that_fails_its_canary_leaves_the_live_pods_and_ends(spec: dict[str, Any]) -> None:
    cluster = upgraded(**spec)
    before = cluster.selected()
    name = cluster.act("Refresh")
    cluster.settle()
    cluster.finds("Fail")
    cluster.settle()
    assert (cluster.selected(), cluster.candidate(), cluster.status.refresh) == (before, None, None)
    assert cluster.record(name)[0] == "Rejected"
    assert "version 1 keeps the pods that it has" in cluster.record(name)[1]
    assert cluster.condition("UpToDate") == ("False", "OlderPlatform")
    again = cluster.act("Refresh")
    cluster.settle()
    assert "was rolled back" in cluster.record(again)[1]
    cluster.add(2)
    cluster.settle()
    assert cluster.candidate() == (None if "pin" in spec else 2)


@pytest.mark.parametrize("spec", [{"strategy": STEPS}, PINNED])
def test_a_refresh_that_is_aborted_or_whose_pods_do_not_start_ends_and_may_be_asked_for_again(
    spec: dict[str, Any],
) -> None:
    cluster = upgraded(**spec)
    before = cluster.selected()
    aborted = cluster.act("Refresh")
    cluster.settle()
    cluster.act("Abort")
    cluster.settle()
    assert (cluster.selected(), cluster.candidate(), cluster.record(aborted)[0]) == (before, None, "Rejected")
    late = cluster.act("Refresh")
    cluster.step()
    cluster.broken.add(tried(cluster).revision)
    cluster.settle()
    cluster.now += timedelta(hours=2)
    cluster.settle()
    assert (cluster.selected(), cluster.candidate(), cluster.record(late)[0]) == (before, None, "Rejected")
    cluster.broken.clear()
    again = cluster.act("Refresh")
    cluster.settle()
    passes(cluster)
    assert cluster.record(again)[0] == "Succeeded"


def test_a_newer_version_ends_a_refresh_and_brings_the_present_template_itself() -> None:
    cluster = upgraded(strategy=STEPS)
    name = cluster.act("Refresh")
    cluster.settle()
    cluster.add(2)
    cluster.settle()
    assert (cluster.candidate(), cluster.record(name)) == (
        2,
        ("Rejected", "another rollout has begun; version 1 keeps the pods that it has"),
    )


def test_a_change_of_the_spec_and_a_rollback_end_a_refresh() -> None:
    for change in ("spec", "rollback"):
        cluster = serving(1, 2)
        cluster.platform = replace(cluster.platform, server_image="steadfit/server:2")
        cluster.settle()
        name = cluster.act("Refresh")
        cluster.step()
        if change == "spec":
            cluster.edit(server={"replicas": 2, "image": "mine:2"})
        else:
            cluster.act("Rollback")
        cluster.settle()
        assert (cluster.record(name)[0], cluster.status.refresh) == ("Rejected", None)
        assert cluster.live() == (2 if change == "spec" else 1)


def test_a_rollback_of_a_refreshed_version_returns_to_the_pods_before() -> None:
    cluster = upgraded()
    before = cluster.selected()
    cluster.act("Refresh")
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), cluster.selected()) == (1, before)
    assert cluster.status.quarantine[0].digest is None


def test_a_refresh_has_nothing_to_do_where_the_pods_are_up_to_date() -> None:
    cluster = serving(1)
    before = cluster.selected()
    name = cluster.act("Refresh")
    cluster.settle()
    assert cluster.record(name) == ("Succeeded", "version 1 has the pod template of this operator already")
    assert cluster.selected() == before


@pytest.mark.parametrize(
    ("story", "says"),
    [
        ("canary", "is being rolled out"),
        ("rolls back", "is being rolled back"),
        ("rolled back server", "change spec.server"),
    ],
)
def test_a_refresh_is_rejected_where_something_else_goes_on(story: str, says: str) -> None:
    cluster = recorded(story)
    cluster.platform = replace(cluster.platform, server_image="steadfit/server:2")
    cluster.settle()
    name = cluster.act("Refresh")
    cluster.settle()
    assert cluster.record(name)[0] == "Rejected"
    assert says in cluster.record(name)[1]


def test_a_refresh_is_rejected_before_the_first_version_and_without_replicas() -> None:
    cluster = serving()
    name = cluster.act("Refresh")
    cluster.settle()
    assert "no version serves yet" in cluster.record(name)[1]
    cluster = upgraded()
    cluster.edit(server={"replicas": 0})
    name = cluster.act("Refresh")
    cluster.settle()
    assert "has no pods" in cluster.record(name)[1]
