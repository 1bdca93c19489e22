"""The picture of a year that is made up."""

from pathlib import Path

from tests.demo.picture import LANES, Mark, Story, marks_of, write

STEPS = [
    {"name": "trained", "detail": {"month": 1}},
    {"name": "retrained", "detail": {"month": 3.9, "version": "flights-v2"}},
    {"name": "canaried", "detail": {"month": 4.1, "version": "flights-v2", "actualWeight": 33}},
    {"name": "diagnosed", "detail": {"month": 7.9, "verdict": "ConceptDrift", "monitor": "quality"}},
    {"name": "refused", "detail": {"month": 11.4, "version": "flights-v6", "verdict": "Fail"}},
]
CURVES = {name: {month: 0.6 + month / 100 for month in range(2, 13)} for name in ("live", "never", "monthly")}
SUMMARY = {"auc": dict.fromkeys(CURVES, 0.67), "runs": {"live": 6, "never": 1, "monthly": 11}}


def test_marks_say_when_what_happened_to_which_version() -> None:
    assert marks_of(STEPS) == [
        Mark(3.9, "retrained", "v2"),
        Mark(4.1, "canaried", "v2 33 %"),
        Mark(7.9, "diagnosed", "ConceptDrift"),
        Mark(11.4, "refused", "v6"),
    ]


def test_picture_and_page_are_written_and_the_page_needs_no_other_file(tmp_path: Path) -> None:
    write(Story(CURVES, [(2.5, 0.2), (3.6, 0.5)], 0.35, marks_of(STEPS), SUMMARY), tmp_path)
    assert (tmp_path / "year.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "year.html").read_text()
    assert 'src="data:image/png;base64,' in page
    assert "http" not in page.replace("data:image", "")
    assert "<td>3.90</td><td>retrained</td><td>v2</td>" in page


def test_every_lane_has_a_mark_that_belongs_there() -> None:
    assert set(LANES.values()) == set(range(7))
