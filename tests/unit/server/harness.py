"""A model that needs no artifact, and a caller that needs no socket."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from steadfit_artifact.prediction import Label
from steadfit_artifact.reference import Reference
from steadfit_server.http.app import App
from steadfit_server.inference.lifecycle import Lifecycle
from steadfit_server.inference.predictor import Predictor
from steadfit_server.model.interface import Output, ServedModel, zeros
from steadfit_server.settings import Settings
from steadfit_server.telemetry.metrics import Metrics
from steadfit_server.telemetry.signals import CaptureSink, Signals
from steadfit_server.telemetry.tallies import Tallies

INFER = "/v2/models/flights/infer"
FEEDBACK = "/v2/models/flights/feedback"
SECRET = b"the store's secret access key"
ARTIFACT = {
    "uri": "s3://bucket/prefix/artifacts/",
    "digest": "sha256:" + "0" * 64,
    "store": {"uriPrefix": "s3://bucket/prefix", "credentials": "/steadfit/credentials/default"},
}


@dataclass(frozen=True)
class Feature:
    name: str
    datatype: str
    categories: Sequence[str] | None = None


MIXED = (Feature("hour", "INT64"), Feature("wind", "FP64"), Feature("holiday", "BOOL"), Feature("carrier", "BYTES"))
NUMBERS = (Feature("hour", "INT64"), Feature("wind", "FP64"))
# Of a fake model with the features MIXED.
REFERENCE: dict[str, Any] = {
    "schemaVersion": 1,
    "task": "binary",
    "rows": 10,
    "features": [
        {"name": "hour", "kind": "number", "edges": [6.0, 12.0], "counts": [4, 3, 3, 0], "importance": 0.5},
        {"name": "wind", "kind": "number", "edges": [3.5], "counts": [5, 3, 2], "importance": 0.25},
        {"name": "holiday", "kind": "number", "edges": [0.0], "counts": [8, 2, 0], "importance": 0.0},
        {"name": "carrier", "kind": "category", "categories": ["UA", "DL"], "counts": [4, 3, 2, 1], "importance": 0.25},
    ],
    "predictions": {"kind": "score", "edges": [0.25, 0.5], "counts": [2, 4, 4]},
    "positive": 1,
    "classes": [0, 1],
}


@dataclass
class FakeModel:
    """Answers the sum of the numeric columns as a probability, or does what `act` does."""

    features: Sequence[Feature] = MIXED
    act: Callable[[], None] = lambda: None
    format: str = "onnx"
    output_tensors: Sequence[Mapping[str, Any]] = (
        {"name": "label", "datatype": "INT64", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]},
    )
    seen: list[Mapping[str, NDArray[Any]]] = field(default_factory=list)

    def example(self, rows: int) -> Mapping[str, NDArray[Any]]:
        return zeros(self.features, rows)

    def predict(self, columns: Mapping[str, NDArray[Any]]) -> Sequence[Output]:
        self.act()
        self.seen.append(columns)
        rows = len(next(iter(columns.values())))
        probabilities = np.tile([0.25, 0.75], rows)
        return [
            Output("label", "INT64", [rows], np.ones(rows, dtype=np.int64)),
            Output("probabilities", "FP64", [rows, 2], probabilities, {"classes": [0, 1]}),
        ]


def settings(**changes: Any) -> Settings:
    values: dict[str, Any] = {
        "namespace": "team",
        "model_name": "flights",
        "version": "7",
        "revision": "0a1b2c3d4e",
        "artifact": json.dumps(ARTIFACT),
    }
    return Settings(**(values | changes))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def error(self) -> str:
        return str(self.body["error"])


class Caller:
    """Calls the application as an ASGI server would, one request at a time or several at once."""

    def __init__(
        self,
        model: ServedModel | None = None,
        reference: Mapping[str, Any] | None = None,
        classes: Sequence[Label] | None = (0, 1),
        capture: CaptureSink | None = None,
        **changes: Any,
    ) -> None:
        self.settings = settings(**changes)
        self.fake = model if isinstance(model, FakeModel) else FakeModel()
        self.now = 1_800_000_000.0
        self.signals = Signals(
            self.settings,
            SECRET,
            model or self.fake,
            classes,
            Reference.parse(orjson.dumps(reference)) if reference is not None else None,
            capture,
            clock=lambda: self.now,
        )
        self.lifecycle = Lifecycle()
        self.lifecycle.predictor = Predictor(
            model or self.fake, self.settings.max_rows, self.settings.request_timeout_seconds, self.signals
        )
        given = self.settings
        identity = (given.namespace, given.model_name, given.version, given.revision)
        self.metrics, self.tallies = Metrics(*identity), Tallies(*identity)
        self.metrics.watch(self.signals)
        self.app = App(self.settings, self.lifecycle, self.metrics, self.tallies)

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        receive: Callable[[], Any] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> Answer:
        sent: list[Any] = []

        async def whole_body() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        given = {"content-type": "application/json"} if headers is None else headers
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "extensions": extensions or {},
        }
        await self.app(scope, receive or whole_body, send)
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], answered, orjson.loads(sent[1]["body"]))

    def get(self, path: str, method: str = "GET") -> Answer:
        return asyncio.run(self.ask(method, path))

    def post(self, document: Any, path: str = INFER, **options: Any) -> Answer:
        body = document if isinstance(document, bytes) else orjson.dumps(document)
        return asyncio.run(self.ask("POST", path, body, **options))

    def infer(self, *inputs: dict[str, Any], **fields: Any) -> Answer:
        return self.post({"inputs": list(inputs), **fields})

    def feedback(self, *entries: Any) -> Answer:
        return self.post({"feedback": list(entries)}, FEEDBACK)

    def value(self, name: str, **labels: str) -> float | None:
        """Return a series of the next scrape, by default of the version that is served."""
        own = {
            "namespace": self.settings.namespace,
            "model": self.settings.model_name,
            "version": self.settings.version,
            "revision": self.settings.revision,
        }
        return self.metrics.registry.get_sample_value(name, own | labels)


def tensor(name: str, datatype: str, data: list[Any], shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def mixed(rows: int = 2) -> list[dict[str, Any]]:
    return [
        tensor("hour", "INT64", [12] * rows),
        tensor("wind", "FP64", [3.5] * rows),
        tensor("holiday", "BOOL", [False] * rows),
        tensor("carrier", "BYTES", ["UA"] * rows),
    ]


def replaced(name: str, **changes: Any) -> list[dict[str, Any]]:
    """The valid request with changes to one tensor."""
    return [each | changes if each["name"] == name else each for each in mixed()]
