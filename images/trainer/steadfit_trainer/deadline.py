"""Trying again until a deadline."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from steadfit_trainer.failures import StoreFailure

LOG = logging.getLogger(__name__)

FIRST_SECONDS = 1.0
MAX_SECONDS = 60.0
T = TypeVar("T")


class Deadline:
    """A deadline from now on, and growing pauses before it.

    Parameters
    ----------
    seconds : float
        Until the deadline.
    sleep : Callable[[float], None], default time.sleep
        Waits for some seconds.
    clock : Callable[[], float], default time.monotonic
        Seconds that only ever grow.
    what : str, default 'The result was not published'
        What did not happen when the deadline passes, for a sentence.
    """

    def __init__(
        self,
        seconds: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        what: str = "The result was not published",
    ) -> None:
        self._sleep, self._clock, self._what = sleep, clock, what
        self._seconds = seconds
        self._end = clock() + seconds

    def part(self, share: float, what: str) -> "Deadline":
        """Return a deadline with a share of the time that is left, for something that may fail."""
        return Deadline(share * max(0.0, self._end - self._clock()), self._sleep, self._clock, what)

    def pause(self, seconds: float, why: str) -> None:
        """Wait.

        Parameters
        ----------
        seconds : float
            How long.
        why : str
            What is waited for, as a sentence.

        Raises
        ------
        StoreFailure
            The deadline would pass.
        """
        if self._clock() + seconds > self._end:
            raise StoreFailure(f"{self._what} within {self._seconds:g} s. {why}")
        self._sleep(seconds)

    def retry(self, work: Callable[[], T], healing: type[Exception]) -> T:
        """Do `work` until it succeeds, pausing after each of the failures that may heal.

        Raises
        ------
        StoreFailure
            The deadline passed; the sentence ends with the last failure.
        """
        seconds = FIRST_SECONDS
        while True:
            try:
                return work()
            except healing as error:
                why = str(error)
                LOG.warning("%s Trying again.", why)
            # Jitter: many runs may wait for the same store.
            self.pause(seconds * random.uniform(0.5, 1.0), why)  # noqa: S311 — not for secrets
            seconds = min(2 * seconds, MAX_SECONDS)
