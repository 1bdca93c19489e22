import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import steadfit_trainer.__main__ as cli
from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.modelversion import ModelVersion, Quarantine, Release
from steadfit.api.record import Record
from steadfit.core.types import Platform
from steadfit.core.versions import quarantine_pod
from steadfit.core.versions.quarantine_state import Change
from steadfit_artifact.quarantine import read
from steadfit_artifact.store import StoreUnavailableError
from steadfit_trainer.failures import DataFailure, StoreFailure
from steadfit_trainer.steps.quarantine import QuarantineConfig, write_note

from tests.unit.trainer.flights import flights
from tests.unit.trainer.run_pod import RunPod, operator
from tests.unit.trainer.training import train

AT = datetime(2026, 1, 1, tzinfo=UTC)
URI = "s3://models/team/ns/flights/artifacts/sha256/abc/"
STORE = {"uriPrefix": "s3://models/team", "credentials": "/none"}


def entry(reason: str = "errors rose", at: datetime = AT) -> dict[str, Any]:
    return {"reason": reason, "by": "ada", "at": at.isoformat(), "revision": "r1"}


def config(put: dict[str, Any] | None = None, take: dict[str, datetime] | None = None) -> QuarantineConfig:
    times = {name: at.isoformat() for name, at in (take or {}).items()}
    return QuarantineConfig.model_validate({"store": STORE, "uri": URI, "put": put or {}, "take": times})


def named(pod: RunPod) -> dict[str, str]:
    note = read(pod.store("s3://models"), URI)
    assert note is not None
    return {name: found.reason for name, found in note.deployments.items()}


@pytest.fixture
def pod(tmp_path: Path) -> RunPod:
    return RunPod(tmp_path / "steadfit")


def test_entries_of_several_deployments_are_merged(pod: RunPod) -> None:
    write_note(config({"flights": entry()}), pod.connect)
    write_note(config({"shadow": entry("it was late")}), pod.connect)
    assert named(pod) == {"flights": "errors rose", "shadow": "it was late"}


def test_a_release_takes_its_own_entry_away(pod: RunPod) -> None:
    write_note(config({"flights": entry(), "shadow": entry("it was late")}), pod.connect)
    write_note(config(take={"flights": AT + timedelta(hours=1)}), pod.connect)
    assert named(pod) == {"shadow": "it was late"}


def test_a_release_leaves_an_entry_that_is_newer_than_itself(pod: RunPod) -> None:
    write_note(config({"flights": entry()}), pod.connect)
    write_note(config(take={"flights": AT - timedelta(hours=1)}), pod.connect)
    assert named(pod) == {"flights": "errors rose"}


def test_to_write_the_same_again_writes_nothing(pod: RunPod) -> None:
    write_note(config({"flights": entry()}), pod.connect)
    puts: list[str] = []
    pod.wrap = lambda store: _counting(store, puts)
    write_note(config({"flights": entry()}), pod.connect)
    write_note(config(take={"other": AT}), pod.connect)
    assert puts == []


def _counting(store: Any, puts: list[str]) -> Any:
    store.put = lambda uri, *_, **__: puts.append(uri)
    return store


def test_a_note_that_cannot_be_read_is_not_overwritten(pod: RunPod) -> None:
    pod.store("s3://models").put(f"{URI}quarantine.json", b"{")
    with pytest.raises(DataFailure, match="can't be read"):
        write_note(config({"flights": entry()}), pod.connect)
    assert pod.store("s3://models").get(f"{URI}quarantine.json") == b"{"


def test_a_store_that_fails_is_a_failure_of_the_store() -> None:
    def away(_: object) -> Any:
        raise StoreUnavailableError("The store is away.")

    with pytest.raises(StoreFailure, match="The store is away"):
        write_note(config({"flights": entry()}), away)


def test_the_step_does_what_the_operators_job_says(
    pod: RunPod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "write_note", lambda told: write_note(told, pod.connect))
    put = Quarantine(reason="it cost $(HOME)", by="ada", at=AT, deployment="flights", revision="r1")
    for change, left in (
        (Change(put=(put,)), {"flights": "it cost $(HOME)"}),
        (Change(take=(Release(deployment="flights", at=AT),)), {}),
    ):
        (container,) = _job(change)["spec"]["template"]["spec"]["containers"]
        told = container["env"][0]["value"].replace("$$", "$")
        log = tmp_path / "log"
        assert cli.main(container["args"], {"STEADFIT_CONFIG": told, "STEADFIT_TERMINATION_LOG": str(log)}) == 0
        assert named(pod) == left


def _job(change: Change) -> dict[str, Any]:
    version = ModelVersion.model_validate(
        {
            "metadata": {"name": "flights-v2", "namespace": "ns", "uid": "u"},
            "spec": {
                "trainingJobRef": {"name": "flights"},
                "number": 2,
                "run": {"name": "run", "uid": "run"},
                "cause": {"type": "SpecChange", "key": "1"},
                "storeRef": {"name": "default"},
                "artifact": {"uri": URI, "digest": f"sha256:{'a' * 64}"},
                "evaluation": {},
                "lineage": {"image": "i"},
                "recordUri": "s3://models/team/ns/flights/records/run.json",
            },
        }
    )
    store = ArtifactStore.model_validate(
        {
            "metadata": {"name": "default", "uid": "s"},
            "spec": {"uriPrefix": "s3://models/team", "credentialsSecretName": "keys"},
        }
    )
    return quarantine_pod.render(version, change, None, store, Platform("trainer", "server", "1", "https://o", "pem"))


def test_a_result_that_had_been_rolled_back_says_so_in_its_record(tmp_path: Path) -> None:
    """A lost cluster is trained for anew: the very same files come out, and are not taken for something new."""
    pod = RunPod(tmp_path / "steadfit")
    pod.put("s3://lake/flights/part-0.parquet", flights())
    pod.fetch()
    train(pod)
    with operator(tmp_path) as intake:
        pod.publish(intake)
    first = intake.bodies()[0]
    assert "quarantined" not in first
    uri = first["artifact"]["uri"]
    past = {"flights": entry("errors rose, " * 50), "shadow": entry()}
    write_note(QuarantineConfig.model_validate({"store": STORE, "uri": uri, "put": past}), pod.connect)
    pod.document["run"]["uid"] = "uid-2"
    with operator(tmp_path) as intake:
        pod.publish(intake)
    posted = intake.bodies()[0]
    assert posted["artifact"]["digest"] == first["artifact"]["digest"], "the note is no part of the artifact"
    found = Record.model_validate(posted).quarantined
    assert found is not None
    assert [(item.deployment, item.by, item.at) for item in found] == [("flights", "ada", AT), ("shadow", "ada", AT)]
    assert len(found[0].reason) == 256
    assert pod.record("uid-2")["quarantined"][0]["reason"] == "errors rose, " * 50


def test_a_result_beside_an_unreadable_note_is_not_published(tmp_path: Path) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.put("s3://lake/flights/part-0.parquet", flights())
    pod.fetch()
    train(pod)
    with operator(tmp_path) as intake:
        pod.publish(intake)
        uri = intake.bodies()[0]["artifact"]["uri"]
        pod.store("s3://models").put(f"{uri}quarantine.json", json.dumps({"schemaVersion": 2}).encode())
        with pytest.raises(StoreFailure, match="can't be read"):
            pod.publish(intake)
