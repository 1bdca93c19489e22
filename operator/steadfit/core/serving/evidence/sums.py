"""Sums over the voices of one arm, weighted by second, from which the harm and its variance follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .cell import Cell
from .voices import Voice


@dataclass(slots=True)
class Sums:
    """Sums over the voices of one arm.

    Attributes
    ----------
    requests, bad
        Requests, and how many of them were bad.
    voices, bad_voices
        Voices, and how many of them had a bad request.
    weighted, weighted_bad, squared
        Sums of the requests' weights, of those of the bad requests, and of the squared weights.
    bad_bad, bad_requests, requests_requests
        Sums over the voices of the products of their weighted sums, which give the variance between voices.
    """

    requests: int = 0
    bad: int = 0
    voices: int = 0
    bad_voices: int = 0
    weighted: float = 0.0
    weighted_bad: float = 0.0
    squared: float = 0.0
    bad_bad: float = 0.0
    bad_requests: float = 0.0
    requests_requests: float = 0.0

    def add(self, cells: Sequence[tuple[Voice, Cell]], weight: float) -> None:
        """Add one second.

        Parameters
        ----------
        cells
            The cells of the second, one for each voice.
        weight
            The other arm's part of the requests of the second: Mantel and Haenszel's weight of one request.
        """
        for voice, cell in cells:
            requests = weight * cell.requests
            self.requests += cell.requests
            self.weighted += requests
            self.squared += weight * requests
            self.voices += not voice.weighted_requests
            before = voice.weighted_requests
            voice.weighted_requests = after = before + requests
            self.requests_requests += requests * (before + after)
            if cell.bad:
                bad = weight * cell.bad
                self.bad += cell.bad
                self.weighted_bad += bad
                self.bad_voices += not voice.weighted_bad
                self.bad_requests += bad * after + voice.weighted_bad * requests
                self.bad_bad += bad * (2 * voice.weighted_bad + bad)
                voice.weighted_bad += bad
            else:
                self.bad_requests += voice.weighted_bad * requests

    @property
    def rate(self) -> float:
        """Share of bad requests with half a bad one more, so that it is never 0."""
        return (self.bad + 0.5) / (self.requests + 1)

    @property
    def variance(self) -> float:
        """Variance of the weighted share of bad requests, were they independent."""
        return self.rate * (1 - self.rate) * self.squared / self.weighted**2

    def between(self, rate: float) -> float:
        """Return the sum over the voices of their squared deviations from a rate."""
        return self.bad_bad - 2 * rate * self.bad_requests + rate**2 * self.requests_requests
