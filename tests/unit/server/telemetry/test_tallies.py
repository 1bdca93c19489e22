"""The counts by connection and second: what is a voice, when a second is final, and what bounds them."""

import asyncio
import json
import logging
import threading
import time
from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit_server.telemetry.metrics import BUCKETS
from steadfit_server.telemetry.tallies import COMPARING_SECONDS, KEPT_SECONDS, MAX_BYTES, Tallies
from steadfit_server.telemetry.voices import MAX_GROUPS, Voice

START = 1_800_000_000


class Clocked:
    """Tallies with clocks that a test sets; connections are named by numbers."""

    def __init__(self) -> None:
        self.monotonic, self.wall = 1000.25, START + 0.25
        self.tallies = Tallies("team", "flights", "7", "0a1b2c3d4e", lambda: self.monotonic, lambda: self.wall)
        self.voices: dict[object, Voice] = {}

    def pass_(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds
        self.tallies.tick()

    def answer(self, connection: object, status: int = 200, latency: float = 0.003) -> int:
        voice = self.voices.setdefault(connection, Voice())
        self.tallies.answered(voice, status, latency, self.monotonic)
        assert voice.group is not None
        return voice.group

    def close(self, connection: object) -> None:
        self.tallies.left(self.voices.pop(connection))

    def read(self, since: int = 0) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.tallies.document(since))
        return document


def test_each_of_a_few_connections_has_a_row_of_its_own_in_each_second() -> None:
    server = Clocked()
    mine, theirs = server.answer("mine"), server.answer("theirs", 500)
    server.answer("mine", latency=0.2)
    server.pass_(1)
    server.answer("mine", 503)
    server.pass_(1)
    assert server.read()["rows"] == [
        [START, mine, 2, 0, {"3": 1, "8": 1}],
        [START, theirs, 1, 1, {"3": 1}],
        [START + 1, mine, 1, 1, {"3": 1}],
    ]


def test_the_document_says_whose_seconds_it_has_and_which() -> None:
    server = Clocked()
    server.pass_(3)
    document = server.read()
    assert document == {
        "server": document["server"],
        "namespace": "team",
        "model": "flights",
        "version": "7",
        "revision": "0a1b2c3d4e",
        "closed": START + 2,
        "latest": START + 2,
        "time": START + 3.25,
        "oldest": START,
        "bounds": list(BUCKETS),
        "rows": [],
    }


def test_failed_requests_are_those_with_5xx_and_a_latency_is_in_the_bucket_of_the_histogram() -> None:
    server = Clocked()
    for status, latency in zip((200, 400, 413, 500, 503, 504), (0.0, 0.0005, 0.00051, 10.0, 10.1, 1e6), strict=True):
        server.answer("one", status, latency)
    server.pass_(1)
    ((_, _, requests, failed, latencies),) = server.read()["rows"]
    assert (requests, failed) == (6, 3)
    assert latencies == {"0": 2, "1": 1, "13": 1, "14": 2}


def test_the_present_second_is_not_shown_before_it_is_over() -> None:
    server = Clocked()
    server.answer("one")
    server.pass_(0.7)
    assert (server.read()["rows"], server.read()["closed"]) == ([], START - 1)
    server.pass_(0.1)
    assert len(server.read()["rows"]) == 1


def test_since_leaves_out_the_seconds_that_were_read() -> None:
    server = Clocked()
    for _ in range(5):
        server.answer("one")
        server.pass_(1)
    assert [row[0] for row in server.read(START + 2)["rows"]] == [START + 3, START + 4]
    assert server.read(START + 100)["rows"] == []


def test_two_minutes_are_kept_and_no_more() -> None:
    server = Clocked()
    for _ in range(KEPT_SECONDS + 30):
        server.answer("one")
        server.pass_(1)
    document = server.read()
    assert [row[0] for row in document["rows"]] == list(range(START + 30, START + KEPT_SECONDS + 30))
    assert (document["oldest"], document["closed"]) == (START + 30, START + KEPT_SECONDS + 29)
    server.pass_(1000)
    assert server.read()["rows"] == []


def test_no_number_of_a_group_is_given_to_two_connections_while_few_are_counted() -> None:
    server = Clocked()
    groups = []
    for number in range(30 * KEPT_SECONDS):
        groups.append(server.answer(number))
        server.close(number)
        server.pass_(1 / 30)
    assert len(set(groups)) == len(groups)


def test_a_connection_keeps_its_group_while_others_come_and_go() -> None:
    server = Clocked()
    kept = server.answer("kept")
    for second, number in product(range(20), range(200)):
        server.answer((second, number))
        server.close((second, number))
        if number % 50 == 0:
            assert server.answer("kept") == kept
            server.pass_(0.25)


def test_connections_beyond_the_groups_share_them_evenly() -> None:
    server = Clocked()
    members = Counter(server.answer(number) for number in range(10 * MAX_GROUPS))
    assert len(members) == MAX_GROUPS
    assert set(members.values()) == {10}


def test_a_client_that_goes_before_its_answer_is_counted_and_keeps_no_group() -> None:
    server = Clocked()
    for number in range(10 * MAX_GROUPS):
        server.voices[number] = Voice()
        voice = server.voices[number]
        server.close(number)
        server.tallies.answered(voice, 200, 0.001, server.monotonic)
        server.pass_(0.1)
    server.pass_(1)
    assert sum(row[2] for row in server.read()["rows"]) == 10 * MAX_GROUPS
    before = {row[1] for row in server.read()["rows"]}
    assert server.answer("new") not in before


def test_ten_thousand_fresh_connections_a_second_stay_within_the_bounds() -> None:
    server = Clocked()
    seconds = 5
    started = time.process_time()
    for number in range(10_000 * seconds):
        server.answer(number, 500 if number % 7 == 0 else 200, (number % 100) / 100)
        server.close(number)
        if number % 100 == 99:
            server.pass_(0.01)
    spent = time.process_time() - started
    server.pass_(1)
    rows = read_all(server)
    assert sum(row[2] for row in rows) == 10_000 * seconds
    assert max(Counter(row[0] for row in rows).values()) <= MAX_GROUPS
    assert spent / seconds < 0.2, "a fifth of a processor for the clocks of this test and the counts together"


def test_an_answer_is_bounded_and_the_next_one_continues_it() -> None:
    server = Clocked()
    for _ in range(KEPT_SECONDS):
        for number in range(MAX_GROUPS):
            for bound in BUCKETS:
                server.answer(number, 500, bound)
        server.pass_(1)
    sizes, since = [], 0
    while since < START + KEPT_SECONDS - 1:
        body = server.tallies.document(since)
        sizes.append(len(body))
        assert json.loads(body)["closed"] > since
        assert json.loads(body)["latest"] == START + KEPT_SECONDS - 1
        since = json.loads(body)["closed"]
    assert len(sizes) > 2
    assert max(sizes) <= MAX_BYTES
    assert len(read_all(server)) == KEPT_SECONDS * MAX_GROUPS


def test_an_answer_takes_less_than_five_milliseconds() -> None:
    server = Clocked()
    for _ in range(KEPT_SECONDS):
        for number in range(MAX_GROUPS):
            server.answer(number)
        server.pass_(1)
    times = []
    for _ in range(20):
        started = time.thread_time()
        server.tallies.document()
        times.append(time.thread_time() - started)
    assert min(times) < 0.005


@pytest.mark.parametrize("step", [-3600.0, -1.0, 1.0, 86400.0])
def test_a_step_of_the_clock_counts_anew_under_another_id(step: float) -> None:
    server = Clocked()
    first = server.answer("one")
    server.pass_(2)
    before = server.read()
    server.answer("one")
    server.wall += step
    server.pass_(1)
    after = server.read()
    assert after["server"] != before["server"]
    assert after["rows"] == []
    assert after["closed"] == int(server.wall) - 1
    assert server.answer("one") == first
    server.pass_(1)
    assert [row[:3] for row in server.read()["rows"]] == [[int(server.wall) - 1, first, 1]]


def test_a_comparison_is_under_way_until_it_has_not_read_for_a_while() -> None:
    server = Clocked()
    assert not server.tallies.compared
    server.read()
    assert not server.tallies.compared
    server.tallies.note_comparison()
    server.pass_(COMPARING_SECONDS - 1)
    assert server.tallies.compared
    server.pass_(2)
    assert not server.tallies.compared


def test_a_slow_drift_of_the_clock_counts_on() -> None:
    server = Clocked()
    before = server.read()["server"]
    server.wall += 0.3
    server.pass_(1)
    assert server.read()["server"] == before


def test_a_second_that_cannot_be_closed_is_logged_and_the_next_one_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = Clocked()
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(len(ticks))
        if len(ticks) == 1:
            raise RuntimeError("no memory")
        raise asyncio.CancelledError

    async def at_once(_: float) -> None:
        pass

    monkeypatch.setattr(server.tallies, "tick", tick)
    monkeypatch.setattr("steadfit_server.telemetry.tallies.asyncio.sleep", at_once)
    with caplog.at_level(logging.ERROR), pytest.raises(asyncio.CancelledError):
        asyncio.run(server.tallies.keep_time())
    assert ticks == [0, 1]
    assert "no memory" in caplog.text


def test_closed_seconds_are_final_while_another_thread_reads_them() -> None:
    tallies = Tallies("team", "flights", "7", "0a1b2c3d4e")
    seen: dict[tuple[int, int], list[Any]] = {}
    ended = threading.Event()
    changed = []

    def read() -> None:
        while not ended.is_set():
            for row in json.loads(tallies.document())["rows"]:
                if seen.setdefault((row[0], row[1]), row) != row:
                    changed.append(row)

    reader = threading.Thread(target=read)
    reader.start()
    voices = [Voice() for _ in range(8)]
    counted, end = 0, time.perf_counter() + 2.2
    while (now := time.perf_counter()) < end:
        tallies.answered(voices[counted % 8], 200, 0.001, now)
        counted += 1
    ended.set()
    reader.join()
    assert not changed
    assert seen


Moves = st.lists(
    st.one_of(
        st.tuples(st.just("answer"), st.integers(0, 150), st.sampled_from([200, 500])),
        st.tuples(st.just("many"), st.integers(0, 1000), st.integers(1, 90)),
        st.tuples(st.just("close"), st.integers(0, 150), st.just(0)),
        st.tuples(st.just("pass"), st.integers(1, 25), st.just(0)),
    ),
    max_size=60,
)


@given(Moves)
def test_every_request_is_counted_once_and_every_connection_has_one_group(moves: list[tuple[str, int, int]]) -> None:
    server = Clocked()
    groups: dict[object, int] = {}
    answered = failed = 0
    for what, number, more in moves:
        if what == "answer":
            assert groups.setdefault(number, server.answer(number, more)) == server.answer(number, more)
            answered, failed = answered + 2, failed + 2 * (more == 500)
        elif what == "many":
            for each in range(more):
                server.answer(("fresh", number, each))
                server.close(("fresh", number, each))
            answered += more
        elif what == "close" and number in server.voices:
            server.close(number)
            del groups[number]
        elif what == "pass":
            server.pass_(number / 10)
    server.pass_(1)
    rows = read_all(server)
    assert (sum(row[2] for row in rows), sum(row[3] for row in rows)) == (answered, failed)
    assert all(sum(row[4].values()) == row[2] for row in rows)
    assert all(count <= MAX_GROUPS for count in Counter(row[0] for row in rows).values())
    assert max(Counter((row[0], row[1]) for row in rows).values(), default=1) == 1


def read_all(server: Clocked) -> list[list[Any]]:
    """Read as the operator does, answer by answer."""
    rows, since = [], 0
    while True:
        document = server.read(since)
        rows += document["rows"]
        if document["closed"] <= since or not document["rows"]:
            return rows
        since = document["closed"]
