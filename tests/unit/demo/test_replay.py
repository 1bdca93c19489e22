"""The replay asks about a month's flights in order and posts their outcomes back, against a real HTTP server."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.demo import replay
from tests.demo.replay import Month, Place, Replay, Scored, place_of
from tests.support.until import until

Document = dict[str, Any]


def month(name: str, rows: int = 40) -> Month:
    """A month whose rows are told apart by `x`, and whose late flights are the even ones."""
    columns: dict[str, list[Any]] = {
        "time_hour": list(range(rows)),
        "origin": ["JFK"] * rows,
        "temp": [None] * rows,
        "x": [float(row) for row in range(rows)],
        "late": [1 - row % 2 for row in range(rows)],
    }
    return Month(name, columns)


class World:
    """A model server that remembers; `feedback` may be replaced to answer worse."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.posted: list[Document] = []
        self.feedback: Callable[[list[Document]], tuple[int, Document]] = self.count

    def count(self, entries: list[Document]) -> tuple[int, Document]:
        self.posted += entries
        return 200, {"counted": len(entries), "replayed": 0, "rejected": []}

    def infer(self, inputs: list[Document]) -> tuple[int, Document]:
        values = {each["name"]: each["data"][0] for each in inputs}
        self.asked.append(values["x"])
        return 200, {
            "model_version": "7",
            "parameters": {"prediction_token": f"token-{values['x']:.0f}"},
            "outputs": [{"name": "label", "data": [1]}, {"name": "probabilities", "data": [0.25, values["x"] / 1000]}],
        }


@contextmanager
def serving(world: World) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            inference = self.path == "/v2/models/m/infer"
            status, answer = world.infer(body["inputs"]) if inference else world.feedback(body["feedback"])
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        # The library's 5 drop connections of a busy machine, and the kernel tries again a second later.
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v2/models/m/infer"
        server.shutdown()


def played(world: World, requests: int, then: Callable[[Replay], None] = lambda _: None) -> Replay:
    """Play until so many were asked; after the first `then` may ask for something else; outcomes are posted, twice."""

    async def run(url: str) -> Replay:
        each = Replay(url, month("one"), rate=100.0, keep_alive=2, fresh=2, timeout=60.0)
        stop = asyncio.Event()
        playing = asyncio.create_task(each.run(stop))
        await until(lambda: bool(world.asked))
        then(each)
        await until(lambda: len(world.asked) >= requests)
        stop.set()
        assert (await playing).failed == 0
        for _ in range(2):
            await each.post_outcomes()
        return each

    with serving(world) as url:
        return asyncio.run(run(url))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A month takes 40 requests, and an outcome is known at once."""
    monkeypatch.setattr(replay, "SECONDS", 0.4)
    monkeypatch.setattr(replay, "DELAY", 0.0)


def test_every_flight_of_a_month_is_asked_about_and_then_the_first_ones_again() -> None:
    world = World()
    each = played(world, requests=60)
    asked = len(world.asked)
    assert asked > 40
    assert sorted(world.asked) == sorted(float(request % 40) for request in range(asked))
    assert each.state()["played"] == pytest.approx((asked - 1) / 40)


@pytest.mark.parametrize(
    ("request_", "rows", "place"),
    [
        (0, 28000, Place(0, 0)),
        (22499, 28000, Place(27998, 0)),
        (22500, 28000, Place(0, 1)),
        (11250, 24000, Place(12000, 0)),
    ],
)
def test_a_month_takes_the_same_time_whatever_its_length(
    request_: int, rows: int, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "SECONDS", 90.0)
    assert place_of(request_, rows, rate=250) == place


def test_no_flight_of_a_longer_month_is_asked_about_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "SECONDS", 90.0)
    rows = [place_of(request, 23_611, rate=250).row for request in range(22_500)]
    assert len(set(rows)) == 22_500


def test_what_is_not_known_before_departure_is_not_sent() -> None:
    inputs = json.loads(month("one").body(3))["inputs"]
    assert inputs == [
        {"name": "origin", "datatype": "BYTES", "shape": [1], "data": ["JFK"]},
        {"name": "temp", "datatype": "FP64", "shape": [1], "data": [None]},
        {"name": "x", "datatype": "FP64", "shape": [1], "data": [3.0]},
    ]


def test_each_answers_token_goes_back_once_with_that_flights_outcome() -> None:
    world = World()
    each = played(world, requests=35)
    assert len(world.posted) == len(world.asked) == each.feedback.counted
    for entry in world.posted:
        row = int(entry["token"].removeprefix("token-"))
        assert entry == {"token": f"token-{row}", "row": 0, "outcome": 1 - row % 2}
    assert len({entry["token"] for entry in world.posted}) == len(world.posted)


def test_another_month_waits_for_the_end_of_the_present_one_and_keeps_its_own_outcomes() -> None:
    world = World()
    other = Month("two", {**month("two").columns, "x": [row + 100.0 for row in range(40)], "late": [1] * 40})
    each = played(world, requests=60, then=lambda replayed: replayed.play(other))
    assert each.state()["month"] == "two"
    assert sorted(x for x in world.asked if x < 100) == [float(row) for row in range(40)]
    assert sorted(x for x in world.asked if x >= 100) == [row + 100.0 for row in range(len(world.asked) - 40)]
    late = {entry["token"]: entry["outcome"] for entry in world.posted}
    assert all(outcome == 1 for token, outcome in late.items() if int(token.removeprefix("token-")) >= 100)
    assert late["token-1"] == 0


def test_outcomes_that_can_not_be_posted_now_are_posted_later_and_the_failure_is_told() -> None:
    world = World()
    failures = iter([True])
    world.feedback = lambda entries: (503, {}) if next(failures, False) else world.count(entries)
    each = played(world, requests=20)
    assert each.feedback.failed == 1
    assert each.feedback.counted == len(world.asked)


def test_rejected_outcomes_are_counted_by_their_reason() -> None:
    world = World()
    world.feedback = lambda entries: (
        400,
        {"counted": 0, "replayed": 0, "rejected": [{"index": 0, "reason": "forged", "error": "…"}]},
    )
    each = played(world, requests=20)
    assert each.feedback.rejected == {"forged": 1}
    assert each.feedback.failed == 0


def test_each_flights_score_is_kept_once_with_the_version_that_gave_it_and_months_apart() -> None:
    world = World()
    other = Month("two", {**month("two").columns, "x": [row + 100.0 for row in range(40)]})
    each = played(world, requests=60, then=lambda replayed: replayed.play(other))
    kept = each.rest()
    assert sorted(kept["one"]) == [Scored(row, row / 1000, 7) for row in range(40)]
    assert min(kept["two"]) == Scored(0, 0.1, 7)


def test_a_flight_that_is_asked_about_again_keeps_one_score() -> None:
    world = World()
    each = played(world, requests=60)
    assert len(world.asked) > 40
    assert sorted(scored.row for scored in each.rest()["one"]) == list(range(40))


def test_a_months_answers_are_handed_over_once_when_all_of_them_can_be_there() -> None:
    world = World()
    each = played(world, requests=60, then=lambda replayed: replayed.play(month("two")))
    over = each._over["one"]
    assert each.settled(over + replay.SETTLED - 1) == {}
    assert [len(rows) for rows in each.settled(over + replay.SETTLED).values()] == [40]
    assert each.settled(over + replay.SETTLED + 1) == {}
    assert set(each.rest()) == {"two"}
