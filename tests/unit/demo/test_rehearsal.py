"""What the rehearsal of the year has in its lake, and what it makes of two versions' answers."""

import numpy as np
import pytest
from steadfit.api.strategy import AnalysisMetric

from tests.demo.rehearsal import loop
from tests.demo.rehearsal.traffic import Part, Traffic, lake


@pytest.mark.parametrize(
    ("at", "partitions", "months", "half"),
    [(3.2, 6, [1, 2], 1), (3.5, 6, [1, 2, 3], 0), (9.49, 6, [3, 4, 5, 6, 7, 8], 1), (9.5, 6, [4, 5, 6, 7, 8, 9], 0)],
)
def test_the_lake_holds_the_newest_months_and_the_present_one_once_it_is_half_over(
    at: float, partitions: int, months: list[int], half: int
) -> None:
    there = lake(at, partitions)
    assert sorted({part.month for part in there}) == months
    assert there[-1] == Part(months[-1], half)
    assert there[0] == Part(months[0], 0)


class Answered:
    """A version with about one squared error throughout."""

    def __init__(self, error: float, requests: int) -> None:
        self.squared = error + 0.2 * np.random.default_rng(round(error * 100)).random(requests)


@pytest.mark.parametrize(("error", "word"), [(0.3, "Fail"), (-0.2, "Pass")])
def test_a_version_whose_answers_are_worse_fails_and_one_whose_are_better_passes(
    error: float, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = 20_000
    made_up = Traffic(None, 9 + np.arange(requests) / requests, np.zeros(requests, np.int64))
    monkeypatch.setattr(loop, "traffic", lambda: made_up)
    even = np.arange(requests) % 2 == 0
    new = loop.Arm(Answered(0.3 + error, requests), even)  # type: ignore[arg-type]
    champion = loop.Arm(Answered(0.3, requests), ~even)  # type: ignore[arg-type]
    metric = AnalysisMetric.model_validate({"name": "m", "quality": {"metric": "brier_score", "margin": 0.04}})
    found = loop.look(new, champion, 9.0, 9.9, metric, 9.0)
    assert found is not None
    assert found[0] == pytest.approx(error, abs=0.02)
    assert found[1] == word
    assert loop.look(new, champion, 9.0, 9.1, metric, 9.0) is None
