"""The image registry: a container beside the nodes, ``localhost:5001`` for pushing and for the nodes alike.

Docker and containerd both take a registry at localhost without TLS. On the nodes a hosts.toml sends that name
to the container, as kind's own documentation does; so one reference works everywhere.
"""

import os
import urllib.error
import urllib.request
from pathlib import Path

from tests.tools.local_cluster import binaries, kind
from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.scratch import import_binary
from tests.tools.local_cluster.settings import CLUSTER_NAME, Settings
from tests.tools.local_cluster.shell import BringUpError, step

CONTAINER = f"{CLUSTER_NAME}-registry"
PORT = 5001
ADDRESS = f"localhost:{PORT}"
MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json"
)


def hosts_toml() -> str:
    """containerd's file for our address on a node."""
    # `server` too: else what our registry does not have is asked of the node itself, and the error names that.
    url = f"http://{CONTAINER}:5000"
    return f'server = "{url}"\n\n[host."{url}"]\n  capabilities = ["pull", "resolve"]\n'


def answers() -> bool:
    """Whether the registry answers on this machine."""
    try:
        with urllib.request.urlopen(f"http://{ADDRESS}/v2/", timeout=3) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def digest(repository: str, tag: str) -> str | None:
    """Digest of a manifest in our registry; ``None`` when it is not there."""
    request = urllib.request.Request(
        f"http://{ADDRESS}/v2/{repository}/manifests/{tag}", method="HEAD", headers={"Accept": MANIFESTS}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            value = reply.headers["Docker-Content-Digest"]
            return str(value) if value else None
    except urllib.error.HTTPError:
        return None


def ensure(settings: Settings, engine: Engine) -> None:
    """Run the registry over its cached storage, and announce it to the nodes."""
    image = import_binary(engine, "registry", binaries.build(settings, binaries.REGISTRY) / "registry")
    if not answers():
        with step("starting the image registry"):
            remove(engine)
            storage = settings.cache / "registry"
            storage.mkdir(parents=True, exist_ok=True)
            engine.docker(
                "run", "--detach", "--name", CONTAINER, "--network", CLUSTER_NAME, "--restart", "always",
                "--publish", f"127.0.0.1:{PORT}:5000", "--user", f"{os.getuid()}:{os.getgid()}",
                "--volume", f"{storage}:/var/lib/registry", "--env", "OTEL_TRACES_EXPORTER=none",
                "--volume", f"{_config(settings)}:/config.yml:ro", image, "serve", "/config.yml",
            )  # fmt: skip
            try:
                kind.wait_for("the image registry", answers, 30)
            except BringUpError as error:
                raise BringUpError(f"{error} {_state(engine)}") from None
    announce(engine)


def announce(engine: Engine) -> None:
    """Tell each node's containerd where our address is; it reads the file at every pull."""
    directory = f"/etc/containerd/certs.d/{ADDRESS}"
    for node in kind.NODES:
        engine.docker(
            "exec", "-i", node, "sh", "-c", f"mkdir -p {directory} && cat > {directory}/hosts.toml", stdin=hosts_toml()
        )


def _state(engine: Engine) -> str:
    """What the container says of itself, for whoever reads why it did not answer."""
    shown = "{{json .State}} {{json .NetworkSettings.Networks}} {{json .NetworkSettings.Ports}}"
    state = engine.docker("inspect", "--format", shown, CONTAINER)
    return f"Its container: {state}. Its log ends with:\n{engine.docker('logs', '--tail', '20', CONTAINER)}"


def _config(settings: Settings) -> Path:
    return settings.root / "manifests" / "dev" / "registry" / "config.yml"


def remove(engine: Engine) -> None:
    """Remove the registry's container; what was pushed stays in the cache."""
    if engine.has("container", "inspect", CONTAINER):
        engine.docker("rm", "--force", "--volumes", CONTAINER)
