"""The image of kind's nodes: the official one where it can be pulled, else the one built here."""

from tests.tools.local_cluster import binaries, debian
from tests.tools.local_cluster.cache import tree_key
from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import run, step

OFFICIAL = "docker.io/kindest/node:v1.34.0@sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a"
PACKAGES = (
    *("containerd", "runc", "containernetworking-plugins", "iptables", "nftables", "iproute2"),
    *("ethtool", "procps", "util-linux", "ca-certificates"),
)
PARTS = (binaries.KUBERNETES, binaries.ETCD, binaries.COREDNS, binaries.PAUSE)


def built_here(settings: Settings, engine: Engine) -> str:
    """Name of the node image from Debian packages and Go modules, built if the engine lacks it."""
    directories = [binaries.build(settings, tool) for tool in PARTS]
    here = settings.root / "images" / "kind-node"
    files = [path for path in here.iterdir() if path.is_file()]
    entry_key = tree_key(here, files, *(directory.name for directory in directories), *PACKAGES)
    image = f"steadfit/kind-node:{entry_key}"
    if not engine.has("image", "inspect", image):
        rootfs = debian.root_file_system(settings, "kind-node", PACKAGES)
        links = settings.cache / "bin" / f".node-{entry_key}"
        links.mkdir(exist_ok=True)
        for directory in directories:
            for binary in directory.iterdir():
                (links / binary.name).unlink(missing_ok=True)
                (links / binary.name).symlink_to(binary)
        with step("building the node image"):
            run(
                [str(here / "build.sh"), str(rootfs), str(links), image, binaries.KUBERNETES_VERSION],
                env=engine.env,
            )
    return image
