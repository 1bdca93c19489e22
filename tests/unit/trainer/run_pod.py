"""A run's pod without Kubernetes: folders, buckets in memory, and an operator on a real TLS socket."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from obstore.store import MemoryStore
from steadfit_artifact.store import Store, StoreConfig
from steadfit_trainer.config import Config
from steadfit_trainer.deadline import Deadline
from steadfit_trainer.paths import Paths
from steadfit_trainer.steps.fetch import fetch
from steadfit_trainer.steps.publish import publish

from tests.unit.trainer.tls import Authority

LAKE = {"uriPrefix": "s3://lake", "credentials": "/none"}
MODELS = {"uriPrefix": "s3://models/team", "credentials": "/none"}
RECORD_PATH = "/v1/namespaces/ns/trainingruns/flights-0123456789/record"


def source(name: str = "flights", **more: Any) -> dict[str, Any]:
    return {"name": name, "uri": f"s3://lake/{name}/", "format": "Parquet", "store": LAKE, **more}


@dataclass
class RunPod:
    """Everything a run of the trainer touches.

    Attributes:
        root: what is /steadfit in a pod.
        document: STEADFIT_CONFIG.
        buckets: by name, in memory.
    """

    root: Path
    document: dict[str, Any] = field(default_factory=dict)
    buckets: dict[str, MemoryStore] = field(default_factory=dict)
    wrap: Callable[[Store], Store] = lambda store: store

    def __post_init__(self) -> None:
        self.document = {
            "run": {
                "namespace": "ns", "name": "flights-0123456789", "uid": "uid-1", "attempt": 1, "trainingJob": "flights",
            },
            "store": MODELS,
            "data": [source()],
            "evaluation": {
                "target": "late",
                "holdout": {"by": "Time", "column": "time", "fraction": 0.2},
                "metrics": [{"name": "roc_auc", "goal": "Maximize", "threshold": 0.6}, {"name": "brier_score"}],
            },
            "params": {"trees": 5},
            "seed": 7,
            "recordUrl": f"https://127.0.0.1:9{RECORD_PATH}",
            "lineage": {"image": "registry.example.com/train:1", "operatorVersion": "0.1.0"},
        } | self.document  # fmt: skip
        (self.root / "token").mkdir(parents=True, exist_ok=True)
        (self.root / "token" / "token").write_text("the-token\n")

    @property
    def paths(self) -> Paths:
        return Paths(self.root)

    @property
    def config(self) -> Config:
        return Config.model_validate(self.document)

    def connect(self, config: StoreConfig) -> Store:
        name = config.uri_prefix.removeprefix("s3://").split("/")[0]
        return self.wrap(Store(config.uri_prefix, self.buckets.setdefault(name, MemoryStore())))

    def store(self, uri: str = "s3://lake") -> Store:
        name = uri.removeprefix("s3://").split("/")[0]
        return Store(f"s3://{name}", self.buckets.setdefault(name, MemoryStore()))

    def put(self, uri: str, table: pa.Table) -> bytes:
        """Put a table in the format of its name; return its bytes."""
        raw = as_csv(table) if ".csv" in uri else as_parquet(table)
        self.store(uri).put(uri, raw)
        return raw

    def fetch(self) -> dict[str, Any]:
        fetch(self.config, self.paths, self.connect)
        resolved: dict[str, Any] = json.loads(self.paths.resolved.read_text())
        return resolved

    def publish(self, operator: "Operator | None" = None, seconds: float = 60) -> str:
        ca_file = None
        if operator is not None:
            self.document["recordUrl"] = operator.url
            ca_file = operator.authority.ca_file
        return publish(self.config, self.paths, ca_file, fast(seconds), self.connect)

    def trained(self, name: str = "flights") -> pa.Table:
        return pq.read_table(self.paths.data / name)

    def held(self, name: str = "flights") -> pa.Table:
        path = self.paths.holdout / f"{name}.parquet"
        return pq.read_table(path) if path.exists() else self.trained(name).slice(0, 0)

    def record(self, uid: str = "uid-1") -> dict[str, Any]:
        raw = self.store("s3://models").get(f"s3://models/team/ns/flights/records/{uid}.json")
        found: dict[str, Any] = json.loads(raw)
        return found


def fast(seconds: float) -> Deadline:
    """Return a deadline whose time passes by its pauses alone."""
    now = [0.0]

    def sleep(pause: float) -> None:
        now[0] += pause

    return Deadline(seconds, sleep, lambda: now[0])


def as_parquet(table: pa.Table) -> bytes:
    target = io.BytesIO()
    pq.write_table(table, target)
    return target.getvalue()


def as_csv(table: pa.Table) -> bytes:
    target = io.BytesIO()
    pa.csv.write_csv(table, target)
    return target.getvalue()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        operator: Operator = self.server.operator  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operator.posts.append((self.path, self.headers["Authorization"], body))
        status, answer = operator.answers.pop(0) if len(operator.answers) > 1 else operator.answers[0]
        operator.after_post()
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        if status in (301, 302, 307, 308):
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *arguments: Any) -> None:
        pass


@dataclass
class Operator:
    """Answers `answers` in turn, the last one for ever.

    Attributes:
        posts: path, authorization and body of each request.
        after_post: called after each request is noted, before its answer.
    """

    authority: Authority
    answers: list[tuple[int, Any]]
    posts: list[tuple[str, str, bytes]] = field(default_factory=list)
    after_post: Callable[[], None] = lambda: None
    url: str = ""

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.posts]


@contextmanager
def operator(folder: Path, *answers: tuple[int, Any]) -> Iterator[Operator]:
    """Serve an operator's intake; by default it stores the record, then has the version."""
    authority = Authority(folder)
    found = Operator(authority, list(answers) or [(202, {"stored": True}), (200, {"version": "flights-v1"})])
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.operator = found
    server.socket = authority.context.wrap_socket(server.socket, server_side=True)
    found.url = f"https://127.0.0.1:{server.server_port}{RECORD_PATH}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
