"""A TrainingJob that wants alerts, a sender who may post them, and replicas of the intake behind real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from typing import Any

import aiohttp
from steadfit.app.alerts.auth import Authorizer, Reviews
from steadfit.app.alerts.handler import AlertIntake
from steadfit.app.alerts.listeners import ListenerCache
from steadfit.app.alerts.writer import AlertWriter
from steadfit.app.clock import SystemClock
from steadfit.app.probes.servers import listening
from steadfit.app.results.handler import Intake
from steadfit.kube.api import APIServer
from steadfit.kube.resources import TRAINING_JOBS

from .fakeapi import FakeAPI

SENDER = "system:serviceaccount:monitoring:alertmanager"
SPEC = {"triggers": [{"name": "drift", "alert": {"matchLabels": {"alertname": "ModelInputDrift"}}}]}


@dataclass
class Answer:
    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


class AlertFixture:
    """A TrainingJob that wants alerts, a sender who may post them, and replicas of the intake."""

    def __init__(self, fake: FakeAPI, intakes: list[AlertIntake], urls: list[str]) -> None:
        self.fake = fake
        self.intakes = intakes
        self.urls = urls
        fake.tokens["good"] = {"authenticated": True, "user": {"username": SENDER, "groups": ["system:authenticated"]}}
        fake.allowed.add((SENDER, "post", "/v1/alerts"))
        self.job("flights")

    def job(self, name: str, namespace: str = "shop", spec: Mapping[str, Any] = SPEC) -> None:
        self.fake.store.create(TRAINING_JOBS, (namespace, name), {"spec": dict(spec)})

    def status(self, name: str = "flights", namespace: str = "shop") -> dict[str, Any]:
        return dict(self.fake.store.get(TRAINING_JOBS, (namespace, name))["status"])

    def alerts(self, name: str = "flights", namespace: str = "shop") -> dict[str, str]:
        """What is stored: status by fingerprint."""
        entries = self.status(name, namespace).get("alerts", [])
        assert len({entry["fingerprint"] for entry in entries}) == len(entries)
        return {entry["fingerprint"]: entry["status"] for entry in entries}

    def writes(self) -> int:
        return len(self.fake.seen("patch", "trainingjobs"))

    async def tell(self, body: Any, replica: int) -> Answer:
        """Post as Alertmanager does: again after a 5xx."""
        for _ in range(20):
            answer = await self.post(body, replica=replica)
            if answer.status < 500:
                break
            await asyncio.sleep(0.5)
        return answer

    async def post(self, body: Any, token: str | None = "good", replica: int = 0, encoding: str = "") -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Encoding": encoding} if encoding else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.urls[replica]}/v1/alerts", data=data, headers=headers) as response,
        ):
            return Answer(response.status, await response.json(), response.headers)


def alert(fingerprint: str = "a1", status: str = "firing", **labels: str) -> dict[str, Any]:
    """One alert as Alertmanager 0.25 sends it."""
    wanted = {"alertname": "ModelInputDrift", "namespace": "shop", "model": "flights", **labels}
    return {
        "status": status,
        "labels": {name: value for name, value in wanted.items() if value},
        "annotations": {"summary": "the inputs moved"},
        "startsAt": "2026-03-01T12:00:00.123456789+01:00",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": fingerprint,
    }


def message(*alerts: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": '{}:{namespace="shop"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "steadfit",
        "groupLabels": {"namespace": "shop"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
        **changes,
    }


def play(
    story: Callable[[AlertFixture], Awaitable[None]],
    replicas: int = 1,
    authorizer: Authorizer | None = None,
    watched: tuple[str, ...] = (),
) -> None:
    async def main() -> None:
        fake = FakeAPI()
        async with fake.running(), AsyncExitStack() as stack:
            intakes, urls = [], []
            for number in range(replicas):
                client = APIServer(fake.configuration)
                stack.push_async_callback(client.close)
                intake = AlertIntake(
                    authorizer or Reviews(client),
                    ListenerCache(client, watched),
                    AlertWriter(client, Random(number)),
                    SystemClock(),
                )
                application = Intake(client).application()
                intake.join(application)
                port = await stack.enter_async_context(listening(application, 0, host="127.0.0.1"))
                intakes.append(intake)
                urls.append(f"http://127.0.0.1:{port}")
            await story(AlertFixture(fake, intakes, urls))

    asyncio.run(main())
