"""What a revision's pods have to be is what the operator declared, never what stands in the cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.sim.objects import clone
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

from .recorded_clusters import STORIES, recorded

FOREIGN = "registry.example.com/mallory/server:1"


def name_of(cluster: ServingCluster) -> str:
    assert cluster.status.live is not None
    return f"flights-{cluster.status.live.revision}"


def container(cluster: ServingCluster) -> Any:
    return cluster.workloads[name_of(cluster)]["spec"]["template"]["spec"]["containers"][0]


def set_image(cluster: ServingCluster) -> None:
    """Do what `kubectl set image` does with the live revision."""
    container(cluster)["image"] = FOREIGN
    cluster.workloads[name_of(cluster)]["metadata"]["generation"] += 1


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
    assert {name: one["data"] for name, one in cluster.frozen_templates.items()} == {
        name: one["data"] for name, one in frozen.items()
    }
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_foreign_image_is_not_frozen_after_an_upgrade_and_is_never_called_ready() -> None:
    cluster = serving(1)
    upgrade(cluster)
    cluster.frozen_templates.clear()
    set_image(cluster)
    cluster.settle()
    assert cluster.frozen_templates == {}
    assert cluster.condition("Ready") == ("False", "TemplateUnproven")
    assert cluster.condition("Serving") == ("Unknown", "TemplateUnproven")
    cluster.act("Refresh")
    cluster.settle()
    assert container(cluster)["image"] == "steadfit/server:2"
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_crash_before_the_controller_revision_leaves_nothing_that_a_change_could_slip_through() -> None:
    cluster = ServingCluster()
    cluster.settle()
    cluster.add(1)
    while not cluster.workloads:
        cluster.step(crash_after=1)
    assert cluster.frozen_templates == {}
    (found,) = cluster.workloads.values()
    found["spec"]["template"]["spec"]["containers"][0]["image"] = FOREIGN
    cluster.settle()
    assert cluster.live() == 1
    assert container(cluster)["image"] == "steadfit/server:1"
    assert FOREIGN not in str(cluster.frozen_templates)


@pytest.mark.parametrize("label", ["steadfit.dev/revision", "steadfit.dev/version"])
def test_a_controller_revision_whose_labels_were_edited_is_still_the_one(label: str) -> None:
    cluster = serving(1)
    (frozen,) = cluster.frozen_templates.values()
    del frozen["metadata"]["labels"][label]
    cluster.settle()
    assert list(cluster.frozen_templates.values()) == [frozen]


@pytest.mark.parametrize("story", sorted(STORIES))
def test_every_revision_that_an_earlier_operator_left_has_a_declared_template_after_one_pass(story: str) -> None:
    cluster = recorded(story)
    upgrade(cluster)
    cluster.step()
    refs = [ref for ref in (cluster.status.live, cluster.status.last_good, cluster.status.candidate) if ref]
    assert refs
    assert all(ref.declared_template_digest for ref in refs)
    assert not cluster.seen("TemplateChanged")
