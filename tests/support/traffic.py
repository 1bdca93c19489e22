"""The load generator in a pod of its own, so that requests take the way a client in the cluster takes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .kubectl import Kubectl, Manifest, TimedOut, ticks
from .load import Record
from .pods import restricted_pod

RECORDS = "/tmp/records.jsonl"
LOAD = Path(__file__).with_name("load.py")


@dataclass(frozen=True)
class Traffic:
    """Requests to one URL from inside the cluster, until they are stopped."""

    kubectl: Kubectl
    pod: str

    @classmethod
    def start(
        cls,
        kubectl: Kubectl,
        image: str,
        url: str,
        body: dict[str, Any],
        *,
        rate: int = 300,
        name: str = "load",
        keep_alive: int = 8,
    ) -> Traffic:
        """Start keep-alive and 8 fresh-connection clients that post `body`, together `rate` times a second.

        Returns when the first request is over: what a test does before that, it does without load.
        """
        kubectl.apply([_config(name, body), _pod(name, image, url, rate, keep_alive)])
        kubectl.wait_for("pod", name, lambda p: p["status"]["phase"] != "Pending", what="the load generator runs")
        traffic = cls(kubectl, name)
        kubectl.wait_for("pod", name, lambda _: traffic.requests(), what="the first request is over")
        return traffic

    def requests(self) -> int:
        """Return how many requests were answered or failed so far."""
        count = f"import os; print(sum(1 for _ in open('{RECORDS}')) if os.path.exists('{RECORDS}') else 0)"
        return int(self.kubectl.run("exec", self.pod, "--", "python3", "-c", count))

    def records(self) -> list[Record]:
        """Return every request so far, in the order they were answered or failed."""
        lines = self.kubectl.run("exec", self.pod, "--", "cat", RECORDS).splitlines()
        return [Record(*json.loads(line)) for line in lines if line.endswith("]")]

    def stop(self) -> dict[str, Any]:
        """Stop, and return the report: `requests`, `failed`, `by_revision`, latencies in seconds.

        Raises
        ------
        TimedOut
            When the generator does not end by itself.
        """
        self.kubectl.run("exec", self.pod, "--", "python3", "-c", "import os; os.kill(1, 15)")
        self.kubectl.wait_for(
            "pod", self.pod, lambda p: p["status"]["phase"] in ("Succeeded", "Failed"), what="the load generator ends"
        )
        for _ in ticks(20):
            lines = self.kubectl.run("logs", self.pod).strip().splitlines()
            if lines:
                report: dict[str, Any] = json.loads(lines[-1])
                self.kubectl.run("delete", "pod,configmap", self.pod, "--wait=false")
                return report
        raise TimedOut("the load generator ended without a report")


def _config(name: str, body: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"load.py": LOAD.read_text(), "bodies.jsonl": json.dumps(body) + "\n"},
    }


def _pod(name: str, image: str, url: str, rate: int, keep_alive: int) -> Manifest:
    container = {
        "name": "load",
        "image": image,
        "command": ["python3", "/load/load.py", "--url", url, "--bodies", "/load/bodies.jsonl"],
        "args": ["--rate", str(rate), "--records", RECORDS, "--patience", "30", "--keep-alive", str(keep_alive)],
        "resources": {"requests": {"cpu": "500m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "volumeMounts": [{"name": "load", "mountPath": "/load"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    return restricted_pod(
        name, container, [{"name": "load", "configMap": {"name": name}}, {"name": "tmp", "emptyDir": {}}]
    )
