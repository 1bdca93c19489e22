"""An asyncio loop whose clock jumps to the next timer, so that hours pass in microseconds and always alike."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what is ready, then jumps to the next timer. Sockets and threads do not work on it."""

    def __init__(self) -> None:
        self._virtual = 0.0
        super().__init__()

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        if not self._ready:  # type: ignore[attr-defined]
            pending = [handle.when() for handle in scheduled if not handle.cancelled()]
            if not pending:
                raise RuntimeError("deadlock: nothing is ready and nothing is scheduled")
            self._virtual = max(self._virtual, min(pending))
        super()._run_once()  # type: ignore[misc]


class LoopClock:
    """Wall-clock time that goes with the running loop's clock; `offset` makes it jump."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.offset = timedelta()

    def now(self) -> datetime:
        return self.start + self.offset + timedelta(seconds=asyncio.get_running_loop().time())


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time and cancel what it leaves behind."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
