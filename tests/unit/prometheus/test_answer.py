"""Only what is exactly an answer of the Prometheus API is read as one."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from steadfit.prometheus.answer import NoAnswer, check_age, one_number, read, read_range

from .fake_prometheus import matrix, scalar, vector


def refused(body: Any) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        one_number(read(body if isinstance(body, bytes) else json.dumps(body).encode()))
    return caught.value


@pytest.mark.parametrize("body", [scalar("0.25"), vector(({"a": "b"}, "2.5e-1"))])
def test_a_scalar_and_a_vector_of_one_series_are_a_number(body: Any) -> None:
    assert one_number(read(json.dumps(body).encode())) == 0.25


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        (vector(), "NoSeries", "the expression has no result"),
        (
            vector(({"a": "1"}, "1"), ({"a": "2"}, "1")),
            "SeveralSeries",
            "the expression gives several series; it must give one, for example by sum()",
        ),
        (vector(({}, "NaN")), "NotANumber", "the value of the expression is nan, which is not a finite number"),
        (scalar("+Inf"), "NotANumber", "the value of the expression is inf, which is not a finite number"),
        (scalar("-Inf"), "NotANumber", "the value of the expression is -inf, which is not a finite number"),
        (
            {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "2"]]}]}},
            "WrongType",
            "the expression gives a matrix; it must give a scalar or a vector of one series",
        ),
        (
            {"status": "success", "data": {"resultType": "string", "result": [1, "0.3"]}},
            "WrongType",
            "the expression gives a string; it must give a scalar or a vector of one series",
        ),
        (
            {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {}]}]}},
            "WrongType",
            "the expression gives a histogram; it must give numbers",
        ),
        (
            {"status": "error", "errorType": "bad_data", "error": "parse error:\n unclosed left brace"},
            "QueryRefused",
            "it refuses the query: bad_data: parse error: unclosed left brace",
        ),
    ],
)
def test_an_answer_without_one_number_is_refused_with_a_sentence(body: Any, code: str, sentence: str) -> None:
    error = refused(body)
    assert (error.code, str(error)) == (code, sentence)


def of(kind: str, result: Any, **more: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"status": "success", "data": {"resultType": "vector", "result": [',
        b'{"status":"success","data":{"resultType":"scalar","result":[NaN,"1"]}}',
        b"[" * 100_000,
        b"9" * 10_000,
        b"\xff\xfe",
        [],
        "success",
        {},
        {"status": "success"},
        {"status": "success", "data": []},
        {"data": {"resultType": "scalar", "result": [1, "1"]}},
        of("gauge", []),
        of("vector", {}),
        of("vector", None),
        of("vector", [1]),
        of("vector", [{"metric": {}}]),
        of("vector", [{"value": [1, "1"]}]),
        of("vector", [{"metric": [], "value": [1, "1"]}]),
        of("vector", [{"metric": {"a": 1}, "value": [1, "1"]}]),
        of("scalar", [1, 1]),
        of("scalar", ["1", "1"]),
        of("scalar", [True, "1"]),
        of("scalar", [1]),
        of("scalar", [1, "1", 1]),
        of("scalar", [1, "one"]),
        of("scalar", [1, ""]),
        of("scalar", [1, "1_000"]),
        of("scalar", [1, " 1"]),
        of("scalar", [10**400, "1"]),
        of("scalar", [1, "1"], warnings="partial"),
    ],
    ids=range(32),
)
def test_whatever_has_another_form_is_no_answer(body: Any) -> None:
    assert refused(body).code == "NotPrometheus"


def test_warnings_are_kept_few_and_short() -> None:
    answer = read(json.dumps(vector(({}, "1"), warnings=["x" * 1000] * 50)).encode())
    assert answer.warnings == ("x" * 200,) * 10


@pytest.mark.parametrize(("at", "fresh"), [(1000, True), (910, True), (909, False), (1091, False), (math.inf, False)])
def test_an_answer_of_another_time_is_stale(at: float, fresh: bool) -> None:
    answer = read(json.dumps(vector(({}, "1"), at=0.0)).encode())
    sample = answer.samples[0].__class__({}, at, 1.0)
    moved = answer.__class__("vector", (sample,))
    if fresh:
        check_age(moved, 1000, 90)
        return
    with pytest.raises(NoAnswer) as caught:
        check_age(moved, 1000, 90)
    assert caught.value.code == "Stale"


def test_lines_are_read_with_their_labels_times_and_warnings() -> None:
    body = {**matrix(({"a": "1"}, [(10, "1"), (25.5, "NaN")]), ({}, [])), "warnings": ["one store is away"]}
    found = read_range(json.dumps(body).encode())
    assert [line.labels for line in found.lines] == [{"a": "1"}, {}]
    assert found.lines[0].points[10.0] == 1
    assert math.isnan(found.lines[0].points[25.5])
    assert found.warnings == ("one store is away",)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (vector(({}, "1")), "NotPrometheus"),
        (scalar("1"), "NotPrometheus"),
        ({"status": "success", "data": {"resultType": "matrix", "result": {}}}, "NotPrometheus"),
        ({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}}]}}, "NotPrometheus"),
        ({"status": "success", "data": {"resultType": "matrix", "result": [{"values": []}]}}, "NotPrometheus"),
        (matrix(({}, [(10, "one")])), "NotPrometheus"),
        (
            {
                "status": "success",
                "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [], "histograms": []}]},
            },
            "NotPrometheus",
        ),
        ({"status": "error", "errorType": "execution", "error": "too many samples"}, "QueryRefused"),
        (b"<html>", "NotPrometheus"),
    ],
)
def test_what_is_no_answer_to_a_range_query_is_refused(body: Any, code: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        read_range(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert caught.value.code == code
