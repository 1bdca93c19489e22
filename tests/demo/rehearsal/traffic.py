"""The flights that the demo asks about, with the time of the year at which it does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tests.demo.calendar import WHOLE, played
from tests.demo.flights import flown
from tests.demo.player import RATE
from tests.demo.replay import SECONDS, place_of

Chosen = NDArray[np.bool_]


class Part(NamedTuple):
    """Half a month in the lake."""

    month: int
    half: int


@dataclass(frozen=True)
class Traffic:
    """All requests of a year, in their order.

    Attributes
    ----------
    at
        Time of the year: 9.25 is a quarter through September.
    """

    frame: pd.DataFrame
    at: NDArray[np.float64]
    late: NDArray[np.int64]

    def between(self, begin: float, end: float) -> Chosen:
        """Return which requests fall into a time."""
        return (self.at >= begin) & (self.at < end)


@cache
def traffic() -> Traffic:
    """Return the year's requests."""
    frames, times = [], []
    requests = round(RATE * SECONDS)
    for month in played(WHOLE):
        frame = flown(month)
        frames.append(frame.iloc[[place_of(request, len(frame), RATE).row for request in range(requests)]])
        times.append(month + np.arange(requests) / requests)
    whole = pd.concat(frames, ignore_index=True)
    return Traffic(whole, np.concatenate(times), whole["late"].to_numpy())


def lake(at: float, partitions: int) -> tuple[Part, ...]:
    """Return what the newest partitions of the lake hold at a time."""
    month = int(at)
    there = [Part(each, half) for each in range(1, month) for half in (0, 1)]
    there += [Part(month, 0)] if at - month >= 0.5 else []
    newest = sorted({part.month for part in there})[-partitions:]
    return tuple(part for part in there if part.month in newest)
