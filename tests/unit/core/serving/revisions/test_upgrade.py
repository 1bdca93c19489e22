"""An upgrade of the operator, or another spelling of a store, rolls nothing; what a user changes does roll."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from steadfit.core import names
from steadfit.core.types import Action

from tests.sim.objects import clone
from tests.unit.core.serving.canaries import STEPS, tried
from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import store

from .recorded_clusters import STORIES, recorded

OLD = "steadfit/server:1"
NEW = "steadfit/server:2"
RESPELLED: dict[str, Any] = {
    "uriPrefix": "s3://models/",
    "s3": {"endpoint": "HTTP://Store:7070/", "forcePathStyle": True},
}
"""The same bucket behind the same endpoint."""
ENV = [{"name": "THREADS", "value": "8"}]


def upgrade(cluster: ServingCluster) -> None:
    cluster.platform = replace(cluster.platform, server_image=NEW, operator_version="2.0.0")


def respell(cluster: ServingCluster) -> None:
    cluster.stores = [store(**RESPELLED)]


def revisions(cluster: ServingCluster) -> dict[str, str]:
    places = {"live": cluster.status.live, "candidate": cluster.status.candidate, "last good": cluster.status.last_good}
    return {place: ref.revision for place, ref in places.items() if ref}


def pods(cluster: ServingCluster) -> dict[str, Any]:
    return clone({name: found["spec"] for name, found in cluster.workloads.items()})


def image(cluster: ServingCluster) -> str:
    """Return the image of the live revision's pods."""
    workload = cluster.workloads[f"flights-{revisions(cluster)['live']}"]
    return str(workload["spec"]["template"]["spec"]["containers"][0]["image"])


def is_record(action: Action) -> bool:
    """Return whether an action is about the record of a decision."""
    return names.DECISION in action.manifest["metadata"].get("labels", {})


def templates(cluster: ServingCluster) -> dict[str, Any]:
    """Return the ControllerRevisions that keep pod templates."""
    kept = cluster.frozen_templates.items()
    return {name: one for name, one in kept if names.DECISION not in one["metadata"]["labels"]}


@pytest.mark.parametrize("story", sorted(STORIES))
@pytest.mark.parametrize("change", [upgrade, respell])
def test_an_upgrade_changes_no_pod_of_what_the_previous_commit_left(story: str, change: Any) -> None:
    cluster = recorded(story)
    before = revisions(cluster), pods(cluster), cluster.service, clone(templates(cluster))
    if change is respell:
        cluster.settle()
    change(cluster)
    for _ in range(5):
        plan = cluster.plan()
        # A running pod may get a label: it is not replaced by that. Decisions get their records.
        others = [action for action in plan.actions if action.manifest["kind"] != "Pod" and not is_record(action)]
        assert plan.status != cluster.deployment["status"] or others == []
        cluster.step()
    cluster.settle()
    assert (revisions(cluster), pods(cluster), cluster.service, templates(cluster)) == before


@pytest.mark.parametrize("spec", [{}, {"strategy": STEPS}, {"pin": {"version": 2}}])
@pytest.mark.parametrize("change", [upgrade, respell])
def test_an_upgrade_makes_no_live_revision_a_candidate(spec: dict[str, Any], change: Any) -> None:
    cluster = serving(1, 2, **spec) if "strategy" not in spec else serving(1, **spec)
    before = revisions(cluster), pods(cluster)
    change(cluster)
    cluster.settle()
    assert (revisions(cluster), pods(cluster)) == before


@pytest.mark.parametrize(
    ("story", "served"), [("serves", [1, 2]), ("rolls back", [2, 1]), ("pinned by an action", [1])]
)
def test_what_an_earlier_operator_let_through_is_known_under_the_new_name(story: str, served: list[int]) -> None:
    cluster = recorded(story)
    assert cluster.status.served_versions == []
    cluster.settle()
    assert [entry.number for entry in cluster.status.served_versions] == served
    assert "served" not in cluster.deployment["status"]


@pytest.mark.parametrize("known", [True, False])
def test_a_live_version_that_was_deleted_or_is_not_recorded_yet_serves_on_after_an_upgrade(known: bool) -> None:
    cluster = recorded("serves")
    before = revisions(cluster)
    if known:
        cluster.versions[2]["status"].pop("served", None)
    else:
        del cluster.versions[2]
    upgrade(cluster)
    for _ in range(5):
        cluster.step()
        assert (cluster.live(), cluster.candidate()) == (2, None)
    assert revisions(cluster) == before
    assert [entry.number for entry in cluster.status.served_versions] == [1, 2]


def test_a_rollback_right_after_an_upgrade_goes_back_to_what_was_let_through() -> None:
    cluster = recorded("serves")
    upgrade(cluster)
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)


def test_the_next_version_brings_the_server_of_the_new_operator() -> None:
    cluster = recorded("serves")
    upgrade(cluster)
    cluster.settle()
    assert image(cluster) == OLD
    cluster.add(3)
    cluster.settle()
    assert (cluster.live(), image(cluster)) == (3, NEW)


def test_a_rollback_after_an_upgrade_goes_back_to_the_pods_that_were_proven_and_stays_there() -> None:
    cluster = recorded("serves")
    proven = revisions(cluster)["live"]
    upgrade(cluster)
    cluster.add(3)
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    assert (revisions(cluster)["live"], image(cluster)) == (proven, OLD)
    assert cluster.condition("Progressing") == ("False", "Quarantined"), "version 3 with its pod template"


def test_a_canary_goes_on_through_an_upgrade_and_ends_by_its_verdict() -> None:
    cluster = recorded("canary")
    on_trial = tried(cluster).revision
    upgrade(cluster)
    cluster.settle()
    for _ in range(3):
        cluster.finds("Pass")
        cluster.settle()
        cluster.now += timedelta(minutes=11)
    cluster.settle()
    assert revisions(cluster)["live"] == on_trial


@pytest.mark.parametrize("story", ["serves", "pinned by the spec", "rolled back server", "abandoned server"])
def test_a_change_of_the_spec_together_with_the_upgrade_is_rolled_out(story: str) -> None:
    cluster = recorded(story)
    before = revisions(cluster)["live"]
    upgrade(cluster)
    cluster.edit(server={"replicas": 2, "env": ENV})
    cluster.settle()
    found = tried(cluster).revision if cluster.status.candidate else revisions(cluster)["live"]
    assert found != before


@pytest.mark.parametrize(
    "changed",
    [
        {"uriPrefix": "s3://elsewhere"},
        {"s3": {"endpoint": "http://other:7070", "forcePathStyle": True}},
        {"s3": {"endpoint": "http://store:7070", "forcePathStyle": True, "region": "eu-west-1"}},
        {"credentialsSecretName": "rotated"},
        {"s3": {"endpoint": "http://store:7070", "forcePathStyle": True, "caBundleSecret": {"name": "ca"}}},
    ],
)
@pytest.mark.parametrize("story", ["serves", "own image"])
def test_a_store_that_lies_elsewhere_or_has_other_secrets_is_rolled_out(story: str, changed: dict[str, Any]) -> None:
    cluster = recorded(story)
    before = revisions(cluster)["live"]
    cluster.stores = [store(**changed)]
    cluster.settle()
    assert revisions(cluster)["live"] != before


def test_a_reverted_change_of_the_server_returns_to_the_live_pods_even_after_an_upgrade() -> None:
    cluster = serving(1)
    original, before = cluster.deployment["spec"]["server"], revisions(cluster)
    cluster.edit(server={"replicas": 2, "image": "mine:bad"})
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    upgrade(cluster)
    cluster.edit(server=original)
    cluster.settle()
    assert revisions(cluster) == {"live": before["live"]}
    assert cluster.condition("Progressing") == ("True", "NewestLive")


def test_a_server_that_was_rolled_back_does_not_return_with_an_upgrade() -> None:
    cluster = recorded("rolled back server")
    upgrade(cluster)
    cluster.settle()
    respell(cluster)
    cluster.settle()
    assert cluster.condition("Progressing") == ("False", "OlderPodTemplate")
    assert image(cluster) == OLD


def test_the_live_revision_is_recovered_with_its_inputs_when_the_status_is_lost_after_an_upgrade() -> None:
    cluster = serving(1)
    before = revisions(cluster)["live"]
    upgrade(cluster)
    cluster.deployment["status"] = {"observedGeneration": -1}
    cluster.settle()
    assert revisions(cluster) == {"live": before}


def test_an_old_revision_is_scaled_and_created_again_with_the_pods_that_it_had() -> None:
    cluster = recorded("serves")
    upgrade(cluster)
    cluster.settle()
    before = clone(cluster.workloads[f"flights-{revisions(cluster)['live']}"]["spec"]["template"])
    cluster.edit(server={"replicas": 3})
    del cluster.workloads[f"flights-{revisions(cluster)['live']}"]
    cluster.settle()
    found = cluster.workloads[f"flights-{revisions(cluster)['live']}"]["spec"]
    assert (found["replicas"], found["template"]) == (3, before)


@pytest.mark.parametrize(
    "server",
    [
        {"resources": {"requests": {"cpu": "0.1", "memory": "256Mi"}, "limits": {"memory": "1024Mi"}}},
        {"resources": {"requests": {"memory": "256Mi", "cpu": "100m"}, "limits": {"memory": "1Gi"}}},
        {"env": []},
        {"image": OLD, "drains": False},
    ],
)
def test_the_same_pods_spelled_otherwise_are_the_same_revision(server: dict[str, Any]) -> None:
    cluster = serving(1)
    before = revisions(cluster)
    cluster.edit(server={"replicas": 2, **server})
    cluster.settle()
    assert revisions(cluster) == before
    upgrade(cluster)
    cluster.settle()
    assert revisions(cluster) == before
