from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit.core.serving.evidence import bet

SHARES = st.floats(0.0, 1.0)


@given(share=SHARES, part=st.floats(0.0, 1.0), both=st.integers(1, 40), ratio=st.sampled_from(bet.RATIOS))
def test_a_factor_is_at_most_1_in_expectation_whatever_went_bad(
    share: float, part: float, both: int, ratio: float
) -> None:
    # Every voice that went bad is the candidate's with the largest share, or with a smaller one.
    chance = share * part
    expected = sum(
        math.comb(both, mine)
        * chance**mine
        * (1 - chance) ** (both - mine)
        * math.exp(bet.gain(mine, both, share, ratio))
        for mine in range(both + 1)
    )
    assert expected <= 1 + 1e-9


@pytest.mark.parametrize("ratio", bet.RATIOS)
@pytest.mark.parametrize(("mine", "others", "bad"), [(1, 3, 2), (3, 9, 5), (12, 37, 12), (5, 5, 9), (2, 0, 1)])
def test_a_factor_is_at_most_1_in_expectation_for_draws_from_the_voices_of_a_second(
    mine: int, others: int, bad: int, ratio: float
) -> None:
    # Draws without replacement vary less than independent ones, and the factor is convex (Hoeffding).
    total = math.comb(mine + others, bad)
    expected = sum(
        math.comb(mine, k)
        * math.comb(others, bad - k)
        / total
        * math.exp(bet.gain(k, bad, mine / (mine + others), ratio))
        for k in range(max(0, bad - others), min(mine, bad) + 1)
    )
    assert expected <= 1 + 1e-9


def test_the_sum_over_all_starting_times_is_one_number() -> None:
    begun, factors = [0.3, 0.1, 0.05, 0.2], [0.5, -0.7, 1.1, 0.2]
    total = 0.0
    for share, factor in zip(begun, factors, strict=True):
        total = bet.after(total, share, factor)
    each = [share * math.exp(sum(factors[start:])) for start, share in enumerate(begun)]
    assert total == pytest.approx(sum(each))


@pytest.mark.parametrize("begun", [(0.9, 0.05, 0.05), (0.2, 0.2, 0.6), (0.0, 1.0, 0.0)])
def test_the_sum_grows_in_expectation_by_no_more_than_the_bets_that_begin(begun: tuple[float, ...]) -> None:
    # All outcomes of three seconds with a quarter of the voices, and with one, two and three that go bad.
    share, expected = 0.25, 0.0
    for outcome in product(range(2), range(3), range(4)):
        chance, total = 1.0, 0.0
        for both, mine, part in zip((1, 2, 3), outcome, begun, strict=True):
            chance *= math.comb(both, mine) * share**mine * (1 - share) ** (both - mine)
            total = bet.after(total, part, bet.gain(mine, both, share, 20.0))
        expected += chance * total
    assert expected == pytest.approx(sum(begun))


@given(both=st.integers(1, 50), share=SHARES, ratio=st.sampled_from(bet.RATIOS), data=st.data())
def test_a_voice_of_the_candidate_speaks_against_it_and_one_of_the_champion_for_it(
    both: int, share: float, ratio: float, data: st.DataObject
) -> None:
    mine = data.draw(st.integers(0, both))
    now = bet.gain(mine, both, share, ratio)
    assert bet.gain(mine + 1, both + 1, share, ratio) >= now - 1e-12
    assert bet.gain(mine, both + 1, share, ratio) <= now + 1e-12


def test_a_sum_stays_finite() -> None:
    total = 0.0
    for _ in range(1000):
        total = bet.after(total, 0.1, 1e6)
    assert total == bet.CEILING
