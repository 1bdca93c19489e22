"""When every status is lost, the note beside the artifact is left: the server reads it, and the operator learns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from obstore.store import MemoryStore
from steadfit.core import names
from steadfit_artifact.quarantine import QuarantinedError, refuse
from steadfit_artifact.store import Store

from tests.unit.core.serving.serving_cluster import ServingCluster
from tests.unit.core.serving.serving_cluster_objects import digest


def last_words(reason: str = "errors rose") -> str:
    """Return what a server leaves behind when the note names its ModelDeployment."""
    store, uri = Store("s3://models", MemoryStore()), "s3://models/2/"
    entry = {"reason": reason, "by": "ada (undo)", "at": "2025-12-24T10:00:00Z", "revision": "old"}
    store.put(f"{uri}quarantine.json", json.dumps({"schemaVersion": 1, "deployments": {"flights": entry}}).encode())
    with pytest.raises(QuarantinedError) as refused:
        refuse(store, uri, "flights")
    return str(refused.value)


class Noted(ServingCluster):
    """A cluster in which the servers of some versions refuse their artifact."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(**spec)
        self.noted: dict[int, str] = {}

    def kubelet(self) -> None:
        of = {item["metadata"]["labels"][names.VERSION]: item for item in self.workloads.values()}
        for number, found in of.items():
            revision = found["metadata"]["labels"][names.REVISION]
            (self.broken.add if int(number) in self.noted else self.broken.discard)(revision)
        super().kubelet()

    def pods(self) -> list[dict[str, Any]]:
        found = json.loads(json.dumps(super().pods()))
        for pod in found:
            revision = pod["metadata"]["labels"][names.REVISION]
            workload = next(
                item for item in self.workloads.values() if item["metadata"]["labels"][names.REVISION] == revision
            )
            said = self.noted.get(int(workload["metadata"]["labels"][names.VERSION]))
            for container in pod.get("status", {}).get("containerStatuses", []):
                if said and not container["ready"]:
                    container["lastState"] = {"terminated": {"exitCode": 1, "message": said}}
        return list(found)

    def forget(self) -> None:
        """Lose every status, as a restore from Git does."""
        self.deployment["status"] = {"observedGeneration": -1}
        for number in self.versions:
            self.versions[number]["status"] = {"phase": "Verified"}


def lost(reason: str = "errors rose") -> Noted:
    """Return a new cluster in which only the store knows that version 2 was rolled back."""
    cluster = Noted()
    cluster.add(1)
    cluster.add(2)
    cluster.noted[2] = last_words(reason)
    return cluster


def test_a_new_cluster_comes_back_on_the_version_that_was_not_rolled_back() -> None:
    cluster = lost()
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.moves == [cluster.status.live.revision if cluster.status.live else ""], (
        "version 2 never took traffic"
    )
    (entry,) = cluster.status.quarantine
    assert (entry.number, entry.digest) == (2, digest(2))
    assert (entry.reason, entry.by, entry.at) == ("errors rose", "ada (undo)", datetime(2025, 12, 24, 10, tzinfo=UTC))
    assert "version 2" in cluster.seen("Quarantined")[0]


def test_what_is_learned_twice_reads_the_same() -> None:
    cluster = lost("one\ntwo and takes no traffic until Release: three")
    cluster.settle()
    first = cluster.status.quarantine[0].reason
    assert first == "one\ntwo and takes no traffic until Release: three"


def test_what_serves_goes_on_when_all_statuses_are_wiped() -> None:
    cluster = Noted()
    cluster.add(1)
    cluster.settle()
    cluster.add(2)
    cluster.noted[2] = last_words()
    cluster.forget()
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)
    assert [entry.number for entry in cluster.status.quarantine] == [2]


def test_a_released_version_is_not_learned_again_while_its_note_still_lies_there() -> None:
    cluster = lost()
    cluster.settle()
    cluster.act("Release", 2)
    cluster.settle()
    cluster.act("Promote", 2)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, 2)
    assert cluster.status.quarantine == []
    cluster.noted.clear()
    (item,) = cluster.status.released
    cluster.versions[2]["status"]["releases"] = [{"deployment": "flights", "at": item.at.isoformat()}]
    cluster.settle()
    assert cluster.live() == 2


def test_last_words_of_a_server_that_has_come_up_since_are_no_news() -> None:
    cluster = lost()
    cluster.noted.clear()
    cluster.settle()
    assert cluster.live() == 2


def test_a_server_that_ends_for_another_reason_is_not_in_quarantine() -> None:
    cluster = lost()
    cluster.noted[2] = "'model.onnx' has sha256 abc, not def: it was replaced."
    cluster.settle()
    assert cluster.status.quarantine == []
    assert cluster.candidate() == 2


def test_words_that_are_cut_still_bar_the_version() -> None:
    cluster = lost()
    cluster.noted[2] = "Quarantined: this version was rolled b"
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.status.quarantine[0].by == "the note beside its artifact"
