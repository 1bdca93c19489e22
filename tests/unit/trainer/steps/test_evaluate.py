"""Two versions on the rows that production answered: which one is better, or why nobody can tell."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
import steadfit_trainer.__main__ as cli
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import brier_score_loss
from steadfit.api.evaluationrecord import EvaluationRecord
from steadfit_artifact.captures import CapturedRequest
from steadfit_artifact.digest import manifest_of
from steadfit_artifact.store import Store, StoreUnavailableError
from steadfit_artifact.transfer import artifact_uri, upload
from steadfit_trainer.failures import StoreFailure
from steadfit_trainer.metrics.registry import METRICS
from steadfit_trainer.steps.evaluate import RefusedError, evaluate_versions
from steadfit_trainer.steps.fetch import fetch

from tests.unit.artifact.models import onnx_of
from tests.unit.trainer.capturing import NINE, put_outcomes, put_requests, recorded
from tests.unit.trainer.run_pod import MODELS, Operator, RunPod, fast, operator

JSON = dict[str, Any]
FOLDER = "s3://models/team/ns/flights"
ROWS = 600


def rows() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return inputs of production, and what happened: late in wind, whatever the gusts."""
    rng = np.random.default_rng(3)
    inputs = rng.random((ROWS, 2))
    return inputs, (inputs[:, 0] + rng.normal(0, 0.2, ROWS) > 0.5).astype(np.int64)


def model(wind: float, gusts: float = 0.0) -> LogisticRegression:
    """Return a classifier that weighs its inputs so."""
    inputs = np.random.default_rng(0).random((400, 2)).astype(np.float32)
    weighed = inputs @ np.array([wind, gusts])
    return LogisticRegression(C=10).fit(inputs, (weighed > weighed.mean()).astype(int))


GOOD, NOISY, BAD = model(1.0), model(1.0, 1.0), model(-1.0)


def put_version(pod: RunPod, number: int, estimator: Any, form: str = "onnx", **changes: Any) -> JSON:
    """Put a version's artifact in the store; return how a run's configuration names it."""
    folder = pod.root.parent / f"v{number}"
    folder.mkdir()
    features = changes.pop("features", ("wind", "gusts"))
    if form == "onnx":
        (folder / "model.onnx").write_bytes(onnx_of(estimator, len(features)))
    else:
        skops.io.dump(estimator, folder / "model.skops")
    (folder / "signature.json").write_text(json.dumps([{"name": name, "datatype": "FP64"} for name in features]))
    if hasattr(estimator, "classes_"):
        (folder / "classes.json").write_text(json.dumps(estimator.classes_.tolist()))
    manifest = manifest_of(folder)
    uri = artifact_uri(FOLDER, manifest.digest)
    upload(pod.store("s3://models"), uri, folder, manifest)
    return {"version": f"flights-v{number}", "artifact": {"uri": uri, "digest": manifest.digest}, "store": MODELS}


def world_of(tmp_path: Path, live: Any = BAD, good: Any = GOOD, metric: str = "brier_score", **asked: Any) -> RunPod:
    """Return a world in which production has answered and outcomes came; v2 serves, v1 served before."""
    pod = RunPod(tmp_path / "steadfit", {"data": [recorded("1h")]})
    put_rows(pod, asked.pop("columns", ("wind", "gusts")))
    named = {"metric": metric, "minRows": 200, "maxRows": 20_000}
    versions = {"live": live, "lastGood": good}
    for number, (name, found) in zip((2, 1), versions.items(), strict=True):
        named[name] = found if isinstance(found, dict) else put_version(pod, number, found)
    pod.document["evaluate"] = {**named, **asked}
    return pod


def put_rows(pod: RunPod, columns: tuple[str, ...], outcomes: list[Any] | None = None) -> None:
    inputs, happened = rows()
    given = {name: inputs[:, index] for index, name in enumerate(columns)}
    put_requests(pod, CapturedRequest("r", NINE.timestamp(), given, np.zeros(ROWS, np.int64), None))
    texts = [json.dumps(each) for each in (outcomes or happened.tolist())]
    put_outcomes(pod, *(("r", row, NINE, text) for row, text in enumerate(texts)))


def evaluated(pod: RunPod, folder: Path) -> JSON:
    """Fetch and evaluate; return what was posted."""
    pod.fetch()
    with operator(folder, (202, {"stored": True})) as intake:
        evaluate(pod, intake)
    (posted,) = intake.bodies()
    assert EvaluationRecord.model_validate(posted).evaluation.dump() == posted["evaluation"], "the operator takes it"
    found: JSON = posted["evaluation"]
    return found


def evaluate(pod: RunPod, intake: Operator, seconds: float = 60) -> JSON:
    pod.document["recordUrl"] = intake.url
    return evaluate_versions(pod.config, pod.paths, intake.authority.ca_file, fast(seconds), pod.connect)


def test_a_version_that_is_worse_than_the_one_before_is_found_out(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    found = evaluated(pod, tmp_path)
    inputs, happened = rows()
    scores = {name: each.predict_proba(inputs)[:, 1] for name, each in (("live", BAD), ("lastGood", GOOD))}
    for name, score in scores.items():
        assert found[name] == pytest.approx(brier_score_loss(happened, score), abs=1e-5)
    assert found["difference"] == pytest.approx(found["live"] - found["lastGood"], abs=1e-5)
    assert 0 < found["lower"] < found["difference"] < found["upper"]
    assert (found["rows"], found["reason"]) == (ROWS, "")
    assert found["firstOutcomeAt"] == found["lastOutcomeAt"] == "2026-01-31T09:00:00Z"


def test_a_version_that_is_better_than_the_one_before_stands_though_both_fell(tmp_path: Path) -> None:
    found = evaluated(world_of(tmp_path, live=NOISY, good=BAD), tmp_path)
    assert found["lower"] < found["difference"] < found["upper"] < 0


def test_versions_that_are_alike_differ_by_nothing(tmp_path: Path) -> None:
    found = evaluated(world_of(tmp_path, live=GOOD, good=GOOD), tmp_path)
    assert (found["lower"], found["difference"], found["upper"]) == (0, 0, 0)


@pytest.mark.parametrize("metric", [name for name, each in METRICS.items() if each.task == "classification"])
def test_the_better_one_is_better_by_every_metric_of_a_classification(tmp_path: Path, metric: str) -> None:
    found = evaluated(world_of(tmp_path, metric=metric), tmp_path)
    assert found["reason"] == ""
    assert 0 < found["lower"] < found["difference"]
    better = found["lastGood"] - found["live"]
    assert found["difference"] == pytest.approx(better if METRICS[metric].goal == "Maximize" else -better, abs=1e-5)


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_the_better_one_is_better_by_every_metric_of_a_regression(tmp_path: Path, metric: str) -> None:
    pod = RunPod(tmp_path / "steadfit", {"data": [recorded("1h")]})
    inputs, _ = rows()
    put_rows(pod, ("wind", "gusts"), (inputs[:, 0] * 10).tolist())
    narrow = inputs.astype(np.float32)
    good, bad = (LinearRegression().fit(narrow, narrow[:, column] * 10) for column in (0, 1))
    named = {"live": put_version(pod, 2, bad), "lastGood": put_version(pod, 1, good, "skops")}
    pod.document["evaluate"] = {"metric": metric, "minRows": 200, "maxRows": 20_000, **named}
    found = evaluated(pod, tmp_path)
    assert found["lastGood"] == pytest.approx(0, abs=1e-4)
    assert found["live"] > 2
    assert 0 < found["lower"] < found["difference"]


def test_versions_of_different_formats_are_compared(tmp_path: Path) -> None:
    pod = world_of(tmp_path, good={})
    pod.document["evaluate"]["lastGood"] = put_version(pod, 1, GOOD, "skops")
    assert evaluated(pod, tmp_path)["lower"] > 0


def test_only_the_newest_rows_are_judged(tmp_path: Path) -> None:
    assert evaluated(world_of(tmp_path, maxRows=250), tmp_path)["rows"] == 250


# What is no comparison, and no failure either.


def reason(pod: RunPod, folder: Path) -> str:
    found = evaluated(pod, folder)
    assert {"lastGood", "difference", "lower", "upper"}.isdisjoint(found), "what is not known is not invented"
    assert not pod.paths.champion.exists()
    return str(found["reason"])


def test_too_few_rows_are_said(tmp_path: Path) -> None:
    pod = world_of(tmp_path, minRows=ROWS + 1)
    assert reason(pod, tmp_path) == (
        "600 outcomes of captured rows came in the 1h until the newest one, 600 with their request, and 601 are needed"
    )


def test_no_rows_are_said(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    pod.buckets.pop("lake")
    assert reason(pod, tmp_path) == (
        "0 outcomes of captured rows came in the 1h until the newest one, 0 with their request, and 200 are needed"
    )


def test_without_another_version_the_one_that_serves_has_its_value(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    pod.document["evaluate"].pop("lastGood")
    found = evaluated(pod, tmp_path)
    assert found["reason"] == "there is no other version to compare with"
    assert found["live"] > 0.25


def test_rows_that_lack_an_input_of_one_of_them_do_not_judge(tmp_path: Path) -> None:
    pod = world_of(tmp_path, columns=("wind",))
    assert reason(pod, tmp_path).startswith(
        "0 rows have all inputs of flights-v2 and flights-v1, and 200 are needed; rows that another version answered"
    )
    put_requests(pod, CapturedRequest("old", NINE.timestamp(), {"wind": np.ones(50)}, np.zeros(50), None), part="old")
    put_rows(pod, ("wind", "gusts"))
    put_outcomes(pod, *(("old", row, NINE, "0") for row in range(50)), part="old")
    found = evaluated(pod, tmp_path / "again")
    assert (found["rows"], found["reason"]) == (ROWS, ""), "650 rows have an outcome, 50 of them no gusts"


def test_a_model_that_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    pod = world_of(tmp_path, good={})
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"garbage")
    (folder / "signature.json").write_text('[{"name": "wind", "datatype": "FP64"}]')
    manifest = manifest_of(folder)
    uri = artifact_uri(FOLDER, manifest.digest)
    upload(pod.store("s3://models"), uri, folder, manifest)
    artifact = {"uri": uri, "digest": manifest.digest}
    pod.document["evaluate"]["lastGood"] = {"version": "flights-v1", "artifact": artifact, "store": MODELS}
    assert reason(pod, tmp_path).startswith("version flights-v1: it can't be loaded: model.onnx")


def test_an_artifact_that_was_changed_in_the_store_is_not_asked(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    pod.store("s3://models").put(pod.document["evaluate"]["live"]["artifact"]["uri"] + "model.onnx", b"other")
    assert "version flights-v2: it can't be loaded: 'model.onnx'" in reason(pod, tmp_path)


def test_a_pickle_in_an_artifact_is_not_opened(tmp_path: Path) -> None:
    pod = world_of(tmp_path, good={})
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "model.pkl").write_bytes(b"anything")
    (tmp_path / "v1" / "model.onnx").write_bytes(onnx_of(GOOD))
    (tmp_path / "v1" / "signature.json").write_text('[{"name": "wind", "datatype": "FP64"}]')
    manifest = manifest_of(tmp_path / "v1")
    uri = artifact_uri(FOLDER, manifest.digest)
    upload(pod.store("s3://models"), uri, tmp_path / "v1", manifest)
    artifact = {"uri": uri, "digest": manifest.digest}
    pod.document["evaluate"]["lastGood"] = {"version": "flights-v1", "artifact": artifact, "store": MODELS}
    assert "is a pickle" in reason(pod, tmp_path)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"problem": "the ModelVersion flights-v1 is gone"}, "the ModelVersion flights-v1 is gone"),
        ({"store": MODELS, "uri": f"{FOLDER}/artifacts/sha256/{'0' * 64}/"}, "its artifact is gone"),
        ({}, "the place of its artifact is not known"),
    ],
)
def test_a_version_that_cannot_be_had_is_said(tmp_path: Path, named: JSON, words: str) -> None:
    artifact = {"digest": "sha256:" + "0" * 64, **({"uri": named.pop("uri")} if "uri" in named else {})}
    pod = world_of(tmp_path, good={"version": "flights-v1", "artifact": artifact, **named})
    assert reason(pod, tmp_path).startswith(f"version flights-v1: {words}")


def test_outcomes_that_a_version_does_not_know_leave_its_probabilities_without_a_value(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    put_outcomes(pod, ("r", 0, NINE, '"diverted"'), part="z")
    assert reason(pod, tmp_path) == (
        "brier_score has no value on the captured rows: The rows have labels that the model does not know"
    )


def test_a_metric_of_another_kind_of_model_is_said(tmp_path: Path) -> None:
    assert "version flights-v2: it can't be judged on the captured rows: The metric mae needs a value" in reason(
        world_of(tmp_path, metric="mae"), tmp_path
    )


# What may heal, and what is wrong with nobody's model.


def test_a_store_that_stays_away_fails_the_step_so_that_it_is_tried_again(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    pod.fetch()

    class Away(Store):
        def get(self, uri: str, max_bytes: int | None = None) -> bytes:
            raise StoreUnavailableError("The store does not answer.")

    pod.wrap = lambda store: Away(store.uri_prefix, store._bucket)
    with operator(tmp_path) as intake, pytest.raises(StoreFailure, match=r"within 60 s\. The store does not answer"):
        evaluate(pod, intake)
    assert intake.posts == []


def test_an_operator_that_is_away_is_waited_for(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    pod.fetch()
    with operator(tmp_path, (503, {"error": "try again"}), (409, {}), (200, {"stored": True})) as intake:
        evaluate(pod, intake)
    assert len(intake.posts) == 3
    assert len({body for _, _, body in intake.posts}) == 1


def test_an_operator_that_refuses_is_not_asked_again_and_it_is_nobodys_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = world_of(tmp_path)
    pod.fetch()
    with operator(tmp_path, (410, {"error": "the run has ended"})) as intake:
        with pytest.raises(RefusedError, match="The operator refuses the outcome \\(410\\): the run has ended"):
            evaluate(pod, intake)
        assert len(intake.posts) == 1
        assert run(pod, "evaluate", monkeypatch, str(intake.authority.ca_file))[0] == 1


def run(pod: RunPod, step: str, monkeypatch: pytest.MonkeyPatch, ca_file: str) -> tuple[int, str]:
    """Run a step as its container does."""
    monkeypatch.setattr(cli, "fetch", partial(fetch, connect=pod.connect))
    monkeypatch.setattr(cli, "evaluate_versions", partial(evaluate_versions, connect=pod.connect))
    log = pod.root / "termination-log"
    environment = {
        "STEADFIT_CONFIG": json.dumps(pod.document),
        "STEADFIT_ROOT": str(pod.root),
        "STEADFIT_TERMINATION_LOG": str(log),
        "STEADFIT_CA_FILE": ca_file,
    }
    return cli.main([step], environment), log.read_text() if log.exists() else ""


def test_both_steps_end_with_0_and_post_to_the_evaluations_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = world_of(tmp_path)
    with operator(tmp_path, (202, {"stored": True})) as intake:
        pod.document["recordUrl"] = intake.url.removesuffix("/record") + "/evaluation"
        assert run(pod, "fetch", monkeypatch, str(intake.authority.ca_file)) == (0, "")
        assert run(pod, "evaluate", monkeypatch, str(intake.authority.ca_file)) == (0, "")
    ((path, authorization, body),) = intake.posts
    assert path == "/v1/namespaces/ns/trainingruns/flights-0123456789/evaluation"
    assert authorization == "Bearer the-token"
    posted = json.loads(body)
    assert posted["run"] == pod.document["run"]
    assert posted["schemaVersion"] == 1


def test_a_run_that_trains_has_nothing_to_evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, words = run(RunPod(tmp_path / "steadfit"), "evaluate", monkeypatch, "")
    assert code == 1
    assert "the configuration names no versions to evaluate" in words
