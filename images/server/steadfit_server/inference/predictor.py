"""Answers inference requests: parses the body, predicts, and decides in which thread.

A short prediction runs on the event loop, because a switch to another thread costs more than the prediction; a long one
runs in a worker thread, so that health checks do not wait for it. What is short depends on the model (a linear model
takes microseconds for a row, a forest milliseconds), so it is measured when the model is loaded. There is one worker,
because a second one would compete for the same processor: pods are scaled by replicas.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from steadfit_server.model.interface import ServedModel
from steadfit_server.protocol.binary_data import encode
from steadfit_server.protocol.errors import InvalidInputError, RequestError, quoted
from steadfit_server.protocol.inference_request import InferRequest, parse

if TYPE_CHECKING:
    from steadfit_server.feedback.handler import Received
    from steadfit_server.telemetry.signals import Signals

T = TypeVar("T")


@dataclass(frozen=True)
class InferAnswer:
    """The answer to an inference request.

    Attributes
    ----------
    document : dict[str, Any]
        The JSON: `outputs`, `parameters` with the prediction's id and token, and `id` if the caller gave one.
    binary : bytes
        The data of the outputs that were asked for as bytes.
    """

    document: dict[str, Any]
    binary: bytes = b""


# Longest time that one prediction may block the event loop, in seconds.
INLINE_SECONDS = 0.002
# Larger bodies are parsed in the worker too: 64 KiB of numbers take about a millisecond.
INLINE_BYTES = 64 * 1024
# Rows of the second measurement; with fewer, the cost of a call hides the cost of a row.
MEASURED_ROWS = 128


class Predictor:
    """Answers inference and feedback requests with one model.

    Parameters
    ----------
    model : ServedModel
        The model.
    max_rows : int
        Most rows of a request.
    timeout_seconds : float
        Longest time in the worker thread, with the time in its queue.
    signals : Signals, optional
        Counts and captures every answer; None to serve without.

    Raises
    ------
    Exception
        Any exception of the model for an example row: such a model can't serve.
    """

    def __init__(
        self, model: ServedModel, max_rows: int, timeout_seconds: float, signals: "Signals | None" = None
    ) -> None:
        self.model = model
        self.signals = signals
        self._max_rows = max_rows
        self._timeout = timeout_seconds
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self._outputs = [str(tensor["name"]) for tensor in model.output_tensors]
        self.inline_rows = self._measure()

    async def infer(self, body: bytes, json_size: int) -> InferAnswer:
        """Return the answer to a request with so many bytes of JSON at its begin.

        Raises
        ------
        RequestError
            400 for wrong input, 504 if the prediction took too long.
        """
        if len(body) > INLINE_BYTES:
            return await self._in_worker(lambda: self._answer(self._parse(body, json_size)))
        request = self._parse(body, json_size)
        if request.rows > self.inline_rows:
            return await self._in_worker(lambda: self._answer(request))
        return self._answer(request)

    async def feedback(self, body: bytes) -> "Received":
        """Count outcomes of earlier predictions.

        Raises
        ------
        RequestError
            400 for a wrong body, 504 if it took too long.
        """
        if self.signals is None:
            raise RequestError(404, "This server takes no feedback.")
        receive = self.signals.feedback.receive
        return await self._in_worker(lambda: receive(body)) if len(body) > INLINE_BYTES else receive(body)

    def _parse(self, body: bytes, json_size: int) -> InferRequest:
        request = parse(body, json_size, self.model.features, self._max_rows)
        for name in request.outputs or ():
            if name not in self._outputs:
                known = ", ".join(f"'{output}'" for output in self._outputs)
                raise InvalidInputError(f"Unknown output {quoted(name)}; the model gives {known}.")
        return request

    def _answer(self, request: InferRequest) -> InferAnswer:
        outputs = self.model.predict(request.columns)
        documents, binary = [], []
        for output in outputs:
            if request.outputs is not None and output.name not in request.outputs:
                continue
            data = encode(output.data, output.datatype) if request.is_binary(output.name) else None
            documents.append(output.document(None if data is None else len(data)))
            binary.append(data or b"")
        answer: dict[str, Any] = {"outputs": documents}
        if self.signals is not None:
            answer["parameters"] = self.signals.predicted(request.columns, request.rows, outputs)
        if request.id is not None:
            answer["id"] = request.id
        return InferAnswer(answer, b"".join(binary))

    async def _in_worker(self, work: Callable[[], T]) -> T:
        """Run in the worker thread; work that has not begun at the timeout is cancelled."""
        future = asyncio.get_running_loop().run_in_executor(self._worker, work)
        try:
            return await asyncio.wait_for(future, self._timeout)
        except TimeoutError:
            raise RequestError(504, f"The prediction took longer than {self._timeout:g} s.") from None

    def _measure(self) -> int:
        """Return how many rows the model predicts within INLINE_SECONDS; the calls also warm it up."""
        one, many = self._time(1), self._time(MEASURED_ROWS)
        per_row = max(many - one, 1e-9) / (MEASURED_ROWS - 1)
        return min(max(int((INLINE_SECONDS - one) / per_row) + 1, 0), self._max_rows)

    def _time(self, rows: int) -> float:
        """Return the shortest time of several predictions, in seconds: other processes only make them longer."""
        columns = self.model.example(rows)
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            self.model.predict(columns)
            best = min(best, time.perf_counter() - start)
        return best
