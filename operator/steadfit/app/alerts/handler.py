"""POST /v1/alerts: stores Alertmanager's alerts in the status of the TrainingJobs that they match, on every replica.

200: every alert that a trigger matches is stored. Alerts that match no trigger are counted and answered 200 too,
because Alertmanager would repeat them without end. 503: try again; Alertmanager retries it at once, but not a 429. 400:
the message is not understood, and nothing of it is acted on.
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
from .listeners import ListenerCache
from .message import parse, received
from .writer import AlertWriter

logger = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024
MAX_CONCURRENT = 64
MAX_BYTES = 8 * MAX_BODY
"""Bytes of all messages in progress; parsed, they take several times as much memory."""
READ_SECONDS = 10.0
ANSWER_SECONDS = 9.0
"""Time from the message to the answer. Alertmanager waits 10 s."""
RETRY_AFTER = {"Retry-After": "2"}
TOO_MANY = "too many messages at once; try again"
YIELD_EVERY = 20
"""Alerts that are matched before the event loop is yielded: a leader has to renew its Lease meanwhile."""

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
"""Possible outcomes of an alert."""
_IGNORED = {
    "no_namespace": "have no label namespace",
    "unknown_namespace": "name a namespace that is not watched",
    "no_match": "match no trigger of a TrainingJob",
}

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class AlertStatistics:
    """Counts of alerts and answers."""

    answers: Mapping[int, int]
    """Answers by HTTP status."""
    results: Mapping[str, int]
    """Alerts by outcome."""
    busy: int
    """Requests in progress."""


class AlertIntake:
    """Handles posted alerts."""

    def __init__(self, authorizer: Authorizer, listeners: ListenerCache, writer: AlertWriter, clock: Clock) -> None:
        self._authorizer = authorizer
        self._listeners = listeners
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
        """Return counts of alerts and answers."""
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
            logger.warning("cannot store alerts now: %s", error or "timeout")
            return self._answer(503, {"error": "the Kubernetes API does not answer in time; try again"})
        except APIError as error:
            # The sender cannot change what the operator lacks, but an administrator can, so the sender retries.
            logger.error("cannot store alerts: %s", error)
            return self._answer(503, {"error": "the operator lacks a permission or its CRDs are old; see its log"})
        finally:
            self._busy -= 1
            self._bytes -= len(body)
        return self._answer(200, {"alerts": results})

    async def _handle(self, request: web.Request, body: bytearray) -> Mapping[str, int]:
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._authorizer.admit(bearer(request.headers.get("Authorization", "")))
        await self._read(request, body)
        async with asyncio.timeout(ANSWER_SECONDS):
            message = parse(bytes(body))
            alerts = received(message, self._clock.now().replace(microsecond=0))
            results, matched = await self._sort(alerts)
            if message.truncated_alerts:
                logger.warning(
                    "Alertmanager truncated %d alerts: its receiver sets max_alerts", message.truncated_alerts
                )
                results["truncated"] = message.truncated_alerts
            self._results.update(results)
            await self._store(matched, results)
        return {result: count for result, count in results.items() if count}

    async def _read(self, request: web.Request, body: bytearray) -> None:
        """Read into `body`, and check its size before and during reading."""
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

    async def _sort(self, alerts: Sequence[ReceivedAlert]) -> tuple[Counter[str], dict[tuple[str, str], _Matched]]:
        """Return counts of the ignored alerts, and the others by the TrainingJob that they match."""
        ignored: dict[str, list[ReceivedAlert]] = defaultdict(list)
        named = []
        for alert in alerts:
            namespace = alert.labels.get("namespace")
            if not namespace:
                ignored["no_namespace"].append(alert)
            elif _NAMESPACE.fullmatch(namespace) is None or not self._listeners.watches(namespace):
                ignored["unknown_namespace"].append(alert)
            else:
                named.append((namespace, alert))
        namespaces = dict.fromkeys(namespace for namespace, _ in named)
        listeners: Mapping[str, Listeners] = await self._listeners.of(namespaces) if namespaces else {}
        matched: dict[tuple[str, str], _Matched] = {}
        for number, (namespace, alert) in enumerate(named, start=1):
            targets = reached(alert, listeners[namespace])
            if not targets:
                ignored["no_match"].append(alert)
            for target in targets:
                key = (target.namespace, target.name)
                matched.setdefault(key, _Matched(target, [])).alerts.append(alert)
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        results = Counter({reason: len(those) for reason, those in ignored.items()})
        for reason, those in ignored.items():
            example = those[0].labels.get("alertname", UNNAMED)
            logger.info("%d alerts %s, for example %s", len(those), _IGNORED[reason], example)
        return results, matched

    async def _store(self, matched: Mapping[tuple[str, str], _Matched], results: Counter[str]) -> None:
        """Store all that can be stored, then raise the first failure of the others."""
        writes = [self._writer.store(part.target, part.alerts) for part in matched.values()]
        try:
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
        except asyncio.CancelledError:
            # Timeout: alerts that are not known to be stored count as failed.
            self._results["failed"] += sum(len(part.alerts) for part in matched.values())
            raise
        errors = []
        for part, outcome in zip(matched.values(), outcomes, strict=True):
            if isinstance(outcome, BaseException):
                errors.append(outcome)
                self._results["failed"] += len(part.alerts)
                continue
            counts = Counter(outcome[alert.fingerprint] for alert in part.alerts)
            results.update(counts)
            self._results.update(counts)
            if dropped := counts["overflow"]:
                logger.warning(
                    "%d alerts did not fit into the status of %s/%s", dropped, part.target.namespace, part.target.name
                )
        if errors:
            raise errors[0]

    def _answer(self, status: int, body: Mapping[str, object]) -> web.Response:
        self._answers[status] += 1
        return web.json_response(body, status=status, headers=RETRY_AFTER if status == 503 else None)


@dataclass(frozen=True, slots=True)
class _Matched:
    """The alerts of one message that reach one TrainingJob."""

    target: Listener
    alerts: list[ReceivedAlert]
