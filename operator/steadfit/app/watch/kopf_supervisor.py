"""Runs kopf in a thread and an event loop of its own, and restarts it with backoff whenever it exits.

kopf exits on an in-stream error other than 410, and on 404 or 410 as an HTTP status. At exit it cancels every task of
its loop that it did not know at its start, and it takes over the process's signals. So it gets a loop that nothing else
uses; events are handed over by `call_soon_threadsafe`, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

logger = logging.getLogger(__name__)

FIRST_BACKOFF = 1.0
MAX_BACKOFF = 30.0
STOP_SECONDS = 2.0
HEALTHY_SECONDS = 60.0
"""A run that lasted longer resets the backoff."""
PULSE_SECONDS = 0.1
"""Interval of the checks on kopf."""
HEART = "multidimensional multitasker"
"""Name of kopf's task that owns its watches; once it has ended, kopf is exiting."""
WATCHER = "watcher for "
"""Prefix of the names of kopf's watch tasks."""

Watch = Callable[[asyncio.Event], Awaitable[None]]
"""Watches until the event is set; raises if it cannot go on."""


@dataclass(frozen=True, slots=True)
class SupervisorStatistics:
    """Counts of kopf's exits."""

    running: bool
    exits: int


class Supervisor:
    """Runs a watch without end."""

    def __init__(self, watch: Watch, rng: Random, on_exit: Callable[[], None] = lambda: None) -> None:
        self._watch = watch
        self._rng = rng
        self._on_exit = on_exit
        self._running = False
        self._exits = 0
        self._thread: _Thread | None = None

    async def run(self) -> None:
        """Watch until cancelled; restart after every exit."""
        loop = asyncio.get_running_loop()
        backoff = FIRST_BACKOFF
        while True:
            started = loop.time()
            self._running = True
            try:
                await self._once()
                logger.warning("kopf has exited and is restarted")
            except Exception as error:
                logger.warning("kopf has failed and is restarted: %s", error)
            finally:
                self._running = False
            self._exits += 1
            self._on_exit()
            if loop.time() - started > HEALTHY_SECONDS:
                backoff = FIRST_BACKOFF
            await asyncio.sleep(backoff * (1 + 0.2 * self._rng.random()))
            backoff = min(MAX_BACKOFF, backoff * 2)

    def restart(self) -> None:
        """Restart the watch, so that it includes resources that the cluster lacked before."""
        if self._thread is not None:
            self._thread.stop()

    def statistics(self) -> SupervisorStatistics:
        """Return counts of kopf's exits."""
        return SupervisorStatistics(self._running, self._exits)

    async def _once(self) -> None:
        ours = asyncio.get_running_loop()
        finished: asyncio.Future[None] = ours.create_future()
        # A daemon: a thread that does not stop must not keep a process alive that has lost its Lease.
        self._thread = thread = _Thread(self._watch, lambda error: _conclude(ours, finished, error))
        thread.start()
        try:
            await finished
        finally:
            thread.stop()
            await asyncio.wait([finished], timeout=STOP_SECONDS)


class _Thread(threading.Thread):
    """A thread with an event loop in which one watch runs."""

    def __init__(self, watch: Watch, conclude: Callable[[BaseException | None], None]) -> None:
        super().__init__(name="kopf", daemon=True)
        self._watch = watch
        self._conclude = conclude
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        self._stop_event = asyncio.Event()

    def run(self) -> None:
        """Watch, and report how it ended."""
        error: BaseException | None = None
        try:
            asyncio.run(self._main())
        except BaseException as failure:
            error = failure
        self._conclude(error)

    def stop(self) -> None:
        """Stop the watch; callable from any thread, at any time."""
        self._stopped = True
        if self._loop is not None:
            # The loop may be closed already.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop_event.set)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._stopped:
            return
        watching = asyncio.ensure_future(self._watch(self._stop_event))
        while not (await asyncio.wait({watching}, timeout=PULSE_SECONDS))[0]:
            tasks = asyncio.all_tasks()
            if not any(task.get_name() == HEART for task in tasks):
                # kopf 1.45 cancels a watch together with the task that pauses it. A watch whose response has not begun
                # takes that for a pause and goes on, and kopf waits for it without end: after a restart of the API
                # server, when all watches are new, no event would arrive again. So the watches are cancelled first.
                for task in tasks:
                    if task.get_name().startswith(WATCHER):
                        task.cancel()
        await watching


def _conclude(loop: asyncio.AbstractEventLoop, finished: asyncio.Future[None], error: BaseException | None) -> None:
    """Report to the main loop how a watch ended."""

    def resolve() -> None:
        if finished.done():
            return
        if error is None:
            finished.set_result(None)
        else:
            finished.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))

    # The main loop may be closed already.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(resolve)
