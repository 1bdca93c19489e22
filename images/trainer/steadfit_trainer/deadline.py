"""Retries until a deadline."""

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
    """A deadline, with retries and growing pauses until it.

    Parameters
    ----------
    seconds : float
        Time from now until the deadline, in seconds.
    sleep : Callable[[float], None], default time.sleep
        Waits for some seconds.
    clock : Callable[[], float], default time.monotonic
        Returns seconds of a monotonic clock.
    what : str, default 'The result was not published'
        Begin of the message when the deadline passes: what did not happen.
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
        """Return a deadline at a share of the remaining time, for work that is optional."""
        return Deadline(share * max(0.0, self._end - self._clock()), self._sleep, self._clock, what)

    def pause(self, seconds: float, why: str) -> None:
        """Sleep.

        Parameters
        ----------
        seconds : float
            Time to sleep, in seconds.
        why : str
            The reason, as a sentence for the message.

        Raises
        ------
        StoreFailure
            The deadline would pass during the sleep.
        """
        if self._clock() + seconds > self._end:
            raise StoreFailure(f"{self._what} within {self._seconds:g} s. {why}")
        self._sleep(seconds)

    def retry(self, work: Callable[[], T], healing: type[Exception]) -> T:
        """Call `work` until it succeeds; sleep after each failure of the type `healing`.

        Raises
        ------
        StoreFailure
            The deadline passed; the message ends with the last failure.
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
