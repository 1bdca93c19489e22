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

from tests.unit.trainer.run_pod import World
from tests.unit.trainer.training import write


def _refused(world: World, sentence: str) -> None:
    world.buckets["models"] = MemoryStore()
    with pytest.raises(UserFailure, match=sentence) as caught:
        world.publish()
    assert caught.value.exit_code == 12
    assert world.store("s3://models").list("s3://models") == [], "nothing is published"


def test_an_output_that_is_empty_or_absent_is_refused(world: World) -> None:
    for path in world.paths.output.iterdir():
        path.unlink()
    _refused(world, r"wrote nothing to /steadfit/output/\.")
    world.paths.output.rmdir()
    _refused(world, r"wrote nothing to /steadfit/output/\.")


def test_an_output_without_a_model_lists_what_there_is(world: World) -> None:
    for name in ("model.onnx", "model.skops"):
        (world.paths.output / name).unlink()
    _refused(world, r"has no model\.onnx or model\.skops; the training container wrote 'classes\.json', 'environment")


def test_a_pickle_alone_is_refused_as_one(world: World) -> None:
    for name in ("model.onnx", "model.skops"):
        (world.paths.output / name).unlink()
    write(world, "model.pkl", b"x")
    _refused(world, r"'model\.pkl' is a pickle, which can run any code")


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
def test_a_file_that_can_not_be_read_is_named(world: World, name: str, content: bytes, sentence: str) -> None:
    write(world, name, content)
    _refused(world, sentence)


@pytest.mark.parametrize("name", ["model.onnx", "signature.json", "metrics.json", "environment.json"])
def test_a_link_in_the_output_never_leads_to_the_keys_of_this_step(world: World, name: str) -> None:
    (world.paths.output / name).unlink(missing_ok=True)
    (world.paths.output / name).symlink_to(world.paths.token)
    _refused(world, f"/steadfit/output/{name} is not a plain file")


def test_an_output_that_is_itself_a_link_is_not_followed(world: World) -> None:
    world.paths.output.rename(world.root / "elsewhere")
    world.paths.output.symlink_to(world.root / "elsewhere")
    _refused(world, "wrote nothing to /steadfit/output/")


def test_a_pipe_in_the_output_does_not_block_for_ever(world: World) -> None:
    (world.paths.output / "signature.json").unlink()
    os.mkfifo(world.paths.output / "signature.json")
    started = time.monotonic()
    _refused(world, r"/steadfit/output/signature\.json is not a plain file")
    assert time.monotonic() - started < 60


def test_a_feature_that_the_data_does_not_have_is_named(world: World) -> None:
    signature = json.loads((world.paths.output / "signature.json").read_text())
    signature[0]["name"] = "gusts"
    write(world, "signature.json", signature)
    _refused(world, "names 'gusts', which the data source 'flights' does not have; a model is judged on the columns")


def test_a_feature_of_another_type_than_the_data_is_named(world: World) -> None:
    signature = json.loads((world.paths.output / "signature.json").read_text())
    signature[0]["name"], signature[1]["name"] = "carrier", "wind"
    write(world, "signature.json", signature)
    _refused(world, "says that 'carrier' is FP64, but it is string in the data")


NEVER_MISSING = [{"name": "id", "datatype": "INT64"}, {"name": "late", "datatype": "INT64"}]


def _graph(world: World, node: Any, outputs: list[Any]) -> None:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])]
    model = helper.make_model(
        helper.make_graph([node], "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    )
    assert isinstance(model, onnx.ModelProto)
    write(world, "model.onnx", model.SerializeToString())
    (world.paths.output / "model.skops").unlink(missing_ok=True)


def _output(kind: int, *shape: Any) -> list[Any]:
    return [helper.make_tensor_value_info("y", kind, shape)]


def test_answers_that_are_no_probabilities_are_refused(world: World) -> None:
    write(world, "signature.json", NEVER_MISSING)
    _graph(world, helper.make_node("Identity", ["x"], ["y"]), _output(TensorProto.FLOAT, None, 2))
    _refused(world, r"model\.onnx gives \[480\.0, \d\.0\] in row 0 of the holdout, which are no probabilities")


def test_a_model_that_needs_values_the_holdout_does_not_have_is_refused_with_the_feature(world: World) -> None:
    _graph(world, helper.make_node("Softmax", ["x"], ["y"]), _output(TensorProto.FLOAT, None, 2))
    _refused(world, r"model\.onnx can't judge the holdout: 'wind' is missing in row \d+, and this model needs a value")


def test_answers_of_another_shape_are_refused(world: World) -> None:
    write(world, "signature.json", NEVER_MISSING)
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=1)
    _graph(world, node, _output(TensorProto.FLOAT, 1, 1))
    _refused(world, r"Output 'y' has shape \[1, 1\] for 120 rows")


def test_values_that_are_not_numbers_are_refused(world: World) -> None:
    (world.paths.output / "classes.json").unlink()
    world.document["evaluation"]["metrics"] = [{"name": "mae"}]
    write(world, "signature.json", NEVER_MISSING)
    node = helper.make_node("Log", ["x"], ["z"])
    _graph(world, node, [])
    model = onnx.load(world.paths.output / "model.onnx")
    model.graph.node.append(helper.make_node("ReduceMin", ["z"], ["y"], axes=[1], keepdims=0))
    model.graph.output.extend(_output(TensorProto.FLOAT, None))
    write(world, "model.onnx", model.SerializeToString())
    _refused(world, r"model\.onnx predicts -inf in row \d+ of the holdout")


def test_two_formats_that_are_not_the_same_model_are_refused(world: World) -> None:
    rows = np.random.default_rng(0).random((50, 2)).astype(np.float32)
    other = LogisticRegression().fit(np.nan_to_num(rows), rows[:, 0] < 0.5)
    other.classes_ = np.array([0, 1])
    (world.paths.output / "model.onnx").unlink()
    steady = skops.io.load(world.paths.output / "model.skops", trusted=["sklearn.tree._tree.Tree", "numpy.dtype"])

    write(world, "model.onnx", onnx_bytes(make_pipeline(steady.steps[0][1], other), 2))
    _refused(world, r"model\.onnx and model\.skops are not the same model: they differ in \d+\.\d% of 120 rows")


def test_a_positive_class_that_the_model_does_not_know_is_refused(world: World) -> None:
    world.document["evaluation"]["positiveClass"] = "yes"
    _refused(world, r"The positive class 'yes' is none of the model's: \[0, 1\]")


def test_a_metric_of_the_other_kind_of_model_is_refused(world: World) -> None:
    world.document["evaluation"]["metrics"] = [{"name": "rmse"}]
    _refused(world, "The metric rmse needs a value, but the model predicts a class")


def test_a_metric_that_needs_probabilities_is_refused_without_them(world: World) -> None:
    write(world, "signature.json", NEVER_MISSING)
    node = helper.make_node("ArgMax", ["x"], ["y"], axis=1, keepdims=0)
    _graph(world, node, _output(TensorProto.INT64, None))
    _refused(world, "The metric roc_auc needs probabilities, which the model does not give")


def test_probabilities_without_known_classes_ask_for_classes_json(world: World) -> None:
    (world.paths.output / "classes.json").unlink()
    (world.paths.output / "model.skops").unlink()
    resolved = json.loads(world.paths.resolved.read_text())
    world.paths.resolved.write_text(json.dumps(resolved | {"labels": [0, 1, 2]}))
    _refused(world, r"gives 2 probabilities, but the target has 3 labels; write classes\.json")
