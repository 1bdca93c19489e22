"""An asyncio loop with virtual time and seeded order: the same seed gives the same run, in no time.

There are no sockets and no threads. Time stands still while anything is ready and jumps to the next timer otherwise.
Callbacks that are ready at the same moment run in an order drawn from the seed, so that many seeds explore many
interleavings.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = datetime(2026, 1, 5, tzinfo=UTC)
"""Wall-clock time at which every simulation starts: a Monday, midnight."""


class Stuck(Exception):  # noqa: N818 - what happened to the loop
    """Nothing is ready and nothing is scheduled: the simulated program waits for ever."""


class _NoSelector:
    """Stands in for the operating system, of which a simulation has none."""

    def select(self, timeout: float | None = None) -> list[Any]:
        return []

    def register(self, *args: Any) -> None:
        return None

    def unregister(self, *args: Any) -> None:
        return None

    def get_map(self) -> dict[Any, Any]:
        return {}

    def close(self) -> None:
        return None


class SimLoop(asyncio.SelectorEventLoop):
    """A loop whose time is virtual and whose order is drawn from a seed."""

    # Parts of BaseEventLoop that typeshed does not show.
    _ready: deque[Any]
    _scheduled: list[Any]

    def __init__(self, seed: int) -> None:
        self._now = 0.0
        self.rng = Random(seed)
        self.steps = 0
        super().__init__(_NoSelector())  # type: ignore[arg-type]

    def _make_self_pipe(self) -> None:
        """Do without the socket pair that wakes a real loop: nothing outside can."""

    def _close_self_pipe(self) -> None:
        """See `_make_self_pipe`."""

    def time(self) -> float:
        return self._now

    def now(self) -> datetime:
        """Return the simulated wall-clock time. This makes the loop the operator's `Clock`."""
        return EPOCH + timedelta(seconds=self._now)

    def _run_once(self) -> None:
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False
        if not self._ready:
            if not self._scheduled:
                raise Stuck(f"nothing is left to do at {self._now:.3f} s")
            self._now = max(self._now, self._scheduled[0]._when)
        while self._scheduled and self._scheduled[0]._when <= self._now:
            timer = heapq.heappop(self._scheduled)
            timer._scheduled = False
            self._ready.append(timer)
        batch = list(self._ready)
        self._ready.clear()
        if len(batch) > 1:
            self.rng.shuffle(batch)
        for handle in batch:
            self.steps += 1
            if not handle._cancelled:
                handle._run()


def time_text(loop: SimLoop) -> str:
    """Return the simulated time as Kubernetes writes it."""
    return loop.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def run(main: Callable[[SimLoop], Coroutine[Any, Any, T]], seed: int) -> T:
    """Run a coroutine to its end in a simulation of its own; whatever it leaves behind is cancelled."""
    loop = SimLoop(seed)
    failures: list[BaseException] = []

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        failures.append(context.get("exception") or RuntimeError(context["message"]))

    loop.set_exception_handler(note)
    asyncio.set_event_loop(loop)
    try:
        result = loop.run_until_complete(main(loop))
        if failures:
            raise failures[0]
        return result
    finally:
        loop.set_exception_handler(lambda *_: None)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
        asyncio.set_event_loop(None)
