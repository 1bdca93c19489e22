"""Every way in which a request can be wrong, and the sentence it gets."""

import asyncio
from typing import Any

import orjson
import pytest

from tests.unit.server.harness import NUMBERS, Caller, FakeModel, mixed, replaced, tensor

TAKES = "the model takes 'hour' (INT64), 'wind' (FP64), 'holiday' (BOOL), 'carrier' (BYTES)."

WRONG_TENSORS: dict[str, tuple[list[Any], str]] = {
    "unknown": ([*mixed(), tensor("speed", "FP64", [1.0, 2.0])], f"Unknown input 'speed'; {TAKES}"),
    "missing": (mixed()[1:], f"Input 'hour' is missing; {TAKES}"),
    "twice": ([*mixed(), mixed()[0]], "'inputs' names 'hour' twice."),
    "none": ([], f"'inputs' is empty; {TAKES}"),
    "nameless": ([{"data": [1]}], "inputs[0] must be an object with a 'name'."),
    "no-object": ([7], "inputs[0] must be an object with a 'name'."),
    "text-for-numbers": (
        replaced("hour", datatype="BYTES"),
        "Input 'hour': datatype 'BYTES' does not fit; the model takes INT64.",
    ),
    "unknown-datatype": (
        replaced("hour", datatype="LONG"),
        "Input 'hour': datatype 'LONG' is unknown; the model takes INT64.",
    ),
    "datatype-no-string": (
        replaced("hour", datatype=["INT64"]),
        "Input 'hour': datatype '['INT64']' is unknown; the model takes INT64.",
    ),
    "no-datatype": (replaced("hour", datatype=None), "Input 'hour': 'datatype' is missing; the model takes INT64."),
    "numbers-for-bool": (
        replaced("holiday", data=[0, 1]),
        "Input 'holiday': row 0 holds a number, but BOOL takes true or false.",
    ),
    "string-in-numbers": (
        replaced("wind", data=[1.0, "1.5"]),
        "Input 'wind': row 1 holds a string, but FP64 takes numbers.",
    ),
    "boolean-in-numbers": (
        replaced("wind", data=[True, 1.5]),
        "Input 'wind': row 0 holds a boolean, but FP64 takes numbers.",
    ),
    "null-in-integers": (
        replaced("hour", data=[1, None]),
        "Input 'hour': row 1 holds null, but INT64 takes numbers.",
    ),
    "fraction-in-integers": (
        replaced("hour", datatype="FP64", data=[1.0, 1.5]),
        "Input 'hour': row 1 holds 1.5, but INT64 takes whole numbers.",
    ),
    "too-large-integer": (
        replaced("hour", data=[1, 2**63]),
        "Input 'hour': row 1 holds 9223372036854775808, which is out of range for INT64.",
    ),
    "list-in-flat-data": (
        replaced("wind", data=[1.0, [2.0]]),
        "Input 'wind': row 1 holds a list, but FP64 takes numbers.",
    ),
    "number-in-text": (
        replaced("carrier", data=["UA", 7]),
        "Input 'carrier': row 1 holds a number, but BYTES takes strings.",
    ),
    "too-few-values": (replaced("hour", shape=[3]), "Input 'hour': 2 values do not fill shape [3]."),
    "one-value": (replaced("hour", data=[1]), "Input 'hour': 1 value does not fill shape [2]."),
    "ragged": (
        replaced("hour", shape=[2, 1], data=[[1], [2, 3]]),
        "Input 'hour': 'data' does not have shape [2, 1].",
    ),
    "two-columns": (
        replaced("hour", shape=[1, 2]),
        "Input 'hour': shape must be [n] or [n, 1], not [1, 2].",
    ),
    "rank-3": (replaced("hour", shape=[2, 1, 1]), "Input 'hour': shape must be [n] or [n, 1], not of rank 3."),
    "no-rows": (
        replaced("hour", shape=[0], data=[]),
        "Input 'hour': 'shape' must be a list of whole numbers of at least 1.",
    ),
    "no-shape": (
        replaced("hour", shape=None),
        "Input 'hour': 'shape' must be a list of whole numbers of at least 1.",
    ),
    "boolean-shape": (
        replaced("hour", shape=[True]),
        "Input 'hour': 'shape' must be a list of whole numbers of at least 1.",
    ),
    "data-no-list": (replaced("hour", data="1,2"), "Input 'hour': 'data' must be a list."),
    "unequal-rows": (
        replaced("wind", shape=[3], data=[1.0, 2.0, 3.0]),
        "Input 'wind' has 3 rows, but 'hour' has 2.",
    ),
    "matrix-with-text": (
        [tensor("x", "FP64", [1.0] * 4, [1, 4])],
        "Input 'x': 'carrier' is not a number; send one tensor for each input.",
    ),
}


@pytest.mark.parametrize(("inputs", "sentence"), WRONG_TENSORS.values(), ids=WRONG_TENSORS.keys())
def test_a_wrong_tensor_gets_400_and_a_sentence_that_names_it(inputs: list[Any], sentence: str) -> None:
    refused = Caller().infer(*inputs)
    assert (refused.status, refused.error) == (400, sentence)


def test_an_error_names_model_version_and_revision_too() -> None:
    body = Caller().infer(*mixed()[1:]).body
    assert (body["model_name"], body["model_version"]) == ("flights", "7")
    assert body["parameters"] == {"revision": "0a1b2c3d4e"}


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        (
            tensor("x", "FP64", [1.0] * 3, [1, 3]),
            "Input 'x': shape [1, 3] has 3 columns, but the model takes 2: 'hour' (INT64), 'wind' (FP64).",
        ),
        (tensor("x", "BYTES", ["a", "b"], [1, 2]), "Input 'x': datatype 'BYTES' is not numeric."),
        (
            tensor("x", "FP64", [1.0, 1.0, 1.5, 1.0], [2, 2]),
            "Input 'x', column 'hour': row 1 holds 1.5, but INT64 takes whole numbers.",
        ),
        (tensor("x", "FP64", [1.0] * 3, [2, 2]), "Input 'x': 3 values do not fill shape [2, 2]."),
    ],
)
def test_a_wrong_matrix_gets_400_and_a_sentence_that_names_it(inputs: dict[str, Any], sentence: str) -> None:
    refused = Caller(FakeModel(NUMBERS)).infer(inputs)
    assert (refused.status, refused.error) == (400, sentence)


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        (b"", "The body is not valid JSON: "),
        (b"{", "The body is not valid JSON: "),
        (b'{"inputs": [NaN]}', "The body is not valid JSON: "),
        (b'{"inputs": [Infinity]}', "The body is not valid JSON: "),
        (b'{"inputs": [-Infinity]}', "The body is not valid JSON: "),
        (b'{"inputs": [1e999]}', "The body is not valid JSON: "),
        (b'{"id": "\xff"}', "The body is not valid JSON: "),
        (b"[" * 100_000, "The body is not valid JSON: "),
        (b"[]", "The body must be a JSON object with a list 'inputs'."),
        (b"{}", "'inputs' must be a list of objects with a name."),
        (b'{"inputs": {"hour": 1}}', "'inputs' must be a list of objects with a name."),
        (b'{"id": 7}', "'id' must be a string."),
    ],
)
def test_a_body_that_is_no_request_gets_400_and_says_why(body: bytes, begins: str) -> None:
    refused = Caller().post(body)
    assert refused.status == 400
    assert refused.error.startswith(begins)


def test_lists_as_deep_as_the_parser_allows_get_400() -> None:
    body = b'{"inputs": [{"name": "hour", "datatype": "INT64", "shape": [1], "data": %s}]}'
    assert Caller().post(body % (b"[" * 900 + b"]" * 900)).status == 400


def test_an_unknown_output_is_told_the_known_ones() -> None:
    refused = Caller().infer(*mixed(), outputs=[{"name": "score"}])
    assert (refused.status, refused.error) == (
        400,
        "Unknown output 'score'; the model gives 'label', 'probabilities'.",
    )


def test_a_callers_long_name_is_cut_in_the_answer() -> None:
    refused = Caller().infer(tensor("x" * 10_000, "FP64", [1.0]))
    assert len(refused.error) < 300


def test_too_many_rows_get_400_with_the_cap() -> None:
    refused = Caller(max_rows=100).infer(*mixed(101))
    assert (refused.status, refused.error) == (
        400,
        "Input 'hour' has 101 rows; this server takes at most 100 in one request.",
    )
    assert Caller(max_rows=100).infer(*mixed(100)).status == 200


@pytest.mark.parametrize("declared", [True, False], ids=["by-content-length", "while-reading"])
def test_a_body_above_the_cap_gets_413(declared: bool) -> None:
    headers = {"content-type": "application/json"} | ({"content-length": "1001"} if declared else {})
    refused = Caller(max_body_bytes=1000).post(b" " * 1001, headers=headers)
    assert (refused.status, refused.error) == (
        413,
        "The body is larger than 1000 bytes, which is the most this server takes.",
    )


def test_a_body_above_the_cap_is_not_kept_while_it_arrives() -> None:
    received = 0

    async def endless() -> dict[str, Any]:
        nonlocal received
        received += 600
        return {"type": "http.request", "body": b" " * 600, "more_body": True}

    assert Caller(max_body_bytes=1000).post(b"", receive=endless).status == 413
    assert received == 1200


def test_a_body_that_does_not_arrive_in_time_gets_408_and_its_connection_is_closed() -> None:
    async def silent() -> dict[str, Any]:
        await asyncio.sleep(60)
        raise AssertionError

    refused = Caller(request_timeout_seconds=0.05).post(b"", receive=silent)
    assert (refused.status, refused.error) == (408, "The body did not arrive within 0.05 s.")
    assert refused.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"content-type": "text/csv"}, "The body must be application/json, not 'text/csv'."),
        (
            {"content-type": "application/json", "content-encoding": "br"},
            "The body may be compressed by gzip or deflate, but its coding is 'br'.",
        ),
    ],
)
def test_another_content_type_gets_415(headers: dict[str, str], sentence: str) -> None:
    refused = Caller().post({"inputs": mixed()}, headers=headers)
    assert (refused.status, refused.error) == (415, sentence)


def test_json_with_a_charset_is_json() -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert Caller().post({"inputs": mixed()}, headers=headers).status == 200


def test_a_body_without_a_content_type_is_read_as_json() -> None:
    assert Caller().post({"inputs": mixed()}, headers={}).status == 200


def test_hypothesis_finds_no_body_that_is_answered_with_500() -> None:
    from hypothesis import given
    from hypothesis import strategies as st

    caller = Caller()
    leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    anything = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
    names = st.sampled_from(["hour", "wind", "holiday", "carrier", "x"])
    datatypes = st.sampled_from(["INT64", "FP64", "BOOL", "BYTES", "FP16", "UINT8"]) | anything
    one = st.fixed_dictionaries({"name": names, "shape": anything, "datatype": datatypes, "data": anything})

    @given(st.lists(one | anything, max_size=5), st.none() | anything, st.none() | anything)
    def answered(inputs: list[Any], outputs: Any, request_id: Any) -> None:
        document = {"inputs": inputs, "outputs": outputs, "id": request_id}
        try:
            body = orjson.dumps(document)
        except TypeError:  # an integer wider than JSON's 64 bits
            return
        assert caller.post(body).status in (200, 400)

    answered()
