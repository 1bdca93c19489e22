"""What the server overrides of uvicorn, which has no public hooks for it: a bump of the version has to fail here first.

To raise the pin: read uvicorn's changes of the methods below, adapt http/server.py and http/connection.py, run the
tests of this folder, and then change the version and the signatures here.
"""

import asyncio
import importlib.metadata
import inspect
import tomllib
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from steadfit_server.http.connection import http_protocol
from steadfit_server.http.server import DrainingServer
from steadfit_server.inference.lifecycle import Lifecycle
from steadfit_server.telemetry.tallies import Tallies
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from tests.unit.server.harness import settings

TESTED = "0.54.0"
SERVER = {
    "__init__": "(self, config: 'Config') -> 'None'",
    "serve": "(self, sockets: 'list[socket.socket] | None' = None) -> 'None'",
    "capture_signals": "(self) -> 'Generator[None, None, None]'",
}
CONNECTION = {
    "__init__": (
        "(self, config: 'Config', server_state: 'ServerState', app_state: 'dict[str, Any]', "
        "_loop: 'asyncio.AbstractEventLoop | None' = None) -> 'None'"
    ),
    "connection_lost": "(self, exc: 'Exception | None') -> 'None'",
    "data_received": "(self, data: 'bytes') -> 'None'",
    "on_message_begin": "(self) -> 'None'",
    "on_headers_complete": "(self) -> 'None'",
    "on_message_complete": "(self) -> 'None'",
    "timeout_keep_alive_handler": "(self) -> 'None'",
}
CALLED = {"_unset_keepalive_if_required": "(self) -> 'None'", "send_400_response": "(self, msg: 'str') -> 'None'"}
READ = ("cycle", "headers", "loop", "parser", "pipeline", "scope", "transport")


def overridden(ours: type, theirs: type) -> set[str]:
    return {name for name in vars(ours) if inspect.isfunction(vars(ours)[name]) and hasattr(theirs, name)}


@pytest.fixture
def connection_class() -> type[HttpToolsProtocol]:
    return http_protocol(Lifecycle(), settings(), Tallies("team", "flights", "7", "0a1b2c3d4e"))


def connection(made: type[HttpToolsProtocol]) -> HttpToolsProtocol:
    config = uvicorn.Config(app=lambda: None, lifespan="off", log_config=None)
    return made(config=config, server_state=ServerState(), app_state={}, _loop=asyncio.new_event_loop())


def test_the_pinned_version_is_the_one_that_was_read_and_the_one_that_is_installed() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[4] / "pyproject.toml").read_text())
    pins = [each for each in project["project"]["optional-dependencies"]["server"] if each.startswith("uvicorn")]
    assert pins == [f"uvicorn=={TESTED}"]
    assert importlib.metadata.version("uvicorn") == TESTED


def test_the_methods_that_the_server_overrides_are_uvicorns_with_the_signatures_that_were_read() -> None:
    assert overridden(DrainingServer, uvicorn.Server) == set(SERVER)
    assert {name: str(inspect.signature(getattr(uvicorn.Server, name))) for name in SERVER} == SERVER


def test_the_methods_that_a_connection_overrides_or_calls_are_uvicorns_with_the_signatures_that_were_read(
    connection_class: type[HttpToolsProtocol],
) -> None:
    assert overridden(connection_class, HttpToolsProtocol) == set(CONNECTION)
    expected = CONNECTION | CALLED
    assert {name: str(inspect.signature(getattr(HttpToolsProtocol, name))) for name in expected} == expected


def test_a_connection_reads_attributes_that_uvicorn_sets_and_sets_none_that_uvicorn_has(
    connection_class: type[HttpToolsProtocol],
) -> None:
    theirs: dict[str, Any] = vars(connection(HttpToolsProtocol))
    ours: dict[str, Any] = vars(connection(connection_class))
    assert set(READ) <= set(theirs)
    added = set(ours) - set(theirs)
    assert added == {
        "_compared_last_at", "_compared_requests",
        "_extensions", "_head_bytes", "_in_head", "_last_at", "_most_requests", "_requests", "_upgrading",
        "_voice",
    }  # fmt: skip
    helpers = {name for name in vars(connection_class) if not hasattr(HttpToolsProtocol, name)}
    assert helpers == {"_head_without_offer", "_is_failure", "_is_last", "_more_comes"}
    assert not (added | helpers) & (set(theirs) | set(dir(HttpToolsProtocol)))


def test_a_request_says_whether_more_of_its_body_is_to_come() -> None:
    assert "self.more_body" in inspect.getsource(RequestResponseCycle.__init__)
