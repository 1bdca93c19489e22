"""Texts in statuses: cut where one sees it, and the end of a log as one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit.core.text import LONGEST, LONGEST_TAIL, cut, is_cut_of, log_tail, stored_length, with_tail


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert cut("x" * LONGEST) == "x" * LONGEST


def test_a_text_that_does_not_fit_ends_in_an_ellipsis() -> None:
    assert cut("one two", 4) == "one…"
    assert len(cut("x" * 5000)) == LONGEST


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("\n \n", ""),
        ("one", "one"),
        ("a\nb\nc\nd\n", "b | c | d"),
        (f"{'x' * 600}\nlast", "last"),
        ("x" * 600, "…" + "x" * 511),
        ('{"level": "error", "message": "no disk", "time": 1}', "no disk"),
        ('{"msg": "no disk"}\nTraceback', "no disk | Traceback"),
        ('{"message": "it ends", "exception": "Traceback\\n  File\\nOSError: x"}', "it ends: OSError: x"),
        ('{"message": "two\\nlines"}', "two lines"),
        ('{"level": "error"}', '{"level": "error"}'),
        ('{"message": "cut of', '{"message": "cut of'),
        ('{"a":' * 2000, "…" + ('{"a":' * 2000)[-511:]),
    ],
)
def test_the_tail_is_the_last_lines_that_fit(text: str, expected: str) -> None:
    assert log_tail(text) == expected


@given(st.text())
def test_the_tail_is_one_line_of_readable_length(text: str) -> None:
    tail = log_tail(text)
    assert len(tail) <= LONGEST_TAIL
    assert len(tail.splitlines()) <= 1


@given(st.text(), st.text(max_size=10), st.integers(70, 200))
def test_a_tail_is_kept_whole_and_the_text_before_it_is_cut(text: str, tail: str, longest: int) -> None:
    found = with_tail(text, tail, longest)
    assert found.endswith(tail)
    assert stored_length(found) <= longest + len("…".encode()) - 1
    assert is_cut_of(found[: len(found) - len(tail)], text)


def test_a_text_is_no_cut_of_one_that_begins_otherwise() -> None:
    assert is_cut_of("on…", "one")
    assert not is_cut_of("on", "one")
    assert not is_cut_of("on…", "two")
