"""The pod that plays months as traffic, as the story sees it: which month, how far, and what came back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import load
from tests.support.kubectl import Kubectl, Manifest
from tests.support.pods import restricted_pod
from tests.support.traffic import Traffic

from . import replay
from .flights import partition

POD = "replay"
RATE = 225
"""Requests a second. In a month's seconds they are fewer than any month's flights, so none is asked about twice."""
MODULES = {
    "load.py": ("tests/support/load.py", Path(load.__file__)),
    "replay.py": ("tests/demo/replay.py", Path(replay.__file__)),
}
"""Key in the ConfigMap: path in the pod, so that imports are those of the repository, and the file here."""


@dataclass(frozen=True)
class Player:
    """Traffic from inside the cluster, month by month, until it is stopped."""

    kubectl: Kubectl

    @classmethod
    def start(cls, kubectl: Kubectl, image: str, url: str, month: int) -> Player:
        """Start playing a month.

        Parameters
        ----------
        image
            Image with a Python that has obstore and pyarrow.
        url
            Where inference is asked for.
        """
        kubectl.apply([_config(), _pod(image, url, month)])
        kubectl.wait_for("pod", POD, lambda p: p["status"]["phase"] != "Pending", what="the replay runs")
        player = cls(kubectl)
        kubectl.wait_for("pod", POD, lambda _: player.state(), what="the first request is answered")
        return player

    def play(self, month: int) -> None:
        """Go on with another month when the present one is over."""
        self._python(f"open('{replay.COMMAND}', 'w').write('{partition(month)}')")

    def played(self, month: int) -> float:
        """Return how much of a month was played: 0 while an earlier one is, at least 1 once it is over."""
        return played(self.state(), month)

    def state(self) -> dict[str, Any]:
        """Return what the pod says of itself, nothing before it has begun."""
        text = self._python(
            f"import os; print(open('{replay.STATE}').read() if os.path.exists('{replay.STATE}') else '')"
        )
        found: dict[str, Any] = json.loads(text) if text.strip() else {}
        return found

    def stop(self) -> dict[str, Any]:
        """Stop, and return the load generator's report with `feedback`; posts of outcomes count as requests."""
        report = Traffic(self.kubectl, POD).stop()
        report["requests"] += report["feedback"]["posts"]
        report["failed"] += report["feedback"]["failed"]
        return report

    def _python(self, code: str) -> str:
        return self.kubectl.run("exec", POD, "--", "python3", "-c", code)


def played(state: Mapping[str, Any], month: int) -> float:
    """Return how much of a month was played, by what the pod says of itself."""
    present, asked = state["month"], partition(month)
    if present == asked:
        return float(state["played"])
    return 1.0 if present > asked else 0.0


def _config() -> Manifest:
    data = {key: path.read_text() for key, (_, path) in MODULES.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": POD}, "data": data}


def _pod(image: str, url: str, month: int) -> Manifest:
    command = ["python3", "-m", "tests.demo.replay", "--url", url, "--month", partition(month), "--rate", str(RATE)]
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    env: list[Manifest] = [
        {"name": "PYTHONPATH", "value": "/replay"},
        {"name": "STEADFIT_STORE_ENDPOINT", "value": os.environ["STEADFIT_STORE_CLUSTER_ENDPOINT"]},
    ]
    env += [{"name": key, "valueFrom": {"secretKeyRef": {"name": "store-credentials", "key": key}}} for key in keys]
    container = {
        "name": POD,
        "image": image,
        "command": command,
        "env": env,
        "resources": {"requests": {"cpu": "500m", "memory": "128Mi"}, "limits": {"memory": "768Mi"}},
        "volumeMounts": [{"name": POD, "mountPath": "/replay"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    items = [{"key": key, "path": path} for key, (path, _) in MODULES.items()]
    program = {"name": POD, "configMap": {"name": POD, "items": items}}
    return restricted_pod(POD, container, [program, {"name": "tmp", "emptyDir": {}}])
