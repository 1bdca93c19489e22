"""The operator's reader beside two real servers, of which one fails every request."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from steadfit.kube.cache import JSONObject
from steadfit.prometheus.canary_trial import Trial
from steadfit.prometheus.signals import Signals
from steadfit.tallies.client import TalliesClient
from steadfit.tallies.reader import TalliesReader

from tests.unit.server.processes import ServerProcess, request, serving

from .servers import CANDIDATE, CHAMPION, deployment, pod, trial

PAUSE = 0.1
"""Seconds between two requests to each server, each on a connection of its own."""
GENEROUS_SECONDS = 30.0
"""A busy machine takes a multiple of the few seconds that it should be."""


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Cluster:
    def __init__(self, of: Trial, *pods: JSONObject) -> None:
        self._trial = of
        self._pods = pods

    def trials(self) -> list[Trial]:
        return [self._trial]

    def server_pods(self, namespace: str, name: str) -> list[JSONObject]:
        return list(self._pods)


def listening(server: ServerProcess, revision: str) -> JSONObject:
    ports = [{"name": "metrics", "containerPort": server.metrics_port}]
    return pod(revision, revision, spec={"containers": [{"ports": ports}]})


def test_a_candidate_that_fails_every_request_is_found_from_what_real_servers_count(tmp_path: Path) -> None:
    identity = {"STEADFIT_NAMESPACE": "shop", "STEADFIT_MODEL_NAME": "flights"}
    with (
        serving(tmp_path, NEVER_READY="1", STEADFIT_REVISION=CANDIDATE, **identity) as bad,
        serving(tmp_path, STEADFIT_REVISION=CHAMPION, **identity) as good,
    ):
        bad.wait_listening()
        good.wait_ready()
        now = datetime.now(UTC).isoformat()
        spec = deployment(analysedSince=now, stepSince=now)
        signals = Signals()
        changed = asyncio.Event()
        signals.listen(lambda key, *, urgent=False: changed.set())

        async def found() -> None:
            while True:
                compared = signals.comparisons.of(spec).get("errors")
                if compared is not None and compared.result is not None and compared.result.verdict == "Fail":
                    assert compared.candidate is not None
                    assert compared.champion is not None
                    assert (compared.candidate.mean, compared.champion.mean) == (1, 0)
                    return
                changed.clear()
                await changed.wait()

        async def ask(server: ServerProcess, status: int) -> None:
            while True:
                assert (await asyncio.to_thread(server.ask, request())).status == status
                await asyncio.sleep(PAUSE)

        async def story() -> None:
            cluster = Cluster(trial(spec), listening(bad, CANDIDATE), listening(good, CHAMPION))
            reader = TalliesReader(cluster, signals.comparisons, TalliesClient, Clock())
            async with asyncio.timeout(GENEROUS_SECONDS), asyncio.TaskGroup() as tasks:
                beside = [tasks.create_task(each) for each in (reader.run(), ask(bad, 503), ask(good, 200))]
                await found()
                for task in beside:
                    task.cancel()

        asyncio.run(story())
