"""What a revision's pods have to be is what the operator declared, never what stands in the cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from steadfit.core import names

from tests.sim.objects import clone
from tests.unit.core.serving.canaries import tried, trying
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

from .recorded_clusters import STORIES, recorded

FOREIGN = "registry.example.com/mallory/server:1"


def name_of(cluster: ServingCluster) -> str:
    assert cluster.status.live is not None
    return f"flights-{cluster.status.live.revision}"


def templates(cluster: ServingCluster) -> dict[str, Any]:
    """Return the ControllerRevisions that keep a pod template."""
    kept = cluster.frozen_templates.items()
    return {name: one for name, one in kept if names.DECISION not in one["metadata"]["labels"]}


def container(cluster: ServingCluster, name: str | None = None) -> Any:
    return cluster.workloads[name or name_of(cluster)]["spec"]["template"]["spec"]["containers"][0]


def set_image(cluster: ServingCluster, name: str | None = None) -> None:
    """Do what `kubectl set image` does with a revision, the live one by default."""
    container(cluster, name)["image"] = FOREIGN
    cluster.workloads[name or name_of(cluster)]["metadata"]["generation"] += 1


def goes_to_no_foreign_pods(cluster: ServingCluster, of: str) -> None:
    """Settle, and check in each pass that the live revision is not this one while it has a foreign image."""
    for _ in range(60):
        done = cluster.step()
        assert name_of(cluster) != of or container(cluster)["image"] != FOREIGN
        cluster.kubelet()
        if not done:
            break
    cluster.settle()


def upgrade(cluster: ServingCluster) -> None:
    cluster.platform = replace(cluster.platform, server_image="steadfit/server:2", operator_version="2.0.0")


def nothing(cluster: ServingCluster) -> None:
    return


@pytest.mark.parametrize("before", [nothing, upgrade])
def test_a_changed_template_is_put_right_though_its_controller_revision_is_gone(
    before: Callable[[ServingCluster], None],
) -> None:
    cluster = serving(1)
    frozen = clone(cluster.frozen_templates)
    before(cluster)
    cluster.frozen_templates.clear()
    container(cluster)["env"][0]["value"] = "other"
    cluster.workloads[name_of(cluster)]["metadata"]["generation"] += 1
    cluster.settle()
    assert container(cluster)["image"] == "steadfit/server:1"
    assert container(cluster)["env"][0]["value"] != "other"
    assert {name: one["data"] for name, one in templates(cluster).items()} == {
        name: one["data"] for name, one in frozen.items() if names.DECISION not in one["metadata"]["labels"]
    }
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_foreign_image_is_not_frozen_after_an_upgrade_and_is_never_called_ready() -> None:
    cluster = serving(1)
    upgrade(cluster)
    cluster.frozen_templates.clear()
    set_image(cluster)
    cluster.settle()
    assert templates(cluster) == {}
    assert cluster.condition("Ready") == ("False", "TemplateUnproven")
    assert cluster.condition("Serving") == ("Unknown", "TemplateUnproven")
    cluster.act("Refresh")
    cluster.settle()
    assert container(cluster)["image"] == "steadfit/server:2"
    assert cluster.condition("Ready") == ("True", "Serving")


def test_the_traffic_does_not_go_back_to_a_template_that_nothing_proves() -> None:
    cluster = serving(1)
    older = name_of(cluster)
    cluster.add(2)
    cluster.settle()
    upgrade(cluster)
    del cluster.frozen_templates[older]
    set_image(cluster, older)
    cluster.act("Rollback")
    goes_to_no_foreign_pods(cluster, older)
    assert cluster.live() == 1
    assert container(cluster)["image"] == cluster.platform.server_image
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_rollback_under_way_leaves_a_template_that_nothing_proves_any_more() -> None:
    cluster = serving(1)
    older = name_of(cluster)
    cluster.add(2)
    cluster.settle()
    upgrade(cluster)
    cluster.act("Rollback")
    cluster.broken.add(older.removeprefix("flights-"))
    cluster.settle()
    assert cluster.candidate() == 1
    del cluster.frozen_templates[older]
    set_image(cluster, older)
    cluster.broken.clear()
    goes_to_no_foreign_pods(cluster, older)
    assert (cluster.live(), container(cluster)["image"]) == (1, "steadfit/server:2")


def test_the_traffic_does_not_go_back_to_a_template_that_someone_has_just_changed() -> None:
    cluster = serving(1)
    older = name_of(cluster)
    cluster.add(2)
    cluster.settle()
    cluster.act("Rollback")
    while cluster.candidate() != 1 or cluster.fleet.ready_pods(older.removeprefix("flights-")) < 2:
        cluster.step()
        cluster.kubelet()
        assert cluster.live() == 2
    set_image(cluster, older)
    cluster.kubelet()
    goes_to_no_foreign_pods(cluster, older)
    assert (cluster.live(), container(cluster)["image"]) == (1, "steadfit/server:1")


def test_a_candidate_whose_template_nothing_proves_is_rendered_again() -> None:
    cluster = trying()
    upgrade(cluster)
    before = tried(cluster).revision
    del cluster.frozen_templates[f"flights-{before}"]
    set_image(cluster, f"flights-{before}")
    cluster.settle()
    assert tried(cluster).revision != before
    assert tried(cluster).number == 2
    assert FOREIGN not in str(cluster.workloads)


def test_a_candidate_stays_while_its_store_is_away_though_nothing_proves_its_template() -> None:
    cluster = trying()
    before, stores = tried(cluster), cluster.stores
    del cluster.frozen_templates[f"flights-{before.revision}"]
    cluster.stores = []
    cluster.settle()
    cluster.stores = stores
    cluster.settle()
    assert tried(cluster).revision == before.revision
    assert tried(cluster).verdicts == before.verdicts


def test_a_crash_before_the_controller_revision_leaves_nothing_that_a_change_could_slip_through() -> None:
    cluster = ServingCluster()
    cluster.settle()
    cluster.add(1)
    while not cluster.workloads:
        cluster.step(crash_after=1)
    assert templates(cluster) == {}
    (found,) = cluster.workloads.values()
    found["spec"]["template"]["spec"]["containers"][0]["image"] = FOREIGN
    cluster.settle()
    assert cluster.live() == 1
    assert container(cluster)["image"] == "steadfit/server:1"
    assert FOREIGN not in str(cluster.frozen_templates)


@pytest.mark.parametrize("label", ["steadfit.dev/revision", "steadfit.dev/version"])
def test_a_controller_revision_whose_labels_were_edited_is_still_the_one(label: str) -> None:
    cluster = serving(1)
    (frozen,) = templates(cluster).values()
    del frozen["metadata"]["labels"][label]
    cluster.settle()
    assert list(templates(cluster).values()) == [frozen]


@pytest.mark.parametrize("story", sorted(STORIES))
def test_every_revision_that_an_earlier_operator_left_has_a_declared_template_after_one_pass(story: str) -> None:
    cluster = recorded(story)
    upgrade(cluster)
    cluster.step()
    refs = [ref for ref in (cluster.status.live, cluster.status.last_good, cluster.status.candidate) if ref]
    assert refs
    assert all(ref.declared_template_digest for ref in refs)
    assert not cluster.seen("TemplateChanged")
