"""What makes a revision, and what does not."""

from __future__ import annotations

from dataclasses import replace

from steadfit.core.problem import Problem
from steadfit.core.serving.revisions.revision import Rendering, render

from tests.unit.core.serving.serving_cluster import World
from tests.unit.core.serving.serving_cluster_objects import store


def rendering(world: World, number: int = 1) -> Rendering:
    version = world.fleet.version_named(f"flights-v{number}")
    assert version is not None
    rendered = render(version, world.fleet)
    assert isinstance(rendered, Rendering)
    return rendered


def world_with_versions() -> World:
    world = World()
    world.add(1)
    world.add(2)
    return world


def test_rendering_again_gives_the_same_revision() -> None:
    assert rendering(world_with_versions()) == rendering(world_with_versions())


def test_another_artifact_is_another_revision_by_the_same_template() -> None:
    world = world_with_versions()
    one, two = rendering(world, 1), rendering(world, 2)
    assert one.revision != two.revision
    assert one.template_digest == two.template_digest


def test_another_server_image_is_another_template() -> None:
    world = world_with_versions()
    before = rendering(world)
    world.edit(server={"image": "mine:2"})
    after = rendering(world)
    assert before.template_digest != after.template_digest
    assert before.revision != after.revision


def test_another_default_image_is_another_revision_unless_the_spec_names_its_own() -> None:
    world = world_with_versions()
    upgraded = replace(world.platform, server_image="steadfit/server:2")
    before = rendering(world)
    world.platform = upgraded
    assert rendering(world).revision != before.revision
    world.edit(server={"image": "mine:1"})
    pinned = rendering(world)
    world.platform = replace(upgraded, server_image="steadfit/server:3")
    assert rendering(world).revision == pinned.revision


def test_an_upgrade_of_the_operator_that_renders_the_same_pods_is_the_same_revision() -> None:
    world = world_with_versions()
    before = rendering(world)
    world.platform = replace(world.platform, operator_version="2.0.0", ca_bundle="another", record_url="https://x")
    assert rendering(world).revision == before.revision


def test_replicas_are_not_part_of_a_revision() -> None:
    world = world_with_versions()
    before = rendering(world)
    world.edit(server={"replicas": 7})
    assert rendering(world).revision == before.revision


def test_another_address_of_the_store_is_another_revision() -> None:
    world = world_with_versions()
    before = rendering(world)
    world.stores = [store(s3={"endpoint": "http://elsewhere:7070"})]
    assert rendering(world).revision != before.revision


def test_a_store_that_is_not_allowed_in_the_namespace_is_a_problem_in_words() -> None:
    world = world_with_versions()
    world.stores = [store(allowedNamespaces={"matchLabels": {"team": "other"}})]
    version = world.fleet.version_named("flights-v1")
    assert version is not None
    problem = render(version, world.fleet)
    assert isinstance(problem, Problem)
    assert "ArtifactStore default is not allowed in this namespace" in problem.message


def test_a_change_of_the_server_rolls_out_a_new_revision_of_the_same_version() -> None:
    world = World()
    world.add(1)
    world.settle()
    before = world.selected()
    world.edit(server={"replicas": 2, "image": "mine:2"})
    world.settle()
    assert world.live() == 1
    assert world.selected() != before
    assert world.status.last_good is not None
    assert world.status.last_good.revision == before
    assert len(world.seen("TrafficSwitched")) == 2


def test_a_frozen_template_is_never_applied_again() -> None:
    world = World()
    world.add(1)
    world.settle()
    (name,) = world.workloads
    template = world.workloads[name]["spec"]["template"]
    world.add(2)
    world.settle()
    world.edit(server={"replicas": 3, "image": "mine:2"})
    world.act("Rollback", 1)
    world.settle()
    assert world.workloads[name]["spec"]["template"] == template
