"""A run whose pod may post what it found, and the intake in front of it, over HTTP against the fake API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from steadfit.app.probes.servers import listening
from steadfit.app.results.handler import Intake
from steadfit.kube.api import APIServer
from steadfit.kube.resources import JOBS, PODS, TRAINING_RUNS, Resource

from .fakeapi import FakeAPI

RUN = ("ns", "flights-abc")
HEX = "a" * 64


@dataclass
class Answer:
    status: int
    body: dict[str, Any]
    headers: Any


class IntakeFixture:
    """A run with an attempt, its Job and pod, a token for the pod, and the intake in front of it all."""

    def __init__(self, fake: FakeAPI, intake: Intake, url: str) -> None:
        self.fake = fake
        self.intake = intake
        self.url = url
        store = fake.store
        run = store.create(TRAINING_RUNS, RUN, {"spec": {"trainingJobRef": {"name": "flights", "uid": "tj"}}})
        self.set_status(phase="Running", attempts=[{"number": 1, "job": "flights-abc-a1"}])
        job = store.create(JOBS, ("ns", "flights-abc-a1"), owned(TRAINING_RUNS, run))
        self.pod = store.create(PODS, ("ns", "flights-abc-a1-x"), owned(JOBS, job))
        fake.tokens["good"] = review("ns", self.pod)
        self.run_uid = run["metadata"]["uid"]

    def set_status(self, **status: Any) -> None:
        run = self.fake.store.get(TRAINING_RUNS, RUN)
        self.fake.store.update(TRAINING_RUNS, RUN, {**run, "status": {**run["status"], **status}}, status=True)

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.fake.store.get(TRAINING_RUNS, RUN)["status"])

    def record(self, **run: Any) -> dict[str, Any]:
        return {
            "schemaVersion": 1,
            "run": {
                "namespace": "ns", "name": "flights-abc", "uid": self.run_uid, "attempt": 1, "trainingJob": "flights",
            } | run,
            "artifact": {
                "uri": f"s3://models/ns/flights/artifacts/sha256/{HEX}/",
                "digest": f"sha256:{HEX}",
                "size": 3,
                "files": [{"path": "model.onnx", "size": 3, "sha256": HEX}],
            },
            "data": [],
            "evaluation": {
                "metrics": {"roc_auc": 0.7}, "holdoutRows": 10, "by": "Time", "column": "t", "boundary": None,
            },
        }  # fmt: skip

    def outcome(self, **found: Any) -> dict[str, Any]:
        """What evaluate posts."""
        numbers = {"rows": 4210, "live": 0.241, "lastGood": 0.198, "difference": 0.043, "lower": 0.03, "upper": 0.056}
        return {"schemaVersion": 1, "run": self.record()["run"], "evaluation": {**numbers, "reason": "", **found}}

    def evaluates(self) -> None:
        """Let the run be one that evaluates."""
        run = self.fake.store.get(TRAINING_RUNS, RUN)
        self.fake.store.update(
            TRAINING_RUNS, RUN, {**run, "spec": {**run["spec"], "purpose": "Evaluate"}}, status=False
        )

    async def post(
        self,
        body: Any = None,
        token: str | None = "good",
        path: str = "ns/trainingruns/flights-abc",
        what: str = "record",
    ) -> Answer:
        given = body if body is not None else self.record() if what == "record" else self.outcome()
        data = given if isinstance(given, (bytes, str)) else json.dumps(given)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/v1/namespaces/{path}/{what}", data=data, headers=headers) as response,
        ):
            return Answer(response.status, await response.json(), response.headers)


def owned(resource: Resource, owner: dict[str, Any]) -> dict[str, Any]:
    identity = {key: owner["metadata"][key] for key in ("name", "uid")}
    reference = {"apiVersion": resource.api_version, "kind": resource.kind, **identity, "controller": True}
    return {"metadata": {"ownerReferences": [reference]}}


def review(namespace: str, pod: dict[str, Any], **changes: Any) -> dict[str, Any]:
    extra = {
        "authentication.kubernetes.io/pod-name": [pod["metadata"]["name"]],
        "authentication.kubernetes.io/pod-uid": [pod["metadata"]["uid"]],
    }
    user = {"username": f"system:serviceaccount:{namespace}:default", "extra": extra}
    return {"authenticated": True, "audiences": ["steadfit"], "user": user, **changes}


def play(story: Callable[[IntakeFixture], Awaitable[None]]) -> None:
    async def main() -> None:
        fake = FakeAPI()
        async with fake.running():
            client = APIServer(fake.configuration)
            intake = Intake(client)
            async with listening(intake.application(), 0, host="127.0.0.1") as port:
                await story(IntakeFixture(fake, intake, f"http://127.0.0.1:{port}"))
            await client.close()

    asyncio.run(main())
