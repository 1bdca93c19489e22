"""The report, the tables and the picture of canaries, from numbers that are made up."""

from __future__ import annotations

import re
import time
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.canary_picture import WIDTH, picture
from benchmarks.canary_results import results
from benchmarks.canary_tables import BEGIN, END, replaced
from benchmarks.detector import simulations
from benchmarks.result import Result, read, write
from benchmarks.simulation_cache import simulated

ROOT = Path(__file__).parents[3]
TRIALS = [{"total": 1.2, "mechanism": mechanism, "failed": 17.0} for mechanism in (0.6, 2.0, 0.5)]
PUBLISHED = (
    "breachToTrafficP95Seconds100",
    "breachToTrafficP95Seconds50",
    "breachToTrafficP95Seconds10",
    "breachToTrafficLateP95Seconds",
    "breachToTrafficKeptP95Seconds100",
    "latencyBreachP95Seconds",
)


def made_up() -> dict[str, Result]:
    """Return a result for each name that the simulations give."""
    names = [f"{name}{kind}" for name in simulations(1, 1) for kind in ("", "Failed", "Median", "Limit")]
    return {name: Result(name, 3.0, "s", "median 1.00; n 10") for name in names}


def published() -> dict[str, Result]:
    return {one.name: one for one in results(made_up(), TRIALS)}


def test_what_is_published_is_the_tests_95th_percentile_and_the_mechanisms_maximum() -> None:
    found = published()
    assert found["breachToTrafficP95Seconds100"].value == 3.0 + 2.0
    assert found["breachToTrafficP95Seconds100Failed"].value == 3.0 + 2.0 * 12.5
    assert found["breachToTrafficP95Seconds50Failed"].value == 3.0 + 2.0 * 12.5 / 2
    assert found["latencyBreachP95Seconds"].value == 3.0 + 2.0 + 10
    assert found["letThroughP90Seconds"].value == 3.0 + 2 * 2.0
    assert found["mechanismSeconds"].value == 2.0


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_delay_is_published_with_the_failed_requests_beside_it(name: str) -> None:
    assert {name, f"{name}Failed"} <= published().keys()


def test_the_picture_is_svg_whose_marks_lie_within_it() -> None:
    root = ElementTree.fromstring(picture(published(), made_up()))
    places = [float(each.attrib[key]) for each in root.iter() for key in ("x", "cx", "x1", "x2") if key in each.attrib]
    assert 0 <= min(places) <= max(places) <= WIDTH


def test_the_tables_are_replaced_between_their_marks_however_often() -> None:
    document = (ROOT / "docs/benchmarks.md").read_text()
    assert document.count(BEGIN) == document.count(END) == 1
    once = replaced(document, published(), made_up(), "2 processors")
    assert replaced(once, published(), made_up(), "2 processors") == once
    assert once.partition(BEGIN)[0] == document.partition(BEGIN)[0]
    assert once.partition(END)[2] == document.partition(END)[2]
    assert len(re.findall(r"^\| ", once, re.MULTILINE)) > 20


def test_a_result_is_kept_until_what_it_is_built_from_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def values(size: int) -> list[float]:
        return [one.value for one in simulated({"one": partial(sized, size)}, tmp_path)]

    write(tmp_path / "source", [])
    monkeypatch.setattr("benchmarks.simulation_cache.SOURCES", [tmp_path / "source"])
    first = values(1)
    assert values(1) == first
    second = values(2)
    assert second != first, "another size"
    write(tmp_path / "source", [Result("changed", 0.0, "", "")])
    assert values(2) != second, "another source"


def sized(size: int) -> list[Result]:
    """Return another value each time."""
    return [Result("one", time.time() + size, "", "")]


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "new" / "report.json", published().values())
    assert {one.name: one for one in read(tmp_path / "new" / "report.json")} == published()
