"""Processes and mounts of our own daemon, told by the directory on their command lines."""

import os
import signal
import time
from pathlib import Path

from tests.tools.local_cluster.shell import succeeds


def command_line(pid: int) -> str:
    """A process's command line with blanks between the words; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def alive(pidfile: Path, marker: str) -> bool:
    """Whether the process in a pid file runs and names ``marker``: a reused number does not count."""
    try:
        return marker in command_line(int(pidfile.read_text()))
    except (OSError, ValueError):
        return False


def naming(directory: Path) -> list[int]:
    """Process ids whose command line names a path below ``directory``."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return sorted(pid for pid in pids if f"{directory}/" in command_line(pid))


def mounts_below(directory: Path, table: str) -> list[str]:
    """Mount points at or below ``directory`` in the text of ``/proc/self/mounts``, deepest first."""
    points = [line.split()[1] for line in table.splitlines() if len(line.split()) > 1]
    return sorted((p for p in points if Path(p).is_relative_to(directory)), key=len, reverse=True)


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to each process that still exists."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def cgroups(name: str, root: Path = Path("/sys/fs/cgroup")) -> list[Path]:
    """Every cgroup named ``name`` at the top of a hierarchy, and those below it, deepest first.

    Version 1 has a hierarchy for each controller, version 2 one for all.
    """
    tops = [path for path in (root / name, *root.glob(f"*/{name}")) if path.is_dir()]
    below = [path for top in tops for path in top.rglob("*") if path.is_dir()]
    return sorted([*tops, *below], key=lambda path: len(path.parts), reverse=True)


def in_cgroups(name: str) -> list[int]:
    """Process ids in the cgroups named ``name``."""
    found: set[int] = set()
    for group in cgroups(name):
        try:
            found.update(map(int, (group / "cgroup.procs").read_text().split()))
        except OSError:
            continue  # it went while we looked
    return sorted(found)


def stop(pidfile: Path, runtime: Path, cgroup: str, *, grace: float = 20) -> None:
    """Stop a daemon: politely, then its shims, which name its runtime directory, and its containers' cgroup."""
    marker = str(runtime)
    if alive(pidfile, marker):
        signal_all([int(pidfile.read_text())], signal.SIGTERM)
    deadline = time.monotonic() + grace
    while alive(pidfile, marker) and time.monotonic() < deadline:
        time.sleep(0.1)
    for _ in range(100):
        left = [*naming(runtime), *in_cgroups(cgroup)]
        if not left:
            break
        signal_all(left, signal.SIGKILL)
        time.sleep(0.1)
    for group in cgroups(cgroup):
        group.rmdir()


def unmount(directory: Path) -> None:
    """Unmount everything at or below ``directory``; what is gone already is no error."""
    for point in mounts_below(directory, Path("/proc/self/mounts").read_text()):
        succeeds(["umount", "--lazy", point])


def delete_link(name: str) -> None:
    """Delete a network interface; one that is gone already, or goes this moment, is no error."""
    succeeds(["ip", "link", "delete", name])
