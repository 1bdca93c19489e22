"""The signals of one served model: counts of inputs and predictions, tokens, outcomes, captured rows."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray
from steadfit_artifact.prediction import Label
from steadfit_artifact.reference import Reference

from steadfit_server.feedback.counters import OutcomeCounts
from steadfit_server.feedback.handler import FeedbackHandler
from steadfit_server.feedback.outcome import OutcomeScorer
from steadfit_server.feedback.token import Tokens, new_prediction_id
from steadfit_server.model.interface import Output, ServedModel
from steadfit_server.model.output_semantics import semantics_of
from steadfit_server.settings import Settings
from steadfit_server.telemetry.bin_counters import BinCounters


class CaptureStatistics(Protocol):
    """Counts of captured rows."""

    @property
    def kept(self) -> int:
        """Rows that are in the store."""

    @property
    def dropped(self) -> int:
        """Rows that did not fit into the queue."""

    @property
    def failed(self) -> int:
        """Rows that the store did not accept."""


class CaptureSink(Protocol):
    """Captures requests, answers and outcomes; no method blocks or raises."""

    def request(
        self, prediction_id: str, at: float, columns: Mapping[str, NDArray[Any]], outputs: Sequence[Output]
    ) -> None:
        """Capture a request and its answer."""

    def outcome(self, prediction_id: str, at: float, row: int, outcome: str | int | float | bool, version: str) -> None:
        """Capture an outcome."""

    def statistics(self) -> CaptureStatistics:
        """Return the counts so far."""


class Signals:
    """The signals of one model; thread-safe.

    Parameters
    ----------
    settings : Settings
        Identity of the model, and the limits.
    secret : bytes
        The store's secret access key, from which the key of the tokens is derived.
    model : ServedModel
        The served model.
    classes : Sequence[Label] | None
        Classes in the order of the probabilities, if the model has them.
    reference : Reference | None
        Reference of the artifact, or None if it has none: then nothing is counted by bin.
    capture : CaptureSink, optional
        Captures requests and outcomes.
    clock : Callable[[], float], default time.time
        Returns seconds since 1970.

    Raises
    ------
    ReferenceFileError
        The reference does not fit the model.
    """

    def __init__(
        self,
        settings: Settings,
        secret: bytes,
        model: ServedModel,
        classes: Sequence[Label] | None,
        reference: Reference | None,
        capture: CaptureSink | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.version, self.revision = settings.version, settings.revision
        self.capture = capture
        self.counting = BinCounters(reference, model.features) if reference is not None else None
        self._clock = clock
        self._semantics = semantics_of(reference, classes, model.output_tensors)
        tokens = Tokens(secret, settings.namespace, settings.model_name, self.version, self.revision)
        self._signer = tokens.signer(self._semantics) if self._semantics is not None else None
        scorer = OutcomeScorer(self._semantics, reference)
        task = self._semantics.task if self._semantics is not None else None
        self.outcomes = OutcomeCounts(self.version, self.revision, task, scorer)
        keep = capture.outcome if capture is not None else _drop
        self.feedback = FeedbackHandler(
            self, tokens, scorer, self.outcomes, settings.feedback_max_age_seconds, keep, clock
        )
        self._rows = 0
        self._lock = threading.Lock()

    @property
    def rows(self) -> int:
        """Number of predicted rows."""
        return self._rows

    def predicted(self, columns: Mapping[str, NDArray[Any]], rows: int, outputs: Sequence[Output]) -> dict[str, str]:
        """Count and capture an answer; return its parameters."""
        at, prediction_id = self._clock(), new_prediction_id()
        parameters = {"prediction_id": prediction_id.hex()}
        with self._lock:
            self._rows += rows
        if self._semantics is not None and self._signer is not None:
            predicted = self._semantics.predicted(outputs)
            parameters["prediction_token"] = self._signer.sign(prediction_id, at, predicted)
            if self.counting is not None:
                binary_classes = self.counting.by_class and self._semantics.task == "binary"
                self.counting.add(columns, self._semantics.labels(outputs) if binary_classes else predicted)
        if self.capture is not None:
            self.capture.request(parameters["prediction_id"], at, columns, outputs)
        return parameters


def _drop(prediction_id: str, at: float, row: int, outcome: str | int | float | bool, version: str) -> None:
    """Do nothing: capture is off."""
