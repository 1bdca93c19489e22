"""How long, how often and in which order the store is asked to take parts."""

import time

import pytest
from steadfit_server.capture.upload_queue import LONGEST_PAUSE_SECONDS, Part, UploadQueue


class Shelf:
    """A store that refuses some writes."""

    def __init__(self, *refusals: bool) -> None:
        self.refusals = list(refusals)
        self.taken: list[str] = []
        self.asked = 0
        self.opened = 0

    def connect(self) -> "Shelf":
        self.opened += 1
        return self

    def put(self, uri: str, content: bytes) -> None:
        self.asked += 1
        if self.refusals and self.refusals.pop(0):
            raise OSError("no")
        self.taken.append(uri)


class Box:
    def __init__(self, shelf: Shelf, give_up_seconds: float = 60.0, pause: float = 5.0) -> None:
        self.ended: list[tuple[str, str | None]] = []
        self.uploads = UploadQueue(shelf.connect, self._done, give_up_seconds, pause)

    def _done(self, part: Part, failure: str | None) -> None:
        self.ended.append((part.uri, failure))

    def add(self, *names: str) -> None:
        for name in names:
            self.uploads.add(Part(name, b"", 1, 1))

    @property
    def seconds(self) -> float:
        return self.uploads.due - time.monotonic()


def test_parts_go_to_the_store_in_order_and_then_nothing_is_due() -> None:
    shelf = Shelf()
    box = Box(shelf)
    assert box.seconds == float("inf")
    box.add("a", "b")
    assert box.seconds <= 0
    box.uploads.send()
    assert (shelf.taken, shelf.opened) == (["a", "b"], 1)
    assert box.ended == [("a", None), ("b", None)]
    assert box.seconds == float("inf")


def test_a_store_that_refuses_one_part_is_not_asked_for_the_next_before_a_pause_that_grows() -> None:
    shelf = Shelf(True, True, True, True)
    box = Box(shelf)
    box.add("a", "b")
    pauses = []
    for _ in range(4):
        box.uploads.send()
        pauses.append(round(box.seconds))
    assert (shelf.asked, box.ended) == (4, [])
    assert pauses == [5, 10, 20, LONGEST_PAUSE_SECONDS]
    box.uploads.send()
    assert shelf.taken == ["a", "b"]
    assert shelf.opened == 5


def test_after_a_success_the_pause_begins_anew() -> None:
    shelf = Shelf(True, True, False, True)
    box = Box(shelf)
    box.add("a", "b")
    for _ in range(3):
        box.uploads.send()
    assert shelf.taken == ["a"]
    assert round(box.seconds) == 5


def test_a_part_whose_time_is_over_is_lost_and_the_next_one_has_its_turn(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(True, True)
    box = Box(shelf)
    box.uploads.add(Part("old", b"", 1, 1, made=time.monotonic() - 61))
    box.add("new")
    box.uploads.send()
    assert box.ended == [("old", "captured rows can't be written: no")]
    box.uploads.send()
    assert shelf.taken == ["new"]
    assert [record.getMessage() for record in caplog.records] == ["captured rows can't be written: no"]


def test_at_the_end_each_part_is_tried_once_and_no_longer() -> None:
    shelf = Shelf(True, False, True)
    box = Box(shelf)
    box.add("a", "b", "c")
    box.uploads.send(last=True)
    assert [(uri, failure is None) for uri, failure in box.ended] == [("a", False), ("b", True), ("c", False)]
    assert box.seconds == float("inf")
