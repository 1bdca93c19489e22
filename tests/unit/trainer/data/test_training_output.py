"""What the training container wrote, and what of it is refused."""

import json
import os
import time
from typing import Any

import numpy as np
import onnx
import pytest
import skops.io
from obstore.store import MemoryStore
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from steadfit_sdk.onnx_export import onnx_bytes
from steadfit_trainer.failures import UserFailure

from tests.unit.trainer.run_pod import RunPod
from tests.unit.trainer.training import write


def _refused(pod: RunPod, sentence: str) -> None:
    pod.buckets["models"] = MemoryStore()
    with pytest.raises(UserFailure, match=sentence) as caught:
        pod.publish()
    assert caught.value.exit_code == 12
    assert pod.store("s3://models").list("s3://models") == [], "nothing is published"


def test_an_output_that_is_empty_or_absent_is_refused(pod: RunPod) -> None:
    for path in pod.paths.output.iterdir():
        path.unlink()
    _refused(pod, r"wrote nothing to /steadfit/output/\.")
    pod.paths.output.rmdir()
    _refused(pod, r"wrote nothing to /steadfit/output/\.")


def test_an_output_without_a_model_lists_what_there_is(pod: RunPod) -> None:
    for name in ("model.onnx", "model.skops"):
        (pod.paths.output / name).unlink()
    _refused(pod, r"has no model\.onnx or model\.skops; the training container wrote 'classes\.json', 'environment")


def test_a_pickle_alone_is_refused_as_one(pod: RunPod) -> None:
    for name in ("model.onnx", "model.skops"):
        (pod.paths.output / name).unlink()
    write(pod, "model.pkl", b"x")
    _refused(pod, r"'model\.pkl' is a pickle, which can run any code")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("model.onnx", b"garbage", r"model\.onnx can't be loaded"),
        ("signature.json", b"{}", r"signature\.json is wrong"),
        ("classes.json", b"{}", r"classes\.json must be a list"),
        ("environment.json", b"[]", r"/steadfit/output/environment\.json is not a JSON object"),
        ("metrics.json", b'{"auc": NaN}', r"/steadfit/output/metrics\.json is not a JSON object"),
        ("metrics.json", b"\xff", r"/steadfit/output/metrics\.json is not a JSON object"),
        ("metrics.json", b"[" * 100_000, r"/steadfit/output/metrics\.json is not a JSON object"),
    ],
)
def test_a_file_that_can_not_be_read_is_named(pod: RunPod, name: str, content: bytes, sentence: str) -> None:
    write(pod, name, content)
    _refused(pod, sentence)


@pytest.mark.parametrize("name", ["model.onnx", "signature.json", "metrics.json", "environment.json"])
def test_a_link_in_the_output_never_leads_to_the_keys_of_this_step(pod: RunPod, name: str) -> None:
    (pod.paths.output / name).unlink(missing_ok=True)
    (pod.paths.output / name).symlink_to(pod.paths.token)
    _refused(pod, f"/steadfit/output/{name} is not a plain file")


def test_an_output_that_is_itself_a_link_is_not_followed(pod: RunPod) -> None:
    pod.paths.output.rename(pod.root / "elsewhere")
    pod.paths.output.symlink_to(pod.root / "elsewhere")
    _refused(pod, "wrote nothing to /steadfit/output/")


def test_a_pipe_in_the_output_does_not_block_for_ever(pod: RunPod) -> None:
    (pod.paths.output / "signature.json").unlink()
    os.mkfifo(pod.paths.output / "signature.json")
    started = time.monotonic()
    _refused(pod, r"/steadfit/output/signature\.json is not a plain file")
    assert time.monotonic() - started < 60


def test_a_feature_that_the_data_does_not_have_is_named(pod: RunPod) -> None:
    signature = json.loads((pod.paths.output / "signature.json").read_text())
    signature[0]["name"] = "gusts"
    write(pod, "signature.json", signature)
    _refused(pod, "names 'gusts', which the data source 'flights' does not have; a model is judged on the columns")


def test_a_feature_of_another_type_than_the_data_is_named(pod: RunPod) -> None:
    signature = json.loads((pod.paths.output / "signature.json").read_text())
    signature[0]["name"], signature[1]["name"] = "carrier", "wind"
    write(pod, "signature.json", signature)
    _refused(pod, "says that 'carrier' is FP64, but it is string in the data")


NEVER_MISSING = [{"name": "id", "datatype": "INT64"}, {"name": "late", "datatype": "INT64"}]


def _graph(pod: RunPod, node: Any, outputs: list[Any]) -> None:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])]
    model = helper.make_model(
        helper.make_graph([node], "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    )
    assert isinstance(model, onnx.ModelProto)
    write(pod, "model.onnx", model.SerializeToString())
    (pod.paths.output / "model.skops").unlink(missing_ok=True)


def _output(kind: int, *shape: Any) -> list[Any]:
    return [helper.make_tensor_value_info("y", kind, shape)]


def test_answers_that_are_no_probabilities_are_refused(pod: RunPod) -> None:
    write(pod, "signature.json", NEVER_MISSING)
    _graph(pod, helper.make_node("Identity", ["x"], ["y"]), _output(TensorProto.FLOAT, None, 2))
    _refused(pod, r"model\.onnx gives \[480\.0, \d\.0\] in row 0 of the holdout, which are no probabilities")


def test_a_model_that_needs_values_the_holdout_does_not_have_is_refused_with_the_feature(pod: RunPod) -> None:
    _graph(pod, helper.make_node("Softmax", ["x"], ["y"]), _output(TensorProto.FLOAT, None, 2))
    _refused(pod, r"model\.onnx cannot predict the holdout: 'wind' is missing in row \d+, and this model needs a value")


def test_answers_of_another_shape_are_refused(pod: RunPod) -> None:
    write(pod, "signature.json", NEVER_MISSING)
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=1)
    _graph(pod, node, _output(TensorProto.FLOAT, 1, 1))
    _refused(pod, r"Output 'y' has shape \[1, 1\] for 120 rows")


def test_values_that_are_not_numbers_are_refused(pod: RunPod) -> None:
    (pod.paths.output / "classes.json").unlink()
    pod.document["evaluation"]["metrics"] = [{"name": "mae"}]
    write(pod, "signature.json", NEVER_MISSING)
    node = helper.make_node("Log", ["x"], ["z"])
    _graph(pod, node, [])
    model = onnx.load(pod.paths.output / "model.onnx")
    model.graph.node.append(helper.make_node("ReduceMin", ["z"], ["y"], axes=[1], keepdims=0))
    model.graph.output.extend(_output(TensorProto.FLOAT, None))
    write(pod, "model.onnx", model.SerializeToString())
    _refused(pod, r"model\.onnx predicts -inf in row \d+ of the holdout")


def test_two_formats_that_are_not_the_same_model_are_refused(pod: RunPod) -> None:
    rows = np.random.default_rng(0).random((50, 2)).astype(np.float32)
    other = LogisticRegression().fit(np.nan_to_num(rows), rows[:, 0] < 0.5)
    other.classes_ = np.array([0, 1])
    (pod.paths.output / "model.onnx").unlink()
    steady = skops.io.load(pod.paths.output / "model.skops", trusted=["sklearn.tree._tree.Tree", "numpy.dtype"])

    write(pod, "model.onnx", onnx_bytes(make_pipeline(steady.steps[0][1], other), 2))
    _refused(pod, r"model\.onnx and model\.skops are not the same model: they differ in \d+\.\d% of 120 rows")


def test_a_positive_class_that_the_model_does_not_know_is_refused(pod: RunPod) -> None:
    pod.document["evaluation"]["positiveClass"] = "yes"
    _refused(pod, r"The positive class 'yes' is none of the model's: \[0, 1\]")


def test_a_metric_of_the_other_kind_of_model_is_refused(pod: RunPod) -> None:
    pod.document["evaluation"]["metrics"] = [{"name": "rmse"}]
    _refused(pod, "The metric rmse needs a value, but the model predicts a class")


def test_a_metric_that_needs_probabilities_is_refused_without_them(pod: RunPod) -> None:
    write(pod, "signature.json", NEVER_MISSING)
    node = helper.make_node("ArgMax", ["x"], ["y"], axis=1, keepdims=0)
    _graph(pod, node, _output(TensorProto.INT64, None))
    _refused(pod, "The metric roc_auc needs probabilities, which the model does not give")


def test_probabilities_without_known_classes_ask_for_classes_json(pod: RunPod) -> None:
    (pod.paths.output / "classes.json").unlink()
    (pod.paths.output / "model.skops").unlink()
    resolved = json.loads(pod.paths.resolved.read_text())
    pod.paths.resolved.write_text(json.dumps(resolved | {"labels": [0, 1, 2]}))
    _refused(pod, r"gives 2 probabilities, but the target has 3 labels; write classes\.json")
