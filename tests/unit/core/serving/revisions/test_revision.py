"""What makes a revision, and what does not."""

from __future__ import annotations

from dataclasses import replace

from steadfit.core.problem import Problem
from steadfit.core.serving.revisions.revision import Rendering, render

from tests.unit.core.serving.serving_cluster import ServingCluster
from tests.unit.core.serving.serving_cluster_objects import store


def rendering(cluster: ServingCluster, number: int = 1) -> Rendering:
    rendered = render(cluster.version(number), cluster.fleet)
    assert isinstance(rendered, Rendering)
    return rendered


def world_with_versions() -> ServingCluster:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.add(2)
    return cluster


def test_rendering_again_gives_the_same_revision() -> None:
    assert rendering(world_with_versions()) == rendering(world_with_versions())


def test_another_artifact_is_another_revision_by_the_same_template() -> None:
    cluster = world_with_versions()
    one, two = rendering(cluster, 1), rendering(cluster, 2)
    assert one.revision != two.revision
    assert one.template_digest == two.template_digest


def test_another_server_image_is_another_template() -> None:
    cluster = world_with_versions()
    before = rendering(cluster)
    cluster.edit(server={"image": "mine:2"})
    after = rendering(cluster)
    assert before.template_digest != after.template_digest
    assert before.revision != after.revision


def test_another_default_image_is_another_revision_unless_the_spec_names_its_own() -> None:
    cluster = world_with_versions()
    upgraded = replace(cluster.platform, server_image="steadfit/server:2")
    before = rendering(cluster)
    cluster.platform = upgraded
    assert rendering(cluster).revision != before.revision
    cluster.edit(server={"image": "mine:1"})
    pinned = rendering(cluster)
    cluster.platform = replace(upgraded, server_image="steadfit/server:3")
    assert rendering(cluster).revision == pinned.revision


def test_an_upgrade_of_the_operator_that_renders_the_same_pods_is_the_same_revision() -> None:
    cluster = world_with_versions()
    before = rendering(cluster)
    cluster.platform = replace(cluster.platform, operator_version="2.0.0", ca_bundle="another", record_url="https://x")
    assert rendering(cluster).revision == before.revision


def test_replicas_are_not_part_of_a_revision() -> None:
    cluster = world_with_versions()
    before = rendering(cluster)
    cluster.edit(server={"replicas": 7})
    assert rendering(cluster).revision == before.revision


def test_another_address_of_the_store_is_another_revision() -> None:
    cluster = world_with_versions()
    before = rendering(cluster)
    cluster.stores = [store(s3={"endpoint": "http://elsewhere:7070"})]
    assert rendering(cluster).revision != before.revision


def test_a_store_that_is_not_allowed_in_the_namespace_is_a_problem_in_words() -> None:
    cluster = world_with_versions()
    cluster.stores = [store(allowedNamespaces={"matchLabels": {"team": "other"}})]
    problem = render(cluster.version(1), cluster.fleet)
    assert isinstance(problem, Problem)
    assert "ArtifactStore default is not allowed in this namespace" in problem.message


def test_a_change_of_the_server_rolls_out_a_new_revision_of_the_same_version() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.settle()
    before = cluster.selected()
    cluster.edit(server={"replicas": 2, "image": "mine:2"})
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.selected() != before
    assert cluster.status.last_good is not None
    assert cluster.status.last_good.revision == before
    assert len(cluster.seen("TrafficSwitched")) == 2


def test_a_frozen_template_is_never_applied_again() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.settle()
    (name,) = cluster.workloads
    template = cluster.workloads[name]["spec"]["template"]
    cluster.add(2)
    cluster.settle()
    cluster.edit(server={"replicas": 3, "image": "mine:2"})
    cluster.act("Rollback", 1)
    cluster.settle()
    assert cluster.workloads[name]["spec"]["template"] == template
