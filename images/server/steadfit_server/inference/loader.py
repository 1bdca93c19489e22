"""Loads the model from the store in a thread of its own.

There are two kinds of failure. A store that does not answer, refuses the keys or does not have the object is retried
for about a minute. Then the process ends with the cause in its termination message, the only place where Kubernetes
shows it, and is restarted. An artifact that does not have its digest or can't be loaded does not change: the process
ends at once with the cause.
"""

import logging
import threading
import time
from collections.abc import Callable

from steadfit_artifact.errors import ArtifactError
from steadfit_artifact.store import StoreError

from steadfit_server.inference.lifecycle import Lifecycle
from steadfit_server.inference.predictor import Predictor

LOG = logging.getLogger(__name__)

MAX_PAUSE_SECONDS = 60.0


class Loader:
    """Loads the model once, in a daemon thread, so that a download does not delay the end of the process.

    Parameters
    ----------
    load : Callable[[], Predictor]
        Returns the predictor; raises StoreError if a retry may help, ArtifactError if not.
    lifecycle : Lifecycle
        State of the process; gets the predictor, or the reason why there is none yet.
    store : str
        Name of the store for messages.
    pause_seconds : float
        Time before the first retry; doubles up to a minute.
    deadline_seconds : float
        Time for which the store is retried; the last attempt begins at its end.
    on_loaded : Callable[[Predictor], None]
        Called with the predictor just before the server becomes ready.
    on_failed : Callable[[str], None]
        Called with a message if this process will never have a model.
    """

    def __init__(
        self,
        load: Callable[[], Predictor],
        lifecycle: Lifecycle,
        store: str,
        pause_seconds: float,
        deadline_seconds: float,
        on_loaded: Callable[[Predictor], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self._load = load
        self._lifecycle = lifecycle
        self._store = store
        self._pause = pause_seconds
        self._deadline_seconds = deadline_seconds
        self._on_loaded = on_loaded
        self._on_failed = on_failed

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self.run, name="loader", daemon=True).start()

    def run(self) -> None:
        """Load the model; return when it is loaded or has failed for good."""
        pause, end = self._pause, time.monotonic() + self._deadline_seconds
        while True:
            started = time.monotonic()
            try:
                predictor = self._load()
            except StoreError as error:
                self._lifecycle.reason = str(error)
                left = end - time.monotonic()
                if left <= 0:
                    self._on_failed(f"{self._store} did not give the model in {self._deadline_seconds:g} s: {error}")
                    return
                pause = min(pause, left)
                LOG.warning("%s", error, extra={"fields": {"retryInSeconds": round(pause, 3)}})
                time.sleep(pause)
                pause = min(2 * pause, MAX_PAUSE_SECONDS)
                continue
            except ArtifactError as error:
                self._on_failed(str(error))
                return
            except Exception as error:
                LOG.exception("loading the model failed")
                self._on_failed(f"The model can't be loaded: {type(error).__name__}: {error}")
                return
            seconds = round(time.monotonic() - started, 3)
            self._on_loaded(predictor)
            self._lifecycle.predictor = predictor
            LOG.info("ready", extra={"fields": {"seconds": seconds, "inlineRows": predictor.inline_rows}})
            return
