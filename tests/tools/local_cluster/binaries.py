"""Static binaries from pinned Go modules, one directory with go.mod and go.sum per module."""

import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.tools.local_cluster import tools
from tests.tools.local_cluster.cache import Cache, key
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import run, step

KUBERNETES_VERSION = "v1.34.4"
_VERSION_PACKAGE = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
_KUBERNETES_LDFLAGS = " ".join(
    f"-X {_VERSION_PACKAGE}.{name}={value}"
    for name, value in (("gitVersion", KUBERNETES_VERSION), ("gitMajor", _MAJOR), ("gitMinor", _MINOR))
)


@dataclass(frozen=True)
class GoTool:
    """Binaries built together from one pinned module.

    ``programs`` maps a binary's name to its package; ``on_host`` is true for what runs on this machine
    and false for what runs in a container and is always built for Linux.
    """

    name: str
    module: str
    programs: dict[str, str]
    on_host: bool = False
    ldflags: str = ""


_COMMANDS = "k8s.io/kubernetes/cmd"
KIND = GoTool("kind", "kind", {"kind": "sigs.k8s.io/kind"}, on_host=True)
KUBECTL = GoTool(
    "kubectl", "kubernetes", {"kubectl": f"{_COMMANDS}/kubectl"}, on_host=True, ldflags=_KUBERNETES_LDFLAGS
)
KUBERNETES = GoTool(
    "kubernetes",
    "kubernetes",
    {
        name: f"{_COMMANDS}/{name}"
        for name in (
            "kubeadm",
            "kubectl",
            "kubelet",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kube-proxy",
        )
    },
    ldflags=_KUBERNETES_LDFLAGS,
)
ETCD = GoTool("etcd", "etcd", {"etcd": "go.etcd.io/etcd/server/v3"})
COREDNS = GoTool("coredns", "coredns", {"coredns": "github.com/coredns/coredns"})
PAUSE = GoTool("pause", "pause", {"pause": "."})
REGISTRY = GoTool("registry", "registry", {"registry": "github.com/distribution/distribution/v3/cmd/registry"})
VERSITYGW = GoTool("versitygw", "versitygw", {"versitygw": "github.com/versity/versitygw/cmd/versitygw"})
TRAEFIK = GoTool("traefik", "traefik", {"traefik": "github.com/traefik/traefik/v3/cmd/traefik"})


def machine() -> str:
    """GOARCH of this machine."""
    return {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), platform.machine())


def module_directory(settings: Settings, tool: GoTool) -> Path:
    """Where the pins of a tool lie."""
    return settings.root / "images" / "kind-node" / "go" / tool.module


def tool_key(settings: Settings, tool: GoTool, go_version: str) -> str:
    """Cache key: every pin and source file, the packages, flags and the compiler."""
    sources = [path.read_bytes() for path in sorted(module_directory(settings, tool).iterdir())]
    return key(go_version, machine(), str(tool.on_host), tool.ldflags, repr(sorted(tool.programs.items())), *sources)


def build(settings: Settings, tool: GoTool) -> Path:
    """Directory with the tool's binaries, built if it is not in the cache."""
    go = tools.go(settings)
    env = {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOMODCACHE": str(settings.cache / "go" / "mod"),
        "GOCACHE": str(settings.cache / "go" / "build"),
        **({} if tool.on_host else {"GOOS": "linux", "GOARCH": machine()}),
    }

    def compile_into(directory: Path) -> None:
        with step(f"building {', '.join(tool.programs)} from Go modules"):
            command = [go, "build", "-trimpath", "-ldflags", f"-s -w {tool.ldflags}".strip()]
            single = len(tool.programs) == 1
            target = str(directory / next(iter(tool.programs))) if single else f"{directory}/"
            run([*command, "-o", target, *tool.programs.values()], env=env, cwd=module_directory(settings, tool))

    version = run([go, "env", "GOVERSION"], env=env)
    return Cache(settings.cache).directory("bin", tool.name, tool_key(settings, tool, version), compile_into)


def forget_sources(settings: Settings) -> None:
    """Remove Go's own caches, 9 GB that are of use only while something is built.

    In the background: on a slow disk it takes minutes.
    """
    caches, unused = settings.cache / "go", settings.cache / ".go-unused"
    if caches.exists():
        shutil.rmtree(unused, ignore_errors=True)
        caches.rename(unused)
        subprocess.Popen(["rm", "-rf", str(unused)], start_new_session=True)
