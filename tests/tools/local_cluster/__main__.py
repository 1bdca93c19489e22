"""Command line: ``python -m tests.tools.local_cluster <command>``."""

import argparse
import sys
from collections.abc import Callable

from tests.tools.local_cluster import bringup, promtool, tools
from tests.tools.local_cluster.cache import exclusive
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import BringUpError, say


def environment(settings: Settings) -> None:
    """Make the environment in which everything else runs."""
    tools.sync_environment(settings)
    promtool.link(settings)


COMMANDS: dict[str, tuple[Callable[[Settings], None], str]] = {
    "venv": (environment, "make .venv hold what the lock file says, and promtool"),
    "lock": (tools.check_lock, "check that the lock file fits pyproject.toml"),
    "up": (bringup.up, "bring the cluster up, or use a healthy one again"),
    "images": (bringup.images_only, "build and push the images"),
    "install": (bringup.install, "install the operator into the cluster"),
    "env": (bringup.print_environment, "print exports for a shell"),
    "down": (bringup.down, "remove the cluster and all it set up; caches stay"),
}


def main() -> int:
    """Run one command; 1 with a sentence on standard error when it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.local_cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, text) in COMMANDS.items():
        commands.add_parser(name, help=text)
    command = parser.parse_args().command
    try:
        settings = Settings.from_environment()
        if command == "env":  # reads only, and must not wait for a bring-up
            COMMANDS[command][0](settings)
        else:
            with exclusive(settings.cache / "lock", lambda: say("Waiting for another command of this kind to end.")):
                COMMANDS[command][0](settings)
    except (BringUpError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
