"""The voices of one comparison: which of them go bad, each once.

A voice goes bad when it has more bad requests than the champion's rate explains. The threshold follows from the number
of requests: one bad request of one is enough, of a hundred it takes four at a rate of 0.5 %. A voice that fails all of
its requests is one voice.

A voice that went bad is silent until no connection of that time is open any more. A group of connections is then
another voice, as its connections have come to their arm anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from .cell import Cell

RENEWAL = 40
"""Seconds after which a voice is a new one: longer than the server keeps a connection (30 s, and a quarter more)."""
IDLE = 5
"""Seconds without requests after which a voice without a bad one is forgotten."""
YOUNG = 6
"""Seconds for which a voice is young. A client that fails often goes bad by then; and the shorter it is, the sooner the
young voices of both arms come in the shares of the present step."""
UNUSUAL = 3.0
"""Logarithm of one in twenty: fewer voices at the champion's rate have as many bad requests (Chernoff's bound)."""


@dataclass(slots=True)
class Voice:
    """What one voice said so far.

    Attributes
    ----------
    since, last
        Its first and its newest second.
    requests, bad
        Its requests, and how many of them were bad.
    counted
        Whether it has gone bad.
    weighted_requests, weighted_bad
        The same with the weights of their seconds.
    """

    since: int
    last: int
    requests: int = 0
    bad: int = 0
    counted: bool = False
    weighted_requests: float = 0.0
    weighted_bad: float = 0.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One arm within one second.

    Attributes
    ----------
    requests
        All requests.
    bad
        All bad requests.
    at_risk
        Number of voices that had not gone bad before this second.
    requests_at_risk
        Their requests.
    young
        Number of voices that were first heard of late, those that have gone bad as well.
    gone_bad
        Number of voices that go bad in this second.
    """

    requests: int
    bad: int
    at_risk: int
    requests_at_risk: int
    young: int
    gone_bad: int


@dataclass(slots=True)
class Voices:
    """Voices of one arm that have answered of late; their number is bounded by the rows of `RENEWAL` seconds."""

    known: dict[str, Voice] = field(default_factory=dict)

    def speaker(self, cell: Cell) -> Voice:
        """Return the voice of a cell, a new one if it has not been heard or is renewed."""
        voice = self.known.get(cell.voice)
        if voice is None or cell.second - voice.since >= RENEWAL:
            voice = self.known[cell.voice] = Voice(cell.second, cell.second - 1)
        return voice

    def hear(self, cells: Sequence[tuple[Voice, Cell]], rate: float) -> Heard:
        """Return what an arm said within one second.

        Parameters
        ----------
        cells
            The cells of the second, one for each voice.
        rate
            The champion's rate of bad requests before this second.
        """
        requests = all_bad = at_risk = requests_at_risk = young = gone_bad = 0
        for voice, cell in cells:
            requests += cell.requests
            all_bad += cell.bad
            voice.last = cell.second
            young += cell.second - voice.since < YOUNG
            if voice.counted:
                continue
            at_risk += 1
            requests_at_risk += cell.requests
            voice.requests += cell.requests
            voice.bad += cell.bad
            if cell.bad and unusual(voice.bad, voice.requests, rate):
                voice.counted = True
                gone_bad += 1
        return Heard(requests, all_bad, at_risk, requests_at_risk, young, gone_bad)

    def forget(self, second: int) -> None:
        """Forget the voices that are over by a second."""
        self.known = {
            name: voice
            for name, voice in self.known.items()
            if second - voice.last <= IDLE or (voice.bad and second - voice.since < RENEWAL)
        }


def unusual(bad: int, requests: int, rate: float) -> bool:
    """Tell whether so many bad requests are more than a rate explains; all of them always are."""
    if bad >= requests:
        return True
    share = bad / requests
    if share <= rate:
        return False
    return requests * (share * math.log(share / rate) + (1 - share) * math.log((1 - share) / (1 - rate))) >= UNUSUAL
