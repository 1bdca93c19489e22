"""Killed before or after any of its writes, or frozen at it, the operator comes to the same end as if nothing had been.

The two stories that pass every kind of write are hit at every write; what is left behind by a process that dies is in
the cluster, so it is not killed before a write when nothing has changed there since it was killed after the one before.
Of the other stories a sample is hit by default, spread evenly; `CRASHES=all` hits them all, everywhere (some minutes).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache

import pytest

from .branching import Target, failures_of_hits
from .client import Blow
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
"""How many blows a story gets by default, of some hundred possible ones."""


def targets(reference: Outcome, blows: tuple[Blow, ...]) -> Iterator[Target]:
    for write in reference.trace:
        for blow in blows:
            yield write.number, blow


@cache
def clean(scenario: Scenario) -> Outcome:
    """Return how a story ends when nothing goes wrong."""
    return play(scenario)


def different(all_: list[Target], reference: Outcome) -> list[Target]:
    """Leave out each blow before a write that finds the cluster as the blow after the write before does."""
    if os.environ.get("CRASHES") == "all":
        return all_
    return [(number, blow) for number, blow in all_ if blow != "before" or not reference.trace[number - 1].at_once]


def spread(all_: list[Target], count: int) -> list[Target]:
    """Return so many targets, evenly spread. An odd step meets every kind of blow."""
    if os.environ.get("CRASHES") == "all":
        return all_
    step = max(1, len(all_) // count) | 1
    return all_[::step]


def survives(scenario: Scenario, blows: tuple[Blow, ...], count: int | None) -> None:
    reference = clean(scenario)
    every = list(targets(reference, blows))

    hits = different(every, reference) if count is None else spread(every, count)
    found = failures_of_hits(scenario, hits, lambda outcome: "\n".join(differences(reference, outcome)))
    named = [((number, blow, str(reference.trace[number - 1])), text) for (number, blow), text in found]
    assert not found, report(named)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", EXHAUSTIVE, ids=lambda scenario: scenario.__name__)
def test_killed_at_every_write_it_comes_to_the_same_end(scenario: Scenario) -> None:
    survives(scenario, ("before", "after"), None)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", OTHERS, ids=lambda scenario: scenario.__name__)
def test_killed_at_a_write_it_comes_to_the_same_end(scenario: Scenario) -> None:
    survives(scenario, ("before", "after"), SAMPLE)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_frozen_at_a_write_and_thawed_beside_the_next_leader_it_does_no_harm(scenario: Scenario) -> None:
    survives(scenario, ("frozen",), SAMPLE // 2)
