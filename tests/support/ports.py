"""Ports for servers that a test starts as processes of their own."""

import random
import socket

# Below the ports that Linux gives to outgoing connections (from 32768 on) and to NodePorts (from 30000 on): a port
# that the kernel chose for a probe is given to the next connection of any process before the server binds it.
_PORTS = range(10_000, 30_000)


def free_port() -> int:
    """Return a port that nothing listens on and that the kernel gives to no connection by itself."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        return port
