"""The model server, but every tenth inference fails as a mistake in the code would make it fail: with a 500.

FAIL_EVERY is another number than ten. With EXIT_AFTER_SECONDS no inference fails, and the process ends so long after
its start, as one that is killed for memory does.
"""

from __future__ import annotations

import itertools
import os
import runpy
import threading

from steadfit_server.inference.predictor import InferAnswer, Predictor

EVERY = int(os.environ.get("FAIL_EVERY", "10"))

_infer = Predictor.infer
_counter = itertools.count(1)


async def _sometimes(self: Predictor, body: bytes, json_size: int) -> InferAnswer:
    if next(_counter) % EVERY == 0:
        raise RuntimeError("a mistake")
    return await _infer(self, body, json_size)


if __name__ == "__main__":
    if seconds := os.environ.get("EXIT_AFTER_SECONDS"):
        timer = threading.Timer(float(seconds), os._exit, [1])
        timer.daemon = True
        timer.start()
    else:
        Predictor.infer = _sometimes  # type: ignore[method-assign]
    runpy.run_module("steadfit_server", run_name="__main__")
