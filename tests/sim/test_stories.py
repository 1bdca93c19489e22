"""Every story comes to its good end, every property holds at every commit, and at rest nothing is written."""

from __future__ import annotations

import pytest

from .harness import play
from .scenarios import RACES, SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS + RACES, ids=lambda scenario: scenario.__name__)
def test_the_story_comes_to_its_end(scenario: Scenario) -> None:
    play(scenario)


def test_the_same_seed_gives_the_same_writes() -> None:
    first, second = play(SCENARIOS[1], seed=5), play(SCENARIOS[1], seed=5)
    assert [str(write) for write in first.trace] == [str(write) for write in second.trace]
    assert first.objects == second.objects
