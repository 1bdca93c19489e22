import ipaddress
import itertools
import json
import os
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from tests.tools.local_cluster import engine, kind
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import BringUpError

BENCHMARK_RANGE = ipaddress.IPv4Network("198.18.0.0/15")


def options(command: list[str]) -> dict[str, str]:
    return dict(itertools.pairwise(command))


def fake_docker(directory: Path, script: str) -> str:
    directory.mkdir(exist_ok=True)
    program = directory / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


def settings_in(tmp_path: Path) -> Settings:
    return Settings.from_environment({"HOME": str(tmp_path)})


def test_every_address_lies_in_the_range_reserved_for_benchmarks() -> None:
    command = options(engine.dockerd_command(Path("/e"), Path("/d"), wrap_runc=False))
    pool = command["--default-address-pool"].split(",")[0].removeprefix("base=")
    ranges = [command["--bip"], pool, engine.NETWORK_SUBNET, kind.POD_SUBNET, kind.SERVICE_SUBNET]
    networks = [ipaddress.IPv4Interface(text).network for text in ranges]
    assert all(network.subnet_of(BENCHMARK_RANGE) for network in networks)
    inside_pool = [pool, engine.NETWORK_SUBNET]
    apart = [network for text, network in zip(ranges, networks, strict=True) if text not in inside_pool[1:]]
    assert not any(a.overlaps(b) for i, a in enumerate(apart) for b in apart[:i])


def test_our_bridges_are_known_by_their_addresses() -> None:
    shown = [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}]},
        {"ifname": "docker0", "addr_info": [{"local": "172.17.0.1"}]},
        {"ifname": "veth1"},
        {"ifname": "br-c8c16215d5df", "addr_info": [{"local": str(ipaddress.ip_network(engine.NETWORK_SUBNET)[1])}]},
        {"ifname": "docker1", "addr_info": [{"local": engine.BRIDGE_ADDRESS.partition("/")[0]}]},
    ]
    assert engine.bridges(json.dumps(shown)) == ["br-c8c16215d5df", "docker1"]


def test_our_daemon_keeps_to_its_own_directories() -> None:
    command = options(engine.dockerd_command(Path("/state/engine"), Path("/cache/docker"), wrap_runc=False))
    assert command["--data-root"] == "/cache/docker"
    for option in ("--exec-root", "--pidfile"):
        assert command[option].startswith("/state/engine/")
    assert command["--host"] == "unix:///state/engine/docker.sock"


@pytest.mark.parametrize("lacking", [True, False])
def test_runc_is_wrapped_only_where_the_capability_is_lacking(lacking: bool) -> None:
    command = engine.dockerd_command(Path("/e"), Path("/d"), wrap_runc=lacking)
    assert (f"unprivileged={engine.WRAPPER}" in command) is lacking
    assert os.access(engine.WRAPPER, os.X_OK)


def test_an_engine_that_answers_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", fake_docker(tmp_path / "bin", "echo 29.0"))
    monkeypatch.setenv("DOCKER_HOST", "tcp://engine.example:2375")
    found = engine.running(settings_in(tmp_path))
    assert found == engine.Engine(ours=False, env={"DOCKER_HOST": "tcp://engine.example:2375"})


def test_an_engine_that_refuses_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", fake_docker(tmp_path / "bin", "exit 1"))
    assert engine.users(settings_in(tmp_path)) is None


def test_our_own_socket_in_the_shell_does_not_pass_for_an_engine_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    ours = f"unix://{settings.state}/engine/docker.sock"
    monkeypatch.setenv("PATH", fake_docker(tmp_path / "bin", f'[ "$DOCKER_HOST" != "{ours}" ]'))
    monkeypatch.setenv("DOCKER_HOST", ours)
    found = engine.users(settings)
    assert found is not None
    assert found.env["DOCKER_HOST"] == "unix:///var/run/docker.sock"


def test_a_cluster_on_our_daemon_stays_there_when_another_engine_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    (settings.state / "engine").mkdir(parents=True)
    monkeypatch.setenv("PATH", fake_docker(tmp_path / "bin", "echo 29.0"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    found = engine.running(settings)
    assert found is not None
    assert found.ours


def test_an_ordinary_user_without_an_engine_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", fake_docker(tmp_path / "bin", "exit 1"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BringUpError, match="start Docker"):
        engine.ensure(settings_in(tmp_path))


@pytest.fixture
def wrapper() -> Any:
    loader = SourceFileLoader("runc_without_sys_resource", str(engine.WRAPPER))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_wrapper_takes_one_capability_and_the_lowered_oom_score_away(wrapper: Any) -> None:
    process = {"capabilities": {"bounding": ["CAP_SYS_RESOURCE", "CAP_CHOWN"]}, "oomScoreAdj": -999, "cwd": "/"}
    changed = {"capabilities": {"bounding": ["CAP_CHOWN"]}, "oomScoreAdj": 0, "cwd": "/"}
    assert wrapper.without_sys_resource(json.loads(json.dumps(process))) == changed
    assert wrapper.without_sys_resource({"process": process, "root": {}}) == {"process": changed, "root": {}}


def test_the_wrapper_leaves_what_asks_for_neither_alone(wrapper: Any) -> None:
    config = {"process": {"oomScoreAdj": 500, "args": ["x"]}}
    assert wrapper.without_sys_resource(json.loads(json.dumps(config))) == config


def test_the_wrapper_finds_the_description_of_what_is_started(wrapper: Any) -> None:
    assert wrapper.described_in(["--root", "/r", "create", "--bundle", "/b", "id"]) == "/b/config.json"
    assert wrapper.described_in(["exec", "--process", "/p.json", "id"]) == "/p.json"
    assert wrapper.described_in(["state", "id"]) is None
