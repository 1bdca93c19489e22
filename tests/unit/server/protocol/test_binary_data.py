"""Tensors as bytes behind the JSON, and columns whose datatype is not that of the signature."""

import struct
from typing import Any

import numpy as np
import orjson
import pytest

from tests.unit.server.harness import INFER, MIXED, NUMBERS, Answer, Caller, FakeModel, mixed, replaced, tensor

HEADER = "inference-header-content-length"


def text(*values: str) -> bytes:
    return b"".join(struct.pack("<I", len(value.encode())) + value.encode() for value in values)


BINARY = {
    "hour": ("INT64", np.array([12, 13], "<i8").tobytes()),
    "wind": ("FP64", np.array([3.5, np.nan], "<f8").tobytes()),
    "holiday": ("BOOL", b"\x00\x01"),
    "carrier": ("BYTES", text("UA", "Ü")),
}


def post(caller: Caller, parts: dict[str, tuple[str, bytes]], header: str | None = None, **fields: Any) -> Answer:
    inputs = [
        {"name": name, "datatype": datatype, "shape": [2], "parameters": {"binary_data_size": len(data)}}
        for name, (datatype, data) in parts.items()
    ]
    document = orjson.dumps({"inputs": inputs, **fields})
    body = document + b"".join(data for _, data in parts.values())
    return caller.post(body, INFER, headers={HEADER: header or str(len(document))})


def test_inputs_may_be_bytes() -> None:
    caller = Caller()
    assert post(caller, BINARY).status == 200
    columns = caller.fake.seen[-1]
    assert columns["hour"].tolist() == [12, 13]
    assert columns["wind"][0] == 3.5
    assert np.isnan(columns["wind"][1])
    assert columns["holiday"].tolist() == [False, True]
    assert columns["carrier"].tolist() == ["UA", "Ü"]


def test_some_inputs_may_be_bytes_and_others_json() -> None:
    caller = Caller()
    parts = [
        *mixed()[:1],
        {"name": "wind", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}},
        *mixed()[2:],
    ]
    document = orjson.dumps({"inputs": parts})
    answer = caller.post(document + np.array([1, 2], "<f4").tobytes(), headers={HEADER: str(len(document))})
    assert answer.status == 200
    assert caller.fake.seen[-1]["wind"].tolist() == [1.0, 2.0]


def test_a_matrix_may_be_bytes() -> None:
    caller = Caller(FakeModel(NUMBERS))
    data = np.array([[7, 0.5], [8, 1.5]], "<f4").tobytes()
    inputs = [{"name": "x", "datatype": "FP32", "shape": [2, 2], "parameters": {"binary_data_size": len(data)}}]
    document = orjson.dumps({"inputs": inputs})
    assert caller.post(document + data, headers={HEADER: str(len(document))}).status == 200
    assert caller.fake.seen[-1]["hour"].tolist() == [7, 8]
    assert caller.fake.seen[-1]["wind"].tolist() == [0.5, 1.5]


def wrong(**parts: tuple[str, bytes]) -> dict[str, tuple[str, bytes]]:
    return BINARY | parts


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            wrong(wind=("FP64", b"1234")),
            "Input 'wind': 4 bytes of binary data do not fill its shape, which takes 16 of FP64.",
        ),
        (
            wrong(holiday=("BOOL", b"\x00\x07")),
            "Input 'holiday': element 1 is the byte 7, but BOOL takes 0 and 1.",
        ),
        (wrong(carrier=("BYTES", text("UA"))), "Input 'carrier': the binary data have 1 texts, but its shape has 2."),
        (
            wrong(carrier=("BYTES", text("UA", "DL", "AA"))),
            "Input 'carrier': 6 bytes of binary data follow the last text.",
        ),
        (
            wrong(carrier=("BYTES", text("UA") + b"\xff\x00\x00\x00x")),
            "Input 'carrier': row 1 is longer than the binary data.",
        ),
        (
            wrong(carrier=("BYTES", text("UA") + b"\x01\x00\x00\x00\xff")),
            "Input 'carrier': row 1 is no text in UTF-8.",
        ),
        (
            wrong(hour=("FP64", np.array([1.5, 2.0], "<f8").tobytes())),
            "Input 'hour': row 0 holds 1.5, but INT64 takes whole numbers in its range.",
        ),
        (
            wrong(hour=("FP64", np.array([1.0, np.nan], "<f8").tobytes())),
            "Input 'hour': row 1 holds nan, but INT64 takes whole numbers in its range.",
        ),
        (
            wrong(hour=("UINT64", np.array([2**63, 1], "<u8").tobytes())),
            "Input 'hour': row 0 holds 9223372036854775808, but INT64 takes whole numbers in its range.",
        ),
        (
            wrong(wind=("FP32", np.array([1.0, np.inf], "<f4").tobytes())),
            "Input 'wind': row 1 holds inf, but FP64 takes finite numbers.",
        ),
        (
            wrong(carrier=("INT64", np.array([1, 2], "<i8").tobytes())),
            "Input 'carrier': datatype 'INT64' does not fit; the model takes BYTES.",
        ),
    ],
)
def test_bytes_that_do_not_fit_get_400_and_a_sentence_that_names_them(
    parts: dict[str, tuple[str, bytes]], sentence: str
) -> None:
    refused = post(Caller(), parts)
    assert (refused.status, refused.error) == (400, sentence)


@pytest.mark.parametrize("header", ["-1", "1e3", "", "99999"])
def test_a_header_that_is_no_length_of_the_json_gets_400(header: str) -> None:
    refused = Caller().post({"inputs": mixed()}, headers={HEADER: header})
    assert refused.status == 400
    assert refused.error.startswith("Inference-Header-Content-Length is ")


def test_bytes_that_belong_to_no_input_and_sizes_without_bytes_get_400() -> None:
    document = orjson.dumps({"inputs": mixed()})
    more = Caller().post(document + b"xyz", headers={HEADER: str(len(document))})
    assert (more.status, more.error) == (400, "The body has 3 bytes behind the JSON that belong to no input.")
    fewer = Caller().infer(
        *mixed()[:3], {"name": "carrier", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": 5}}
    )
    assert (fewer.status, fewer.error) == (400, "Input 'carrier': its 5 bytes of binary data are not all in the body.")
    both = Caller().infer(*replaced("hour", parameters={"binary_data_size": 0}))
    assert (both.status, both.error) == (400, "Input 'hour' has both 'data' and 'binary_data_size'.")
    for size in (-1, True, "4", 1.0):
        parts = [{"name": "hour", "datatype": "INT64", "shape": [2], "parameters": {"binary_data_size": size}}]
        refused = Caller().infer(*parts)
        assert (refused.status, refused.error) == (400, "Input 'hour': 'binary_data_size' must be a number of bytes.")


NARROW = {
    "BOOL as INT64": (replaced("hour", datatype="BOOL", data=[True, False]), "hour", [1, 0]),
    "BOOL as FP64": (replaced("wind", datatype="BOOL", data=[True, False]), "wind", [1.0, 0.0]),
    "INT64 as BOOL": (replaced("holiday", datatype="INT64", data=[1, 0]), "holiday", [True, False]),
    "FP64 as BOOL": (replaced("holiday", datatype="FP64", data=[1.0, 0.0]), "holiday", [True, False]),
}


@pytest.mark.parametrize(("inputs", "name", "expected"), NARROW.values(), ids=NARROW.keys())
def test_booleans_and_numbers_are_taken_for_each_other_where_nothing_is_lost(
    inputs: list[dict[str, Any]], name: str, expected: list[Any]
) -> None:
    caller = Caller()
    assert caller.infer(*inputs).status == 200
    column = caller.fake.seen[-1][name]
    assert column.tolist() == expected
    assert column.dtype == caller.fake.seen[0][name].dtype


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        (replaced("holiday", datatype="INT64", data=[0, 2]), "row 1 holds 2, but BOOL takes 0 and 1."),
        (replaced("holiday", datatype="FP64", data=[0.5, 1]), "row 0 holds 0.5, but BOOL takes 0 and 1."),
        (replaced("holiday", datatype="FP64", data=[None, 1]), "row 0 holds nan, but BOOL takes 0 and 1."),
        (replaced("hour", datatype="BOOL", data=[1, 0]), "row 0 holds a number, but BOOL takes true or false."),
    ],
)
def test_a_value_that_would_be_lost_gets_400(inputs: list[dict[str, Any]], sentence: str) -> None:
    refused = Caller().infer(*inputs)
    assert refused.status == 400
    assert refused.error.endswith(sentence)


def test_a_matrix_of_numbers_may_have_booleans_in_it() -> None:
    caller = Caller(FakeModel(MIXED[:3]))
    assert caller.infer(tensor("x", "FP64", [12, 3.5, 1, 13, None, 0], [2, 3])).status == 200
    assert caller.fake.seen[-1]["holiday"].tolist() == [True, False]
