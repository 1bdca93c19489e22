"""The front blocks of the design records, and their index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
INDEX = ROOT / "docs/design/README.md"
RECORDS = sorted([*(ROOT / "docs/design").glob("0*.md"), *(ROOT / "tests/demo/design").glob("0*.md")])

FRONT = re.compile(
    r"# (?P<number>\d{4}): (?P<title>.+)\n\n"
    r"- Date: (?P<date>\d{4}-\d\d-\d\d)\n"
    r"- Status: (?P<status>Accepted|Superseded by [^;\n]+)(?:; amended by (?P<amended>.+))?\n"
    r"(?:- Amends: (?P<amends>.+)\n)?\n"
)
ROW = re.compile(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+?) \| (.+?) \| (.+?) \| .+ \|$", re.MULTILINE)


def front(record: Path) -> dict[str, str]:
    found = FRONT.match(record.read_text())
    assert found, f"{record.name} does not begin with the front block that docs/design/README.md shows"
    return {name: value or "" for name, value in found.groupdict().items()}


def numbers(links: str) -> set[str]:
    return set(re.findall(r"\[(\d{4})\]", links))


def status(block: dict[str, str]) -> str:
    return f"Amended by {', '.join(sorted(numbers(block['amended'])))}" if block["amended"] else block["status"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_begins_with_its_number_title_date_and_status(record: Path) -> None:
    assert front(record)["number"] == record.name[:4]


def test_no_two_records_have_one_number() -> None:
    assert len({record.name[:4] for record in RECORDS}) == len(RECORDS)


def test_both_sides_of_an_amendment_name_it() -> None:
    blocks = [front(record) for record in RECORDS]
    amends = {(block["number"], other) for block in blocks for other in numbers(block["amends"])}
    assert amends == {(other, block["number"]) for block in blocks for other in numbers(block["amended"])}


def test_the_index_lists_every_record_with_its_title_status_and_date() -> None:
    listed = sorted(
        (number, (INDEX.parent / path).resolve(), *rest) for number, path, *rest in ROW.findall(INDEX.read_text())
    )
    blocks = [(record, front(record)) for record in RECORDS]
    assert listed == sorted((b["number"], record, b["title"], status(b), b["date"]) for record, b in blocks)
