"""The whole process, started as it is in production, against the fake API server."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from steadfit.kube.resources import ARTIFACT_STORES, LEASES, SECRETS, TRAINING_JOBS

from tests.support.ports import free_port

from .fakeapi import FakeAPI, Fault
from .store import Backup

STORE = {"spec": {"uriPrefix": "s3://models/", "credentialsSecretName": "s3"}}


class Replica:
    """One operator process."""

    def __init__(self, process: asyncio.subprocess.Process, ports: tuple[int, int], log: Path) -> None:
        self.process = process
        self.intake_port = ports[1]
        self._url = f"http://127.0.0.1:{ports[0]}"
        self._log = log

    async def get(self, path: str) -> tuple[int, str]:
        try:
            async with aiohttp.ClientSession() as session, session.get(self._url + path) as response:
                return response.status, await response.text()
        except aiohttp.ClientError as error:
            return 0, str(error)

    async def ready(self) -> bool:
        return (await self.get("/readyz"))[0] == 200

    async def leads(self) -> bool:
        return "steadfit_operator_lease_held 1.0" in (await self.get("/metrics"))[1]

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]


@asynccontextmanager
async def replica(fake: FakeAPI, directory: Path, name: str) -> AsyncIterator[Replica]:
    kubeconfig = {
        "current-context": "fake",
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        "clusters": [{"name": "fake", "cluster": {"server": fake.url}}],
        "users": [{"name": "fake", "user": {}}],
    }
    (directory / "kubeconfig").write_text(json.dumps(kubeconfig))
    ports = free_port(), free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("STEADFIT_", "KUBE"))}
    environment |= {
        "KUBECONFIG": str(directory / "kubeconfig"),
        "STEADFIT_TRAINER_IMAGE": "trainer:1",
        "STEADFIT_SERVER_IMAGE": "server:1",
        "STEADFIT_POD_NAME": name,
        "STEADFIT_HEALTH_PORT": str(ports[0]),
        "STEADFIT_INTAKE_PORT": str(ports[1]),
        "STEADFIT_LEASE_DURATION_SECONDS": "6",
        "STEADFIT_LEASE_RENEW_SECONDS": "4",
        "STEADFIT_LEASE_RETRY_SECONDS": "0.5",
    }
    log = directory / f"{name}.log"
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "steadfit", env=environment, stderr=stream)
    try:
        yield Replica(process, ports, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def renewed(fake: FakeAPI, backup: Backup) -> Callable[[], Awaitable[bool]]:
    """Return whether the Lease is newer than in a backup."""
    where = ("steadfit-system", "steadfit-operator")

    async def condition() -> bool:
        return bool(fake.store.get(LEASES, where) != backup.objects[LEASES][where])

    return condition


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(180):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.1)


def play(story: Callable[[FakeAPI], Awaitable[None]]) -> None:
    async def main() -> None:
        fake = FakeAPI()
        async with fake.running():
            await story(fake)

    asyncio.run(main())


def accepted(fake: FakeAPI, name: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        status = fake.store.get(ARTIFACT_STORES, (None, name))["status"]
        return any(condition["type"] == "Ready" for condition in status.get("conditions", []))

    return check


def test_one_replica_leads_the_other_one_stands_by_and_takes_over(tmp_path: Path) -> None:
    async def story(fake: FakeAPI) -> None:
        async with replica(fake, tmp_path, "one") as one:
            await until(one.leads)
            async with replica(fake, tmp_path, "two") as two:
                await until(two.ready)
                assert not await two.leads()
                fake.store.create(ARTIFACT_STORES, (None, "first"), STORE)
                await until(accepted(fake, "first"))
                assert (await two.get("/healthz"))[0] == 200
                one.process.send_signal(signal.SIGTERM)
                assert await one.process.wait() == 0
                await until(two.leads)
                fake.store.create(ARTIFACT_STORES, (None, "second"), STORE)
                await until(accepted(fake, "second"))
        assert len(fake.seen("create", "secrets")) == 1
        assert fake.store.get(LEASES, ("steadfit-system", "steadfit-operator"))["spec"]["leaseTransitions"] >= 1
        assert one.log[-1]["message"] == "stopped"

    play(story)


def test_a_leader_that_loses_its_lease_exits(tmp_path: Path) -> None:
    async def story(fake: FakeAPI) -> None:
        async with replica(fake, tmp_path, "one") as one:
            await until(one.leads)
            where = ("steadfit-system", "steadfit-operator")
            lease = fake.store.get(LEASES, where)
            del lease["metadata"]["resourceVersion"]
            usurped = {**lease, "spec": {**lease["spec"], "holderIdentity": "usurper"}}
            fake.store.update(LEASES, where, usurped, status=False)
            async with asyncio.timeout(120):
                assert await one.process.wait() == 1
            assert "usurper holds it" in one.log[-1]["message"]
            assert fake.store.get(LEASES, where)["spec"]["holderIdentity"] == "usurper"

    play(story)


def test_a_deleted_lease_heals_by_the_exit_of_its_leader_and_the_next_process_makes_it_anew(tmp_path: Path) -> None:
    async def story(fake: FakeAPI) -> None:
        where = ("steadfit-system", "steadfit-operator")
        async with replica(fake, tmp_path, "one") as one:
            await until(one.leads)
            fake.store.delete(LEASES, where)
            # 10 s with the default settings, 4 s with those of this test.
            async with asyncio.timeout(60):
                assert await one.process.wait() == 1
            assert "not renewed for 4 s" in one.log[-1]["message"]
        async with replica(fake, tmp_path, "two") as two:
            await until(two.leads)
            assert fake.store.get(LEASES, where)["spec"]["holderIdentity"].startswith("two_")

    play(story)


def test_a_leader_exits_when_the_cluster_is_restored_and_the_next_one_follows_the_older_state(tmp_path: Path) -> None:
    async def story(fake: FakeAPI) -> None:
        async with replica(fake, tmp_path, "one") as one:
            await until(one.leads)
            backup = fake.store.backup()
            for name in ("first", "second"):
                fake.store.create(ARTIFACT_STORES, (None, name), STORE)
                await until(accepted(fake, name))
            # A Lease that is the same in the backup shows nothing: then it takes a full list, ten minutes later.
            await until(renewed(fake, backup))
            fake.store.restore(backup)
            # It gets the name and a resourceVersion that this process has seen before.
            fake.store.create(ARTIFACT_STORES, (None, "second"), STORE)
            async with asyncio.timeout(60):
                assert await one.process.wait() == 1
            assert "restored" in one.log[-1]["message"]
        async with replica(fake, tmp_path, "two"):
            await until(accepted(fake, "second"))

    play(story)


def test_a_replica_that_starts_before_the_api_server_waits_for_it(tmp_path: Path) -> None:
    async def story(fake: FakeAPI) -> None:
        fake.faults["get", "secrets"] = Fault(times=1, code=503)
        fake.faults["list", "trainingjobs"] = Fault(times=1, code=404, reason="NotFound")
        async with replica(fake, tmp_path, "one") as one:
            await until(one.leads)
            assert (await one.get("/healthz"))[0] == 200
            fake.store.create(ARTIFACT_STORES, (None, "first"), STORE)
            await until(accepted(fake, "first"))
            assert fake.store.get(SECRETS, ("steadfit-system", "steadfit-intake-tls"))["type"] == "kubernetes.io/tls"

    play(story)


def test_a_replica_that_does_not_lead_takes_alerts_over_tls(tmp_path: Path) -> None:
    async def story(fake: FakeAPI) -> None:
        fake.tokens["good"] = {"authenticated": True, "user": {"username": "alertmanager"}}
        fake.allowed.add(("alertmanager", "post", "/v1/alerts"))
        trigger = {"name": "drift", "alert": {"matchLabels": {"alertname": "ModelInputDrift"}}}
        fake.store.create(TRAINING_JOBS, ("shop", "flights"), {"spec": {"suspend": True, "triggers": [trigger]}})
        labels = {"alertname": "ModelInputDrift", "namespace": "shop", "model": "flights"}
        alert = {"status": "firing", "labels": labels, "startsAt": "2026-03-01T12:00:00Z", "fingerprint": "a1"}
        async with replica(fake, tmp_path, "one") as one:
            await until(one.leads)
            async with replica(fake, tmp_path, "two") as two:
                await until(two.ready)
                secret = fake.store.get(SECRETS, ("steadfit-system", "steadfit-intake-tls"))
                ca = base64.b64decode(secret["data"]["ca.crt"]).decode()
                async with (
                    aiohttp.ClientSession() as session,
                    session.post(
                        f"https://127.0.0.1:{two.intake_port}/v1/alerts",
                        json={"version": "4", "alerts": [alert]},
                        headers={"Authorization": "Bearer good"},
                        ssl=ssl.create_default_context(cadata=ca),
                        server_hostname="steadfit-operator.steadfit-system.svc",
                    ) as response,
                ):
                    assert (response.status, await response.json()) == (200, {"alerts": {"stored": 1}})
                assert not await two.leads()
                (stored,) = fake.store.get(TRAINING_JOBS, ("shop", "flights"))["status"]["alerts"]
                assert stored["fingerprint"] == "a1"
                assert 'steadfit_alerts_total{result="stored"} 1.0' in (await two.get("/metrics"))[1]

    play(story)


def test_a_leader_that_may_not_watch_events_works_and_its_readiness_names_the_right(tmp_path: Path) -> None:
    async def story(fake: FakeAPI) -> None:
        fake.denied.add(("watch", "events"))
        async with replica(fake, tmp_path, "one") as one:
            await until(one.leads)

            async def named() -> bool:
                return "lacks watch events.events.k8s.io: apply the roles" in (await one.get("/readyz"))[1]

            await until(named)
            fake.store.create(ARTIFACT_STORES, (None, "first"), STORE)
            await until(accepted(fake, "first"))
            fake.denied.clear()
            await until(one.ready)

    play(story)
