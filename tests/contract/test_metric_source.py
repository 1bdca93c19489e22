"""The whole process against the fake API server and a local Prometheus: what is measured gets into the statuses."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from steadfit.kube.resources import METRIC_SOURCES, MODEL_DEPLOYMENTS, NAMESPACES, SECRETS

from tests.unit.prometheus.fake_prometheus import Prometheus, prometheus, scalar, vector

from .fakeapi import FakeAPI
from .test_process import play, replica, until

PLACE = ("ns", "flights")
LIVE = {
    "revision": "0123456789",
    "version": "flights-v3",
    "number": 3,
    "digest": "sha256:" + "a" * 64,
    "templateDigest": "t",
    "since": "2026-01-01T00:00:00Z",
}
MONITORS = [
    {"name": "drift", "drift": {"max": 0.2}, "action": "Retrain"},
    {"name": "typo", "drift": {"max": 0.2, "features": ["distence"]}, "action": "Retrain"},
    {"name": "mine", "query": {"promQL": "my_metric", "max": 1}, "action": "Retrain"},
]
MODEL = {"namespace": "ns", "model": "flights", "version": "3", "window": "1h"}


class Recorded:
    """What Prometheus answers."""

    def __init__(self) -> None:
        self.drift = "0.31"
        self.mine: Any = scalar("0.5")

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        query = str((await request.post())["query"])
        found = re.search(r"steadfit:[a-z_:]+", query)
        series = found[0] if found else ""
        values = {
            "steadfit:drift_psi:weighted": self.drift,
            "steadfit:drift_psi:max": self.drift,
            "steadfit:predictions_count": "1000",
        }
        if query == "my_metric":
            return web.json_response(self.mine)
        return web.json_response(vector(*([(MODEL, values[series])] if series in values else [])))


def install(fake: FakeAPI, url: str, **spec: Any) -> None:
    fake.store.create(NAMESPACES, (None, "ns"), {})
    fake.store.create(METRIC_SOURCES, (None, "default"), {"spec": {"url": url, "interval": "1s", **spec}})
    deployment = fake.store.create(MODEL_DEPLOYMENTS, PLACE, {"spec": {"monitors": MONITORS}})
    fake.store.update(MODEL_DEPLOYMENTS, PLACE, {**deployment, "status": {"live": LIVE}}, status=True)


def condition(obj: dict[str, Any], type_: str) -> tuple[str, str, str] | None:
    for one in obj.get("status", {}).get("conditions", []):
        if one["type"] == type_:
            return one["status"], one["reason"], one["message"]
    return None


def phases(fake: FakeAPI) -> dict[str, str]:
    status = fake.store.get(MODEL_DEPLOYMENTS, PLACE).get("status", {})
    return {state["name"]: state["phase"] for state in status.get("monitors", [])}


def when(check: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def checked() -> bool:
        return check()

    return checked


def test_values_become_phases_and_missing_ones_sentences(tmp_path: Path) -> None:
    recorded = Recorded()

    async def story(fake: FakeAPI) -> None:
        async with prometheus(recorded) as server, replica(fake, tmp_path, "one") as one:
            install(fake, server.url)
            await until(when(lambda: phases(fake) == {"drift": "Firing", "typo": "NoData", "mine": "OK"}))
            source = fake.store.get(METRIC_SOURCES, (None, "default"))
            assert condition(source, "Ready") == ("True", "QuerySucceeded", f"{server.url} answers")
            blind = condition(fake.store.get(MODEL_DEPLOYMENTS, PLACE), "MetricsAvailable")
            assert blind is not None
            assert blind[:2] == ("False", "UnknownFeature")
            assert "distence" in blind[2]
            assert 'metric_queries_total{result="Answered",source="default"}' in (await one.get("/metrics"))[1]

            recorded.drift, recorded.mine = "0.1", scalar("NaN")
            await until(when(lambda: phases(fake) == {"drift": "OK", "typo": "NoData", "mine": "NoData"}))

    play(story)


def test_a_source_that_goes_is_told_and_one_that_comes_back_is_used_again(tmp_path: Path) -> None:
    recorded = Recorded()

    def ready(fake: FakeAPI) -> tuple[str, str] | None:
        found = condition(fake.store.get(METRIC_SOURCES, (None, "default")), "Ready")
        return found[:2] if found else None

    async def story(fake: FakeAPI) -> None:
        async with prometheus(recorded) as server, replica(fake, tmp_path, "one"):
            install(fake, server.url)
            await until(when(lambda: ready(fake) == ("True", "QuerySucceeded")))

            async def failing(request: web.Request) -> web.StreamResponse:
                return web.Response(status=503)

            server.handler = failing
            await until(when(lambda: ready(fake) == ("False", "Unavailable")))
            server.handler = recorded
            await until(when(lambda: ready(fake) == ("True", "QuerySucceeded")))

    play(story)


def test_credentials_come_from_a_secret_in_the_operators_namespace(tmp_path: Path) -> None:
    recorded = Recorded()

    def authorized(server: Prometheus) -> bool:
        return any(asked.headers.get("Authorization") == "Bearer abc" for asked in server.asked)

    async def story(fake: FakeAPI) -> None:
        async with prometheus(recorded) as server, replica(fake, tmp_path, "one"):
            fake.store.create(SECRETS, ("steadfit-system", "keys"), {"data": {"token": "YWJj"}})
            fake.store.create(SECRETS, ("ns", "keys"), {"data": {"token": "bm90IHRoaXM="}})
            install(fake, server.url, credentialsSecretName="keys")
            await until(when(lambda: authorized(server)))
            assert all(asked.headers["Authorization"] == "Bearer abc" for asked in server.asked)

    play(story)


def test_1500_models_are_asked_for_in_a_handful_of_queries_a_round(tmp_path: Path) -> None:
    number = 1500

    async def all_of_them(request: web.Request) -> web.StreamResponse:
        samples = ((MODEL | {"model": f"m{index}"}, "600") for index in range(number))
        return web.json_response(vector(*samples))

    async def story(fake: FakeAPI) -> None:
        async with prometheus(all_of_them) as server:
            fake.store.create(NAMESPACES, (None, "ns"), {})
            for index in range(number):
                place = ("ns", f"m{index}")
                monitors = [{"name": "drift", "drift": {"max": 0.2}, "action": "Retrain"}]
                created = fake.store.create(MODEL_DEPLOYMENTS, place, {"spec": {"monitors": monitors}})
                fake.store.update(MODEL_DEPLOYMENTS, place, {**created, "status": {"live": LIVE}}, status=True)
            async with replica(fake, tmp_path, "one"):
                fake.store.create(METRIC_SOURCES, (None, "default"), {"spec": {"url": server.url, "interval": "600s"}})
                last = ("ns", f"m{number - 1}")

                def fires() -> bool:
                    status = fake.store.get(MODEL_DEPLOYMENTS, last)["status"]
                    return any(state["phase"] == "Firing" for state in status.get("monitors", []))

                await until(when(fires))
                assert len(server.asked) == 2

    play(story)
