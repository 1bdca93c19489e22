"""Measures on a cluster how long a candidate that fails every request keeps its traffic.

    make cluster-up install && eval "$(make -s env)" && .venv/bin/python -m benchmarks.canaries --trials 15

Eight clients post 50 times a second in all through the Service, each request over a connection of its own; a quarter of
them reach the candidate, one pod beside three. A trial is a new revision. Its time runs from the first bad answer to
the last one. The test's part of it is computed again from the requests with the operator's own arithmetic; what remains
is the mechanism: reading, decision, re-pointing and drain.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steadfit.core.serving.evidence.cell import Cell
from steadfit.core.serving.evidence.evidence import Evidence
from steadfit.core.serving.evidence.verdict import verdict

from tests.cluster.conftest import artifact_store, store_credentials, temporary_namespace
from tests.cluster.recipes import live, model_deployment, request, trained
from tests.support.kubectl import Kubectl, Manifest
from tests.support.load import Record
from tests.support.traffic import Traffic

RATE = 50
METRICS = 2
BEFORE = 20
"""Seconds of the champion alone that the test hears before the candidate."""
SETTLE_SECONDS = 5.0
AT_ONE = 4
"""Trials on one ModelDeployment: a rollout takes some twenty passes, and after a hundred in a row they slow down."""
RESOURCES = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


@dataclass(frozen=True)
class Trial:
    """One candidate.

    Attributes
    ----------
    total
        Seconds from the first failed request to the last one, of either version.
    mechanism
        Seconds from the end of the second by which the test fails to the last failed request.
    failed
        Number of failed requests.
    """

    total: float
    mechanism: float
    failed: int


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--report", type=Path, help="file to write the trials to, as JSON")
    asked = parser.parse_args()
    loads = [os.getloadavg()[0]]
    with contextlib.contextmanager(temporary_namespace)(Kubectl()) as namespace:
        found = measured(namespace, asked.trials)
    loads.append(os.getloadavg()[0])
    for name in ("total", "mechanism", "failed"):
        values = [getattr(trial, name) for trial in found]
        print(f"{name}: median {statistics.median(values):.2f}, maximum {max(values):.2f}")
    if asked.report:
        asked.report.parent.mkdir(parents=True, exist_ok=True)
        trials = [asdict(trial) for trial in found]
        asked.report.write_text(json.dumps({"machine": machine(loads), "trials": trials}, indent=1) + "\n")
    return 0


def machine(loads: list[float]) -> str:
    """Return the processors, and how many processes waited for them before and after the trials."""
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    before, after = (f"{load:.0f}" for load in loads)
    return f"{os.cpu_count()} processors ({names[0] if names else platform.machine()}), load {before} to {after}"


def measured(namespace: Kubectl, trials: int) -> list[Trial]:
    """Return the trials, one after the other, on ModelDeployments under load."""
    store = str(namespace.namespace)
    images: dict[str, str] = json.loads(Path(os.environ["STEADFIT_IMAGES"]).read_text())
    namespace.apply(store_credentials())
    namespace.apply(artifact_store(store, f"s3://tests/{store}", {"kubernetes.io/metadata.name": store}))
    try:
        trained(namespace, images["flights-train"], store, 1.0)
        found = []
        for first in range(1, trials + 1, AT_ONE):
            name = f"model-{first}"
            namespace.apply(canary(name, {}))
            live(namespace, 1, name)
            url = f"http://{name}.{namespace.namespace}.svc/v2/models/{name}/infer"
            traffic = Traffic.start(namespace, images["server"], url, request(), rate=RATE, keep_alive=0)
            for number in range(1, min(AT_ONE, trials + 1 - first) + 1):
                time.sleep(SETTLE_SECONDS)
                found.append(one_trial(namespace, traffic, name, images["test-faulty-server"], number))
                print(f"{len(found)}: {found[-1]}", flush=True)
            traffic.stop()
            namespace.run("delete", "modeldeployment", name)
        return found
    finally:
        namespace.run("delete", "artifactstore", store, "--ignore-not-found")


def canary(name: str, server: dict[str, Any]) -> Manifest:
    """Return a ModelDeployment whose new revisions take a quarter of the traffic first."""
    strategy = {"canary": {"steps": [{"weight": 25}]}}
    server = {"replicas": 3, "resources": RESOURCES, **server}
    return model_deployment(name, server=server, strategy=strategy, trainingJobRef={"name": "model"})


def one_trial(namespace: Kubectl, traffic: Traffic, name: str, image: str, number: int) -> Trial:
    """Let a revision that fails every request take traffic until it is quarantined."""
    env = [{"name": "FAIL_EVERY", "value": "1"}, {"name": "TRIAL", "value": str(number)}]
    begin = time.time()
    namespace.apply(canary(name, {"image": image, "drains": True, "env": env}))
    namespace.wait_for(
        "modeldeployment",
        name,
        lambda found: len(found["status"].get("quarantine", [])) >= number,
        timeout=180,
        what="the candidate goes back",
    )
    time.sleep(SETTLE_SECONDS)
    records = [record for record in traffic.records() if record.at > begin]
    bad = sorted(record.at + record.latency for record in records if record.error)
    return Trial(bad[-1] - bad[0], bad[-1] - found_at(records), len(bad))


def found_at(records: list[Record]) -> float:
    """Return the end of the second by which the test fails the candidate, from the requests by second."""
    seconds: dict[int, tuple[list[Cell], list[Cell]]] = {}
    for voice, record in enumerate(records):
        if record.status in (200, 500):
            second, bad = int(record.at + record.latency), record.status == 500
            seconds.setdefault(second, ([], []))[not bad].append(Cell(second, str(voice), 1, int(bad)))
    first = min(second for second, (candidate, _) in seconds.items() if candidate)
    evidence = Evidence(first, first - BEFORE)
    for second in sorted(seconds):
        evidence.add(second, *seconds[second])
        if evidence.candidate.requests and verdict(evidence, 0.01, 0.3, METRICS).verdict == "Fail":
            return second + 1.0
    raise ValueError("the test does not fail the candidate by the requests of the load generator")


if __name__ == "__main__":
    sys.exit(main())
