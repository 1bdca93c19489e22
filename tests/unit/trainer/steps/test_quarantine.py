import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import steadfit_trainer.__main__ as cli
from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.modelversion import ModelVersion, Quarantine, Release, ServingRecord
from steadfit.api.record import Record
from steadfit.core.types import Platform
from steadfit.core.versions import quarantine_pod
from steadfit.core.versions.quarantine_state import Change
from steadfit_artifact import servings
from steadfit_artifact.quarantine import read
from steadfit_artifact.store import Store, StoreConfig, StoreUnavailableError
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
    store.put = store.replace = lambda uri, *_, **__: puts.append(uri)
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


def test_the_step_adds_the_servings_that_the_operators_job_says(
    pod: RunPod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "write_note", lambda told: write_note(told, pod.connect))
    record = {key: value for key, value in serving(1).items() if key != "version"}
    (container,) = _job(Change(served=(ServingRecord.model_validate(record),)))["spec"]["template"]["spec"][
        "containers"
    ]
    told = container["env"][0]["value"].replace("$$", "$")
    assert (
        cli.main(container["args"], {"STEADFIT_CONFIG": told, "STEADFIT_TERMINATION_LOG": str(tmp_path / "log")}) == 0
    )
    (found,) = servings.known(pod.store("s3://models"), URI)
    assert found == servings.Serving.model_validate(serving(1))


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


class Overtaken(Store):
    """A store in which somebody else writes between the read and the write of an update, once."""

    def __init__(self, store: Store, other: Callable[[], object]) -> None:
        super().__init__(store.uri_prefix, store._bucket)
        self.others = [other]

    def put(self, uri: str, content: bytes | Path, *, create: bool = False) -> None:
        self._let_others_write()
        super().put(uri, content, create=create)

    def replace(self, uri: str, content: bytes, tag: str) -> None:
        self._let_others_write()
        super().replace(uri, content, tag)

    def _let_others_write(self) -> None:
        if self.others:
            self.others.pop()()


def overtaken(pod: RunPod, other: QuarantineConfig) -> Callable[[StoreConfig], Store]:
    return lambda told: Overtaken(pod.connect(told), lambda: write_note(other, pod.connect))


def test_two_clusters_on_one_bucket_lose_no_quarantine_of_each_other(pod: RunPod) -> None:
    write_note(config({"flights": entry()}), overtaken(pod, config({"shadow": entry("it was late")})))
    assert named(pod) == {"flights": "errors rose", "shadow": "it was late"}
    write_note(config({"third": entry()}), overtaken(pod, config(take={"flights": AT})))
    assert set(named(pod)) == {"shadow", "third"}


def serving(number: int, **changes: Any) -> dict[str, Any]:
    at = AT + timedelta(hours=number)
    return {
        "version": "flights-v2",
        "deployment": "flights",
        "deploymentUid": f"uid-{number}",
        "startedAt": at.isoformat(),
        "endedAt": (at + timedelta(minutes=1)).isoformat(),
        "share": 100,
        "outcome": "Replaced",
        "letThrough": True,
        **changes,
    }


def serves(*numbers: int, **changes: Any) -> QuarantineConfig:
    served = [serving(number, **changes) for number in numbers]
    return QuarantineConfig.model_validate({"store": STORE, "uri": URI, "served": served})


def kept(pod: RunPod) -> list[str]:
    return [one.deployment_uid for one in servings.known(pod.store("s3://models"), URI)]


def test_servings_are_added_once_to_those_of_other_writers(pod: RunPod) -> None:
    write_note(serves(2, 3), overtaken(pod, serves(1)))
    assert kept(pod) == ["uid-1", "uid-2", "uid-3"]
    write_note(serves(3, 4), pod.connect)
    assert kept(pod) == ["uid-1", "uid-2", "uid-3", "uid-4"]


def test_a_version_with_the_same_artifact_has_servings_of_its_own(pod: RunPod) -> None:
    write_note(serves(1), pod.connect)
    write_note(serves(1, version="flights-v3"), pod.connect)
    assert kept(pod) == ["uid-1", "uid-1"]


def test_of_more_than_2000_servings_those_that_ended_first_are_dropped_and_logged(
    pod: RunPod, caplog: pytest.LogCaptureFixture
) -> None:
    text = {"version": "v" * 253, "deployment": "d" * 63, "outcome": "o" * 32}
    write_note(serves(*range(2000), **text), pod.connect)
    write_note(serves(2000, **text), pod.connect)
    assert (kept(pod)[0], len(kept(pod))) == ("uid-1", 2000)
    (said,) = [line for line in caplog.messages if "has room for 2000 servings" in line]
    assert "uid-0" in said
    longest = servings.Serving.model_validate(serving(0, **text, deploymentUid="u" * 64))
    assert len(servings.Servings(servings=[longest] * 2000).dump()) < servings.MAX_SERVINGS_BYTES


def test_servings_that_cannot_be_read_are_not_overwritten_and_hold_no_quarantine_up(pod: RunPod) -> None:
    pod.store("s3://models").put(f"{URI}servings.json", b"{")
    with pytest.raises(DataFailure, match=r"servings\.json says who served this artifact, and can't be read"):
        write_note(serves(1), pod.connect)
    assert pod.store("s3://models").get(f"{URI}servings.json") == b"{"
    write_note(config({"flights": entry()}), pod.connect)
    assert named(pod) == {"flights": "errors rose"}


@pytest.mark.parametrize("readable", [True, False])
def test_a_version_that_is_made_again_of_the_same_files_shows_their_last_servings(
    tmp_path: Path, readable: bool
) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.put("s3://lake/flights/part-0.parquet", flights())
    pod.fetch()
    train(pod)
    with operator(tmp_path) as intake:
        pod.publish(intake)
    first = intake.bodies()[0]
    assert "served" not in first
    past = [serving(number) for number in range(10)]
    uri = first["artifact"]["uri"]
    write_note(QuarantineConfig.model_validate({"store": STORE, "uri": uri, "served": past}), pod.connect)
    if not readable:
        pod.store("s3://models").put(f"{uri}servings.json", b"{")
    pod.document["run"]["uid"] = "uid-2"
    with operator(tmp_path) as intake:
        pod.publish(intake)
    posted = intake.bodies()[0]
    assert posted["artifact"]["digest"] == first["artifact"]["digest"], "the servings are no part of the artifact"
    found = Record.model_validate(posted).served or []
    assert [one.deployment_uid for one in found] == ([f"uid-{number}" for number in range(2, 10)] if readable else [])
