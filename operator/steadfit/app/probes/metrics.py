"""The operator's own metrics: the `statistics()` of every part as Prometheus series.

Nothing is counted here. A scrape reads the statistics, so that metrics, tests and probes always agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from steadfit.app.alerts.handler import AlertStatistics
from steadfit.app.engine.engine import EngineStatistics
from steadfit.app.results.handler import IntakeStatistics
from steadfit.app.rules.publisher import RulesStatistics
from steadfit.app.tls.ca_publisher import CAStatistics
from steadfit.app.tls.certificate import CertificateStatistics
from steadfit.app.watch.kopf_supervisor import SupervisorStatistics
from steadfit.core.series import OperatorSeries
from steadfit.kube.api import ClientStatistics
from steadfit.kube.lease import LeaseStatistics
from steadfit.prometheus.poller import PollerStatistics
from steadfit.tallies.reader import TalliesStatistics

from .frozen_rollbacks import FrozenStatistics
from .outdated import OutdatedStatistics

CONTENT_TYPE = CONTENT_TYPE_LATEST

Statistics = (
    EngineStatistics
    | ClientStatistics
    | LeaseStatistics
    | CertificateStatistics
    | CAStatistics
    | IntakeStatistics
    | AlertStatistics
    | SupervisorStatistics
    | PollerStatistics
    | TalliesStatistics
    | RulesStatistics
    | FrozenStatistics
    | OutdatedStatistics
)


def exposition(*statistics: Statistics) -> bytes:
    """Return the metrics page."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector([metric for part in statistics for metric in _metrics(part)]))
    return generate_latest(registry)


class _Collector:
    """A collector of given metrics, as the library requires."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _metrics(part: Statistics) -> Iterator[Metric]:
    match part:
        case EngineStatistics():
            yield from _engine(part)
        case ClientStatistics():
            requests = {(verb, resource, code): count for (verb, resource, code), count in part.requests.items()}
            yield _counter(
                OperatorSeries.API_REQUESTS, "Requests to the API server.", ("verb", "resource", "code"), requests
            )
        case LeaseStatistics():
            yield _gauge(OperatorSeries.LEASE_HELD, "Whether this replica leads.", float(part.held))
            yield _count(OperatorSeries.LEASE_RENEWALS, "Successful renewals of the Lease.", part.renewals)
            yield _count(OperatorSeries.LEASE_FAILURES, "Failed requests for the Lease.", part.failures)
        case CertificateStatistics():
            expires = part.expires.timestamp() if isinstance(part.expires, datetime) else 0.0
            yield _gauge(OperatorSeries.CERTIFICATE_EXPIRY, "When the intake's certificate ends.", expires)
            yield _count(OperatorSeries.CERTIFICATE_RENEWALS, "Certificates made.", part.renewals)
            failures = {(reason,): count for reason, count in part.handshake_failures.items()}
            text = "Failed TLS handshakes; distrust: the client refused the certificate."
            yield _counter(OperatorSeries.HANDSHAKE_FAILURES, text, ("reason",), failures)
        case CAStatistics():
            yield _count(OperatorSeries.CA_WRITES, "Times that the CA certificate was published.", part.writes)
            text = "Namespaces in which the CA certificate could not be published."
            yield _gauge(OperatorSeries.CA_UNPUBLISHED, text, part.unpublished)
        case IntakeStatistics():
            answers = {(str(code),): count for code, count in part.answers.items()}
            yield _counter(OperatorSeries.INTAKE_REQUESTS, "Records posted, by HTTP status code.", ("code",), answers)
        case AlertStatistics():
            answers = {(str(code),): count for code, count in part.answers.items()}
            yield _counter(
                OperatorSeries.ALERT_REQUESTS, "Messages of alerts posted, by HTTP status code.", ("code",), answers
            )
            alerts = CounterMetricFamily(OperatorSeries.ALERTS, "Alerts, by result.", labels=("result",))
            for result, count in part.results.items():
                alerts.add_metric((result,), count)
            yield alerts
        case SupervisorStatistics():
            yield _count(OperatorSeries.WATCH_EXITS, "Restarts of the watches.", part.exits)
        case PollerStatistics():
            text = "Queries to MetricSources, by result."
            yield _counter(OperatorSeries.METRIC_QUERIES, text, ("source", "result"), part.queries)
            # The alerts of query monitors read it.
            labels = ("namespace", "model", "version", "monitor")
            values = GaugeMetricFamily(OperatorSeries.MONITOR_VALUE, "What a monitor measured last.", labels=labels)
            for place, value in part.values.items():
                values.add_metric(place, value)
            yield values
        case TalliesStatistics():
            text = "Reads of servers' counts by connection, by result."
            yield _counter(OperatorSeries.TALLIES_READS, text, ("result",), {(k,): v for k, v in part.reads.items()})
            yield _gauge(OperatorSeries.TALLIES_TRIALS, "Candidates whose servers are read.", part.trials)
            text = "Largest time since the last second of a canary that was compared by connection."
            yield _gauge(OperatorSeries.TALLIES_BEHIND_SECONDS, text, part.behind_seconds)
        case RulesStatistics():
            yield _gauge(OperatorSeries.RULES, "Rules published for Prometheus.", part.rules)
            yield _gauge(
                OperatorSeries.RULES_REFUSED_MODELS,
                "ModelDeployments whose alerts do not fit into the rules.",
                part.refused,
            )
            yield _count(OperatorSeries.RULES_WRITES, "Times that the rules were written.", part.writes)
            yield _count(OperatorSeries.RULES_FAILURES, "Times that the rules could not be written.", part.failures)
        case FrozenStatistics():
            text = "Whether the limit of automatic rollbacks is reached."
            frozen = GaugeMetricFamily(OperatorSeries.ROLLBACKS_FROZEN, text, labels=("namespace", "model"))
            for of_model, is_frozen in part.frozen.items():
                frozen.add_metric(of_model, float(is_frozen))
            yield frozen
        case OutdatedStatistics():
            text = "ModelDeployments whose live pods are those of an earlier operator."
            outdated = GaugeMetricFamily(OperatorSeries.MODELS_OUTDATED, text, labels=("namespace",))
            for namespace, number in part.outdated.items():
                outdated.add_metric((namespace,), number)
            yield outdated


def _engine(part: EngineStatistics) -> Iterator[Metric]:
    queue, resync, events = part.queue, part.resync, part.events
    yield _gauge(OperatorSeries.QUEUE_DEPTH, "Objects that wait for a pass.", queue.depth)
    yield _gauge(OperatorSeries.QUEUE_PROCESSING, "Passes under way.", queue.processing)
    yield _gauge(OperatorSeries.QUEUE_DELAYED, "Objects that come back at a later time.", queue.delayed)
    yield _gauge(OperatorSeries.QUEUE_FAILING, "Objects whose last pass failed.", queue.failing)
    yield _count(OperatorSeries.QUEUE_ADDS, "Times an object was queued.", queue.added)
    yield _count(OperatorSeries.QUEUE_RETRIES, "Times an object was queued because its pass failed.", queue.retried)
    yield _count(OperatorSeries.QUEUE_WAIT_SECONDS, "Time that objects have waited for a pass.", queue.waited_seconds)
    yield _counter(OperatorSeries.PASSES, "Passes, by kind and outcome.", ("kind", "outcome"), part.passes)
    seconds = {(kind,): value for kind, value in part.pass_seconds.items()}
    yield _counter(OperatorSeries.TIME_IN_PASSES, "Time spent in passes.", ("kind",), seconds)
    objects = GaugeMetricFamily(OperatorSeries.CACHE_OBJECTS, "Objects that are known.", labels=("kind",))
    for kind, number in part.cache.objects.items():
        objects.add_metric((kind,), number)
    yield objects
    yield _count(OperatorSeries.WATCH_EVENTS, "Watch events that arrived.", part.events_received)
    yield _count(OperatorSeries.CACHE_STALE_NEWS, "News that was older than what was known.", part.cache.stale)
    yield _gauge(OperatorSeries.RESYNC_AGE_SECONDS, "Time since everything was last listed.", resync.age_seconds)
    yield _count(OperatorSeries.RESYNC_FAILURES, "Lists that failed.", resync.failed)
    yield _count(OperatorSeries.RESYNC_REPAIRED_CHANGES, "Changes found only by a list.", resync.repaired_changes)
    yield _count(OperatorSeries.RESYNC_REPAIRED_DELETIONS, "Deletions found only by a list.", resync.repaired_deletions)
    yield _gauge(OperatorSeries.WATCHES_STALE, "Kinds whose watch does not deliver changes.", len(resync.stale_watches))
    yield _count(OperatorSeries.EVENTS_WRITTEN, "Kubernetes Events written.", events.written)
    yield _count(OperatorSeries.EVENTS_DROPPED, "Kubernetes Events that were not written.", events.dropped)


def _gauge(series: OperatorSeries, text: str, value: float) -> Metric:
    return GaugeMetricFamily(series, text, value=value)


def _count(series: OperatorSeries, text: str, value: float) -> Metric:
    return CounterMetricFamily(series, text, value=value)


def _counter(series: OperatorSeries, text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    family = CounterMetricFamily(series, text, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family
