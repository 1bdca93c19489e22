"""Root file systems from Debian packages, for images that cannot be pulled."""

import os
from collections.abc import Sequence
from pathlib import Path

from tests.tools.local_cluster import binaries, host
from tests.tools.local_cluster.cache import Cache, key
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import BringUpError, run, step

SUITE = "bookworm"
# Documentation, translations and package lists only make the images larger.
EXCESS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists", "var/log")


def root_file_system(settings: Settings, name: str, packages: Sequence[str]) -> Path:
    """A tar archive of Debian's minimal base with ``packages``, made by debootstrap if it is not cached.

    Raises:
        BringUpError: this user is not root, so that debootstrap cannot work.

    """

    def build(directory: Path) -> None:
        if os.geteuid() != 0:
            raise BringUpError(
                f"The {name} image cannot be pulled, and only root can build it here (debootstrap): run this as root "
                "once, or give the engine access to docker.io."
            )
        needed = {"debootstrap": "Debian root file systems for images that cannot be pulled"}
        if not host.has_program("debootstrap"):
            host.install(needed, assume_yes=settings.assume_yes)
        root = directory / "root"
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        with step(f"debootstrap {SUITE} for the {name} image"):
            run(
                ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, str(root)],
                env={"PATH": path},
            )
            excluded = [f"--exclude=./{path}/*" for path in EXCESS]
            archive = str(directory / "root.tar")
            run(["tar", "-C", str(root), "--numeric-owner", *excluded, "-cf", archive, "."])
            run(["rm", "-rf", "--one-file-system", str(root)])

    entry_key = key(SUITE, binaries.machine(), *packages, *EXCESS)
    return Cache(settings.cache).directory("rootfs", name, entry_key, build) / "root.tar"
