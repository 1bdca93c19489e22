"""Waiting, in a test's own event loop, for what comes about by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], seconds: float = 180.0) -> None:
    """Return once a condition holds.

    Raises
    ------
    TimeoutError
        If it does not within that time.
    """
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)
