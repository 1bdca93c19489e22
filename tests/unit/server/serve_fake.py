"""The real server on real sockets with a model that needs no artifact; started by the tests as a process."""

import os
import sys
import time

from steadfit_server import logs
from steadfit_server.http.app import App
from steadfit_server.http.server import DrainingServer
from steadfit_server.inference.lifecycle import Lifecycle
from steadfit_server.inference.predictor import Predictor
from steadfit_server.settings import Settings
from steadfit_server.telemetry import endpoint
from steadfit_server.telemetry.metrics import Metrics
from steadfit_server.telemetry.tallies import Tallies

from tests.unit.server.harness import FakeModel

if __name__ == "__main__":
    logs.configure()
    settings = Settings()
    lifecycle = Lifecycle()
    identity = (settings.namespace, settings.model_name, settings.version, settings.revision)
    metrics, tallies = Metrics(*identity), Tallies(*identity)
    if os.environ.get("NEVER_READY") != "1":
        model = FakeModel()
        lifecycle.predictor = Predictor(model, settings.max_rows, settings.request_timeout_seconds)
        slow = float(os.environ.get("PREDICTION_SECONDS", "0"))
        if slow:
            lifecycle.predictor.inline_rows = int(os.environ.get("PREDICTION_INLINE", "0"))
            model.act = lambda: time.sleep(slow)
    endpoint.listen(settings.host, settings.metrics_port, metrics.registry, tallies)
    DrainingServer(settings, App(settings, lifecycle, metrics, tallies), lifecycle, tallies).run()
    sys.exit(0)
