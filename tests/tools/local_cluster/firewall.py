"""What a Docker daemon changes in the kernel's packet handling, and putting it back.

dockerd never removes its chains, leaves the FORWARD policy at DROP and forwarding on.
"""

import shlex
from pathlib import Path
from typing import TypedDict

from tests.tools.local_cluster.shell import CommandError, run

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
TABLES = ("filter", "nat")


class Snapshot(TypedDict):
    """The state before our daemon: forwarding ("0" or "1") and each table's `iptables -S` lines."""

    forwarding: str
    rules: dict[str, list[str]]


def _rules(table: str) -> list[str]:
    try:
        return run(["iptables", "-w", "-t", table, "-S"]).splitlines()
    except CommandError:
        return []  # no iptables, or a kernel without this table: nothing to put back


def snapshot() -> Snapshot:
    """Read the state as it is now."""
    forwarding = FORWARDING.read_text().strip() if FORWARDING.exists() else "0"
    return {"forwarding": forwarding, "rules": {table: _rules(table) for table in TABLES}}


def undo(before: list[str], now: list[str]) -> list[list[str]]:
    """Arguments of the iptables calls that lead from ``now`` back to ``before`` (lines of `iptables -S`).

    Only what was added is taken away, rules before the chains they jump to.
    """
    added = [shlex.split(line) for line in now if line not in before]
    rules = [["-D", *words[1:]] for words in added if words[0] == "-A"]
    chains = [words[1] for words in added if words[0] == "-N"]
    policies = [shlex.split(line) for line in before if line.startswith("-P") and line not in now]
    return [*rules, *(["-F", chain] for chain in chains), *(["-X", chain] for chain in chains), *policies]


def restore(before: Snapshot) -> None:
    """Put back what :func:`snapshot` saw."""
    for table in TABLES:
        for arguments in undo(before["rules"][table], _rules(table)):
            run(["iptables", "-w", "-t", table, *arguments])
    if FORWARDING.exists() and FORWARDING.read_text().strip() != before["forwarding"]:
        FORWARDING.write_text(before["forwarding"])
