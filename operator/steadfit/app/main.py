"""The process: every replica serves intake, probes and metrics; the holder of the Lease also reconciles.

A leader that loses its Lease exits, and so does one whose cluster was restored to an older state. All state is in the
API server, so a new process with an empty cache is the one safe way back.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from random import SystemRandom
from typing import Any

from kubernetes.aio.client import Configuration

from steadfit import __version__
from steadfit.api.metricsource import MetricSourceSpec
from steadfit.app.alerts.auth import Reviews, TokenFile
from steadfit.app.alerts.handler import AlertIntake
from steadfit.app.alerts.listeners import ListenerCache
from steadfit.app.alerts.reachability import Reachability
from steadfit.app.alerts.writer import AlertWriter
from steadfit.app.engine.engine import Engine, EngineSettings
from steadfit.app.engine.plan_table import planners
from steadfit.app.probes import metrics
from steadfit.app.probes.frozen_rollbacks import FrozenRollbacks
from steadfit.app.probes.health import Health, Vital
from steadfit.app.probes.outdated import OutdatedModels
from steadfit.app.probes.servers import listening, probes
from steadfit.app.results.handler import Intake
from steadfit.app.rules.publisher import RulesPublisher
from steadfit.app.tls.ca_publisher import CAPublisher
from steadfit.app.tls.certificate import Certificate
from steadfit.app.watch import kopf_adapter
from steadfit.app.watch.kopf_supervisor import Supervisor
from steadfit.core.types import Platform
from steadfit.kube.api import APIServer
from steadfit.kube.cache import JSONObject
from steadfit.kube.lease import Election, LeaseLost, LeaseSettings
from steadfit.kube.login import login
from steadfit.kube.resources import EVENTS
from steadfit.kube.restored import Restored
from steadfit.kube.watch_rights import WatchRights
from steadfit.prometheus.client import SourceClient
from steadfit.prometheus.credentials import Credentials
from steadfit.prometheus.poller import Poller
from steadfit.tallies.client import TalliesClient
from steadfit.tallies.reader import TalliesReader

from .clock import SystemClock
from .settings import Settings

logger = logging.getLogger(__name__)


class Operator:
    """One replica."""

    def __init__(self, settings: Settings, configuration: Configuration) -> None:
        clock, rng = SystemClock(), SystemRandom()
        identity = f"{settings.pod_name}_{uuid.uuid4().hex[:8]}"
        self._settings = settings
        self._client = APIServer(configuration)
        self._certificate = Certificate(
            self._client,
            clock,
            namespace=settings.namespace,
            name=settings.certificate_secret,
            hosts=(settings.service_host, f"{settings.service_host}.cluster.local", settings.service_name),
            managed=settings.certificate_managed,
            on_ca=self._trust,
        )
        self._intake = Intake(self._client)
        token_file = settings.alert_token_file
        self._alerts = AlertIntake(
            TokenFile(token_file) if token_file else Reviews(self._client),
            ListenerCache(self._client, settings.watch_namespaces),
            AlertWriter(self._client, rng),
            clock,
        )
        lease = LeaseSettings(
            name=settings.lease_name,
            namespace=settings.namespace,
            identity=identity,
            duration_seconds=settings.lease_duration_seconds,
            renew_seconds=settings.lease_renew_seconds,
            retry_seconds=settings.lease_retry_seconds,
        )
        self._election = Election(self._client, clock, lease)
        self._engine = Engine(
            self._client,
            clock,
            rng,
            Platform(settings.trainer_image, settings.server_image, __version__, settings.record_url, ca_bundle=""),
            EngineSettings(settings.watch_namespaces, settings.workers, settings.resync_seconds, identity),
            planners,
        )
        self._poller = Poller(self._engine, self._engine.signals, self._connect, clock, rng)
        self._tallies = TalliesReader(self._engine, self._engine.signals.comparisons, TalliesClient, clock)
        self._rules = RulesPublisher(
            self._client,
            self._engine.model_deployments,
            namespace=settings.namespace,
            form=settings.rules,
            interval_seconds=settings.rules_interval_seconds,
        )
        self._ca = CAPublisher(self._client, lambda: self._certificate.ca_bundle, settings.ca_namespaces)
        self._reachability = Reachability(
            lambda: self._certificate.statistics().handshake_failures["distrust"],
            lambda: sum(self._alerts.statistics().answers.values()),
            clock,
            self._engine.report_refused_alerts,
        )
        self._supervisor = Supervisor(
            partial(kopf_adapter.watch, configuration, settings.watch_namespaces, self._deliverer()),
            rng,
            self._engine.on_interruption,
        )
        self._engine.on_found = self._supervisor.restart
        self._rights = WatchRights(self._client, (EVENTS,), settings.watch_namespaces, rng)
        self._health = Health(self._vital)

    async def run(self) -> None:
        """Serve, and lead while holding the Lease, until cancelled.

        Raises
        ------
        LeaseLost
            If another replica may be leading.
        Restored
            If the cluster was restored to an older state.
        """
        settings = self._settings
        try:
            async with listening(probes(self._health, self._metrics), settings.health_port):
                await self._certificate.load()
                application = self._intake.application()
                self._alerts.join(application)
                async with listening(application, settings.intake_port, self._certificate.context):
                    self._health.ready = True
                    logger.info("serving records and alerts on port %d", settings.intake_port)
                    await _together(self._certificate.run, self._lead)
        finally:
            await self._election.release()
            await self._client.close()

    async def _lead(self) -> None:
        await self._election.acquire()
        await _together(self._election.hold, self._work)

    async def _work(self) -> None:
        await self._engine.prime()
        await _together(
            self._engine.run,
            self._rights.run,
            self._supervisor.run,
            self._poller.run,
            self._tallies.run,
            self._rules.run,
            self._ca.run,
            self._reachability.run,
        )

    def _deliverer(self) -> kopf_adapter.Deliver:
        # kopf runs in another thread: events are handed over to this loop, in order.
        loop = asyncio.get_running_loop()

        def deliver(event_type: str | None, body: JSONObject) -> None:
            loop.call_soon_threadsafe(self._engine.on_event, event_type, body)

        return deliver

    def _connect(self, spec: MetricSourceSpec) -> SourceClient:
        name = spec.credentials_secret_name
        secret = Credentials(self._client, self._settings.namespace, name) if name else None
        return SourceClient(spec, secret.header if secret else None)

    def _trust(self, ca_bundle: str) -> None:
        self._engine.platform = replace(self._engine.platform, ca_bundle=ca_bundle)

    def _vital(self) -> Vital:
        resync = self._engine.statistics().resync
        return Vital(
            answer_age_seconds=self._client.statistics().answer_age_seconds,
            leading=self._election.statistics().held,
            stale_watches=resync.stale_watches,
            resync_age_seconds=resync.age_seconds,
            resync_interval_seconds=self._settings.resync_seconds,
            missing_rights=sorted({*resync.missing_rights, *self._rights.missing()}),
        )

    def _metrics(self) -> bytes:
        parts = (
            self._engine,
            self._client,
            self._election,
            self._certificate,
            self._intake,
            self._alerts,
            self._supervisor,
            self._poller,
            self._tallies,
            self._rules,
            self._ca,
            FrozenRollbacks(self._engine.model_deployments),
            OutdatedModels(self._engine.model_deployments),
        )
        return metrics.exposition(*(part.statistics() for part in parts))


async def _together(*parts: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run all parts; the first one that ends or fails ends all of them, and its exception is raised as it is."""
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def main(settings: Settings) -> int:
    """Run a replica until a signal, the loss of the Lease or a restore of the cluster; return the exit code."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    operator = Operator(settings, await login())
    try:
        await _together(operator.run, partial(_until, stop))
    except LeaseLost as error:
        logger.error("lost the lease: %s; exiting", error)
        return 1
    except Restored as error:
        logger.error("the cluster was restored to an older state: %s; exiting, to start with an empty cache", error)
        return 1
    logger.info("stopped")
    return 0
