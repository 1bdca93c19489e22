"""The kind cluster itself: its configuration, its health, making and deleting it."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from tests.tools.local_cluster import binaries
from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.settings import CLUSTER_NAME, Settings
from tests.tools.local_cluster.shell import BringUpError, CommandError, run, step, succeeds

POD_SUBNET = "198.18.64.0/19"
SERVICE_SUBNET = "198.18.96.0/20"
# Node ports that this machine reaches at 127.0.0.1 on any engine: 30070 is the store, 30080 Prometheus, 30081
# Alertmanager, the others are free.
NODE_PORTS = (30070, *range(30080, 30086))
NODES = (f"{CLUSTER_NAME}-control-plane", f"{CLUSTER_NAME}-worker")


def render_config() -> str:
    """kind's configuration: a control plane with the node ports, a worker, our subnets."""
    mappings = "".join(
        f"  - {{containerPort: {port}, hostPort: {port}, listenAddress: 127.0.0.1}}\n" for port in NODE_PORTS
    )
    return (
        "kind: Cluster\n"
        "apiVersion: kind.x-k8s.io/v1alpha4\n"
        "networking:\n"
        f"  podSubnet: {POD_SUBNET}\n"
        f"  serviceSubnet: {SERVICE_SUBNET}\n"
        "containerdConfigPatches:\n"
        "- |-\n"
        '  [plugins."io.containerd.grpc.v1.cri".registry]\n'
        '    config_path = "/etc/containerd/certs.d"\n'
        "nodes:\n"
        "- role: control-plane\n"
        "  extraPortMappings:\n"
        f"{mappings}"
        "- role: worker\n"
    )


def link_programs(settings: Settings) -> None:
    """Put the pinned kind and kubectl into the state's bin directory, built if need be."""
    settings.bin.mkdir(parents=True, exist_ok=True)
    for tool in (binaries.KIND, binaries.KUBECTL):
        for name in tool.programs:
            link = settings.bin / name
            link.unlink(missing_ok=True)
            link.symlink_to(binaries.build(settings, tool) / name)


def kubectl(settings: Settings, *args: str, stdin: str | None = None, timeout: float = 60) -> str:
    """Run kubectl against our cluster, or against the user's when CLUSTER=existing."""
    where = [] if settings.existing else ["--kubeconfig", str(settings.kubeconfig)]
    return run([str(settings.bin / "kubectl"), *where, *args], stdin=stdin, timeout=timeout)


def _kind(settings: Settings, engine: Engine, *args: str, stdin: str | None = None, timeout: float = 300) -> str:
    # A network of our own keeps our addresses apart from the user's other kind clusters.
    env = {**engine.env, "KIND_EXPERIMENTAL_DOCKER_NETWORK": CLUSTER_NAME}
    return run([str(settings.bin / "kind"), *args, "--name", CLUSTER_NAME], env=env, stdin=stdin, timeout=timeout)


def exists(engine: Engine) -> bool:
    """Whether containers of the cluster exist, running or not."""
    return bool(engine.docker("ps", "-aq", "--filter", f"label=io.x-k8s.kind.cluster={CLUSTER_NAME}"))


def problem(settings: Settings) -> str | None:
    """What is wrong with the cluster in a few words; ``None`` when it is healthy.

    The kubelets are asked themselves: after a sudden death the API shows nodes as ready for 40 s more.
    """
    if not settings.kubeconfig.exists():
        return "there is no kubeconfig"
    try:
        for node in NODES:
            kubectl(settings, "get", "--raw", f"/api/v1/nodes/{node}/proxy/healthz", timeout=5)
        pods = json.loads(kubectl(settings, "get", "pods", "-n", "kube-system", "-o", "json", timeout=5))
    except CommandError as error:
        return error.output.strip().splitlines()[-1] if error.output.strip() else str(error)
    for pod in pods["items"]:
        conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
        if conditions.get("Ready") != "True":
            return f"pod {pod['metadata']['name']} is not ready"
    return None


def create(settings: Settings, engine: Engine, image: str) -> None:
    """Make the cluster anew and wait until pods can be created in it.

    Raises:
        BringUpError: it did not come up; the nodes are left for a look.

    """
    delete(settings, engine)
    settings.state.mkdir(parents=True, exist_ok=True)
    with step(f"kind create cluster ({image})"):
        _kind(
            settings, engine, "create", "cluster", "--image", image, "--config", "-", "--wait", "180s",
            "--kubeconfig", str(settings.kubeconfig), stdin=render_config(),
        )  # fmt: skip
        # The control plane takes work too, so that a test can lose the worker.
        kubectl(settings, "taint", "nodes", NODES[0], "node-role.kubernetes.io/control-plane-")
        # It asks for no CPU, so where two cores are busy it comes last: a Service then names pods that are long gone.
        kubectl(settings, "set", "resources", "daemonset/kube-proxy", "-n", "kube-system", "--requests=cpu=100m")
    with step("waiting for the default service account and DNS"):
        wait_for("the default service account", lambda: succeeds(_get(settings, "serviceaccount/default")))
        for what in ("deployment/coredns", "daemonset/kube-proxy"):
            kubectl(settings, "rollout", "status", what, "-n", "kube-system", timeout=180)


def _get(settings: Settings, what: str) -> list[str]:
    return [str(settings.bin / "kubectl"), "--kubeconfig", str(settings.kubeconfig), "get", what]


def wait_for(what: str, done: Callable[[], bool], seconds: float = 120) -> None:
    """Poll until ``done``.

    Raises:
        BringUpError: it took longer than ``seconds``.

    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise BringUpError(f"{what[0].upper()}{what[1:]} did not appear within {seconds:.0f} s.")
        time.sleep(0.3)


def delete(settings: Settings, engine: Engine) -> None:
    """Delete the cluster with its volumes, whatever is left of it."""
    if exists(engine):
        with step("kind delete cluster"):
            _kind(settings, engine, "delete", "cluster", "--kubeconfig", str(settings.kubeconfig))
    for path in (settings.kubeconfig, Path(f"{settings.kubeconfig}.lock")):
        path.unlink(missing_ok=True)
