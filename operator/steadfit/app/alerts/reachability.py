"""Whether senders of alerts reach the intake: they do not while they refuse its certificate and no alert arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from steadfit.kube.clock import Clock

CHECK_SECONDS = 10.0
PATIENCE_SECONDS = 300.0
"""Time without a message after the first refusal. Alertmanager tries again within its `group_interval` (5 min)."""
FORGET_SECONDS = 900.0
"""Time after the last refusal after which nothing is known any more."""


class Reachability:
    """Compares the refused handshakes with the messages that arrive, on the leader. A new process knows nothing yet."""

    def __init__(
        self,
        refusals: Callable[[], int],
        messages: Callable[[], int],
        clock: Clock,
        report: Callable[[datetime | None], None],
    ) -> None:
        """Create one; the two counts only grow, and `report` takes since when the senders are refused, or None."""
        self._refusals = refusals
        self._messages = messages
        self._clock = clock
        self._report = report
        self._seen = (0, 0)
        self._first: tuple[float, datetime] | None = None
        self._last = 0.0

    async def run(self) -> None:
        """Check until cancelled."""
        self._seen = (self._refusals(), self._messages())
        while True:
            self.check()
            await asyncio.sleep(CHECK_SECONDS)

    def check(self) -> None:
        """Compare both counts with those of the last check."""
        now, seen = asyncio.get_running_loop().time(), (self._refusals(), self._messages())
        refused, arrived = seen[0] > self._seen[0], seen[1] > self._seen[1]
        self._seen = seen
        if refused:
            self._last = now
            self._first = self._first or (now, self._clock.now())
        if arrived or now - self._last > FORGET_SECONDS:
            self._first = None
        patient = self._first is None or now - self._first[0] < PATIENCE_SECONDS
        self._report(None if patient or self._first is None else self._first[1].replace(microsecond=0))
