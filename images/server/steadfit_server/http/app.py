"""The HTTP interface: Open Inference Protocol V2 over REST, as a plain ASGI application.

Name and version of the model are known when the process starts, so the routes are one dictionary of exact paths; a
framework would add a fifth to the cost of a small request (docs/design/0020) and nothing that is used.
"""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

import orjson

from steadfit_server import __version__
from steadfit_server.http.body import Buffered, read_body
from steadfit_server.inference.lifecycle import Lifecycle
from steadfit_server.inference.predictor import InferAnswer, Predictor
from steadfit_server.protocol import binary_data
from steadfit_server.protocol.errors import ClientGone, RequestError, quoted
from steadfit_server.settings import Settings
from steadfit_server.telemetry.metrics import Metrics
from steadfit_server.telemetry.tallies import Tallies

LOG = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Document = dict[str, Any]
T = TypeVar("T")

READ = ("GET", "HEAD")
# The ASGI extension by which `connection.py` says whether the next answer is the last one of its connection, and as
# which voice its requests are counted.
CONNECTION = "steadfit.connection"


class App:
    """Answers health, metadata, inference and feedback for one version of one model."""

    def __init__(self, settings: Settings, lifecycle: Lifecycle, metrics: Metrics, tallies: Tallies) -> None:
        self._settings = settings
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._tallies = tallies
        self._answering = 0
        self._buffered = Buffered(settings.max_buffered_bytes)
        metrics.show_draining(lambda: lifecycle.draining)
        self._identity: Document = {
            "model_name": settings.model_name,
            "model_version": settings.version,
            "parameters": {"revision": settings.revision},
        }
        model = f"/v2/models/{settings.model_name}"
        self._model_path, self._version_path = model, f"{model}/versions/{settings.version}"
        self._reads: dict[str, Callable[[], tuple[int, Document]]] = {
            "/v2": self._server,
            "/v2/health/live": self._live,
        }
        self._reads["/v2/health/ready"] = self._ready
        for path in (self._model_path, self._version_path):
            self._reads[path] = self._metadata
            self._reads[f"{path}/ready"] = self._ready
        self._infer_paths = frozenset(f"{path}/infer" for path in (self._model_path, self._version_path))
        # Without a version: the token of an outcome names its version.
        self._feedback_path = f"{model}/feedback"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; only a request whose client has gone gets no answer."""
        started = time.perf_counter()
        path, method = scope["path"], scope["method"]
        inference = path in self._infer_paths and method == "POST"
        headers: dict[bytes, bytes] = {}
        binary = None
        try:
            if inference:
                status = 200
                document, binary = await self._infer(scope, receive)
            elif path == self._feedback_path and method == "POST":
                status, document = await self._feedback(scope, receive)
            elif path in self._reads and method in READ:
                status, document = self._reads[path]()
            else:
                raise self._no_such(path, method)
        except ClientGone:
            return
        except RequestError as error:
            status, document, headers = error.status, self._identity | {"error": error.sentence}, error.headers
        except Exception:
            incident = uuid.uuid4().hex
            LOG.exception("a request failed", extra={"fields": {"incident": incident}})
            status = 500
            document = self._identity | {"error": f"The server failed; its log has the cause under {incident}."}
        if inference:
            self._count(scope, status, started)
        await self._send(scope, send, status, document, headers, binary)

    def _count(self, scope: Scope, status: int, started: float) -> None:
        now = time.perf_counter()
        self._metrics.answered(status, now - started)
        connection = scope.get("extensions", {}).get(CONNECTION)
        if connection:
            self._tallies.answered(connection["voice"], status, now - started, now)

    async def _infer(self, scope: Scope, receive: Receive) -> tuple[Document, bytes | None]:
        """Return the JSON of an answer, and the bytes behind it; None if no output was asked for as bytes."""

        def infer(predictor: Predictor, body: bytes) -> Awaitable[InferAnswer]:
            return predictor.infer(body, binary_data.json_size(scope["headers"], body))

        answer = await self._posted(scope, receive, infer)
        parameters = self._identity["parameters"] | answer.document.get("parameters", {})
        return self._identity | answer.document | {"parameters": parameters}, answer.binary or None

    async def _feedback(self, scope: Scope, receive: Receive) -> tuple[int, Document]:
        received = await self._posted(scope, receive, Predictor.feedback)
        return received.status, self._identity | received.document()

    async def _posted(self, scope: Scope, receive: Receive, answer: Callable[[Predictor, bytes], Awaitable[T]]) -> T:
        """Read a body and answer it, within the limits that all bodies share."""
        predictor, settings = self._loaded(), self._settings
        self._refuse_overload()
        with self._buffered.request() as buffered:
            body = await read_body(
                scope["headers"], receive, settings.max_body_bytes, settings.request_timeout_seconds, buffered
            )
            # Only now does it take one of the places: slow uploads must not keep the others from an answer.
            self._refuse_overload()
            self._answering += 1
            try:
                return await answer(predictor, body)
            finally:
                self._answering -= 1

    def _refuse_overload(self) -> None:
        if self._answering >= self._settings.max_concurrent_requests:
            raise RequestError(
                503,
                f"The server is answering {self._answering} requests, which is its limit; try again.",
                {b"retry-after": b"1"},
            )

    def _loaded(self) -> Predictor:
        predictor = self._lifecycle.predictor
        if predictor is None:
            raise RequestError(503, self._lifecycle.reason, {b"retry-after": b"1"})
        return predictor

    def _server(self) -> tuple[int, Document]:
        return 200, {"name": "steadfit", "version": __version__, "extensions": [binary_data.EXTENSION]}

    def _live(self) -> tuple[int, Document]:
        return 200, {"live": True}

    def _ready(self) -> tuple[int, Document]:
        if self._lifecycle.predictor is None:
            return 503, self._identity | {"ready": False, "error": self._lifecycle.reason}
        return 200, self._identity | {"ready": True}

    def _metadata(self) -> tuple[int, Document]:
        model = self._loaded().model
        inputs = [{"name": each.name, "datatype": each.datatype, "shape": [-1]} for each in model.features]
        return 200, self._identity | {
            "name": self._settings.model_name,
            "versions": [self._settings.version],
            "platform": model.format,
            "inputs": inputs,
            "outputs": list(model.output_tensors),
        }

    def _no_such(self, path: str, method: str) -> RequestError:
        """Return the error for an unknown path or method, which names the wrong part."""
        if path in self._infer_paths:
            return RequestError(405, f"Inference takes POST, not {quoted(method)}.", {b"allow": b"POST"})
        if path == self._feedback_path:
            return RequestError(405, f"Feedback takes POST, not {quoted(method)}.", {b"allow": b"POST"})
        if path in self._reads:
            return RequestError(405, f"This path takes GET, not {quoted(method)}.", {b"allow": b"GET, HEAD"})
        parts = path.strip("/").split("/")
        if parts[:2] == ["v2", "models"] and len(parts) > 2:
            name, version = self._settings.model_name, self._settings.version
            if parts[2] != name:
                return RequestError(404, f"Unknown model {quoted(parts[2])}; this server serves '{name}'.")
            if len(parts) > 4 and parts[3] == "versions" and parts[4] != version:
                return RequestError(404, f"Version {quoted(parts[4])} is not served here; version '{version}' is.")
        return RequestError(404, f"There is nothing at {quoted(path)}; the model is at '{self._model_path}'.")

    async def _send(
        self,
        scope: Scope,
        send: Send,
        status: int,
        document: Document,
        headers: dict[bytes, bytes],
        binary: bytes | None = None,
    ) -> None:
        body = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
        lines = {b"content-type": b"application/json", **headers}
        if binary is not None:
            lines |= {b"content-type": b"application/octet-stream", binary_data.HEADER: b"%d" % len(body)}
            body += binary
        lines[b"content-length"] = b"%d" % len(body)
        connection = scope.get("extensions", {}).get(CONNECTION)
        if connection["is_last"](status) if connection else self._lifecycle.draining:
            lines[b"connection"] = b"close"
        await send({"type": "http.response.start", "status": status, "headers": list(lines.items())})
        await send({"type": "http.response.body", "body": body})
