"""Who does what when in the demo's year."""

import pytest

from tests.demo.calendar import COMMIT, LATEST_COMMIT, LOOKED_AT, REVERT, Act, Situation, due, played, time_of


def at(time: float, *, idle: bool = True, quarantined: bool = False, **done: float) -> Act | None:
    names: dict[str, Act] = {"commit": "commit", "again": "apply again", "revert": "revert"}
    return due(Situation(time, idle, quarantined, {names[name]: when for name, when in done.items()}))


def test_the_commit_waits_for_a_rollout_but_not_for_ever() -> None:
    assert at(COMMIT - 0.01) is None
    assert at(COMMIT) == "commit"
    assert at(COMMIT, idle=False) is None
    assert at(LATEST_COMMIT, idle=False) == "commit"


def test_the_same_manifests_are_applied_again_once_the_version_is_in_quarantine() -> None:
    assert at(9.5, commit=9.0) is None
    assert at(9.5, quarantined=True, commit=9.0) == "apply again"


def test_the_commit_is_reverted_after_a_look_at_what_applying_again_brings() -> None:
    assert at(REVERT - 0.01, quarantined=True, commit=9.0, again=9.5) is None
    assert at(REVERT, quarantined=True, commit=9.0, again=9.5) == "revert"
    late = REVERT + 1
    assert at(late, quarantined=True, commit=9.0, again=late - LOOKED_AT / 2) is None
    assert at(late + LOOKED_AT, quarantined=True, commit=9.0, again=late) == "revert"
    assert at(12, quarantined=True, commit=9.0, again=9.5, revert=11.0) is None


def test_without_a_quarantine_nothing_is_applied_again_or_reverted() -> None:
    assert at(12.9, commit=9.0) is None


def test_a_short_demo_plays_the_months_after_those_that_were_learned_from() -> None:
    assert list(played(3)) == [3]
    assert list(played(12)) == list(range(3, 13))


@pytest.mark.parametrize("months", [0, 2, 13])
def test_a_year_has_three_to_twelve_months(months: int) -> None:
    with pytest.raises(ValueError, match="3 to 12 months"):
        played(months)


@pytest.mark.parametrize(("played_", "time"), [(0.0, 9.0), (0.25, 9.25), (1.0, 10.0), (1.5, 10.0)])
def test_the_time_of_the_year_is_the_month_and_how_much_of_it_was_played(played_: float, time: float) -> None:
    assert time_of({"month": "month=2013-09", "played": played_}) == time
