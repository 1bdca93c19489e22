"""What a message of many alerts leaves to others."""

from __future__ import annotations

import asyncio
from random import Random

from steadfit.app.alerts.auth import Reviews
from steadfit.app.alerts.handler import YIELD_EVERY, AlertIntake
from steadfit.app.alerts.listeners import ListenerCache
from steadfit.app.alerts.writer import AlertWriter
from steadfit.core.training.triggers.alert_matching import ReceivedAlert

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import START, LoopClock, run


def test_others_have_their_turn_while_a_long_message_is_sorted() -> None:
    async def story() -> None:
        api = MemoryAPI()
        intake = AlertIntake(Reviews(api), ListenerCache(api), AlertWriter(api, Random(0)), LoopClock())
        alerts = [
            ReceivedAlert(f"f{number}", "firing", {"namespace": "shop", "model": "m"}, START, START)
            for number in range(1000)
        ]
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(others())
        results, wanted = await intake._sort(alerts)
        task.cancel()
        assert (dict(results), wanted) == ({"no_match": 1000}, {})
        assert turns >= 1000 // YIELD_EVERY

    run(story())
