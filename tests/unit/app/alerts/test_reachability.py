"""Senders of alerts that refuse the certificate are noticed, and not those that come through."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from steadfit.app.alerts.reachability import CHECK_SECONDS, Reachability

from tests.support.virtual_time import START, LoopClock, run


class Senders:
    """Counts of what senders did, and what was reported."""

    def __init__(self) -> None:
        self.refusals, self.messages = 7, 3
        self.reported: datetime | None = None

    def report(self, since: datetime | None) -> None:
        self.reported = since

    async def every(self, seconds: float, times: int, *, arrive: bool = False) -> None:
        """Let a sender refuse the certificate, or come through, again and again."""
        for _ in range(times):
            self.messages += arrive
            self.refusals += not arrive
            await asyncio.sleep(seconds)


def play(story: Callable[[Senders], Awaitable[None]]) -> None:
    async def main() -> None:
        senders = Senders()
        watched = Reachability(lambda: senders.refusals, lambda: senders.messages, LoopClock(), senders.report)
        task = asyncio.create_task(watched.run())
        await asyncio.sleep(1)
        await story(senders)
        task.cancel()

    run(main())


def test_refusals_without_a_message_for_five_minutes_are_reported_with_their_beginning() -> None:
    async def story(senders: Senders) -> None:
        await senders.every(60, 4)
        assert senders.reported is None
        await senders.every(60, 2)
        assert senders.reported == START + timedelta(seconds=CHECK_SECONDS)
        await senders.every(CHECK_SECONDS, 2, arrive=True)
        assert senders.reported is None

    play(story)


def test_refusals_beside_messages_that_arrive_are_not_reported() -> None:
    async def story(senders: Senders) -> None:
        for _ in range(30):
            await senders.every(100, 2)
            await senders.every(10, 1, arrive=True)
            assert senders.reported is None

    play(story)


def test_silence_ends_the_report_a_quarter_of_an_hour_after_the_last_refusal() -> None:
    async def story(senders: Senders) -> None:
        await senders.every(60, 7)
        assert senders.reported is not None
        await asyncio.sleep(13 * 60)
        assert senders.reported is not None
        await asyncio.sleep(3 * 60)
        assert senders.reported is None

    play(story)


def test_what_was_counted_before_the_watch_began_is_not_reported() -> None:
    async def story(senders: Senders) -> None:
        await asyncio.sleep(3600)
        assert senders.reported is None

    play(story)
