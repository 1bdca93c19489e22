"""The commands: what is brought up in which order, and what is taken away."""

import os
import shlex
import shutil
import time

from tests.tools.local_cluster import (
    binaries,
    engine,
    gateway,
    gateway_api,
    images,
    kind,
    monitoring,
    node_image,
    pull,
    registry,
    store,
)
from tests.tools.local_cluster import install as installation
from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.settings import CLUSTER_NAME, Settings
from tests.tools.local_cluster.shell import BringUpError, say

# How long a cluster whose processes were just started again may take to answer before it is replaced.
RECOVERY_SECONDS = 20


def _docker(settings: Settings) -> Engine:
    """The engine, for CLUSTER=existing too: it builds the images."""
    if settings.existing:
        found = engine.users(settings)
        if found is None:
            raise BringUpError("CLUSTER=existing needs a Docker engine that answers, to build and push the images.")
        return found
    return engine.ensure(settings)


def _healthy(settings: Settings, docker: Engine, *, restarted: bool) -> bool:
    """Whether the cluster that exists can be used again; a restarted one is given time to recover."""
    if not kind.exists(docker):
        return False
    deadline = time.monotonic() + (RECOVERY_SECONDS if restarted else 10)
    while (problem := kind.problem(settings)) is not None:
        if time.monotonic() > deadline:
            say(f"The cluster is broken ({problem}) and will be replaced.")
            return False
        time.sleep(1)
    return True


def up(settings: Settings) -> None:
    """Bring up engine, cluster, registry and store, using again whatever is healthy."""
    started = time.monotonic()
    kind.link_programs(settings)
    if settings.existing:
        kind.kubectl(settings, "get", "--raw", "/readyz", timeout=20)
        store.ensure(settings, _docker(settings))
        return
    alive = engine.running(settings) is not None
    docker = engine.ensure(settings)
    if not _healthy(settings, docker, restarted=not alive):
        official = pull.pullable(docker, node_image.OFFICIAL)
        image = node_image.OFFICIAL if official else node_image.built_here(settings, docker)
        (settings.state / "base.json").unlink(missing_ok=True)
        kind.create(settings, docker, image)
    registry.ensure(settings, docker)
    if not store.answers():
        store.ensure(settings, docker)
    binaries.build(settings, binaries.TRAEFIK)  # now, while the modules that it shares with Kubernetes are there
    binaries.forget_sources(settings)
    say(f'The cluster is up ({time.monotonic() - started:.0f} s). For a shell: eval "$(make -s env)"')


def images_only(settings: Settings) -> None:
    """Build and push every image."""
    for name, reference in images.build_all(settings, _docker(settings)).items():
        say(f"  {name:<20} {reference}")


def install(settings: Settings) -> None:
    """Install CRDs, operator and monitoring with images built here, then build those of the examples and the tests.

    The Gateway API comes after the operator, as to a cluster that gets it late.
    """
    if not settings.existing and kind.problem(settings):
        raise BringUpError("There is no healthy cluster: run `make cluster-up` first.")
    docker = _docker(settings)
    built = images.build_all(settings, docker, (*images.PRODUCT, *images.DEVELOPMENT))
    installation.install(settings, built)
    gateway_api.install(settings)
    gateway.install(settings, docker)
    monitoring.install(settings, built["monitoring"])
    images.build_all(settings, docker)


def environment(settings: Settings, path: str) -> dict[str, str]:
    """What `make env` exports: how to reach cluster, engine, registry and store from this machine."""
    values = {
        "PATH": path if str(settings.bin) in path.split(":") else f"{settings.bin}:{path}",
        "STEADFIT_REGISTRY": settings.registry if settings.existing else f"{registry.ADDRESS}/steadfit",
        "STEADFIT_IMAGES": str(settings.root / "build" / "images.json"),
        "STEADFIT_STORE_ENDPOINT": store.endpoint(settings),
        "STEADFIT_STORE_CLUSTER_ENDPOINT": store.IN_CLUSTER_ENDPOINT,
        "STEADFIT_STORE_ACCESS_KEY_ID": store.ACCESS_KEY,
        "STEADFIT_STORE_SECRET_ACCESS_KEY": store.SECRET_KEY,
        "STEADFIT_PROMETHEUS_URL": monitoring.endpoint(settings, monitoring.PROMETHEUS_PORT),
        "STEADFIT_ALERTMANAGER_URL": monitoring.endpoint(settings, monitoring.ALERTMANAGER_PORT),
    }
    if not settings.existing:
        values["KUBECONFIG"] = str(settings.kubeconfig)
        if (settings.state / "engine").exists():
            values["DOCKER_HOST"] = f"unix://{settings.state / 'engine' / 'docker.sock'}"
    return values


def print_environment(settings: Settings) -> None:
    """Print the exports on standard output, quoted for a POSIX shell."""
    for name, value in environment(settings, os.environ.get("PATH", "")).items():
        print(f"export {name}={shlex.quote(value)}")


def down(settings: Settings) -> None:
    """Remove cluster, registry, network, our daemon with its mounts and interfaces, and the state."""
    if settings.existing:
        raise BringUpError("CLUSTER=existing: the cluster is yours, nothing of it is removed.")
    own = (settings.state / "engine").exists()
    # Only a running engine can take its containers away, so ours is started once more if it was killed.
    docker = engine.ensure(settings) if own else engine.running(settings)
    if docker is not None:
        kind.link_programs(settings)
        kind.delete(settings, docker)
        registry.remove(docker)
        if docker.has("network", "inspect", CLUSTER_NAME):
            docker.docker("network", "rm", CLUSTER_NAME)
        if own:
            engine.stop_own(settings)
    if settings.state.exists():
        shutil.rmtree(settings.state)
    say("The cluster is gone.")
