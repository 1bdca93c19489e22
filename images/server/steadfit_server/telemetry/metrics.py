"""The metrics of this server, each with the labels namespace, model, version and revision."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from steadfit_server.telemetry.collector import SignalsCollector
from steadfit_server.telemetry.series import Series
from steadfit_server.telemetry.signals import Signals

LABELS = ("namespace", "model", "version", "revision")
# Series that exist from the start, so that a rate over them is right from the first error on.
KNOWN_CODES = (200, 400, 413, 500, 503)
# From half a millisecond (one row through a small ONNX graph) to the default timeout of a request.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts inference requests. The codes are those that this server sends, so cardinality is bounded."""

    def __init__(self, namespace: str, model: str, version: str, revision: str) -> None:
        self._labels = (namespace, model, version, revision)
        self.registry = CollectorRegistry()
        requests = Counter(
            Series.REQUESTS,
            "Inference requests answered, by HTTP status code.",
            (*LABELS, "code"),
            registry=self.registry,
        )
        duration = Histogram(
            Series.REQUEST_DURATION,
            "Time from an inference request's headers to its answer.",
            LABELS,
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._info = Gauge(
            Series.MODEL_INFO,
            "1 for the model that is loaded.",
            (*LABELS, "digest", "format"),
            registry=self.registry,
        )
        self._requests = requests
        self._duration = duration.labels(*self._labels)
        # `labels()` costs more than `inc()`, so children are looked up once per code.
        self._by_code = {code: requests.labels(*self._labels, str(code)) for code in KNOWN_CODES}

    def answered(self, code: int, seconds: float) -> None:
        """Count one answered inference request."""
        counter = self._by_code.get(code)
        if counter is None:
            counter = self._by_code[code] = self._requests.labels(*self._labels, str(code))
        counter.inc()
        self._duration.observe(seconds)

    def loaded(self, digest: str, model_format: str) -> None:
        """Export which model is loaded."""
        self._info.labels(*self._labels, digest, model_format).set(1)

    def show_draining(self, draining: Callable[[], bool]) -> None:
        """Export whether answers close their connections, read at each scrape."""
        gauge = Gauge(
            Series.DRAINING,
            "1 while each answer closes its connection, because the traffic goes to other pods.",
            LABELS,
            registry=self.registry,
        )
        gauge.labels(*self._labels).set_function(draining)

    def watch(self, signals: Signals) -> None:
        """Export the signals of the loaded model as well."""
        self.registry.register(SignalsCollector(signals, LABELS, self._labels))
