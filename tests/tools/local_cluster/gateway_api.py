"""The Gateway API's CRDs, out of its pinned Go module: with them the API server knows HTTPRoutes."""

import json
import shutil
from pathlib import Path

from tests.tools.local_cluster import kind, tools
from tests.tools.local_cluster.cache import Cache, key
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import BringUpError, run, step

MODULE = "sigs.k8s.io/gateway-api"
VERSION = "v1.6.1"
SUM = "h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY="
# Of the standard channel only what a route needs, and what Traefik lists before it starts. The admission policy there
# would forbid others to install another version.
KINDS = ("gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants", "backendtlspolicies")
GROUP = "gateway.networking.k8s.io"


def definitions(settings: Settings) -> Path:
    """Directory with the CRDs, downloaded if it is not in the cache."""
    entry_key = key(MODULE, VERSION, SUM, *KINDS)
    return Cache(settings.cache).directory("crds", "gateway-api", entry_key, lambda place: _download(settings, place))


def install(settings: Settings) -> None:
    """Apply the CRDs, unless the cluster has some already: those are somebody else's."""
    if settings.existing and _is_installed(settings):
        return
    directory = definitions(settings)
    with step(f"installing the CRDs of the Gateway API {VERSION}"):
        kind.kubectl(settings, "apply", "--server-side", "--force-conflicts", "-f", str(directory))
        names = [f"crd/{plural}.{GROUP}" for plural in KINDS]
        kind.kubectl(settings, "wait", "--for=condition=Established", "--timeout=60s", *names, timeout=70)


def _is_installed(settings: Settings) -> bool:
    return bool(kind.kubectl(settings, "get", "crd", f"httproutes.{GROUP}", "--ignore-not-found", "-o", "name"))


def _download(settings: Settings, directory: Path) -> None:
    """Take the CRDs out of the module.

    Raises:
        BringUpError: the module is not the pinned one.

    """
    env = {
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOMODCACHE": str(settings.cache / "go" / "mod"),
    }
    with step(f"go mod download {MODULE}@{VERSION}"):
        answer = run([tools.go(settings), "mod", "download", "-json", f"{MODULE}@{VERSION}"], env=env, cwd=directory)
    module = json.loads(answer)
    if module["Sum"] != SUM:
        raise BringUpError(f"{MODULE} {VERSION} is not the pinned one: its hash is {module['Sum']}, not {SUM}.")
    for plural in KINDS:
        shutil.copy(Path(module["Dir"]) / "config" / "crd" / "standard" / f"{GROUP}_{plural}.yaml", directory)
