"""The metrics port: `/metrics` for Prometheus, and `/tallies` for the operator's comparison of two versions.

Both are answered by threads of their own: scrapes and predictions do not wait for each other.
"""

import re
import socket
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from steadfit_server.telemetry.tallies import Tallies

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

PATH = "/tallies"
_SECOND = re.compile(r"[0-9]{1,12}")


def application(registry: CollectorRegistry, tallies: Tallies) -> Application:
    """Return the WSGI application."""
    metrics = make_wsgi_app(registry)

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH:
            answered: Iterable[bytes] = metrics(environ, start_response)
            return answered
        status, body = _tallies(tallies, environ)
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _tallies(tallies: Tallies, environ: Environ) -> tuple[str, bytes]:
    if environ["REQUEST_METHOD"] != "GET":
        return "405 Method Not Allowed", b'{"error": "This path takes GET."}'
    query = parse_qs(environ.get("QUERY_STRING", "")[:256])
    since = query.get("since", ["0"])[-1]
    if not _SECOND.fullmatch(since):
        return "400 Bad Request", b'{"error": "since is a whole second since 1970."}'
    if query.get("comparing", [""])[-1] == "true":
        tallies.note_comparison()
    return "200 OK", tallies.document(int(since))


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _IPv6Server(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    # Seconds in which a client has to send its request; without it, a silent one would keep its thread.
    timeout = 10

    def log_message(self, *_: Any) -> None:
        """Log nothing: the server writes no access log."""


def listen(host: str, port: int, registry: CollectorRegistry, tallies: Tallies) -> WSGIServer:
    """Serve the metrics port until the process ends."""
    kind = _IPv6Server if ":" in host else _Server
    server = make_server(host, port, application(registry, tallies), kind, _Handler)
    Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    return server
