"""From an artifact in a store to a ready server, as a process, and everything that may stand in the way."""

import io
import json
import os
import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest
import sklearn
from steadfit_artifact.errors import DigestMismatchError, ModelError
from steadfit_server.inference.factory import load

from tests.unit.server import artifacts
from tests.unit.server.harness import mixed, settings
from tests.unit.server.processes import request, serving, wait_for
from tests.unit.server.s3 import S3

MODULE = "steadfit_server"


def test_a_good_artifact_is_fetched_verified_loaded_and_served(tmp_path: Path, environment: dict[str, str]) -> None:
    with serving(tmp_path, MODULE, **environment) as server:
        server.wait_ready()
        answer = server.ask(request({"inputs": mixed()}))
        assert answer.status == 200
        label, probabilities = answer.body["outputs"]
        assert (label["name"], label["datatype"], label["shape"]) == ("label", "INT64", [2])
        assert probabilities["parameters"] == {"classes": [0, 1]}
        assert sum(probabilities["data"]) == pytest.approx(2)
        token = answer.body["parameters"]["prediction_token"]
        outcome = {"feedback": [{"token": token, "row": 0, "outcome": 1}]}
        assert server.ask(request(outcome, "/v2/models/flights/feedback")).body["counted"] == 1
        with urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics") as metrics:
            series = metrics.read().decode()
        labels = 'model="flights",namespace="team",revision="aaaaaaaaaa",version="7"'
        assert 'format="onnx"' in series
        assert f'steadfit_feature_bin_total{{bin="UA",feature="carrier",{labels}}} 2.0' in series
        assert f"steadfit_predicted_rows_total{{{labels}}} 2.0" in series
        server.terminate()
        assert server.exit_code() == 0
        log = {line["message"]: line for line in server.log_lines()}
        assert list(log) == ["starting", "ready", "draining", "stopped"]
        assert log["ready"]["inlineRows"] > 0
        assert (log["ready"]["model"], log["ready"]["version"]) == ("flights", "7")


def test_the_server_listens_before_the_store_answers_and_becomes_ready_when_it_does(
    tmp_path: Path, s3: S3, environment: dict[str, str]
) -> None:
    s3.away = True
    with serving(tmp_path, MODULE, **environment) as server:
        server.wait_listening()
        wait_for(lambda: "The store failed" in server.get("/v2/health/ready").error, server)
        ready = server.get("/v2/health/ready")
        assert ready.status == 503
        assert s3.endpoint in ready.error
        assert server.get("/v2/health/live").status == 200
        assert server.ask(request()).status == 503
        assert any("The store failed" in line["message"] for line in server.log_lines())
        s3.away = False
        server.wait_ready()
        assert server.ask(request()).status == 200


def test_a_store_that_stays_away_ends_the_server_with_a_sentence_that_names_it_and_the_cause(
    tmp_path: Path, s3: S3, environment: dict[str, str]
) -> None:
    s3.away = True
    with serving(tmp_path, MODULE, **environment, STEADFIT_STORE_DEADLINE_SECONDS="0.5") as server:
        assert server.exit_code() == 1
    sentence = server.termination_log.read_text()
    assert sentence.startswith(f"The store s3://bucket/prefix at {s3.endpoint} did not give the model in 0.5 s: ")
    assert "503 Service Unavailable" in sentence


def test_an_artifact_that_is_not_there_yet_is_waited_for(tmp_path: Path, s3: S3, environment: dict[str, str]) -> None:
    objects, s3.objects = s3.objects, {}
    with serving(tmp_path, MODULE, **environment) as server:
        server.wait_listening()
        wait_for(lambda: "There is no s3://bucket/prefix" in server.get("/v2/health/ready").error, server)
        s3.objects = objects
        server.wait_ready()


def test_a_server_that_waits_for_its_store_ends_at_once_when_told_to(
    tmp_path: Path, s3: S3, environment: dict[str, str]
) -> None:
    s3.away = True
    with serving(tmp_path, MODULE, **environment) as server:
        server.wait_listening()
        server.terminate()
        assert server.exit_code(5) == 0


def test_one_flipped_byte_ends_the_server_before_it_is_ready_and_says_which_file(
    tmp_path: Path, s3: S3, environment: dict[str, str]
) -> None:
    flip(s3, "model.onnx")
    with serving(tmp_path, MODULE, **environment) as server:
        assert server.exit_code() == 1
    sentence = server.termination_log.read_text()
    assert sentence.startswith("'model.onnx' has sha256 ")
    log = server.log_lines()
    assert "ready" not in [line["message"] for line in log]
    assert sentence in [line["message"] for line in log]


@pytest.mark.parametrize("name", ["model.onnx", "signature.json", "classes.json", "manifest.json"])
def test_no_file_of_an_artifact_is_loaded_with_a_flipped_byte(
    tmp_path: Path, s3: S3, environment: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(s3, name)
    monkeypatch.setattr(
        "steadfit_server.inference.factory.load_model", lambda directory: pytest.fail("loaded unverified")
    )
    artifact = json.loads(environment["STEADFIT_ARTIFACT"])
    with pytest.raises(DigestMismatchError, match=name):
        load(settings(artifact=json.dumps(artifact), model_dir=tmp_path / "model"))


def test_a_model_of_another_scikit_learn_is_told_with_both_versions(tmp_path: Path, s3: S3) -> None:
    directory = artifacts.write(tmp_path / "artifact", "skops")
    packed = io.BytesIO()
    with zipfile.ZipFile(directory / "model.skops") as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(sklearn.__version__.encode(), b"1.2.3"))
    (directory / "model.skops").write_bytes(packed.getvalue())
    artifact = artifacts.reference(s3, artifacts.put(s3, directory), tmp_path)
    with pytest.raises(ModelError) as refused:
        load(settings(artifact=artifact, model_dir=tmp_path / "model"))
    assert "scikit-learn 1.2.3" in str(refused.value)
    assert sklearn.__version__ in str(refused.value)


def test_an_environment_that_is_wrong_is_told_by_the_names_of_its_variables(tmp_path: Path) -> None:
    wrong = {"STEADFIT_ARTIFACT": '{"uri": "s3://b/p", "digest": "x"}', "STEADFIT_PORT": "many"}
    with serving(tmp_path, MODULE, **wrong) as server:
        assert server.exit_code() == 1
    sentence = server.termination_log.read_text()
    assert sentence.startswith("The server's environment is wrong: ")
    for name in ("STEADFIT_PORT: ", "STEADFIT_ARTIFACT.DIGEST: ", "STEADFIT_ARTIFACT.STORE: "):
        assert name in sentence


def test_nothing_but_the_model_directory_is_written_and_what_was_left_in_it_is_gone(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    home, model_dir = tmp_path / "home", tmp_path / "model"
    home.mkdir()
    (model_dir / "leftover").mkdir(parents=True)
    (model_dir / "model.onnx").write_bytes(b"half of a down")
    places = {"HOME": str(home), "TMPDIR": str(home), "STEADFIT_MODEL_DIR": str(model_dir)}
    with serving(tmp_path, MODULE, **environment, **places) as server:
        server.wait_ready()
        assert server.ask(request()).status == 200
        server.terminate()
        assert server.exit_code() == 0
    assert list(home.rglob("*")) == []
    assert not server.termination_log.exists()
    files = ["classes.json", "manifest.json", "model.onnx", "reference.json", "signature.json"]
    assert sorted(os.listdir(model_dir)) == files


def flip(s3: S3, name: str) -> None:
    """Change one bit in the middle of an object."""
    content = bytearray(s3.objects[f"/bucket/prefix/artifacts/{name}"])
    content[len(content) // 2] ^= 1
    s3.objects[f"/bucket/prefix/artifacts/{name}"] = bytes(content)
