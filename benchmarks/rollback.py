"""Measures on a cluster how long a Rollback to warm pods takes, from the creation of the action.

    make cluster-up install && eval "$(make -s env)" && .venv/bin/python -m benchmarks.rollback --trials 9

Eight clients with keep-alive connections and eight without post through the Service, from a pod in the cluster. For
each Rollback the script prints the seconds until the good version answers first and until the bad one answers last,
then the medians beside their targets on an idle cluster. The time that kubectl takes to create the action is included.
The exit code is 1 if a median exceeds its target.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.conftest import artifact_store, store_credentials, temporary_namespace
from tests.cluster.recipes import act, live, model_deployment, request, trained
from tests.support.kubectl import Kubectl
from tests.support.load import Record
from tests.support.traffic import Traffic

FIRST_SECONDS = 1.5
LAST_SECONDS = 3.0
SETTLE_SECONDS = 10.0
"""Time after a swap in which the load comes to rest, longer than a pod takes to end."""
RATE = 100
RESOURCES = {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


@dataclass(frozen=True)
class Trial:
    """One Rollback: seconds from the creation of the action."""

    first: float
    last: float


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=9)
    trials = parser.parse_args().trials
    with contextlib.contextmanager(temporary_namespace)(Kubectl()) as namespace:
        found = measured(namespace, trials)
    first, last = (statistics.median(getattr(trial, name) for trial in found) for name in ("first", "last"))
    print(f"median: first answer of the good version after {first:.2f} s (target {FIRST_SECONDS} s)")
    print(f"median: last answer of the bad version after {last:.2f} s (target {LAST_SECONDS} s)")
    return int(first > FIRST_SECONDS or last > LAST_SECONDS)


def measured(namespace: Kubectl, trials: int) -> list[Trial]:
    """Return the trials, one after the other, on one ModelDeployment under load."""
    store = str(namespace.namespace)
    images: dict[str, str] = json.loads(Path(os.environ["STEADFIT_IMAGES"]).read_text())
    namespace.apply(store_credentials())
    namespace.apply(artifact_store(store, f"s3://tests/{store}", {"kubernetes.io/metadata.name": store}))
    try:
        trained(namespace, images["flights-train"], store, 1.0, 0.1)
        namespace.apply(model_deployment(server={"replicas": 2, "resources": RESOURCES}))
        live(namespace, 2)
        promote(namespace, 1)
        url = f"http://model.{namespace.namespace}.svc/v2/models/model/infer"
        traffic = Traffic.start(namespace, images["server"], url, request(), rate=RATE)
        found = []
        for number in range(1, trials + 1):
            found.append(one_trial(namespace, traffic))
            print(f"{number}: first {found[-1].first:.2f} s, last {found[-1].last:.2f} s", flush=True)
        report = traffic.stop()
        print(f"{report['requests']} requests, {report['failed']} failed")
        return found
    finally:
        namespace.run("delete", "artifactstore", store, "--ignore-not-found")


def one_trial(namespace: Kubectl, traffic: Traffic) -> Trial:
    """Serve version 2 beside the warm pods of version 1, roll it back, and release it for the next trial."""
    bad = promote(namespace, 2)
    time.sleep(SETTLE_SECONDS)
    asked = time.time()
    act(namespace, "Rollback")
    good = live(namespace, 1)["status"]["live"]["revision"]
    time.sleep(SETTLE_SECONDS)
    records = [record for record in traffic.records() if record.at > asked and not record.error]
    released = act(namespace, "Release", version=2)["metadata"]["name"]
    namespace.wait_for("modelaction", released, lambda found: found["status"].get("phase") == "Succeeded", timeout=180)
    return Trial(min(answered(records, good)) - asked, max(answered(records, bad)) - asked)


def promote(namespace: Kubectl, number: int) -> str:
    """Promote a version, wait until it serves, and return its revision."""
    act(namespace, "Promote", version=number)
    return str(live(namespace, number)["status"]["live"]["revision"])


def answered(records: list[Record], revision: str) -> list[float]:
    """Return when requests were answered by a revision."""
    return [record.at + record.latency for record in records if record.revision == revision]


if __name__ == "__main__":
    sys.exit(main())
