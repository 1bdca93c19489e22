"""Servers that count by connection: their documents, real ones on loopback, and a client without sockets."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.prometheus.canary_trial import Trial, trial_of
from steadfit.tallies.answer import Answer, NoTallies, Row
from steadfit.tallies.pods import ServerPod

START = 1_800_000_000
NOW = datetime.fromtimestamp(START, UTC)
BOUNDS = (0.1, 0.25, 0.5, 1.0)
CANDIDATE, CHAMPION = "bbb", "aaa"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class At:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


def document(rows: Sequence[Any] = (), **changes: Any) -> dict[str, Any]:
    """Return the answer of a server at `START + 3`."""
    return {
        "server": "5b0c",
        "namespace": "shop",
        "model": "flights",
        "version": "7",
        "revision": CANDIDATE,
        "closed": START + 2,
        "latest": START + 2,
        "time": START + 3.1,
        "oldest": START - 100,
        "bounds": list(BOUNDS),
        "rows": list(rows),
        **changes,
    }


def deployment(*metrics: dict[str, Any], name: str = "flights", step: int = 0, **candidate: Any) -> ModelDeployment:
    shared = {"version": "v", "number": 7, "digest": "d", "templateDigest": "t", "since": NOW.isoformat()}
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"analysis": {"minSamples": 50, "metrics": list(metrics) or [{"name": "errors", "errorRate": {}}]}},
            "status": {
                "candidate": {
                    **shared,
                    "revision": CANDIDATE,
                    "phase": "Analysing",
                    "championRevision": CHAMPION,
                    "analysedSince": NOW.isoformat(),
                    "stepSince": NOW.isoformat(),
                    "step": step,
                    **candidate,
                }
            },
        }
    )


def trial(of: ModelDeployment | None = None) -> Trial:
    found = trial_of(of or deployment(), {})
    assert found is not None
    return found


def pod(name: str, revision: str, **changes: Any) -> dict[str, Any]:
    """Return a server's pod as the API server has it."""
    manifest: dict[str, Any] = {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "labels": {"steadfit.dev/revision": revision, "steadfit.dev/model-deployment": "flights"},
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": f"flights-{revision}-5d8f", "uid": f"rs-{revision}", "controller": True}
            ],
        },
        "spec": {
            "containers": [
                {"ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]}
            ]
        },
        "status": {"phase": "Running", "podIP": "127.0.0.1"},
    }
    for part, values in changes.items():
        manifest[part] = manifest[part] | values
    return manifest


def server_pod(port: int, revision: str = CANDIDATE, address: str = "127.0.0.1") -> ServerPod:
    return ServerPod("uid", "pod", "shop", "flights", revision, address, port)


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """Serve every path on loopback; yield the port."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@dataclass
class FakePod:
    """A server whose connections each fail a part of their requests, one request a second each."""

    name: str
    revision: str
    clock: At
    connections: int = 10
    failing: Callable[[int, int], bool] = lambda second, connection: False
    bucket: Callable[[int], int] = lambda second: 0
    begun: int = 0
    ahead: float = 0.0
    problem: NoTallies | None = None
    stuck_at: int | None = None
    reads: list[int] = field(default_factory=list)
    compared: int = 0
    """How often it was read for a comparison."""
    server: str = ""
    bounds: tuple[float, ...] = BOUNDS

    def answer(self, since: int) -> Answer:
        self.reads.append(since)
        if self.problem is not None:
            raise self.problem
        now = self.clock.now().timestamp() + self.ahead
        latest = int(now) - 1 if self.stuck_at is None else self.stuck_at
        server = self.server or self.name
        rows = tuple(
            Row(
                second,
                server,
                f"{server}-{second}-{each}",
                1,
                int(self.failing(second, each)),
                ((self.bucket(second), 1),),
            )
            for second in range(max(since + 1, latest - 119, self.begun), latest + 1)
            for each in range(self.connections)
        )
        return Answer(server, latest, latest, now, self.bounds, rows)


class FakeClient:
    """Reads fake pods by name."""

    def __init__(self, pods: Mapping[str, FakePod]) -> None:
        self.pods = pods
        self.closed = False

    async def read(self, pod: ServerPod, since: int, *, comparing: bool = True) -> Answer:
        self.pods[pod.name].compared += comparing
        return self.pods[pod.name].answer(since)

    async def close(self) -> None:
        self.closed = True


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
