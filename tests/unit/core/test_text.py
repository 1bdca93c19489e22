"""What is too long for a status is cut where one sees it."""

from steadfit.core.text import LONGEST, cut


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert cut("x" * LONGEST) == "x" * LONGEST


def test_a_text_that_does_not_fit_ends_in_an_ellipsis() -> None:
    assert cut("one two", 4) == "one…"
    assert len(cut("x" * 5000)) == LONGEST
