"""The simulation of the benchmark computes what the operator does."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from steadfit.core.serving.evidence import starts
from steadfit.core.serving.evidence.cell import Cell
from steadfit.core.serving.evidence.evidence import Evidence

from benchmarks.detector import alarms, delays, fresh_steps, rng
from benchmarks.simulated_canaries import BEFORE, Array, Bets, Fresh, Kept

CANARIES = 4


def test_the_simulation_of_fresh_connections_computes_what_the_operator_does() -> None:
    draws, bets, evidences = rng(), Bets(CANARIES), [Evidence(0) for _ in range(CANARIES)]
    for second in range(200):
        asked = draws.poisson(5, (2, CANARIES)) + 1
        bad = draws.binomial(asked, 0.02 if second < 180 else 0.3)
        bets.add(second, bad[0], bad.sum(0), asked[0] / asked.sum(0))
        for index, evidence in enumerate(evidences):
            mine, others = (
                [
                    Cell(second, f"{second}.{number}", 1, int(number < bad[arm, index]))
                    for number in range(asked[arm, index])
                ]
                for arm in (0, 1)
            )
            evidence.add(second, mine, others)
    assert bets.value == pytest.approx([evidence.value for evidence in evidences])


@pytest.mark.parametrize("ends_when_bad", [False, True])
def test_the_simulation_of_kept_connections_computes_what_the_operator_does(ends_when_bad: bool) -> None:
    said: list[tuple[Array, Array, Array, Array]] = []
    canaries = Kept(rng(), CANARIES, ends_when_bad=ends_when_bad, uneven=0.2, log=lambda *parts: said.append(parts))
    evidences = [Evidence(0, -BEFORE) for _ in range(CANARIES)]
    canaries.before(np.full(CANARIES, 0.01))
    for second in range(-BEFORE, 150):
        if second >= 0:
            candidate = np.full(CANARIES, 0.01 if second < 100 else 0.4)
            canaries.second(second, candidate, np.full(CANARIES, 0.01))
        arm, names, asked, bad = said.pop(0)
        for index, evidence in enumerate(evidences):
            arms: tuple[list[Cell], list[Cell]] = ([], [])
            for client in range(canaries.clients):
                cell = Cell(second, str(names[index, client]), int(asked[index, client]), int(bad[index, client]))
                arms[0 if arm[index, client] else 1].append(cell)
            evidence.add(second, *arms)
        if not said:
            assert canaries.bets.value == pytest.approx([evidence.value for evidence in evidences])


def test_a_broken_candidate_is_found_within_seconds() -> None:
    canaries = partial(Fresh, number=300)
    assert delays("", canaries, 0, 1.0, 0.005)[0].value <= 2
    assert delays("", canaries, 0, 0.5, 0.005)[0].value <= 3
    assert delays("", canaries, 600, 1.0, 0.005)[0].value <= 3


def test_an_identical_candidate_passes_within_minutes() -> None:
    assert np.median([fresh_steps(index, 0.01, 0.01, 420) for index in range(20)]) < 420


def test_an_identical_candidate_hardly_ever_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    # Ten minutes hold more than half of alpha; the benchmark simulates a day.
    monkeypatch.setattr("benchmarks.detector.DAY", 600)
    for canaries in (partial(Fresh, number=300), partial(Kept, number=300, uneven=0.1)):
        assert alarms("", canaries, 0.01, bursts=True)[0].value <= 1


def test_clients_that_differ_do_not_fail_a_candidate_whose_connections_are_all_new() -> None:
    # One connection in ten fails 30 % of its requests. The champion's have gone bad before the candidate comes.
    canaries, base = Kept(rng(), 1500, rate=400, clients=64, uneven=0.1), np.full(1500, 0.01)
    highest = np.zeros(1500)
    canaries.before(base)
    for second in range(40):
        canaries.second(second, base, base)
        highest = np.maximum(highest, canaries.bets.value)
    # Ville's bound, and half of it more for chance; without the share of the young voices it is three times as much.
    assert np.mean(highest >= 20) <= 1.5 * starts.spent(39, 0, 39) / 20
