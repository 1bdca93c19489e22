"""What counting, prediction tokens and the ends of connections add to a request, in one run.

    uv run --all-extras python -m benchmarks.costs

Each is the processor time of the server with it over that of the server without it. The two take turns in rounds of
half a second. What else runs on the machine only ever adds to a round, so the lower quartiles of the rounds are
compared; beside it stands the median of the ratios of neighbouring rounds, which is the same where nothing else runs.
Connections end ten times as often here as they do by default, and a tenth of what that costs is printed: one
in a hundred requests would drown in what two rounds differ by anyway.
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
}
# Name, with it, without it, and which part of the difference is meant.
COSTS = (
    ("ends of connections", "ends", "no ends", 0.1),
    ("counting", "no ends", "no counting", 1.0),
    ("prediction tokens", "no counting", "nothing", 1.0),
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
    """Print what each part adds."""
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
