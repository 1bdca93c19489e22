"""The tours of docs/architecture.md lead through files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PLACES = (ROOT, ROOT / "operator" / "steadfit", ROOT / "images")
# A path in backticks: folders and files with a slash, such as `core/rules/groups.py`.
PATHS = sorted(set(re.findall(r"`([a-z_]+(?:/[a-z_]+)+(?:\.py|/)?)`", PAGE)))
TOURS = re.findall(r"^## One [^\n]*\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", PATHS)
def test_every_path_on_the_page_exists(path: str) -> None:
    assert any((place / path).exists() for place in PLACES)


def test_a_tour_has_at_most_ten_stops_in_order() -> None:
    stops = [[int(number) for number in re.findall(r"^(\d+)\. ", tour, re.MULTILINE)] for tour in TOURS]
    assert len(stops) == 3
    for tour in stops:
        assert tour == list(range(1, len(tour) + 1))
        assert len(tour) <= 10
