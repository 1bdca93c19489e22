"""How months go by, and what is said of manifests that are applied again, in a world that is made up."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.demo import closing, overlay
from tests.demo.calendar import COMMIT, REVERT
from tests.demo.facts import Seen
from tests.demo.story import World, Year
from tests.demo.timeline import Timeline
from tests.support.kubectl import Kubectl


@dataclass
class Book:
    """Lake, player and kubectl: all they do is to write down what they are asked for."""

    landed: list[tuple[int, int]] = field(default_factory=list)
    metric: list[int] = field(default_factory=list)
    asked_for: list[int] = field(default_factory=list)
    applied: list[str | None] = field(default_factory=list)

    def arrive(self, month: int, half: int) -> str:
        self.landed.append((month, half))
        return f"month {month}"

    def arrive_in_celsius(self, month: int) -> None:
        self.metric.append(month)

    def to_be_played(self, month: int) -> None:
        pass

    def play(self, month: int) -> None:
        self.asked_for.append(month)

    def apply(self, folder: Path) -> str:
        return ""


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def year(book: Book, monkeypatch: pytest.MonkeyPatch) -> Year:
    def write(folder: Path, image: str, data: str | None = None) -> Path:
        book.applied.append(data)
        return folder

    monkeypatch.setattr(overlay, "write", write)
    monkeypatch.setattr(Kubectl, "apply", lambda self, folder: "")
    world: Any = World(book, None, Path("overlay"), "image", {}, "image")  # type: ignore[arg-type]
    return Year(Timeline(Kubectl("none")), world)


def test_each_half_of_a_month_lands_once_when_it_is_over_and_the_next_month_is_asked_for_in_time(
    year: Year, book: Book
) -> None:
    player: Any = book
    for now in (3.0, 3.4, 3.5, 3.6, 4.0, 4.1, 4.6, 5.0, 5.0):
        year._let_time_pass(now, range(3, 5), player)
    assert book.landed == [(3, 0), (3, 1), (4, 0), (4, 1)]
    assert book.asked_for == [4], "no month follows the last one"


def look(revision: str = "bbb", *, quarantine: bool = False, candidate: bool = False, runs: int = 2) -> Seen:
    live = {"version": "v", "revision": revision, "digest": "d"}
    status: dict[str, Any] = {"live": live, "quarantine": [{}] if quarantine else []}
    status |= {"candidate": {}} if not candidate else {"candidate": {"revision": "ccc"}}
    made = [{"metadata": {"uid": str(n), "creationTimestamp": str(n)}, "spec": {}} for n in range(runs)]
    return Seen({"status": {}}, {"status": status}, {}, made, [])


def test_commit_applying_again_and_revert_follow_each_other_and_are_written_down(year: Year, book: Book) -> None:
    year._act(COMMIT, look(candidate=True))
    assert book.applied == []
    year._act(COMMIT, look())
    assert book.metric == [1, 2, 3, 4, 5, 6, 7]
    year._act(9.5, look())
    year._act(10.0, look(quarantine=True))
    year._act(REVERT, look(quarantine=True))
    assert book.applied == ["s3://lake/flights-metric/", "s3://lake/flights-metric/", None]
    assert closing.came_back(year.applied_again) == []


@pytest.mark.parametrize("after", [look("ccc", quarantine=True), look(quarantine=True, runs=3)])
def test_it_is_said_when_applying_again_has_changed_what_serves_or_started_a_run(year: Year, after: Seen) -> None:
    year.done["commit"] = 9.0
    year._act(10.0, look(quarantine=True))
    year._act(REVERT, after)
    assert len(closing.came_back(year.applied_again)) == 1


def test_a_year_that_ends_before_the_look_says_so_and_one_without_a_commit_does_not(year: Year) -> None:
    assert closing.came_back(year.applied_again) == []
    year.done["commit"] = 9.0
    year._act(12.9, look(quarantine=True))
    assert closing.came_back(year.applied_again) == [
        "there was no time to see what applying the same manifests again would bring"
    ]
