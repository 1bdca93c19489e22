"""Measures what the counts by connection cost: a request, an answer of a server, and twenty canaries in the operator.

    uv run --all-extras python -m benchmarks.tallies

The operator's reader runs here, with real servers of one other process on loopback: twenty canaries, each of one pod
beside three of the champion, each pod with 12.5 requests a second on fresh connections. It prints processor time as a
share of one processor, in the first five minutes of a step (a read every second) and later (every 15 s).
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.prometheus.canary_trial import Trial, trial_of
from steadfit.prometheus.signals import Signals
from steadfit.tallies.client import TalliesClient
from steadfit.tallies.reader import TalliesReader
from steadfit_server.telemetry import endpoint
from steadfit_server.telemetry.tallies import Tallies
from steadfit_server.telemetry.voices import Voice

CANARIES = 20
CHAMPION_PODS = 3
REQUESTS_A_SECOND = 12.5
SECONDS = 30
REPEATS = 20_000


class Clock:
    """The system's clock."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)


class Cluster:
    """Twenty canaries whose pods listen on loopback."""

    def __init__(self, ports: Sequence[Sequence[int]], step_since: datetime) -> None:
        self._ports = ports
        self._trials = [_trial(number, step_since) for number in range(CANARIES)]

    def trials(self) -> list[Trial]:
        """Return the trials."""
        return self._trials

    def server_pods(self, namespace: str, name: str) -> list[dict[str, Any]]:
        """Return the pods of one canary."""
        ports = self._ports[int(name.removeprefix("model-"))]
        return [_pod(name, "bbb" if index == 0 else "aaa", index, port) for index, port in enumerate(ports)]


def _trial(number: int, step_since: datetime) -> Trial:
    shared = {"version": "v", "number": 2, "digest": "d", "templateDigest": "t", "since": step_since.isoformat()}
    times = {"analysedSince": step_since.isoformat(), "stepSince": step_since.isoformat(), "step": 0}
    candidate = {**shared, **times, "revision": "bbb", "championRevision": "aaa", "phase": "Analysing"}
    made = {
        "metadata": {"name": f"model-{number}", "namespace": "bench"},
        "spec": {},
        "status": {"candidate": candidate},
    }
    trial = trial_of(ModelDeployment.model_validate(made), {})
    assert trial is not None
    return trial


def _pod(model: str, revision: str, index: int, port: int) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": f"{model}-{revision}-5d8f", "uid": revision, "controller": True}
    labels = {"steadfit.dev/revision": revision, "steadfit.dev/model-deployment": model}
    name = f"{model}-{index}"
    return {
        "metadata": {"name": name, "namespace": "bench", "uid": name, "labels": labels, "ownerReferences": [owner]},
        "spec": {"containers": [{"ports": [{"name": "metrics", "containerPort": port}]}]},
        "status": {"phase": "Running", "podIP": "127.0.0.1"},
    }


async def serve() -> None:
    """Serve all pods from this process and count their requests until it is killed."""
    pods, ports = [], []
    for number in range(CANARIES):
        arm = []
        for index in range(1 + CHAMPION_PODS):
            tallies = Tallies("bench", f"model-{number}", "2", "bbb" if index == 0 else "aaa")
            arm.append(endpoint.listen("127.0.0.1", 0, CollectorRegistry(), tallies).server_address[1])
            pods.append(tallies)
        ports.append(arm)
    print(json.dumps(ports), flush=True)
    ticking = [asyncio.create_task(tallies.keep_time()) for tallies in pods]
    while ticking:
        for tallies in pods:
            voice = Voice()
            tallies.answered(voice, 200, 0.003, time.perf_counter())
            tallies.left(voice)
        await asyncio.sleep(1 / REQUESTS_A_SECOND)


async def operator(ports: Sequence[Sequence[int]], step_since: datetime) -> tuple[float, float]:
    """Return the share of one processor that the reader takes, and its reads a second."""
    reader = TalliesReader(Cluster(ports, step_since), Signals().comparisons, TalliesClient, Clock())
    task = asyncio.create_task(reader.run())
    await asyncio.sleep(3)
    begun, spent, reads = time.perf_counter(), time.process_time(), sum(reader.statistics().reads.values())
    await asyncio.sleep(SECONDS)
    elapsed = time.perf_counter() - begun
    share = (time.process_time() - spent) / elapsed
    statistics = reader.statistics()
    assert statistics.reads["Answered"] > 0.9 * sum(statistics.reads.values()), statistics
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return share, (sum(statistics.reads.values()) - reads) / elapsed


def request(fresh: bool) -> float:
    """Return the microseconds of processor time by which one request is counted."""
    tallies, kept = Tallies("bench", "model", "2", "bbb"), [Voice() for _ in range(16)]
    begun = time.process_time()
    for number in range(REPEATS):
        voice = Voice() if fresh else kept[number % 16]
        tallies.answered(voice, 200, 0.003, time.perf_counter())
        if fresh:
            tallies.left(voice)
    return (time.process_time() - begun) / REPEATS * 1e6


def main() -> None:
    """Measure and print."""
    for name, fresh in (("kept connections", False), ("fresh connections", True)):
        print(f"a request on {name}: {min(request(fresh) for _ in range(7)):.2f} µs")
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.tallies", "serve"], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        ports = json.loads(server.stdout.readline())
        now = datetime.now(UTC)
        for name, since in (("a read every second", now), ("a read every 15 s", now - timedelta(minutes=10))):
            share, reads = asyncio.run(operator(ports, since))
            of = f"{CANARIES} canaries of {1 + CHAMPION_PODS} pods"
            print(f"{of}, {name}: {share:.3f} of one processor, {reads:.0f} reads/s")
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        main()
