"""Evidence of one metric: both arms, second by second, since the candidate takes traffic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import bet, starts
from .cell import Cell
from .sums import Sums
from .voices import Heard, Voice, Voices

FORGETTING = 1 - 1 / 600
"""Factor a second on what the champion's rate is learned from: about ten minutes."""
ASSUMED_REQUESTS = 50.0
ASSUMED_BAD = 0.5
FEW = 4
SWEEP = 8
"""Seconds between two times at which old voices are forgotten."""


class Evidence:
    """Evidence of one metric, which only grows: a number for each bet, the sums of both arms, and recent voices.

    Parameters
    ----------
    since
        The second in which the candidate first takes traffic. An operator that starts later begins with a new
        Evidence of the same time: its bets are those of later starting times, so alpha is not spent twice.
    heard_from
        The first second that is added; `since` when absent. A later one if the evidence of those before is lost, or an
        earlier one: seconds of the champion alone say which of its voices are not new.
    """

    def __init__(self, since: int, heard_from: int | None = None) -> None:
        self.since = since
        self.step = 0
        self.step_since = since
        self.newest = (since if heard_from is None else heard_from) - 1
        self.in_step = 0
        """Requests of the candidate since its present step began."""
        self.candidate, self.champion = Sums(), Sums()
        self.totals = [0.0] * len(bet.RATIOS)
        self._spent: float | None = 0.0 if heard_from is None else None
        self._voices = Voices(), Voices()
        self._swept = self.newest
        self._begun = False
        self._rate_requests, self._rate_bad = ASSUMED_REQUESTS, ASSUMED_BAD

    def begin_step(self, step: int, since: int) -> None:
        """Begin a step, with its own share of alpha.

        A step begins once: when its begin is put forward later, as its share was out of force for a while, what was
        spent and counted in it stays.
        """
        if step != self.step or not self._begun:
            self.step, self.step_since, self.in_step, self._begun = step, since, 0, True

    def add(self, second: int, candidate: Iterable[Cell], champion: Iterable[Cell]) -> None:
        """Add a closed second of both arms; one that is not newer than the last one is ignored.

        A second in which one arm has no requests says nothing: it is added so that the starting times are counted.
        """
        if second <= self.newest:
            return
        if self._spent is None:
            self._spent = self._spent_until(self.newest)
        self.newest = second
        one, other = self._speakers(self._voices[0], candidate), self._speakers(self._voices[1], champion)
        rate = self._rate_bad / self._rate_requests
        heard, beside = self._voices[0].hear(one, rate), self._voices[1].hear(other, rate)
        self._bet(heard, beside)
        both = heard.requests + beside.requests
        if heard.requests and beside.requests:
            self.candidate.add(one, beside.requests / both)
            self.champion.add(other, heard.requests / both)
        if second >= self.step_since:
            self.in_step += heard.requests
        self._rate_requests = ASSUMED_REQUESTS + FORGETTING * (self._rate_requests - ASSUMED_REQUESTS) + beside.requests
        self._rate_bad = ASSUMED_BAD + FORGETTING * (self._rate_bad - ASSUMED_BAD) + beside.bad
        if second - self._swept >= SWEEP:
            self._swept = second
            for voices in self._voices:
                voices.forget(second)

    @property
    def value(self) -> float:
        """The e-process: without a harm it ever reaches 1 / alpha with a probability of at most alpha."""
        return sum(prior * total for prior, total in zip(bet.PRIOR, self.totals, strict=True))

    def _bet(self, heard: Heard, beside: Heard) -> None:
        before = self._spent or 0.0
        # What is spent stays spent: a step that began later than was known would take some of it back.
        self._spent = max(before, self._spent_until(self.newest))
        begun = self._spent - before
        gone_bad = heard.gone_bad + beside.gone_bad
        if not gone_bad:
            self.totals = [total + begun for total in self.totals]
            return
        share = largest_share(heard, beside)
        self.totals = [
            bet.after(total, begun, bet.gain(heard.gone_bad, gone_bad, share, ratio))
            for total, ratio in zip(self.totals, bet.RATIOS, strict=True)
        ]

    def _spent_until(self, second: int) -> float:
        return starts.spent(second - self.since, self.step, second - self.step_since)

    @staticmethod
    def _speakers(voices: Voices, cells: Iterable[Cell]) -> Sequence[tuple[Voice, Cell]]:
        once = {cell.voice: cell for cell in cells if cell.requests > 0}
        return [(voices.speaker(cell), cell) for cell in once.values()]


def largest_share(heard: Heard, beside: Heard) -> float:
    """Return the largest probability that a voice that goes bad is the candidate's if there is no harm.

    It is the candidate's share of the voices that had not gone bad before, or of their requests: connections may fail,
    or requests. While a step begins, the champion's bad clients have gone bad long since, and the candidate's are all
    new: its share of the young voices then counts, with `FEW` voices of the champion more, as a young voice of the
    candidate that goes bad is one of them itself.
    """
    voices, requests = heard.at_risk + beside.at_risk, heard.requests_at_risk + beside.requests_at_risk
    young = heard.young / (heard.young + beside.young + FEW)
    return max(heard.at_risk / voices, heard.requests_at_risk / requests, young)
