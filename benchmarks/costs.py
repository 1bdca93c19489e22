"""Measures the cost of counting, prediction tokens, bounded connections and tallies per request, in one run.

    uv run --all-extras python -m benchmarks.costs

Each cost is the ratio of the processor times of the server with and without the part. The two servers take turns in
rounds of half a second. Other processes only add time to a round, so the lower quartiles of the rounds are compared;
the median of the ratios of neighbouring rounds is printed too, and is the same on an idle machine. Connections end
ten times as often as by default, and a tenth of the cost is printed: the cost of one in a hundred requests would be
less than the noise between two rounds.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks.models import FEATURES, estimators, write_artifact
from benchmarks.serving import Server, body

ROUNDS = 15
SECONDS = 0.5
CONNECTIONS = 16
VARIANTS = {
    "ends": ("--bound", "10"),
    "no ends": ("--bound", "0"),
    "no counting": ("--bound", "0", "--without-counting"),
    "nothing": ("--bound", "0", "--without-signals"),
    "no tallies": ("--bound", "0", "--without-signals", "--without-tallies"),
}
# Name, arguments with the part, arguments without it, and the fraction of the difference to print.
COSTS = (
    ("ends of connections", "ends", "no ends", 0.1),
    ("counting", "no ends", "no counting", 1.0),
    ("prediction tokens", "no counting", "nothing", 1.0),
    ("tallies", "nothing", "no tallies", 1.0),
)


def main() -> None:
    """Measure and print a table for each model."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        bodies = {count: directory / f"body-{count}" for count in (1, 100)}
        for count, path in bodies.items():
            path.write_bytes(body(count))
        for model, estimator in estimators().items():
            write_artifact(directory / model, estimator, "onnx")
            servers: dict[str, Server] = {}
            try:
                for name, options in VARIANTS.items():
                    servers[name] = Server.start(name, "benchmarks.ours", str(directory / model), *options)
                for count, path in bodies.items():
                    for _ in range(ROUNDS):
                        for server in servers.values():
                            server.measure(path, (count, CONNECTIONS), SECONDS)
                report(model, servers, list(bodies))
            finally:
                for server in servers.values():
                    server.process.kill()
                    server.process.wait()


def report(model: str, servers: dict[str, Server], counts: list[int]) -> None:
    """Print the cost of each part."""
    print(f"\n{model}, {FEATURES} features, {CONNECTIONS} connections, of the CPU time of a request without it")
    print(f"{'':20}" + "".join(f"{f'{count} rows':>28}" for count in counts))
    for title, with_it, without, part in COSTS:
        line = f"{title:20}"
        for count in counts:
            key = (count, CONNECTIONS)
            times = [[each[3] for each in servers[name].rounds[key]] for name in (with_it, without)]
            quiet, bare = (statistics.quantiles(each, n=4)[0] for each in times)
            neighbours = statistics.median(one / other for one, other in zip(*times, strict=True))
            line += f"{part * (quiet / bare - 1):+18.1%} ({part * (neighbours - 1):+7.1%})"
        print(line)
    line = f"{'CPU µs, nothing':20}"
    print(line + "".join(f"{servers['nothing'].median((count, CONNECTIONS))[3]:28.0f}" for count in counts))


if __name__ == "__main__":
    main()
