"""Serve one version of one model: `python -m steadfit_server`, configured by the environment."""

import logging
import os
import sys
from pathlib import Path

from pydantic import ValidationError
from steadfit_artifact.store import Store, StoreConfig

from steadfit_server import logs
from steadfit_server.capture.capture import Capture
from steadfit_server.http.app import App
from steadfit_server.http.server import DrainingServer
from steadfit_server.inference.lifecycle import Lifecycle
from steadfit_server.inference.loader import Loader
from steadfit_server.inference.predictor import Predictor
from steadfit_server.settings import Settings
from steadfit_server.telemetry import endpoint
from steadfit_server.telemetry.metrics import Metrics
from steadfit_server.telemetry.tallies import Tallies

LOG = logging.getLogger(__name__)


def main() -> int:
    """Serve until SIGTERM; return the exit code: 0 after a drain, 1 if there is no model to serve."""
    logs.configure()
    try:
        settings = Settings()
    except ValidationError as error:
        return _fail(_termination_log(), _sentence(error))
    logs.configure(model=settings.model_name, version=settings.version, revision=settings.revision)
    identity = (settings.namespace, settings.model_name, settings.version, settings.revision)
    metrics, tallies = Metrics(*identity), Tallies(*identity)
    lifecycle = Lifecycle()
    server = DrainingServer(settings, App(settings, lifecycle, metrics, tallies), lifecycle, tallies)
    capture = _capture(settings)
    code = 0

    def failed(sentence: str) -> None:
        nonlocal code
        code = _fail(settings.termination_log, sentence)
        server.should_exit = True

    def loaded(predictor: Predictor) -> None:
        metrics.loaded(settings.artifact.digest, predictor.model.format)
        if predictor.signals is not None:
            metrics.watch(predictor.signals)
        if capture is not None:
            capture.start()

    def load() -> Predictor:
        # Imported in the loader's thread: the runtimes take seconds to import, and the server is live before that.
        from steadfit_server.inference.factory import load

        return load(settings, capture)

    retry, deadline = settings.retry_seconds, settings.store_deadline_seconds
    Loader(load, lifecycle, _called(settings.artifact.store), retry, deadline, loaded, failed).start()
    endpoint.listen(settings.host, settings.metrics_port, metrics.registry, tallies)
    LOG.info("starting", extra={"fields": {"uri": settings.artifact.uri, "digest": settings.artifact.digest}})
    server.run()
    if capture is not None:
        capture.stop()
    LOG.info("stopped", extra={"fields": {"code": code}})
    return code


def _capture(settings: Settings) -> Capture | None:
    """Return the capture of requests in the artifact's store, or None if it is off."""
    if settings.capture is None:
        return None
    store, chosen = settings.artifact.store, settings.capture
    seconds, rows = settings.capture_flush_seconds, settings.capture_flush_rows
    return Capture(
        chosen.uri, chosen.sample, settings.version, lambda: Store.connect(store), seconds=seconds, rows=rows
    )


def _fail(termination_log: Path, sentence: str) -> int:
    """Write the message to the termination log and to the log, whose end is the fallback of Kubernetes; return 1."""
    LOG.error("%s", sentence)
    try:
        termination_log.write_text(sentence[:4096])
    except OSError as error:
        LOG.warning("the termination log can't be written: %s", error)
    return 1


def _called(store: StoreConfig) -> str:
    """Return the name of the store for messages: not every message about an object names its store."""
    return f"The store {store.uri_prefix}" + (f" at {store.s3.endpoint}" if store.s3.endpoint else "")


def _termination_log() -> Path:
    return Path(os.environ.get("STEADFIT_TERMINATION_LOG", "/dev/termination-log"))


def _sentence(error: ValidationError) -> str:
    """Return a message that names the wrong variables, without their values: one may hold a secret by mistake."""
    problems = [(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors(include_input=False)]
    return "The server's environment is wrong: " + "; ".join(f"STEADFIT_{at.upper()}: {why}" for at, why in problems)


if __name__ == "__main__":
    exit_code = main()
    logging.shutdown()
    sys.stdout.flush()
    # Not sys.exit: it would wait for the worker thread, which may run a prediction that has timed out.
    os._exit(exit_code)
