"""From a request's body to the outputs of its answer, and in which thread that runs.

A short prediction runs on the event loop, because handing it to another thread and back costs more than the
prediction itself; a long one runs in one worker thread, so that health answers do not wait for it. What is
short depends on the model (a linear model takes microseconds for a row, a forest milliseconds), so it is
measured when the model is loaded. One worker, because a second one would compete with the first for the same
processor: pods are scaled by replicas.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from steadfit_server.model.interface import ServedModel, example
from steadfit_server.protocol.errors import InvalidInputError, RequestError, quoted
from steadfit_server.protocol.inference_request import InferRequest, parse

if TYPE_CHECKING:
    from steadfit_server.feedback.handler import Received
    from steadfit_server.telemetry.signals import Signals

T = TypeVar("T")

# The longest that one prediction may hold the event loop, in seconds.
INLINE_SECONDS = 0.002
# Above this size the parsing goes to the worker too: 64 KiB of numbers take about a millisecond.
INLINE_BYTES = 64 * 1024
# Rows of the second measurement; with fewer, the cost of a row drowns in the cost of a call.
MEASURED_ROWS = 128


class Predictor:
    """Answers inference requests with one model, and takes what is posted back about its answers.

    Parameters
    ----------
    model : ServedModel
        What predicts.
    max_rows : int
        Most rows of a request.
    timeout_seconds : float
        Longest time in the worker thread, waiting included.
    signals : Signals, optional
        What hears of every answer; None to serve without.

    Raises
    ------
    Exception
        Whatever the model raises for an example row: such a model can't serve.
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

    async def infer(self, body: bytes) -> dict[str, Any]:
        """Return `outputs`, `parameters` that name the prediction, and `id` if the caller gave one.

        Raises
        ------
        RequestError
            400 for wrong input, 504 when the prediction took too long.
        """
        if len(body) > INLINE_BYTES:
            return await self._in_worker(lambda: self._answer(self._parse(body)))
        request = self._parse(body)
        if request.rows > self.inline_rows:
            return await self._in_worker(lambda: self._answer(request))
        return self._answer(request)

    async def feedback(self, body: bytes) -> "Received":
        """Take outcomes of earlier predictions.

        Raises
        ------
        RequestError
            400 for a wrong body, 504 when it took too long.
        """
        if self.signals is None:
            raise RequestError(404, "This server takes no feedback.")
        receive = self.signals.feedback.receive
        return await self._in_worker(lambda: receive(body)) if len(body) > INLINE_BYTES else receive(body)

    def _parse(self, body: bytes) -> InferRequest:
        request = parse(body, self.model.features, self._max_rows)
        for name in request.outputs or ():
            if name not in self._outputs:
                known = ", ".join(f"'{output}'" for output in self._outputs)
                raise InvalidInputError(f"Unknown output {quoted(name)}; the model gives {known}.")
        return request

    def _answer(self, request: InferRequest) -> dict[str, Any]:
        outputs = self.model.predict(request.columns)
        answer: dict[str, Any] = {
            "outputs": [
                output.document() for output in outputs if request.outputs is None or output.name in request.outputs
            ]
        }
        if self.signals is not None:
            answer["parameters"] = self.signals.predicted(request.columns, request.rows, outputs)
        if request.id is not None:
            answer["id"] = request.id
        return answer

    async def _in_worker(self, work: Callable[[], T]) -> T:
        """Run in the worker thread; what has not begun when the time is over never runs."""
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
        """Return the shortest of several predictions, in seconds: the longer ones measure the neighbours."""
        columns = example(self.model.features, rows)
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            self.model.predict(columns)
            best = min(best, time.perf_counter() - start)
        return best
