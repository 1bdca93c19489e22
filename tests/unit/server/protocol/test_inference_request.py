"""The Open Inference Protocol as a client sees it: paths, inputs, outputs."""

import numpy as np
import pytest

from tests.unit.server.harness import NUMBERS, Caller, FakeModel, mixed, replaced, tensor


def test_an_answer_names_model_version_revision_and_the_callers_id() -> None:
    answer = Caller().infer(*mixed(), id="request-1")
    assert answer.status == 200
    assert answer.body["model_name"] == "flights"
    assert answer.body["model_version"] == "7"
    assert answer.body["parameters"]["revision"] == "0a1b2c3d4e"
    assert answer.body["id"] == "request-1"


def test_an_answer_has_each_output_with_its_shape_and_the_classes_of_its_columns() -> None:
    outputs = Caller().infer(*mixed(2)).body["outputs"]
    assert outputs == [
        {"name": "label", "datatype": "INT64", "shape": [2], "data": [1, 1]},
        {
            "name": "probabilities",
            "datatype": "FP64",
            "shape": [2, 2],
            "data": [0.25, 0.75, 0.25, 0.75],
            "parameters": {"classes": [0, 1]},
        },
    ]


def test_only_the_outputs_asked_for_are_answered() -> None:
    answer = Caller().infer(*mixed(), outputs=[{"name": "probabilities"}])
    assert [output["name"] for output in answer.body["outputs"]] == ["probabilities"]


def test_the_path_with_the_version_answers_too() -> None:
    assert Caller().post({"inputs": mixed()}, "/v2/models/flights/versions/7/infer").status == 200


def test_inputs_reach_the_model_by_name_in_any_order_and_in_the_signatures_type() -> None:
    caller = Caller()
    assert caller.infer(*reversed(mixed(3))).status == 200
    columns = caller.fake.seen[-1]
    assert {name: column.dtype for name, column in columns.items()} == {
        "hour": np.dtype("int64"),
        "wind": np.dtype("float64"),
        "holiday": np.dtype("bool"),
        "carrier": np.dtype(object),
    }
    assert all(column.shape == (3,) for column in columns.values())


@pytest.mark.parametrize(
    ("shape", "data"), [([2], [7, 8]), ([2, 1], [7, 8]), ([2, 1], [[7], [8]])], ids=["flat", "n-by-1", "nested"]
)
def test_a_column_may_be_flat_or_n_by_1(shape: list[int], data: list[object]) -> None:
    caller = Caller()
    assert caller.infer(*replaced("hour", shape=shape, data=data)).status == 200
    assert caller.fake.seen[-1]["hour"].tolist() == [7, 8]


@pytest.mark.parametrize("data", [[7, 0.5, 8, 1.5], [[7, 0.5], [8, 1.5]]], ids=["flat", "nested"])
def test_one_numeric_matrix_is_read_by_the_order_of_the_signature(data: list[object]) -> None:
    caller = Caller(FakeModel(NUMBERS))
    assert caller.infer(tensor("anything", "FP64", data, [2, 2])).status == 200
    columns = caller.fake.seen[-1]
    assert columns["hour"].tolist() == [7, 8]
    assert columns["wind"].tolist() == [0.5, 1.5]


def test_null_is_a_missing_number_or_a_missing_text() -> None:
    caller = Caller()
    inputs = replaced("wind", data=[None, 1.0])
    inputs[3]["data"] = [None, "UA"]
    assert caller.infer(*inputs).status == 200
    columns = caller.fake.seen[-1]
    assert np.isnan(columns["wind"][0])
    assert columns["carrier"].tolist() == [None, "UA"]


def test_metadata_lists_inputs_outputs_version_and_format() -> None:
    body = Caller().get("/v2/models/flights/versions/7").body
    assert body["name"] == "flights"
    assert body["versions"] == ["7"]
    assert body["platform"] == "onnx"
    assert {"name": "carrier", "datatype": "BYTES", "shape": [-1]} in body["inputs"]
    assert body["outputs"][1] == {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]}
    assert body["parameters"] == {"revision": "0a1b2c3d4e"}


@pytest.mark.parametrize(
    "path",
    [
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/flights",
        "/v2/models/flights/ready",
        "/v2/models/flights/versions/7",
        "/v2/models/flights/versions/7/ready",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_path_of_the_protocol_answers(path: str, method: str) -> None:
    assert Caller().get(path, method).status == 200


def test_before_the_model_is_loaded_the_server_is_live_and_not_ready_with_the_reason() -> None:
    caller = Caller()
    caller.lifecycle.predictor, caller.lifecycle.reason = None, "The store does not answer."
    assert caller.get("/v2/health/live").status == 200
    for path in ("/v2/health/ready", "/v2/models/flights/ready"):
        ready = caller.get(path)
        assert ready.status == 503
        assert ready.error == "The store does not answer."
    refused = caller.infer(*mixed())
    assert refused.status == 503
    assert refused.error == "The store does not answer."
    assert refused.headers["retry-after"] == "1"


def test_a_wrong_method_is_told_the_right_one() -> None:
    refused = Caller().get("/v2/models/flights/infer")
    assert (refused.status, refused.headers["allow"]) == (405, "POST")
    refused = Caller().get("/v2/health/live", "DELETE")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/v2/models/boats/infer", "Unknown model 'boats'; this server serves 'flights'."),
        ("/v2/models/flights/versions/8/infer", "Version '8' is not served here; version '7' is."),
        ("/predict", "There is nothing at '/predict'; the model is at '/v2/models/flights'."),
    ],
)
def test_an_unknown_path_is_told_what_is_served(path: str, sentence: str) -> None:
    refused = Caller().post({"inputs": mixed()}, path)
    assert (refused.status, refused.error) == (404, sentence)
