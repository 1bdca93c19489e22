"""Keeps every state of our objects that the API server shows while cluster tests run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path("build/states")
KINDS = (
    "trainingjobs",
    "trainingruns",
    "modelversions",
    "modeldeployments",
    "modelactions",
    "artifactstores",
    "metricsources",
)
WATCH_SECONDS = 4 * 3600


class Recorder:
    """Watches all our kinds in all namespaces and appends what it sees to a file a kind."""

    def __init__(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        self._watches = [self._watch(kind) for kind in KINDS]

    @staticmethod
    def _watch(kind: str) -> subprocess.Popen[bytes]:
        path = f"/apis/steadfit.dev/v1alpha1/{kind}?watch=true&timeoutSeconds={WATCH_SECONDS}"
        with (FOLDER / f"{kind}.jsonl").open("ab") as file:
            return subprocess.Popen(["kubectl", "get", "--raw", path], stdout=file, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """End the watches."""
        for watch in self._watches:
            watch.terminate()
        for watch in self._watches:
            watch.wait(timeout=10)


def recorded() -> Iterator[list[dict[str, Any]]]:
    """Yield the states of each object in the order in which they were, without the one it was deleted in."""
    for path in sorted(FOLDER.glob("*.jsonl")):
        histories: dict[str, dict[int, dict[str, Any]]] = {}
        for line in path.read_bytes().splitlines():
            try:
                event = json.loads(line)
            except ValueError:  # the watch was ended in the middle of a line
                continue
            if event["type"] in ("ADDED", "MODIFIED"):
                metadata = event["object"]["metadata"]
                histories.setdefault(metadata["uid"], {})[int(metadata["resourceVersion"])] = event["object"]
        for history in histories.values():
            yield [history[version] for version in sorted(history)]
