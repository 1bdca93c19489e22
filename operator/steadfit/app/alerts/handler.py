"""POST /v1/alerts: what Alertmanager says goes into the status of the TrainingJobs it concerns, on every replica.

200 says that every alert that a trigger asks for is stored. What no trigger asks for is counted and answered 200 too,
because Alertmanager would repeat it for ever. What cannot be done now is a 503: Alertmanager repeats that at once,
but not a 429. A message that is not understood is a 400, and nothing of it is acted on.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from steadfit.app.refusal import Refusal
from steadfit.core.training.triggers.alert_matching import Listener, Listeners, ReceivedAlert, reached
from steadfit.core.training.triggers.alert_state import UNNAMED
from steadfit.kube.client import APIError, Unavailable
from steadfit.kube.clock import Clock

from .auth import PATH, Authorizer, bearer
from .listeners import Targets
from .message import parse, received
from .writer import AlertWriter

logger = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024
MAX_CONCURRENT = 64
MAX_BYTES = 8 * MAX_BODY
"""Of all messages that are being handled, because what is read from them is several times as large."""
READ_SECONDS = 10.0
ANSWER_SECONDS = 9.0
"""Time from the message to the answer. Alertmanager waits 10 s."""
RETRY_AFTER = {"Retry-After": "2"}
TOO_MANY = "too many messages at once; try again"
PAUSE_EVERY = 20
"""Alerts that are looked at before others have their turn: a leader must go on renewing its Lease meanwhile."""

RESULTS = (
    "stored",
    "refreshed",
    "unchanged",
    "no_namespace",
    "unknown_namespace",
    "no_match",
    "overflow",
    "truncated",
    "failed",
)
"""What may become of an alert."""
_IGNORED = {
    "no_namespace": "have no label namespace",
    "unknown_namespace": "name a namespace that is not watched",
    "no_match": "match no trigger of a TrainingJob",
}

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class AlertStatistics:
    """What was told, and what was answered."""

    answers: Mapping[int, int]
    """Answers by HTTP status."""
    results: Mapping[str, int]
    """Alerts by what became of them."""
    busy: int
    """Requests that are being handled."""


class AlertIntake:
    """Handles posted alerts."""

    def __init__(self, authorizer: Authorizer, targets: Targets, writer: AlertWriter, clock: Clock) -> None:
        self._doorkeeper = authorizer
        self._targets = targets
        self._writer = writer
        self._clock = clock
        self._answers: Counter[int] = Counter()
        self._results: Counter[str] = Counter(dict.fromkeys(RESULTS, 0))
        self._busy = 0
        self._bytes = 0

    def join(self, application: web.Application) -> None:
        """Add the path to the intake's application."""
        application.router.add_post(PATH, self._post)

    def statistics(self) -> AlertStatistics:
        """Return what was told and answered."""
        return AlertStatistics(dict(self._answers), dict(self._results), self._busy)

    async def _post(self, request: web.Request) -> web.Response:
        if self._busy >= MAX_CONCURRENT:
            return self._answer(503, {"error": TOO_MANY})
        self._busy += 1
        body = bytearray()
        try:
            results = await self._handle(request, body)
        except Refusal as refusal:
            logger.warning("refused a message: %d, %s", refusal.status, refusal.sentence)
            return self._answer(refusal.status, {"error": refusal.sentence})
        except (Unavailable, TimeoutError) as error:
            logger.warning("cannot take alerts now: %s", error or "the time is over")
            return self._answer(503, {"error": "the Kubernetes API does not answer in time; try again"})
        except APIError as error:
            # What the operator itself may not do is nothing the caller can change, but somebody may mend it.
            logger.error("cannot take alerts: %s", error)
            return self._answer(503, {"error": "the operator lacks a permission or its CRDs are old; see its log"})
        finally:
            self._busy -= 1
            self._bytes -= len(body)
        return self._answer(200, {"alerts": results})

    async def _handle(self, request: web.Request, body: bytearray) -> Mapping[str, int]:
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._doorkeeper.admit(bearer(request.headers.get("Authorization", "")))
        await self._read(request, body)
        async with asyncio.timeout(ANSWER_SECONDS):
            message = parse(bytes(body))
            alerts = received(message, self._clock.now().replace(microsecond=0))
            results, wanted = await self._sort(alerts)
            if message.truncated_alerts:
                logger.warning("Alertmanager left out %d alerts: its receiver has max_alerts", message.truncated_alerts)
                results["truncated"] = message.truncated_alerts
            self._results.update(results)
            await self._store(wanted, results)
        return {result: count for result, count in results.items() if count}

    async def _read(self, request: web.Request, body: bytearray) -> None:
        """Read into `body`; its size is checked before and while it is read, never after."""
        refusal = Refusal(413, f"a message has at most {MAX_BODY} bytes; group alerts by namespace and model")
        if (request.content_length or 0) > MAX_BODY:
            raise refusal
        try:
            async with asyncio.timeout(READ_SECONDS):
                async for chunk in request.content.iter_any():
                    body += chunk
                    self._bytes += len(chunk)
                    if len(body) > MAX_BODY:
                        raise refusal
                    if self._bytes > MAX_BYTES:
                        raise Refusal(503, TOO_MANY)
        except TimeoutError as error:
            raise Refusal(408, f"the message did not arrive within {READ_SECONDS:g} s") from error
        except web.RequestPayloadError as error:
            raise Refusal(400, "the message cannot be read: it is cut off or its encoding is broken") from error

    async def _sort(self, alerts: Sequence[ReceivedAlert]) -> tuple[Counter[str], dict[tuple[str, str], _Wanted]]:
        """Return what becomes of alerts that nobody asks for, and the others by the TrainingJob that they reach."""
        ignored: dict[str, list[ReceivedAlert]] = defaultdict(list)
        named = []
        for alert in alerts:
            namespace = alert.labels.get("namespace")
            if not namespace:
                ignored["no_namespace"].append(alert)
            elif _NAMESPACE.fullmatch(namespace) is None or not self._targets.watches(namespace):
                ignored["unknown_namespace"].append(alert)
            else:
                named.append((namespace, alert))
        namespaces = dict.fromkeys(namespace for namespace, _ in named)
        listeners: Mapping[str, Listeners] = await self._targets.of(namespaces) if namespaces else {}
        wanted: dict[tuple[str, str], _Wanted] = {}
        for number, (namespace, alert) in enumerate(named, start=1):
            targets = reached(alert, listeners[namespace])
            if not targets:
                ignored["no_match"].append(alert)
            for target in targets:
                key = (target.namespace, target.name)
                wanted.setdefault(key, _Wanted(target, [])).alerts.append(alert)
            if number % PAUSE_EVERY == 0:
                await asyncio.sleep(0)
        results = Counter({reason: len(those) for reason, those in ignored.items()})
        for reason, those in ignored.items():
            example = those[0].labels.get("alertname", UNNAMED)
            logger.info("%d alerts %s, for example %s", len(those), _IGNORED[reason], example)
        return results, wanted

    async def _store(self, wanted: Mapping[tuple[str, str], _Wanted], results: Counter[str]) -> None:
        """Store all that can be stored, and only then raise what went wrong with the others."""
        writes = [self._writer.store(part.target, part.alerts) for part in wanted.values()]
        try:
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
        except asyncio.CancelledError:
            # The time is over: what is not known to be stored counts as not stored.
            self._results["failed"] += sum(len(part.alerts) for part in wanted.values())
            raise
        errors = []
        for part, outcome in zip(wanted.values(), outcomes, strict=True):
            if isinstance(outcome, BaseException):
                errors.append(outcome)
                self._results["failed"] += len(part.alerts)
                continue
            counts = Counter(outcome[alert.fingerprint] for alert in part.alerts)
            results.update(counts)
            self._results.update(counts)
            if dropped := counts["overflow"]:
                logger.warning("%d alerts found no room in %s/%s", dropped, part.target.namespace, part.target.name)
        if errors:
            raise errors[0]

    def _answer(self, status: int, body: Mapping[str, object]) -> web.Response:
        self._answers[status] += 1
        return web.json_response(body, status=status, headers=RETRY_AFTER if status == 503 else None)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The alerts of one message that reach one TrainingJob."""

    target: Listener
    alerts: list[ReceivedAlert]
