from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit.core.text import LONGEST_TAIL as LONGEST
from steadfit.core.text import log_tail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("\n \n", ""),
        ("one", "one"),
        ("a\nb\nc\nd\n", "b | c | d"),
        (f"{'x' * 600}\nlast", "last"),
        ("x" * 600, "…" + "x" * 511),
    ],
)
def test_the_tail_is_the_last_lines_that_fit(text: str, expected: str) -> None:
    assert log_tail(text) == expected


@given(st.text())
def test_the_tail_is_one_line_of_readable_length(text: str) -> None:
    tail = log_tail(text)
    assert len(tail) <= LONGEST
    assert len(tail.splitlines()) <= 1
