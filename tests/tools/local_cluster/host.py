"""What the machine has, and what has to be installed on it: said first, asked on a terminal."""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.tools.local_cluster.shell import BringUpError, run, say, step

CAP_SYS_RESOURCE = 24


def has_program(name: str) -> bool:
    """Whether a program is on PATH or in the administrator's directories, which a user's PATH may lack."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def bounding_set_has(capability: int, status: str) -> bool:
    """Whether a capability is in the bounding set shown in the text of ``/proc/<pid>/status``.

    A text without the line (not Linux) means that nothing is known to be missing.
    """
    for line in status.splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> capability & 1)
    return True


def may_set_resources() -> bool:
    """Whether processes here may hold CAP_SYS_RESOURCE, which ``docker run --privileged`` asks for."""
    return bounding_set_has(CAP_SYS_RESOURCE, Path("/proc/self/status").read_text())


def consent(packages: Iterable[str], *, terminal: bool, assume_yes: bool, answer: str | None) -> bool:
    """Whether packages may be installed: asked only where somebody can answer.

    Args:
        packages: names to install; none need no consent.
        terminal: whether standard input is a terminal.
        assume_yes: YES=1 was given.
        answer: what the user typed, ``None`` when nobody was asked.

    """
    if not list(packages) or assume_yes or not terminal:
        return True
    return (answer or "").strip().lower() in ("y", "yes")


def install(packages: dict[str, str], *, assume_yes: bool) -> None:
    """Install Debian packages, given as package name to why it is needed.

    Raises:
        BringUpError: the user said no, there is no apt-get, or this user may not install.

    """
    if not packages:
        return
    say("These Debian packages are missing and will be installed with apt-get:")
    for name, reason in packages.items():
        say(f"  {name:<18} {reason}")
    wanted = " ".join(packages)
    if not has_program("apt-get"):
        raise BringUpError(f"There is no apt-get on this machine; please install what matches {wanted}.")
    terminal = sys.stdin.isatty() and sys.stderr.isatty()
    answer = None
    if terminal and not assume_yes:
        sys.stderr.write("Install them? [y/N] ")
        sys.stderr.flush()
        answer = sys.stdin.readline()
    if not consent(packages, terminal=terminal, assume_yes=assume_yes, answer=answer):
        raise BringUpError(f"Nothing was installed. Install {wanted} yourself, or run again with YES=1.")
    if os.geteuid() != 0:
        raise BringUpError(f"Only root may install packages: run `sudo apt-get install {wanted}`, then try again.")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"apt-get install {wanted}"):
        run(["apt-get", "update", "-qq"], env=quiet)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=quiet)
