"""Clusters as an earlier commit left them, for tests of an upgrade.

`python -m tests.unit.core.serving.revisions.recorded_clusters FILE` records the states that the present code brings
about. `before_inputs_digest.json` was recorded by the last commit whose revisions followed from the rendered template.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.unit.core.serving.canaries import STEPS, trying
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

FILE = Path(__file__).with_name("before_inputs_digest.json")
BAD = {"replicas": 2, "image": "mine:bad"}
_PARTS = (
    "deployment", "job", "versions", "actions", "workloads", "frozen_templates", "service", "stores", "ending",
    "counter", "moves",
)  # fmt: skip


def _pinned_by_action() -> ServingCluster:
    cluster = serving(1, 2, strategy=STEPS)
    cluster.act("Pin", 1)
    cluster.settle()
    return cluster


def _comes_up() -> ServingCluster:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    assert cluster.status.candidate is not None
    cluster.broken.add(cluster.status.candidate.revision)
    cluster.settle()
    return cluster


def _rolls_back() -> ServingCluster:
    cluster = serving(1, 2)
    cluster.broken.add(cluster.moves[0])
    cluster.act("Rollback")
    cluster.settle()
    return cluster


def _rolled_back_server() -> ServingCluster:
    cluster = serving(1)
    cluster.edit(server=BAD)
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    return cluster


def _rolled_back_version_with_another_server() -> ServingCluster:
    cluster = serving(1)
    cluster.edit(server={"replicas": 2, "env": [{"name": "THREADS", "value": "4"}]})
    cluster.add(2)
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    return cluster


def _abandoned_server() -> ServingCluster:
    cluster = serving(1, strategy=STEPS)
    cluster.edit(server=BAD)
    cluster.settle()
    cluster.act("Abort")
    cluster.settle()
    return cluster


def _new_server_on_trial() -> ServingCluster:
    cluster = serving(1, strategy=STEPS)
    cluster.edit(server={"replicas": 2, "env": [{"name": "THREADS", "value": "4"}]})
    cluster.settle()
    return cluster


def _own_image() -> ServingCluster:
    cluster = serving(1)
    cluster.edit(server={"replicas": 2, "image": "mine:1"})
    cluster.settle()
    return cluster


STORIES: Mapping[str, Callable[[], ServingCluster]] = {
    "serves": lambda: serving(1, 2),
    "drains and captures": lambda: serving(1, 2, drains=True, capture={"sample": 0.5, "flushInterval": "60s"}),
    "pinned by the spec": lambda: serving(1, 2, strategy=STEPS, pin={"version": 2}),
    "pinned by an action": _pinned_by_action,
    "canary": trying,
    "new server on trial": _new_server_on_trial,
    "comes up": _comes_up,
    "rolls back": _rolls_back,
    "rolled back server": _rolled_back_server,
    "rolled back version with another server": _rolled_back_version_with_another_server,
    "abandoned server": _abandoned_server,
    "own image": _own_image,
}


def recorded(story: str, file: Path = FILE) -> ServingCluster:
    """Return the cluster of a story as it was recorded."""
    state = json.loads(file.read_text())[story]
    cluster = ServingCluster()
    for part in _PARTS:
        setattr(cluster, part, state[part])
    cluster.now = datetime.fromisoformat(state["now"])
    cluster.versions = {int(number): version for number, version in cluster.versions.items()}
    cluster.made = {
        (one["metadata"]["name"], one["spec"]["artifact"]["digest"]): one for one in cluster.versions.values()
    }
    _read_by_the_present_crd(cluster)
    cluster.broken, cluster.told = set(state["broken"]), set(state["told"])
    return cluster


def _read_by_the_present_crd(cluster: ServingCluster) -> None:
    """Drop the field that the CRD does not have any more, as the API server does when it reads a stored object."""
    cluster.deployment["status"].pop("versionFloorUid", None)


def _state(cluster: ServingCluster) -> dict[str, Any]:
    state = {part: getattr(cluster, part) for part in _PARTS}
    return {**state, "now": cluster.now.isoformat(), "broken": sorted(cluster.broken), "told": sorted(cluster.told)}


def record(file: Path) -> None:
    """Write the state at the end of every story."""
    lines = [f"{json.dumps(story)}: {json.dumps(_state(play()), sort_keys=True)}" for story, play in STORIES.items()]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    record(Path(sys.argv[1]))
