"""From the artifact in the store to a model that serves, in a thread of its own.

Two kinds of failure, told apart by whether waiting can help. A store that does not answer, refuses the keys or
has no such object is tried again for about a minute; then the process ends, because what a container leaves behind
is all that Kubernetes shows of a cause, and is started again, so that it heals by itself. An artifact that is not
what its digest says, or that this server can't load, stays wrong: the process ends at once with the sentence.
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
    """Loads once, in a daemon thread: nothing waits for a download when the process ends.

    Parameters
    ----------
    load : Callable[[], Predictor]
        Returns the model; raises StoreError where waiting may help, ArtifactError where it can't.
    lifecycle : Lifecycle
        Gets the model, or the reason why there is none yet.
    store : str
        What to call the store in a sentence.
    pause_seconds : float
        First pause after a failure of the store; doubles up to a minute.
    deadline_seconds : float
        For how long the store is tried; the last attempt begins at the end of it.
    on_loaded : Callable[[Predictor], None]
        Called with the model just before the server becomes ready.
    on_failed : Callable[[str], None]
        Called with the sentence when this process will never have a model.
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
        """Begin to load."""
        threading.Thread(target=self.run, name="loader", daemon=True).start()

    def run(self) -> None:
        """Load; returns when the model is there or is given up."""
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
