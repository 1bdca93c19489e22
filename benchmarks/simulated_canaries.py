"""Thousands of canaries at once, second by second, with the detector's arithmetic in numpy.

A unit test compares it with `Evidence`, which the operator runs, on the same requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from steadfit.core.serving.evidence import bet, evidence, starts, voices

Array = NDArray[Any]
NEVER = np.inf
BEFORE = 40
"""Seconds before the candidate comes that are simulated with kept connections."""


@dataclass
class Bets:
    """The e-processes of many canaries."""

    number: int
    totals: list[Array] = field(init=False)
    spent: float = 0.0

    def __post_init__(self) -> None:
        self.totals = [np.zeros(self.number) for _ in bet.RATIOS]

    def add(self, elapsed: int, candidate: Array, both: Array, share: Array) -> None:
        """Add a second: voices that go bad of the candidate and of both, and the candidate's largest share."""
        spent = starts.spent(elapsed, 0, elapsed)
        begun, self.spent = spent - self.spent, spent
        for index, ratio in enumerate(bet.RATIOS):
            gain = candidate * np.log(ratio) - both * np.log1p((ratio - 1) * share)
            grown = (self.totals[index] + begun) * np.exp(np.minimum(gain, bet.LARGEST_GAIN))
            self.totals[index] = np.minimum(grown, bet.CEILING)

    @property
    def value(self) -> Array:
        """The values of the e-processes."""
        return sum((prior * total for prior, total in zip(bet.PRIOR, self.totals, strict=True)), np.zeros(self.number))


@dataclass
class Fresh:
    """Requests that come at random moments, each over a connection of its own."""

    rng: np.random.Generator
    number: int
    rate: float = 50.0
    share: float = 0.25
    copies: int = 1
    """How many times each request is counted, under another name each time."""
    bets: Bets = field(init=False)

    def __post_init__(self) -> None:
        self.bets = Bets(self.number)

    def second(self, elapsed: int, candidate: Array, champion: Array, part: Array | float = 1.0) -> Array:
        """Add a second, or a part of one, and return how many requests of the candidate failed.

        Parameters
        ----------
        elapsed
            Seconds since the candidate takes traffic.
        candidate, champion
            Probability that a request of each arm fails, for each canary.
        part
            From here to the second's end the candidate fails so often; before, as the champion does.
        """
        mine, others = self.rate * self.share, self.rate * (1 - self.share)
        draw = self.rng.poisson
        # Good and bad requests that come at random moments are independent.
        bad = draw(mine * part * candidate)
        good = draw(mine * (1 - part * candidate - (1 - part) * champion))
        both = bad + draw(others * champion)
        if not isinstance(part, float):
            before = draw(mine * (1 - part) * champion)
            bad_of_mine, both = bad + before, both + before
        else:
            bad_of_mine = bad
        asked = bad_of_mine + good
        share = asked / np.maximum(asked + (both - bad_of_mine) + draw(others * (1 - champion)), 1)
        self.bets.add(elapsed, self.copies * bad_of_mine, self.copies * both, share)
        return np.asarray(bad, dtype=float)


@dataclass
class Kept:
    """Clients that keep their connections; a connection comes to its arm at random.

    Attributes
    ----------
    clients
        Number of clients.
    requests, age
        A connection ends after so many requests or seconds, each drawn within a quarter of it.
    ends_when_bad
        Whether the server ends a connection with a failed answer.
    uneven
        Share of the connections whose requests fail ten times as often, 30 % at least, on both arms.
    """

    rng: np.random.Generator
    number: int
    rate: float = 50.0
    share: float = 0.25
    clients: int = 8
    requests: float = 100.0
    age: float = 30.0
    ends_when_bad: bool = False
    uneven: float = 0.0
    bets: Bets = field(init=False)
    log: Callable[[Array, Array, Array, Array], None] | None = None
    """Receives the arm, the connection's number, the requests and the bad ones of each second."""

    def __post_init__(self) -> None:
        shape = self.number, self.clients
        self.bets = Bets(self.number)
        self.arm = np.zeros(shape, bool)
        self.frail = np.zeros(shape, bool)
        self.counted = np.zeros(shape, bool)
        self.n, self.b, self.left, self.until = (np.zeros(shape) for _ in range(4))
        self.names = np.zeros(shape)
        self.opened = 0
        self.since = np.zeros(shape)
        self._open(np.ones(shape, bool), np.full(shape, float(-BEFORE)), 0.0)
        left = self.rng.random(shape)
        self.left, self.until = np.ceil(self.left * left), (self.until + BEFORE) * left - BEFORE
        self.rate_requests = np.full(self.number, evidence.ASSUMED_REQUESTS)
        self.rate_bad = np.full(self.number, evidence.ASSUMED_BAD)

    def _open(self, which: NDArray[np.bool_], now: Array, share: float) -> None:
        count = int(which.sum())
        if not count:
            return
        self.arm[which] = self.rng.random(count) < share
        self.frail[which] = self.rng.random(count) < self.uneven
        self.counted[which] = False
        self.since[which] = now[which]
        self.n[which] = self.b[which] = 0
        self.left[which] = np.ceil(self.requests * self.rng.uniform(0.75, 1.25, count))
        self.until[which] = now[which] + self.age * self.rng.uniform(0.75, 1.25, count)
        self.names[which] = self.opened + np.arange(count)
        self.opened += count

    def before(self, champion: Array) -> None:
        """Add the seconds before the candidate comes: all connections are the champion's."""
        share, self.share = self.share, 0.0
        for second in range(-BEFORE, 0):
            self.second(second, champion, champion)
        self.share = share

    def second(self, elapsed: int, candidate: Array, champion: Array, broken: NDArray[np.bool_] | None = None) -> Array:
        """Add a second and return how many requests of the candidate failed.

        Connections end at the end of a second. Clients that are broken fail all of their requests, on either arm.
        """
        shape = self.number, self.clients
        each = self.rate / self.clients
        chance = np.where(self.arm, candidate[:, None], champion[:, None])
        chance = np.where(self.frail, np.clip(10 * chance, 0.3, 1.0), chance)
        if broken is not None:
            chance = np.where(broken, 1.0, chance)
        if self.ends_when_bad:
            asked = self.rng.poisson(each, shape)
            first = self.rng.geometric(np.maximum(chance, 1e-9))
            bad = (first <= asked).astype(float)
            asked = np.minimum(asked, first)
        else:
            bad = self.rng.poisson(each * chance)
            asked = bad + self.rng.poisson(each * (1 - chance))
        if self.log:
            self.log(self.arm.copy(), self.names.copy(), asked, bad)
        self._judge(elapsed, asked, bad)
        self.left -= asked
        over = (self.left <= 0) | (self.until <= elapsed + 1) | (self.ends_when_bad & (bad > 0))
        self._open(over, np.full(shape, elapsed + 1.0), self.share)
        return np.asarray((bad * self.arm).sum(1))

    def _judge(self, elapsed: int, asked: Array, bad: Array) -> None:
        rate = self.rate_bad / self.rate_requests
        at_risk = (asked > 0) & ~self.counted
        self.n += np.where(at_risk, asked, 0)
        self.b += np.where(at_risk, bad, 0)
        gone = np.zeros_like(at_risk)
        rows, columns = np.nonzero(at_risk & (bad > 0))
        gone[rows, columns] = unusual(self.b[rows, columns], self.n[rows, columns], rate[rows])
        self.counted |= gone
        mine = at_risk & self.arm
        asked_at_risk = np.where(at_risk, asked, 0)
        share = np.maximum(
            mine.sum(1) / np.maximum(at_risk.sum(1), 1),
            (asked_at_risk * self.arm).sum(1) / np.maximum(asked_at_risk.sum(1), 1),
        )
        young = (asked > 0) & (elapsed - self.since < voices.YOUNG)
        share = np.maximum(share, (young & self.arm).sum(1) / (young.sum(1) + evidence.FEW))
        self.bets.add(elapsed, (gone & self.arm).sum(1), gone.sum(1), share)
        for name, assumed, found in (
            ("rate_requests", evidence.ASSUMED_REQUESTS, asked),
            ("rate_bad", evidence.ASSUMED_BAD, bad),
        ):
            before = getattr(self, name)
            setattr(self, name, assumed + evidence.FORGETTING * (before - assumed) + (found * ~self.arm).sum(1))


def unusual(bad: Array, requests: Array, rate: Array) -> NDArray[np.bool_]:
    """Tell whether voices are unusual, as `voices.unusual` does."""
    share = np.minimum(bad / requests, 1 - 1e-12)
    distance = requests * (share * np.log(share / rate) + (1 - share) * np.log((1 - share) / (1 - rate)))
    return np.asarray((bad >= requests) | ((share > rate) & (distance >= voices.UNUSUAL)))
