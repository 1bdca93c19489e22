"""Creates the series of the signals at a scrape, so that requests do not pay for them."""

from collections.abc import Iterator, Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from steadfit_server.feedback.counters import OutcomeTally
from steadfit_server.telemetry.bin_counters import BinCounters
from steadfit_server.telemetry.series import Series
from steadfit_server.telemetry.signals import Signals


class SignalsCollector(Collector):
    """Collector of one model's signals.

    Parameters
    ----------
    signals : Signals
        The signals.
    names : Sequence[str]
        Names of the labels of each series: namespace, model, version, revision.
    labels : Sequence[str]
        Values of these labels.
    """

    def __init__(self, signals: Signals, names: Sequence[str], labels: Sequence[str]) -> None:
        self._signals = signals
        self._names = list(names)
        self._labels = list(labels)

    def collect(self) -> Iterator[Metric]:
        """Yield all metric families."""
        signals = self._signals
        rows = self._counter(Series.PREDICTED_ROWS, "Rows predicted.")
        rows.add_metric(self._labels, signals.rows)
        yield rows
        samples = self._gauge(Series.REFERENCE_SAMPLES, "Training rows in the reference; 0 if the artifact has none.")
        samples.add_metric(self._labels, signals.counting.rows if signals.counting is not None else 0)
        yield samples
        if signals.counting is not None:
            yield from self._bins(signals.counting)
        yield from self._outcomes(signals.outcomes.scrape())
        rejected = self._counter(Series.FEEDBACK_REJECTED, "Outcomes not counted, by reason.", "reason")
        for reason, count in signals.outcomes.rejected().items():
            rejected.add_metric([*self._labels, reason], count)
        yield rejected
        if signals.capture is not None:
            captured = self._counter(Series.CAPTURE_ROWS, "Rows for the store, by what became of them.", "result")
            statistics = signals.capture.statistics()
            captured.add_metric([*self._labels, "kept"], statistics.kept)
            captured.add_metric([*self._labels, "dropped"], statistics.dropped)
            captured.add_metric([*self._labels, "failed"], statistics.failed)
            yield captured

    def _bins(self, counting: BinCounters) -> Iterator[Metric]:
        features, predictions = counting.snapshot()
        bins = self._counter(Series.FEATURE_BIN, "Rows predicted, by bin of an input.", "feature", "bin")
        ratios = self._gauge(
            Series.FEATURE_REFERENCE, "Share of the training rows in a bin, smoothed.", "feature", "bin"
        )
        importances = self._gauge(Series.FEATURE_IMPORTANCE, "Share of an input in what the model predicts.", "feature")
        for name, tally in counting.features.items():
            importances.add_metric([*self._labels, name], counting.importances[name])
            for label, count, ratio in zip(tally.bins, features[name], tally.ratios(), strict=True):
                bins.add_metric([*self._labels, name, label], count)
                ratios.add_metric([*self._labels, name, label], ratio)
        yield from (bins, ratios, importances)
        answers = self._counter(Series.PREDICTION_BIN, "Rows predicted, by bin of the answer.", "bin")
        expected = self._gauge(
            Series.PREDICTION_REFERENCE, "Share of the reference's answers in a bin, smoothed.", "bin"
        )
        tally = counting.predictions
        for label, count, ratio in zip(tally.bins, predictions, tally.ratios(), strict=True):
            answers.add_metric([*self._labels, label], count)
            expected.add_metric([*self._labels, label], ratio)
        yield from (answers, expected)

    def _outcomes(self, tallies: Sequence[OutcomeTally]) -> Iterator[Metric]:
        outcomes = self._counter(Series.FEEDBACK, "Outcomes, by bin of the prediction.", "bin", "outcome")
        squared = self._counter(Series.FEEDBACK_SQUARED_ERROR, "Sum of squared errors of predictions.")
        absolute = self._counter(Series.FEEDBACK_ABSOLUTE_ERROR, "Sum of absolute errors of predictions.")
        for tally in tallies:
            # By the version that predicted, which may not be the version that is served.
            labels = [*self._labels[:2], tally.version, tally.revision]
            for key, count in tally.counts.items():
                outcomes.add_metric([*labels, *key], count)
            if tally.task != "multiclass":
                squared.add_metric(labels, tally.squared_error)
            if tally.task == "regression":
                absolute.add_metric(labels, tally.absolute_error)
        yield from (outcomes, squared, absolute)

    def _counter(self, series: Series, text: str, *labels: str) -> CounterMetricFamily:
        return CounterMetricFamily(series, text, labels=[*self._names, *labels])

    def _gauge(self, series: Series, text: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(series, text, labels=[*self._names, *labels])
