"""What is said of the year, from answers that are made up."""

import numpy as np
import pytest

from tests.demo import rivals
from tests.demo.year import Answers, curves, shortfalls, summary

LATE = np.array([0, 0, 1, 1])


def test_others_are_judged_on_the_flights_that_were_asked_about_and_on_no_other() -> None:
    answers = {5: Answers(np.array([3, 1]), np.array([0.9, 0.1]), np.array([1, 1]))}
    others = {"never": {5: np.array([0.9, 0.2, 0.9, 0.1])}}
    assert curves(answers, {5: LATE}, others) == {"live": {5: 1.0}, "never": {5: 0.0}}


def said(live: float, never: float = 0.66, monthly: float = 0.68, runs: int = 5) -> list[str]:
    found = {"live": {2: live}, "never": {2: never}, "monthly": {2: monthly}}
    return shortfalls(summary(found, {"live": runs, "never": 1, "monthly": 11}))


def test_a_year_keeps_its_promises_just_below_monthly_retraining_and_above_none() -> None:
    assert said(0.675) == []
    assert said(0.69) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (said(0.66, never=0.66, monthly=0.66), "not above 0.66"),
        (said(0.6749), "more than 0.005 below 0.68"),
        (said(0.69, runs=11), "11 runs"),
    ],
)
def test_a_broken_promise_is_said(wrong: list[str], sentence: str) -> None:
    assert len(wrong) == 1
    assert sentence in wrong[0]


def test_the_mean_is_over_months_each_counting_the_same() -> None:
    assert summary({"live": {2: 0.6, 3: 0.7}}, {})["auc"] == {"live": 0.65}


def test_the_monthly_one_learns_from_the_two_months_that_are_over() -> None:
    assert [list(rivals.learned_from(month)) for month in (3, 4, 12)] == [[1, 2], [2, 3], [10, 11]]


def test_it_takes_one_run_a_month() -> None:
    assert rivals.runs(12) == {"never": 1, "monthly": 10}
