"""On bad days (lost answers, conflicts, late and broken watches, sudden deaths) every story still comes to its end.

`SEEDS=500` plays so many days of every story instead of a few; a failure names its seed, and the same seed fails again.
"""

from __future__ import annotations

import os

import pytest

from tests.support import effort

from .harness import play, rough
from .parallel import failures, report
from .scenarios import RACES, SCENARIOS, Scenario

SEEDS = int(os.environ.get("SEEDS", "1" if effort.SAMPLE else "4"))


@pytest.mark.timeout(60 + 20 * SEEDS)
@pytest.mark.parametrize("scenario", effort.stories(SCENARIOS + RACES), ids=lambda scenario: scenario.__name__)
def test_bad_days_end_well(scenario: Scenario) -> None:
    def check(seed: int) -> str | None:
        play(scenario, rough(seed), seed, restart=False)
        return None

    found = failures(check, range(SEEDS))
    assert not found, report(found)
