"""A poller with one source in front of it; every round is asked for by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

from steadfit.api.metricsource import MetricSource
from steadfit.kube.key import Key
from steadfit.prometheus.canary_trial import Trial
from steadfit.prometheus.live import LiveModel
from steadfit.prometheus.poller import Poller
from steadfit.prometheus.signals import Signals

from .recordings import At, RecordedPrometheus, Recordings, source


class PollerFixture:
    """What tests of monitors and of comparisons share; each adds how it looks at what was told."""

    def __init__(
        self,
        lives: Sequence[LiveModel] = (),
        trials: Sequence[Trial] = (),
        sources: list[MetricSource] | None = None,
        **spec: Any,
    ) -> None:
        self.clock = At()
        self.recordings = Recordings(self.clock)
        self.sources = [source(**spec)] if sources is None else sources
        self.recorded = RecordedPrometheus(self.sources, list(lives), list(trials))
        self.signals = Signals()
        self.rung: list[str] = []
        self.signals.listen(self._ring)
        self.poller = Poller(self.recorded, self.signals, lambda _: self.recordings, self.clock, Random(1))

    def _ring(self, key: Key, *, urgent: bool = False) -> None:
        self.rung.append(str(key))

    async def round(self) -> None:
        await self.poller.poll(self.recorded.all_sources[0], self.recordings)


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await story()

    asyncio.run(main())
