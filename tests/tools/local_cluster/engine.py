"""The Docker engine: one that answers, else Debian's with a daemon of ours."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TypedDict

from tests.tools.local_cluster import firewall, host, processes
from tests.tools.local_cluster.settings import CLUSTER_NAME, Settings
from tests.tools.local_cluster.shell import BringUpError, run, say, step, succeeds

# 198.18.0.0/15 is reserved for benchmarks (RFC 2544): no private network of the machine is touched.
BRIDGE_ADDRESS = "198.18.128.1/24"
ADDRESS_POOL = "base=198.18.132.0/22,size=24"
NETWORK_SUBNET = "198.18.133.0/24"
BRIDGES = ip_network("198.18.128.0/21")  # where the two before lie
CGROUP = CLUSTER_NAME
BUILD_CACHE_AGE = "12h"
# What a daemon and its containerd make outside their directories.
TRACES = (Path("/etc/docker/key.json"), Path("/etc/docker"), Path("/run/docker"), Path("/opt/containerd"))
WRAPPER = Path(__file__).with_name("runc_without_sys_resource")


@dataclass(frozen=True)
class Engine:
    """An engine that answers; ``env`` is what its clients need, ``ours`` says who started it."""

    ours: bool
    env: Mapping[str, str]

    def docker(self, *args: str, stdin: str | None = None, timeout: float | None = None) -> str:
        """Run the docker command against this engine and return what it prints."""
        return run(["docker", *args], env=self.env, stdin=stdin, timeout=timeout)

    def has(self, *args: str) -> bool:
        """Whether a docker command succeeds, such as ``image inspect <name>``."""
        return succeeds(["docker", *args], env=self.env)


def _socket(settings: Settings) -> Path:
    return settings.state / "engine" / "docker.sock"


def _own(settings: Settings) -> Engine:
    # Debian's engine has no BuildKit, and a newer client's default would ask for it.
    return Engine(ours=True, env={"DOCKER_HOST": f"unix://{_socket(settings)}", "DOCKER_BUILDKIT": "0"})


def _answers(engine: Engine) -> bool:
    return succeeds(["docker", "version", "--format", "{{.Server.Version}}"], env=engine.env, timeout=10)


def users(settings: Settings) -> Engine | None:
    """The user's engine, from DOCKER_HOST or docker's own default; ``None`` when none answers."""
    named = os.environ.get("DOCKER_HOST", "")
    env = {"DOCKER_HOST": named}
    if named == f"unix://{_socket(settings)}":  # a shell that has evaluated `make env`: that engine is ours
        env = {"DOCKER_HOST": "unix:///var/run/docker.sock"}
    engine = Engine(ours=False, env=env)
    return engine if host.has_program("docker") and _answers(engine) else None


def running(settings: Settings) -> Engine | None:
    """The engine this cluster was brought up on, if it answers; starts nothing."""
    if (settings.state / "engine").exists():
        engine = _own(settings)
        return engine if _answers(engine) else None
    return users(settings)


def ensure(settings: Settings) -> Engine:
    """An engine that answers, installed and started if need be, with the cluster's network."""
    engine = running(settings) or _start(settings)
    if not engine.has("network", "inspect", CLUSTER_NAME):
        # Made beforehand: kind would give it addresses outside our range.
        engine.docker("network", "create", "-d", "bridge", "--subnet", NETWORK_SUBNET, CLUSTER_NAME)
    return engine


def dockerd_command(directory: Path, data_root: Path, *, wrap_runc: bool) -> list[str]:
    """Command line of our daemon: its own directories, cgroupfs, our addresses."""
    command = [
        "dockerd",
        *("--data-root", str(data_root)),
        *("--exec-root", str(directory / "exec")),
        *("--pidfile", str(directory / "pid")),
        *("--host", f"unix://{directory / 'docker.sock'}"),
        *("--exec-opt", "native.cgroupdriver=cgroupfs"),
        *("--cgroup-parent", f"/{CGROUP}"),
        *("--bip", BRIDGE_ADDRESS),
        *("--default-address-pool", ADDRESS_POOL),
    ]
    if wrap_runc:
        command += ["--add-runtime", f"unprivileged={WRAPPER}", "--default-runtime", "unprivileged"]
    return command


def _start(settings: Settings) -> Engine:
    """Start our daemon over the cached data root, installing Debian's engine first if there is none."""
    if os.geteuid() != 0:
        raise BringUpError(
            "No Docker engine answers, and only root may start one: start Docker (or set DOCKER_HOST), "
            "or run this as root."
        )
    if not host.has_program("dockerd"):
        host.install({"docker.io": "a Docker engine, because none answers"}, assume_yes=settings.assume_yes)
        if users(settings):  # where systemd runs, the package starts its own daemon
            return Engine(ours=False, env={})
    engine, directory = _own(settings), settings.state / "engine"
    if not directory.exists():
        # Appears complete or not at all: without what was before, nothing could be put back.
        unfinished = settings.state / "engine.unfinished"
        unfinished.mkdir(parents=True, exist_ok=True)
        (unfinished / "before.json").write_text(json.dumps(_look()))
        unfinished.rename(directory)
    command = dockerd_command(directory, settings.cache / "docker", wrap_runc=not host.may_set_resources())
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    with step("starting a Docker daemon of our own"), (directory / "log").open("ab") as log:
        _end(settings)
        daemon = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "PATH": path},
        )  # fmt: skip
        for _ in range(300):
            if _answers(engine):
                # Layers that no image names any more are the cache of the last builds, for a while.
                engine.docker("image", "prune", "--force", "--filter", f"until={BUILD_CACHE_AGE}")
                return engine
            if daemon.poll() is not None:
                break
            time.sleep(0.2)
    raise BringUpError(f"Our Docker daemon did not come up; see {directory / 'log'}.")


class Before(TypedDict):
    """The machine before our daemon: its packet handling, and which of TRACES did not exist."""

    firewall: firewall.Snapshot
    absent: list[str]


def _look() -> Before:
    return {"firewall": firewall.snapshot(), "absent": [str(path) for path in TRACES if not path.exists()]}


def _put_back(before: Before) -> None:
    firewall.restore(before["firewall"])
    for path in map(Path, before["absent"]):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _end(settings: Settings) -> None:
    """End every process of our daemon, dead or alive, and what it mounted.

    What a killed daemon leaves would otherwise live on beside the new one. A network namespace stays for up to two
    minutes while the kernel has bytes to deliver to a peer that is gone, and answers at the address that the next
    container gets; without its interface it can't.
    """
    directory = settings.state / "engine"
    processes.stop(directory / "pid", directory / "exec", CGROUP)
    for link in links():
        processes.delete_link(link)
    processes.unmount(settings.state)
    processes.unmount(settings.cache / "docker")
    shutil.rmtree(directory / "exec", ignore_errors=True)
    (directory / "pid").unlink(missing_ok=True)


def bridges(addresses: str) -> list[str]:
    """Names of our bridges in what ``ip -json -4 address show`` prints: those with an address of our range."""
    return [
        str(link["ifname"])
        for link in json.loads(addresses)
        if any(ip_address(each["local"]) in BRIDGES for each in link.get("addr_info", ()))
    ]


def links() -> list[str]:
    """Network interfaces of an engine of ours: what hangs on its bridges, then these.

    They are found by their addresses, because a killed daemon forgets the interfaces of its containers.
    """
    ours = bridges(run(["ip", "-json", "-4", "address", "show"]))
    members = [member.name for bridge in ours for member in sorted(Path(f"/sys/class/net/{bridge}/brif").glob("*"))]
    return members + ours


def stop_own(settings: Settings) -> None:
    """Stop our daemon and remove what it set up on the machine; its image store stays in the cache."""
    directory = settings.state / "engine"
    with step("stopping our Docker daemon"):
        _end(settings)
        _put_back(json.loads((directory / "before.json").read_text()))
    say(f"Kept the cache {settings.cache}; remove the directory to free its space.")
