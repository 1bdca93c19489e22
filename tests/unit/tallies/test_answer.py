"""What is read as the answer of a server, and what is refused."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit.tallies.answer import MAX_ROWS, Answer, NoTallies, Row, read
from steadfit_server.telemetry.tallies import Tallies
from steadfit_server.telemetry.voices import Voice

from .servers import CANDIDATE, START, document

ROW = [START, 3, 4, 1, {"0": 3, "4": 1}]


def parsed(value: Any) -> Answer:
    return read(json.dumps(value).encode(), "shop", "flights", CANDIDATE)


def test_a_row_has_its_second_its_voice_and_its_counts() -> None:
    answer = parsed(document([ROW]))
    assert answer.rows == (Row(START, "5b0c", "5b0c-3", 4, 1, ((0, 3), (4, 1))),)
    assert (answer.server, answer.closed, answer.latest) == ("5b0c", START + 2, START + 2)


def test_what_a_server_sends_is_what_the_operator_reads() -> None:
    clock = [1000.0, float(START)]
    tallies = Tallies("shop", "flights", "7", CANDIDATE, lambda: clock[0], lambda: clock[1])
    voice = Voice()
    for status, latency in ((200, 0.003), (500, 0.003), (200, 20.0)):
        tallies.answered(voice, status, latency, clock[0])
    clock[0], clock[1] = clock[0] + 1, clock[1] + 1
    tallies.tick()
    answer = read(tallies.document(), "shop", "flights", CANDIDATE)
    assert answer.rows == (Row(START, answer.server, f"{answer.server}-1", 3, 1, ((3, 2), (14, 1))),)
    assert (answer.closed, answer.time) == (START, START + 1)


@pytest.mark.parametrize("changed", [{"namespace": "other"}, {"model": "trains"}, {"revision": "aaa"}])
def test_a_server_of_another_model_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(NoTallies, match="another model or revision"):
        parsed(document([ROW], **changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"server": ""},
        {"server": 5},
        {"server": "x" * 100},
        {"closed": "1"},
        {"closed": True},
        {"latest": START},
        {"time": None},
        {"time": -1},
        {"bounds": []},
        {"bounds": [2, 1]},
        {"bounds": ["1"]},
        {"bounds": list(range(100))},
        {"rows": None},
        {"rows": [ROW] * (MAX_ROWS + 1)},
        {"rows": [ROW[:4]]},
        {"rows": [[START + 3, *ROW[1:]]]},
        {"rows": [[START, 3, -4, 0, {}]]},
        {"rows": [[START, 3, 4, 5, {}]]},
        {"rows": [[START, 3, 4, 1, {"0": 5}]]},
        {"rows": [[START, 3, 4, 1, {"x": 1}]]},
        {"rows": [[START, 3, 4.5, 1, {}]]},
        {"rows": [[START, 3, 4, 1, []]]},
        {"rows": [7]},
    ],
)
def test_another_form_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(NoTallies, match="another form"):
        parsed(document() | changed)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[", b"\xff", b"[" * 100_000])
def test_something_else_than_json_is_refused(body: bytes) -> None:
    with pytest.raises(NoTallies):
        read(body, "shop", "flights", CANDIDATE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
)


@given(st.sampled_from(sorted(document())), JSON)
def test_no_answer_raises_anything_else(name: str, value: Any) -> None:
    with contextlib.suppress(NoTallies):
        parsed(document([ROW]) | {name: value})
