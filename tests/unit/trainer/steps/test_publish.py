import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score
from steadfit.api.record import Record
from steadfit_artifact.model import load_model
from steadfit_artifact.store import AccessDeniedError, ObjectMissingError, Store, StoreUnavailableError
from steadfit_artifact.transfer import download
from steadfit_trainer.deadline import Deadline
from steadfit_trainer.failures import Failure, StoreFailure, UserFailure
from steadfit_trainer.steps.publish import publish

from tests.unit.trainer.flights import flights
from tests.unit.trainer.run_pod import RECORD_PATH, RunPod, operator
from tests.unit.trainer.tls import Authority
from tests.unit.trainer.training import train, write


def test_from_data_to_a_version_that_a_server_can_load(tmp_path: Path) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.put("s3://lake/flights/part-0.parquet", flights())
    pod.fetch()
    train(pod)
    with operator(tmp_path) as intake:
        assert pod.publish(intake) == "flights-v1"
    posted = intake.bodies()[0]
    artifact = posted["artifact"]
    store = pod.store("s3://models")
    download(store, artifact["uri"], artifact["digest"], tmp_path / "served")
    model = load_model(tmp_path / "served")
    held = pod.held()
    prediction = model.predict(
        {"wind": held.column("wind").to_numpy(), "carrier": np.array(held.column("carrier").to_pylist(), object)}
    )
    assert prediction.probabilities is not None
    truth, scores = held.column("late").to_numpy(), prediction.probabilities[:, 1]
    metrics = posted["evaluation"]["metrics"]
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(truth, scores))
    assert metrics["brier_score"] == pytest.approx(brier_score_loss(truth, scores))
    assert metrics["roc_auc"] > 0.9


def test_the_record_says_what_the_version_is_made_of(pod: RunPod, tmp_path: Path) -> None:
    write(pod, "metrics.json", {"epochs": 3})
    with operator(tmp_path) as intake:
        pod.publish(intake)
    posted, stored = intake.bodies()[0], pod.record()
    assert posted["run"] == pod.document["run"]
    hexes = posted["artifact"]["digest"].removeprefix("sha256:")
    assert posted["artifact"]["uri"] == f"s3://models/team/ns/flights/artifacts/sha256/{hexes}/"
    names = [file["path"] for file in posted["artifact"]["files"]]
    assert names == ["classes.json", "example.json", "model.onnx", "model.skops", "reference.json", "signature.json"]
    assert posted["artifact"]["size"] == sum(file["size"] for file in posted["artifact"]["files"])
    assert posted["data"][0] | {"digest": "", "objects": []} == {
        "name": "flights", "uri": "s3://lake/flights/", "digest": "", "rows": 480, "holdoutRows": 120,
        "objectCount": 1, "objects": [],
    }  # fmt: skip
    evaluation = posted["evaluation"]
    assert (evaluation["by"], evaluation["column"], evaluation["holdoutRows"]) == ("Time", "time", 120)
    assert evaluation["fraction"] == 0.2
    assert "champion" not in evaluation, "nothing served"
    assert evaluation["boundary"] == "2026-01-06T00:00:00Z"
    assert posted["signature"] == json.loads((pod.paths.output / "signature.json").read_text())
    assert posted["source"] == {"commit": "c0ffee", "dirty": False}
    assert posted["environment"]["packages"]["scikit-learn"]
    assert (posted["params"], posted["seed"]) == ({"trees": 5}, 7)
    assert posted["parity"]["maxDifference"] < 1e-5
    assert stored["lineage"] == pod.document["lineage"]
    assert stored["reported"] == {"epochs": 3}
    assert {key: stored[key] for key in ("run", "artifact", "evaluation", "signature")} == {
        key: posted[key] for key in ("run", "artifact", "evaluation", "signature")
    }


def test_the_operators_own_model_of_a_record_takes_it_and_keeps_it_as_it_is(pod: RunPod, tmp_path: Path) -> None:
    with operator(tmp_path) as intake:
        pod.publish(intake)
    posted = intake.bodies()[0]
    assert Record.model_validate(posted).dump() == posted


def test_the_same_inputs_give_the_same_artifact(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        pod = RunPod(tmp_path / name / "steadfit")
        pod.put("s3://lake/flights/part-0.parquet", flights())
        pod.fetch()
        train(pod)
        with operator(tmp_path / name) as intake:
            pod.publish(intake)
        digests.append((intake.bodies()[0]["artifact"]["digest"], intake.bodies()[0]["evaluation"]["holdoutDigest"]))
    assert digests[0] == digests[1]


def test_environment_and_metrics_of_the_user_are_recorded_but_do_not_make_another_artifact(
    pod: RunPod, tmp_path: Path
) -> None:
    digests = []
    for seconds in (1, 2):
        write(pod, "metrics.json", {"seconds": seconds})
        with operator(tmp_path / str(seconds)) as intake:
            pod.document["run"]["uid"] = f"uid-{seconds}"
            pod.publish(intake)
        digests.append(intake.bodies()[0]["artifact"]["digest"])
    assert digests[0] == digests[1]
    assert pod.record("uid-2")["reported"] == {"seconds": 2}


def test_a_record_with_thousands_of_objects_is_cut_to_16_kib_and_complete_in_the_store(
    pod: RunPod, tmp_path: Path
) -> None:
    resolved = json.loads(pod.paths.resolved.read_text())
    objects = [{"path": f"month={index}/part-0.parquet", "size": 1, "sha256": "0" * 64} for index in range(5000)]
    resolved["data"][0] |= {"objects": objects, "objectCount": 5000}
    pod.paths.resolved.write_text(json.dumps(resolved))
    with operator(tmp_path) as intake:
        pod.publish(intake)
    assert len(intake.posts[0][2]) <= 16 * 1024
    posted = intake.bodies()[0]
    assert (posted["data"][0]["objectCount"], len(posted["data"][0]["objects"])) == (5000, 8)
    assert posted["environment"]["packages"]
    assert len(pod.record()["data"][0]["objects"]) == 5000


def test_classes_that_no_one_wrote_are_the_sorted_labels_of_the_data_and_go_to_the_server(
    pod: RunPod, tmp_path: Path
) -> None:
    (pod.paths.output / "classes.json").unlink()
    (pod.paths.output / "model.skops").unlink()
    with operator(tmp_path) as intake:
        pod.publish(intake)
    uri = intake.bodies()[0]["artifact"]["uri"]
    assert pod.store("s3://models").get(uri + "classes.json") == b"[0,1]"


def test_a_metric_that_has_no_value_on_the_holdout_is_left_out(tmp_path: Path) -> None:
    pod = RunPod(tmp_path / "steadfit")
    table = flights()
    late = table.column("late").to_pylist()
    pod.put("s3://lake/flights/p.parquet", table.set_column(4, "late", [[*late[:480], *[0] * 120]]))
    pod.fetch()
    train(pod)
    with operator(tmp_path) as intake:
        pod.publish(intake)
    assert list(intake.bodies()[0]["evaluation"]["metrics"]) == ["brier_score"]


# Talking to the operator


def test_the_record_is_posted_with_the_pods_token_until_the_version_exists(pod: RunPod, tmp_path: Path) -> None:
    with operator(tmp_path, (202, {}), (202, {}), (202, {}), (200, {"version": "flights-v3"})) as intake:
        assert pod.publish(intake) == "flights-v3"
    assert len(intake.posts) == 4
    assert set(intake.posts) == {(RECORD_PATH, "Bearer the-token", intake.posts[0][2])}


def test_the_operator_hears_only_of_a_record_and_an_artifact_that_are_there(pod: RunPod, tmp_path: Path) -> None:
    seen = []
    with operator(tmp_path) as intake:
        intake.after_post = lambda: seen.append(
            download(pod.store("s3://models"), *_address(pod.record()), tmp_path / "check").digest
        )
        pod.publish(intake)
    assert seen == [pod.record()["artifact"]["digest"]] * 2


def _address(record: dict[str, Any]) -> tuple[str, str]:
    return record["artifact"]["uri"], record["artifact"]["digest"]


@pytest.mark.parametrize("status", [401, 409, 429, 500, 503, 302])
def test_an_answer_that_time_may_heal_is_tried_again(pod: RunPod, tmp_path: Path, status: int) -> None:
    with operator(tmp_path, (status, {"error": "wait"}), (status, b"<html>"), (200, {"version": "v"})) as intake:
        assert pod.publish(intake) == "v"
    assert [path for path, _, _ in intake.posts] == [RECORD_PATH] * 3, "no redirect is followed"


@pytest.mark.parametrize("status", [400, 403, 404, 410, 413, 422])
def test_a_refusal_is_final_and_its_sentence_is_passed_on(pod: RunPod, tmp_path: Path, status: int) -> None:
    with operator(tmp_path, (status, {"error": "the run has ended"})) as intake, pytest.raises(UserFailure) as caught:
        pod.publish(intake)
    assert str(caught.value) == f"The operator refuses the record ({status}): the run has ended."
    assert caught.value.exit_code == 12
    assert len(intake.posts) == 1


def test_a_renewed_token_and_a_rotated_authority_are_picked_up_between_two_tries(pod: RunPod, tmp_path: Path) -> None:
    pauses: list[str] = []
    with operator(tmp_path, (401, {}), (200, {"version": "v"})) as intake:
        ca_file = tmp_path / "bundle.crt"
        ca_file.write_bytes(Authority(tmp_path / "old").ca_file.read_bytes())

        def heal(seconds: float) -> None:
            pauses.append(f"{len(intake.posts)} posts")
            ca_file.write_bytes(intake.authority.ca_file.read_bytes())
            if intake.posts:
                pod.paths.token.write_text("renewed")

        pod.document["recordUrl"] = intake.url
        assert publish(pod.config, pod.paths, ca_file, Deadline(60, heal), pod.connect) == "v"
    assert pauses == ["0 posts", "1 posts"], "the first try failed by the authority, the second by the token"
    assert [authorization for _, authorization, _ in intake.posts] == ["Bearer the-token", "Bearer renewed"]


def test_an_operator_that_does_not_answer_until_the_deadline_is_a_failure_of_the_store(pod: RunPod) -> None:
    with pytest.raises(StoreFailure, match=r"not published within 60 s\. The operator can't be reached: ") as caught:
        pod.publish()
    assert caught.value.exit_code == 11


def test_a_version_that_is_never_made_is_said_so(pod: RunPod, tmp_path: Path) -> None:
    sentence = "The operator has stored the record, but has not made a version of it"
    with operator(tmp_path, (202, {})) as intake, pytest.raises(StoreFailure, match=sentence):
        pod.publish(intake)


# Talking to the store


class _Failing(Store):
    """Fails to write what is named, a number of times."""

    failures = 0
    name = ""
    error: Exception = StoreUnavailableError("The store failed at s3://models: no answer.")

    def put(self, uri: str, content: bytes | Path, *, create: bool = False) -> None:
        if self.name in uri and type(self).failures > 0:
            type(self).failures -= 1
            raise self.error
        super().put(uri, content, create=create)


def _failing(pod: RunPod, name: str, failures: int, error: Exception | None = None) -> None:
    found = type("Failing", (_Failing,), {"name": name, "failures": failures, "error": error or _Failing.error})
    pod.wrap = lambda store: found(store.uri_prefix, store._bucket)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json", "records/"])
def test_a_write_that_was_cut_leaves_no_record_and_is_finished_when_the_store_is_back(
    pod: RunPod, tmp_path: Path, name: str
) -> None:
    _failing(pod, name, 1000)
    with operator(tmp_path) as intake, pytest.raises(StoreFailure, match="no answer"):
        pod.publish(intake)
    assert intake.posts == []
    with pytest.raises(ObjectMissingError):
        pod.record()
    _failing(pod, name, 3)
    with operator(tmp_path) as intake:
        assert pod.publish(intake) == "flights-v1"
    assert pod.record()["run"]["uid"] == "uid-1"


def test_refused_credentials_that_are_put_right_meanwhile_are_used(pod: RunPod, tmp_path: Path) -> None:
    _failing(pod, "model.onnx", 2, AccessDeniedError("The store refuses access."))
    with operator(tmp_path) as intake:
        assert pod.publish(intake) == "flights-v1"


def test_publishing_again_changes_nothing(pod: RunPod, tmp_path: Path) -> None:
    with operator(tmp_path) as intake:
        pod.publish(intake)
        before = {
            each.uri: pod.store("s3://models").get(each.uri) for each in pod.store("s3://models").list("s3://models")
        }
        pod.publish(intake)
    after = {each.uri: pod.store("s3://models").get(each.uri) for each in pod.store("s3://models").list("s3://models")}
    assert before == after
    assert len({body for _, _, body in intake.posts}) == 1


def test_a_later_attempt_replaces_the_record_and_an_earlier_one_does_not(pod: RunPod, tmp_path: Path) -> None:
    with operator(tmp_path) as intake:
        pod.publish(intake)
        pod.document["run"]["attempt"] = 3
        pod.publish(intake)
        assert pod.record()["run"]["attempt"] == 3
        pod.document["run"]["attempt"] = 2
        with pytest.raises(Failure, match="A later attempt of this run has written its record"):
            pod.publish(intake)
    assert pod.record()["run"]["attempt"] == 3
