"""Killed before or after any of its writes, or frozen at it, the operator comes to the same end as if nothing had been.

The two stories that pass every kind of write are hit at every write; what is left behind by a process that dies is in
the cluster, so it is not killed before a write when nothing has changed there since it was killed after the one before.
Of the other stories a sample is hit by default, spread evenly; `EFFORT=all` hits them all, everywhere (some minutes).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from tests.support import effort

from .branching import Target, failures_of_hits
from .client import Interruption
from .harness import Outcome, differences, play
from .parallel import report
from .scenarios import (
    SCENARIOS,
    Scenario,
    a_change_in_the_middle_of_a_run_supersedes_it,
    a_changed_recipe_is_retrained_and_traffic_moves,
)

EXHAUSTIVE = (a_changed_recipe_is_retrained_and_traffic_moves, a_change_in_the_middle_of_a_run_supersedes_it)
OTHERS = tuple(scenario for scenario in SCENARIOS if scenario not in EXHAUSTIVE)
SAMPLE = 8
"""How many interruptions a story gets by default, of some hundred possible ones."""


def targets(reference: Outcome, interruptions: tuple[Interruption, ...]) -> Iterator[Target]:
    for write in reference.trace:
        for interruption in interruptions:
            yield write.number, interruption


@cache
def clean(scenario: Scenario) -> Outcome:
    """Return how a story ends when nothing goes wrong."""
    return play(scenario)


def different(all_: list[Target], reference: Outcome) -> list[Target]:
    """Drop interruptions before a write if the one after the previous write finds the cluster in the same state."""
    if effort.ALL:
        return all_
    return [
        (number, interruption)
        for number, interruption in all_
        if interruption != "before" or not reference.trace[number - 1].at_once
    ]


def survives(scenario: Scenario, interruptions: tuple[Interruption, ...], count: int | None) -> None:
    reference = clean(scenario)
    all_ = list(targets(reference, interruptions))

    hits = effort.every(different(all_, reference)) if count is None else effort.spread(all_, count)
    found = failures_of_hits(scenario, hits, lambda outcome: "\n".join(differences(reference, outcome)))
    named = [((number, interruption, str(reference.trace[number - 1])), text) for (number, interruption), text in found]
    assert not found, report(named)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", EXHAUSTIVE, ids=lambda scenario: scenario.__name__)
def test_killed_at_every_write_it_comes_to_the_same_end(scenario: Scenario) -> None:
    survives(scenario, ("before", "after"), None)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", effort.stories(OTHERS), ids=lambda scenario: scenario.__name__)
def test_killed_at_a_write_it_comes_to_the_same_end(scenario: Scenario) -> None:
    survives(scenario, ("before", "after"), SAMPLE)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", effort.stories(SCENARIOS), ids=lambda scenario: scenario.__name__)
def test_frozen_at_a_write_and_thawed_beside_the_next_leader_it_does_no_harm(scenario: Scenario) -> None:
    survives(scenario, ("frozen",), SAMPLE // 2)
