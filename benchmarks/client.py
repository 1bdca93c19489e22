"""A closed-loop HTTP client that is cheap enough to measure a fast server from another core.

Each connection sends its next request after the answer to the last one, so the server is never idle; the load
generator (tests/support/load.py) measures latency at a fixed rate. A connection that the server closes after an
answer is replaced by a new one, as in a client with a pool.
"""

import argparse
import json
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """Requests answered with 200 and their latencies in milliseconds; `all_requests` also counts the warm-up."""

    requests: int
    all_requests: int
    seconds: float
    p50: float
    p99: float


def measure(port: int, path: str, body: bytes, connections: int, seconds: float) -> Result:
    """Send the same request again and again; the first 0.3 seconds are not counted.

    Raises
    ------
    RuntimeError
        An answer was not 200, or a connection broke, so the measurement is not valid.
    """
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    with selectors.DefaultSelector() as selector:
        sent: dict[socket.socket, float] = {}
        missing: dict[socket.socket, int] = {}
        ending: set[socket.socket] = set()

        def open_one() -> None:
            begun = time.perf_counter()
            each = socket.create_connection(("127.0.0.1", port))
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(each, selectors.EVENT_READ)
            sent[each], missing[each] = begun, 0
            each.sendall(request)

        for _ in range(connections):
            open_one()
        latencies: list[float] = []
        answered = 0
        begin = time.perf_counter() + 0.3
        end = begin + seconds
        while (now := time.perf_counter()) < end:
            for key, _ in selector.select(1):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                data = connection.recv(1 << 20)
                if not data:
                    raise RuntimeError("The server closed a connection.")
                if missing[connection]:
                    missing[connection] -= len(data)
                else:
                    missing[connection] = _rest(data)
                    if b"\r\nconnection: close\r\n" in data:
                        ending.add(connection)
                if missing[connection]:
                    continue
                answered += 1
                now = time.perf_counter()
                if now >= begin:
                    latencies.append(now - sent[connection])
                if connection in ending:
                    ending.remove(connection)
                    selector.unregister(connection)
                    connection.close()
                    del sent[connection], missing[connection]
                    open_one()
                else:
                    sent[connection] = now
                    connection.sendall(request)
        for connection in sent:
            connection.close()
    latencies.sort()
    p50, p99 = latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
    return Result(len(latencies), answered, now - begin, p50 * 1e3, p99 * 1e3)


def _rest(data: bytes) -> int:
    """Return the number of bytes of the answer that are not received yet."""
    if not data.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"The server answered {data[:300]!r}.")
    head, _, body = data.partition(b"\r\n\r\n")
    lowered = head.lower()
    length = int(lowered[lowered.index(b"content-length:") + 15 :].split(b"\r\n")[0])
    return length - len(body)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("body", type=Path)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    arguments = parser.parse_args()
    body = arguments.body.read_bytes()
    result = measure(arguments.port, arguments.path, body, arguments.connections, arguments.seconds)
    json.dump(asdict(result), sys.stdout)
