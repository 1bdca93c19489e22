"""Compares the model server with a minimal server (HTTP and JSON only), in one run.

    uv run --all-extras python -m benchmarks.serving

Servers take turns in short rounds, so that changes of the machine's speed affect all of them; each is one process on
one core, the client runs on another. Only ratios are compared: absolute numbers depend on the machine. The processor
time of a request is that of the server process, and does not depend on the client's speed. benchmarks.costs measures
the cost of parts.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnxruntime
import orjson

from benchmarks.client import Result
from benchmarks.models import FEATURES, estimators, rows, write_artifact

ROUNDS = 5
SECONDS = 1.5


@dataclass
class Server:
    """One server process and its measured rounds, by (rows, connections): requests/s, p50, p99, CPU µs."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    path: str = "/v2/models/bench/infer"
    rounds: dict[tuple[int, int], list[tuple[float, float, float, float]]] = field(default_factory=dict)

    @classmethod
    def start(cls, name: str, *command: str) -> "Server":
        """Start `python -m command… port` on the first core and wait until it listens."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        process = subprocess.Popen([*_on_core(0), sys.executable, "-m", *command, str(port)])
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return cls(name, process, port)
            time.sleep(0.05)
        raise RuntimeError(f"{name} ended with code {process.returncode}.")

    def measure(self, body: Path, key: tuple[int, int], seconds: float = SECONDS) -> None:
        """Run one round."""
        before = self._cpu_seconds()
        arguments = [str(self.port), self.path, str(body), str(key[1]), str(seconds)]
        done = subprocess.run(
            [*_on_core(1), sys.executable, "-m", "benchmarks.client", *arguments], capture_output=True, check=True
        )
        result = Result(**json.loads(done.stdout))
        cpu = (self._cpu_seconds() - before) / result.all_requests * 1e6
        round_ = (result.requests / result.seconds, result.p50, result.p99, cpu)
        self.rounds.setdefault(key, []).append(round_)

    def median(self, key: tuple[int, int]) -> list[float]:
        """Return the median of each measure."""
        return [statistics.median(values) for values in zip(*self.rounds[key], strict=True)]

    def _cpu_seconds(self) -> float:
        # The CPU clock of another process, as clock_getcpuclockid(3) computes it.
        return time.clock_gettime((~self.process.pid << 3) | 2)


def _on_core(core: int) -> list[str]:
    return ["taskset", "-c", str(core)]


def body(count: int) -> bytes:
    """Return a request with `count` rows, one tensor for each feature."""
    columns = rows(count).T.tolist()
    inputs = [
        {"name": f"x{index}", "datatype": "FP32", "shape": [count], "data": values}
        for index, values in enumerate(columns)
    ]
    return orjson.dumps({"inputs": inputs})


def direct(call: Callable[[Any], Any], count: int) -> float:
    """Return the microseconds of one direct call with `count` rows: no HTTP, no JSON, no checks."""
    inputs = rows(count)
    call(inputs)
    times = []
    for _ in range(7):
        repeats = 0
        start = time.perf_counter()
        while time.perf_counter() - start < 0.1:
            call(inputs)
            repeats += 1
        times.append((time.perf_counter() - start) / repeats)
    return statistics.median(times) * 1e6


def main() -> None:
    """Measure and print the tables."""
    models = estimators()
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        served = [("linear", "onnx"), ("linear", "skops"), ("forest", "onnx")]
        for model, model_format in served:
            write_artifact(directory / f"{model}-{model_format}", models[model], model_format)
        bodies = {}
        for count in (1, 100):
            bodies[count] = directory / f"body-{count}"
            bodies[count].write_bytes(body(count))
        servers = [Server.start("floor", "benchmarks.floor")]
        try:
            for model, model_format in served:
                name = f"{model}, {model_format}"
                servers.append(Server.start(name, "benchmarks.ours", str(directory / f"{model}-{model_format}")))
            keys = [(1, 1), (1, 16), (100, 16)]
            for key in keys:
                for _ in range(ROUNDS):
                    for server in servers:
                        server.measure(bodies[key[0]], key)
            report(servers, keys)
        finally:
            for server in servers:
                server.process.kill()
                server.process.wait()
        print(f"\n{'directly, µs a call':28}" + "".join(f"{f'{count} rows':>12}" for count in (1, 100)))
        for model in models:
            session = onnxruntime.InferenceSession(directory / f"{model}-onnx" / "model.onnx", _one_thread())
            name = session.get_inputs()[0].name
            calls = {
                f"{model}, scikit-learn": models[model].predict_proba,
                f"{model}, ONNX Runtime": lambda inputs, s=session, n=name: s.run(None, {n: inputs}),
            }
            for label, call in calls.items():
                print(f"{label:28}" + "".join(f"{direct(call, count):12.1f}" for count in (1, 100)))


def _one_thread() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return options


def report(servers: list[Server], keys: list[tuple[int, int]]) -> None:
    """Print one table for each shape of load; ratios are to the floor."""
    for key in keys:
        print(f"\n{key[0]} rows of {FEATURES} features, {key[1]} connections, median of {ROUNDS} rounds")
        print(f"{'':20}{'requests/s':>12}{'of floor':>10}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}{'to floor':>10}")
        floor = servers[0].median(key)
        for server in servers:
            rate, p50, p99, cpu = server.median(key)
            ratio, cpu_ratio = rate / floor[0], cpu / floor[3]
            print(f"{server.name:20}{rate:12.0f}{ratio:10.2f}{p50:9.2f}{p99:9.2f}{cpu:9.0f}{cpu_ratio:10.2f}")


if __name__ == "__main__":
    main()
