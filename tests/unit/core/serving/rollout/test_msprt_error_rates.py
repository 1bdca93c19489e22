"""How often the verdicts of a canary are wrong, and how soon they are right, by simulation.

An identical candidate is found worse in at most 1 % of the rollouts over 30 looks, whatever the rate, the traffic and
the shares are, and also when clients keep connections.
"""

from __future__ import annotations

import numpy as np
import pytest
from steadfit.api.strategy import AnalysisMetric
from steadfit.core.serving.rollout import stratified_difference
from steadfit.core.serving.rollout.analysis import compare
from steadfit.core.serving.rollout.msprt import Tolerance, sequential_test
from steadfit.core.serving.rollout.stratified_difference import Slice, pair, share_variance
from steadfit.core.types import Arm, Compared

from . import simulated_rollouts
from .simulated_rollouts import Traffic, brier, connections, independent, outcomes, share

MARGIN = 0.01
AT_MOST = 0.01


def rng() -> np.random.Generator:
    return np.random.default_rng(20260101)


def test_the_simulation_finds_what_the_operator_does() -> None:
    traffic = independent(rng(), 40, 400, 3, 0.025, 0.01)
    failed, passed = outcomes(traffic, MARGIN)
    assert len({*failed, *passed}) > 5
    for number in range(1, simulated_rollouts.LOOKS + 1):
        found = simulated_rollouts.sequential_test(traffic, number)
        for index in range(40):
            variance = float(found.variance[index])
            word = sequential_test(float(found.harm[index]), variance, Tolerance.fixed(MARGIN, variance)).verdict
            if found.enough[index] and found.events[index] and number <= min(failed[index], passed[index]):
                assert (word == "Fail") == (failed[index] == number)
                assert (word == "Pass") == (passed[index] == number)


def test_the_simulation_of_a_relative_margin_finds_what_the_operator_does() -> None:
    metric = AnalysisMetric.model_validate({"name": "errors", "errorRate": {"margin": "50%"}})
    traffic = independent(rng(), 40, 600, 3, 0.06, 0.05)
    failed, passed = outcomes(traffic, 0.5, relative=True)
    assert len({*failed, *passed}) > 5
    for number in (3, 9, 17, 30):
        found = simulated_rollouts.sequential_test(traffic, number)
        counts = traffic.candidate[:, :number].sum(1), traffic.champion[:, :number].sum(1)
        for index in range(40):
            champion = Arm(counts[1][index], float(found.champion[index]), float(found.champion_variance[index]))
            mean = float(traffic.candidate_sum[index, :number].sum() / counts[0][index])
            candidate = Arm(counts[0][index], mean, float(found.variance[index]) - champion.variance)
            word = compare(metric, Compared(difference=float(found.harm[index])), candidate, champion).verdict
            if found.enough[index] and found.events[index] and number <= min(failed[index], passed[index]):
                assert (word == "Fail") == (failed[index] == number)
                assert (word == "Pass") == (passed[index] == number)


def test_the_simulation_estimates_what_the_operator_does() -> None:
    draws = rng()
    for number in (1, 7, 8, 30):
        traffic = connections(draws, 20, 300, 3, 10, harm=0.02)
        found = simulated_rollouts.sequential_test(traffic, number)
        for index in range(20):
            columns = (traffic.candidate, traffic.candidate_sum, traffic.champion, traffic.champion_sum)
            parts = [part[index, :number] for part in columns]
            slices = [Slice(*map(float, values)) for values in zip(*parts, strict=True)]
            totals = [float(part.sum()) for part in parts]
            both = pair(slices, share_variance(totals[0], totals[1]), share_variance(totals[2], totals[3]))
            assert both is not None
            assert both.difference == pytest.approx(found.harm[index])
            assert both.candidate.variance + both.champion.variance == pytest.approx(found.variance[index])


@pytest.mark.parametrize("ratio", [1, 3, 9])
@pytest.mark.parametrize("requests", [100, 1000])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.02, 0.05, 0.2])
def test_an_identical_candidate_is_hardly_ever_found_worse(rate: float, requests: int, ratio: int) -> None:
    failed, _ = outcomes(independent(rng(), 400, requests, ratio, rate, rate), MARGIN)
    assert share(failed) <= AT_MOST


@pytest.mark.parametrize("ratio", [1, 3, 9])
def test_an_identical_candidate_is_hardly_ever_found_worse_by_squared_errors(ratio: int) -> None:
    failed, _ = outcomes(brier(rng(), 200, 40, ratio, 0.0), 0.02)
    assert share(failed) <= AT_MOST


@pytest.mark.parametrize("ratio", [1, 3, 9])
@pytest.mark.parametrize(("requests", "by_client"), [(100, 10), (100, 50), (300, 50), (1000, 100)])
def test_an_identical_candidate_is_hardly_ever_found_worse_when_clients_keep_connections(
    requests: int, by_client: int, ratio: int
) -> None:
    # Arms of one size are the hardest case.
    many = 1500 if ratio == 1 else 400
    failed, _ = outcomes(connections(rng(), many, requests, ratio, by_client), MARGIN)
    assert share(failed) <= AT_MOST


def test_without_the_design_effect_kept_connections_would_put_good_candidates_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traffic = connections(rng(), 300, 1000, 1, 50)
    monkeypatch.setattr(stratified_difference, "BOUND", 1.0)
    monkeypatch.setattr(stratified_difference, "FEWEST", 100)
    failed, _ = outcomes(traffic, MARGIN)
    assert share(failed) > 0.3


def test_what_befalls_both_arms_at_once_is_not_put_down_to_the_candidate() -> None:
    # A burst of errors after the candidate's share has grown: by totals it would have 6 %, the champion 1 %.
    share_then = np.where(np.arange(simulated_rollouts.LOOKS) < 15, 100.0, 500.0)
    n_c = np.tile(share_then, (400, 1))
    n_s = 1000 - n_c
    rate = np.full(simulated_rollouts.LOOKS, 0.01)
    rate[16:20] = 0.2
    draws = rng()
    e_c, e_s = (draws.binomial(part.astype(int), rate).astype(float) for part in (n_c, n_s))
    failed, _ = outcomes(Traffic(n_c, e_c, n_s, e_s), MARGIN)
    assert share(failed) <= AT_MOST


@pytest.mark.parametrize(("requests", "within"), [(1000, 12), (300, 18), (100, 30)])
def test_twice_the_errors_are_found_within_a_few_looks(requests: int, within: int) -> None:
    failed, passed = outcomes(independent(rng(), 300, requests, 3, 0.10, 0.05), MARGIN)
    assert np.median(failed) <= within
    assert share(passed) <= AT_MOST


def test_a_candidate_that_fails_half_of_the_time_is_found_within_two_minutes() -> None:
    failed, _ = outcomes(independent(rng(), 300, 100, 3, 0.50, 0.01), MARGIN)
    assert np.max(failed) <= 8


def test_worse_answers_are_found_by_squared_errors() -> None:
    failed, passed = outcomes(brier(rng(), 100, 60, 3, 0.35), 0.02)
    assert np.median(failed) <= 15
    assert share(passed) == 0


def test_a_harm_is_found_also_when_clients_keep_connections() -> None:
    failed, _ = outcomes(connections(rng(), 200, 1000, 3, 50, harm=0.3), MARGIN)
    assert np.median(failed) <= 15


@pytest.mark.parametrize(("rate", "requests", "within"), [(0.001, 300, 10), (0.01, 300, 20), (0.01, 1000, 12)])
def test_an_identical_candidate_is_let_through(rate: float, requests: int, within: int) -> None:
    _, passed = outcomes(independent(rng(), 300, requests, 3, rate, rate), MARGIN)
    assert np.median(passed) <= within


@pytest.mark.parametrize("requests", [100, 1000])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05])
def test_a_candidate_that_is_worse_by_the_margin_is_hardly_ever_let_through(rate: float, requests: int) -> None:
    _, passed = outcomes(independent(rng(), 400, requests, 1, rate + MARGIN, rate), MARGIN)
    assert share(passed) <= 0.05


def test_a_candidate_that_is_worse_by_the_margin_is_hardly_ever_let_through_when_clients_keep_connections() -> None:
    _, passed = outcomes(connections(rng(), 300, 1000, 1, 50, harm=MARGIN), MARGIN)
    assert share(passed) <= 0.05


@pytest.mark.parametrize("ratio", [1, 3, 9])
@pytest.mark.parametrize("requests", [100, 1000])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.2])
def test_an_identical_candidate_is_hardly_ever_found_worse_by_a_relative_margin(
    rate: float, requests: int, ratio: int
) -> None:
    failed, _ = outcomes(independent(rng(), 400, requests, ratio, rate, rate), 0.2, relative=True)
    assert share(failed) <= AT_MOST


@pytest.mark.parametrize("part", [0.2, 1.0])
@pytest.mark.parametrize("requests", [100, 1000])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05])
def test_a_candidate_that_is_worse_by_a_relative_margin_is_hardly_ever_let_through(
    rate: float, requests: int, part: float
) -> None:
    _, passed = outcomes(independent(rng(), 400, requests, 1, rate * (1 + part), rate), part, relative=True)
    assert share(passed) <= 0.05


def test_a_broken_candidate_is_found_within_two_minutes_beside_a_champion_that_fails_nothing() -> None:
    failed, _ = outcomes(independent(rng(), 300, 100, 3, 0.50, 0.0), 0.2, relative=True)
    assert np.max(failed) <= 8


def test_an_identical_candidate_is_let_through_by_a_relative_margin() -> None:
    _, passed = outcomes(independent(rng(), 300, 1000, 3, 0.05, 0.05), 0.5, relative=True)
    assert np.median(passed) <= 15
