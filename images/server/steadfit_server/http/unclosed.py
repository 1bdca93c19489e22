"""Connections that this process has closed and whose client has not: the kernel still waits for the client's FIN.

A process may end then, a pod may not: its network goes with it, and the client's FIN meets nobody. The client's kernel
repeats it for minutes, and so long conntrack of the client's node leads that source port to the pod that is gone: a new
connection to the Service from the same port gets no answer for a second or more.
"""

import asyncio
from pathlib import Path

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
# FIN_WAIT1, FIN_WAIT2, LAST_ACK and CLOSING of include/net/tcp_states.h. In TIME_WAIT the client has closed too.
UNCLOSED = {"04", "05", "09", "0B"}
POLL_SECONDS = 0.1


async def closed_by_clients(port: int, seconds: float) -> None:
    """Return once every client has closed its side of its connections to a local port, or after `seconds`."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while unclosed(port) and loop.time() < end:  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(POLL_SECONDS)


def unclosed(port: int) -> int:
    """Return how many connections of a local port the client has not closed; 0 where the kernel has no such table."""
    return sum(_unclosed(Path(table), f":{port:04X}") for table in TABLES)


def _unclosed(table: Path, port: str) -> int:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return 0
    fields = (line.split() for line in lines)
    return sum(local.endswith(port) and state in UNCLOSED for _, local, _, state, *_ in fields)
