"""Capture of answered requests and their outcomes: the data of later trainings, written to the store.

A request costs one hash, and if it is captured, an append to a queue that is bounded in rows and bytes. A thread
writes the queue as Parquet parts, each minute or as soon as enough rows wait. Rows that do not fit into the queue, and
parts that the store does not accept within some minutes (`upload_queue.py`), are lost and counted; no request waits or
fails because of them.

A hash of the prediction id alone decides which requests are captured, so every replica and every version captures the
outcomes of the same requests.
"""

import hashlib
import io
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from steadfit_artifact.store import under

from steadfit_server.capture.upload_queue import GIVE_UP_SECONDS, ObjectWriter, Part, UploadQueue

if TYPE_CHECKING:
    from steadfit_artifact.captures import CapturedRequest

    from steadfit_server.model.interface import Output

LOG = logging.getLogger(__name__)

# A part spans at least this time or this many rows, so that the store does not fill with small objects.
SECONDS = 60.0
ROWS = 5_000
# Bounds on what waits or is being written. Texts and wide models make rows large, so bytes are bounded as well.
MAX_ROWS = 50_000
MAX_BYTES = 64 * 1024 * 1024
STOP_SECONDS = 5.0
# Approximate size of a row without its inputs.
_ROW_BYTES = 200


@dataclass(frozen=True)
class Statistics:
    """Counts of captured rows of requests and outcomes.

    Attributes
    ----------
    kept : int, default 0
        Rows that are in the store.
    dropped : int, default 0
        Rows that did not fit into the queue, or were still in it at the end of the process.
    failed : int, default 0
        Rows that the store did not accept, or that could not be encoded.
    """

    kept: int = 0
    dropped: int = 0
    failed: int = 0


@dataclass(frozen=True)
class _Answered:
    """An answered request; it is encoded when it is written."""

    prediction_id: str
    at: float
    columns: Mapping[str, NDArray[Any]]
    outputs: Sequence["Output"]
    rows: int
    size: int


@dataclass(frozen=True)
class _Outcome:
    """An outcome as JSON."""

    prediction_id: str
    at: float
    row: int
    outcome: str
    version: str
    rows: int
    size: int


class Capture:
    """Captures a share of the requests, and every outcome of those, below one URI.

    Parameters
    ----------
    uri : str
        URI of captures; `steadfit_artifact.captures` describes the paths below it.
    sample : float
        Share of requests to capture, from 0 to 1.
    version : str
        Version of the model that answers here.
    connect : Callable[[], ObjectWriter]
        Opens the store; called by the thread, and again after a failure.
    pod : str, default ''
        Part of the parts' names, which must differ between replicas.
    seconds : float, default SECONDS
        Longest time that a row waits, in seconds.
    rows : int, default ROWS
        Number of waiting rows at which a part is written at once.
    max_rows : int, default MAX_ROWS
        Most rows that wait or are being written.
    max_bytes : int, default MAX_BYTES
        Most bytes that wait or are being written, approximately.
    give_up_seconds : float, default GIVE_UP_SECONDS
        Time for which a failed upload is retried, in seconds.
    """

    def __init__(
        self,
        uri: str,
        sample: float,
        version: str,
        connect: Callable[[], ObjectWriter],
        pod: str = "",
        *,
        seconds: float = SECONDS,
        rows: int = ROWS,
        max_rows: int = MAX_ROWS,
        max_bytes: int = MAX_BYTES,
        give_up_seconds: float = GIVE_UP_SECONDS,
    ) -> None:
        self._uri = uri
        self._bound = round(sample * 2**64)
        self._version = version
        self._uploads = UploadQueue(connect, self._done, give_up_seconds)
        # The time makes the name unique after a restart of the container in the same pod, where the count begins again.
        self._part = f"{pod or socket.gethostname()}-{time.time_ns() // 1_000_000}"
        self._parts = 0
        self._seconds, self._rows = seconds, rows
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._lock = threading.Condition()
        self._queue: list[_Answered | _Outcome] = []
        self._waiting_rows = self._waiting_bytes = self._queued_rows = 0
        self._kept = self._dropped = self._failed = 0
        self._stopping = False
        self._complained = False
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Start the thread that writes."""
        self._thread.start()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Write the waiting rows for at most `seconds`; drop what waits then, and all that comes later."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        with self._lock:
            lost, self._queue, self._queued_rows = self._waiting_rows, [], 0
            self._dropped += lost
            self._waiting_rows = self._waiting_bytes = 0
        if lost:
            LOG.warning("captured rows were lost at the end", extra={"fields": {"rows": lost}})

    def statistics(self) -> Statistics:
        """Return the counts so far."""
        with self._lock:
            return Statistics(self._kept, self._dropped, self._failed)

    def keeps(self, prediction_id: str) -> bool:
        """Return whether a request is in the sample."""
        return int.from_bytes(hashlib.sha256(prediction_id.encode()).digest()[:8], "big") < self._bound

    def request(
        self, prediction_id: str, at: float, columns: Mapping[str, NDArray[Any]], outputs: Sequence["Output"]
    ) -> None:
        """Capture an answered request if it is in the sample; never blocks and never raises.

        Parameters
        ----------
        prediction_id : str
            Id of the answer.
        at : float
            Current time, in seconds since 1970.
        columns : Mapping[str, NDArray[Any]]
            The inputs, each of shape [rows]; they must not change afterwards.
        outputs : Sequence[Output]
            Outputs of the answer.
        """
        try:
            if self.keeps(prediction_id):
                rows = len(next(iter(columns.values())))
                size = rows * _ROW_BYTES + sum(map(_size, columns.values()))
                self._put(_Answered(prediction_id, at, columns, outputs, rows, size))
        except Exception as error:
            self._fail(1, f"a request can't be captured: {error!r}")

    def outcome(self, prediction_id: str, at: float, row: int, outcome: str | float | bool, version: str) -> None:
        """Capture an outcome if its request is in the sample; never blocks and never raises.

        Parameters
        ----------
        prediction_id : str
            Id of the answer it belongs to.
        at : float
            Current time, in seconds since 1970.
        row : int
            Row of the request.
        outcome : str | float | bool
            The observed value or class.
        version : str
            Version that answered; it may differ from the version of this server.
        """
        try:
            if self.keeps(prediction_id):
                text = json.dumps(outcome, ensure_ascii=False, allow_nan=False)
                self._put(_Outcome(prediction_id, at, row, text, version, 1, _ROW_BYTES + len(text)))
        except Exception as error:
            self._fail(1, f"an outcome can't be captured: {error!r}")

    def _put(self, item: _Answered | _Outcome) -> None:
        with self._lock:
            full = self._waiting_rows + item.rows > self._max_rows or self._waiting_bytes + item.size > self._max_bytes
            if full or self._stopping:
                self._dropped += item.rows
                return
            self._queue.append(item)
            self._waiting_rows += item.rows
            self._waiting_bytes += item.size
            before, self._queued_rows = self._queued_rows, self._queued_rows + item.rows
            if before < self._rows <= self._queued_rows:
                self._lock.notify_all()

    def _run(self) -> None:
        flush_at = time.monotonic() + self._seconds
        while True:
            with self._lock:
                wait = min(flush_at, self._uploads.due) - time.monotonic()
                self._lock.wait_for(lambda: self._stopping or self._queued_rows >= self._rows, max(wait, 0))
                items: list[_Answered | _Outcome] = []
                # Not when only an upload is due for a retry: parts would be small.
                if self._stopping or self._queued_rows >= self._rows or time.monotonic() >= flush_at:
                    items, self._queue, self._queued_rows = self._queue, [], 0
                    flush_at = time.monotonic() + self._seconds
                stopping = self._stopping
            for key, group in _grouped(items).items():
                self._pack(key, group)
            if stopping or time.monotonic() >= self._uploads.due:
                self._uploads.send(last=stopping)
            if stopping:
                return

    def _pack(self, key: tuple[str, int, str], items: list[_Answered | _Outcome]) -> None:
        """Encode rows of one kind, hour and version as one part and queue it."""
        from steadfit_artifact import captures

        rows, size = sum(item.rows for item in items), sum(item.size for item in items)
        kind, hour, version = key
        self._parts += 1
        path = captures.part_path(kind, hour * 3600, version or self._version, f"{self._part}-{self._parts:05d}")
        try:
            content = _parquet(items)
        except Exception as error:
            self._done(Part(path, b"", rows, size), f"captured rows can't be written: {error}")
        else:
            self._uploads.add(Part(under(self._uri, path), content, rows, size))

    def _done(self, part: Part, failure: str | None) -> None:
        """Count the rows of a part that was uploaded or lost, and free its room in the queue."""
        with self._lock:
            if not self._waiting_rows:
                return  # stop() has counted them as dropped.
            self._waiting_rows -= part.rows
            self._waiting_bytes -= part.size
            self._kept += part.rows if failure is None else 0
            self._complained = self._complained and failure is not None
        if failure is not None:
            self._fail(part.rows, failure)

    def _fail(self, rows: int, sentence: str) -> None:
        """Count lost rows; log only the first of a series of failures."""
        with self._lock:
            self._failed += rows
            complained, self._complained = self._complained, True
        if not complained:
            LOG.warning("%s", sentence)


def _grouped(items: list[_Answered | _Outcome]) -> dict[tuple[str, int, str], list[_Answered | _Outcome]]:
    """Group items by the part they belong to: one kind, one hour and one version."""
    groups: dict[tuple[str, int, str], list[_Answered | _Outcome]] = {}
    for item in items:
        hour = int(item.at // 3600)
        key = ("requests", hour, "") if isinstance(item, _Answered) else ("outcomes", hour, item.version)
        groups.setdefault(key, []).append(item)
    return groups


def _parquet(items: list[_Answered | _Outcome]) -> bytes:
    # Imported in the thread: pyarrow takes memory and time that a server without capture does not need.
    import pyarrow.parquet as pq
    from steadfit_artifact import captures

    answered = [_request(item) for item in items if isinstance(item, _Answered)]
    if answered:
        table = captures.request_table(answered)
    else:
        outcomes = [item for item in items if isinstance(item, _Outcome)]
        table = captures.outcome_table([(item.prediction_id, item.row, item.at, item.outcome) for item in outcomes])
    target = io.BytesIO()
    pq.write_table(table, target)
    return target.getvalue()


def _request(item: _Answered) -> "CapturedRequest":
    from steadfit_artifact.captures import CapturedRequest

    outputs = {output.name: output for output in item.outputs}
    found = outputs.get("label") or outputs["prediction"]
    probabilities = None
    if "probabilities" in outputs:
        probabilities = np.asarray(outputs["probabilities"].data).reshape(outputs["probabilities"].shape)
    return CapturedRequest(item.prediction_id, item.at, item.columns, found.data, probabilities)


def _size(values: NDArray[Any]) -> int:
    """Return the approximate size of a column in bytes."""
    if values.dtype != object:
        return values.nbytes
    return values.nbytes + sum(49 + len(value) for value in values.tolist() if value is not None)
