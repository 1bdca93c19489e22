"""The local cluster is killed and taken down for real. Not for CLUSTER=existing: that cluster is the user's."""

import os
import signal
from pathlib import Path

import pytest

from tests.tools.local_cluster import bringup, engine, firewall, kind, processes, registry, store
from tests.tools.local_cluster.settings import CLUSTER_NAME, Settings

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def settings() -> Settings:
    return Settings.from_environment()


def assert_healthy(settings: Settings) -> None:
    assert kind.problem(settings) is None
    assert registry.answers()
    assert store.answers()


def test_a_healthy_cluster_is_used_again(settings: Settings) -> None:
    bringup.up(settings)
    before = kind.kubectl(settings, "get", "nodes", "-o", "jsonpath={.items[*].metadata.uid}")
    bringup.up(settings)
    assert kind.kubectl(settings, "get", "nodes", "-o", "jsonpath={.items[*].metadata.uid}") == before
    assert_healthy(settings)


def test_a_cluster_comes_up_after_every_process_of_it_was_killed(settings: Settings) -> None:
    bringup.up(settings)
    docker = engine.ensure(settings)
    if docker.ours:
        daemon = int((settings.state / "engine" / "pid").read_text())
        shims = processes.naming(settings.state / "engine" / "exec")
        processes.signal_all([daemon, *shims, *processes.in_cgroups(engine.CGROUP)], signal.SIGKILL)
    else:
        docker.docker("kill", *kind.NODES, registry.CONTAINER)
    bringup.up(settings)
    assert_healthy(settings)


def test_taking_the_cluster_down_leaves_nothing_but_the_cache(settings: Settings) -> None:
    bringup.up(settings)
    docker = engine.ensure(settings)
    bringup.down(settings)
    assert not settings.state.exists()
    assert not registry.answers()
    if docker.ours:
        assert not processes.naming(settings.state)
        assert not processes.cgroups(engine.CGROUP)
        mounts = Path("/proc/self/mounts").read_text()
        assert not processes.mounts_below(settings.state, mounts)
        assert not processes.mounts_below(settings.cache, mounts)
        links = os.listdir("/sys/class/net")
        assert not [link for link in links if link.startswith(("br-", "docker", "veth"))]
        rules = [rule for table in firewall.snapshot()["rules"].values() for rule in table]
        assert not [rule for rule in rules if "DOCKER" in rule]
    else:
        assert not kind.exists(docker)
        assert not docker.has("network", "inspect", CLUSTER_NAME)
    bringup.up(settings)
    assert_healthy(settings)
