"""promtool, by which the tests evaluate the rules: out of Debian's package `prometheus`, without installing it."""

import shutil
import sys
from pathlib import Path

from tests.tools.local_cluster import host
from tests.tools.local_cluster.cache import Cache, key
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import BringUpError, CommandError, run, say, step

PACKAGE = "prometheus"
PROGRAM = "usr/bin/promtool"
# The package lists are our own: reading the machine's would ask for root to bring them up to date.
_STATE, _ARCHIVES = "lists", "archives"


def link(settings: Settings) -> None:
    """Put a link to promtool into the virtual environment; one that works is left as it is.

    A machine without apt-get has it from its administrator, or the tests of the rules say that it is missing.
    """
    place = settings.root / ".venv" / "bin" / "promtool"
    if place.exists():
        return
    program = _program(settings)
    if program is None:
        say("There is no promtool and no apt-get: the tests of the rules need promtool 2.42 or newer on PATH.")
        return
    place.unlink(missing_ok=True)
    place.symlink_to(program)


def _program(settings: Settings) -> Path | None:
    if host.has_program("apt-get"):
        entry = Cache(settings.cache).directory("tools", "promtool", key(sys.platform, PACKAGE, PROGRAM), _extract)
        return entry / PROGRAM
    found = shutil.which("promtool")
    return Path(found) if found else None


def _extract(directory: Path) -> None:
    """Download the package with its own verified lists, and take the program out of it.

    Raises:
        BringUpError: the machine's sources have no such package.

    """
    for name in (f"{_STATE}/partial", f"{_ARCHIVES}/partial"):
        (directory / name).mkdir(parents=True)
    options = [
        f"-oDir::State::lists={directory / _STATE}",
        f"-oDir::Cache={directory / _ARCHIVES}",
        "-oAPT::Sandbox::User=root",
    ]
    with step(f"apt-get download {PACKAGE}"):
        try:
            run(["apt-get", *options, "-qq", "update"])
            run(["apt-get", *options, "-qq", "download", PACKAGE], cwd=directory)
        except CommandError as error:
            raise BringUpError(f"promtool cannot be had from the package {PACKAGE}: {error}") from error
        (package,) = directory.glob(f"{PACKAGE}_*.deb")
        run(["dpkg-deb", "-x", str(package), str(directory / "package")])
        (directory / PROGRAM).parent.mkdir(parents=True)
        (directory / "package" / PROGRAM).rename(directory / PROGRAM)
    for rest in (directory / _STATE, directory / _ARCHIVES, directory / "package"):
        shutil.rmtree(rest)
    package.unlink()
