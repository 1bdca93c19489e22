"""The model server with a model from a directory instead of a store.

    <directory> [--without-signals | --without-counting] [--without-tallies] [--bound <requests per connection>] <port>

The options turn parts off to measure their cost: `--without-signals` counting and prediction tokens,
`--without-counting` only the counting, `--without-tallies` the counts by connection, `--bound 0` the bounds on
connections.
"""

import os
import sys
from pathlib import Path

from steadfit_artifact.model import load_model
from steadfit_artifact.reference import read_reference
from steadfit_server.http.app import App
from steadfit_server.http.server import DrainingServer
from steadfit_server.inference.lifecycle import Lifecycle
from steadfit_server.inference.predictor import Predictor
from steadfit_server.model.artifact_model import ArtifactModel
from steadfit_server.settings import Settings
from steadfit_server.telemetry.metrics import Metrics
from steadfit_server.telemetry.signals import Signals
from steadfit_server.telemetry.tallies import Tallies
from steadfit_server.telemetry.voices import Voice

ENVIRONMENT = {
    "NAMESPACE": "bench",
    "MODEL_NAME": "bench",
    "VERSION": "1",
    "REVISION": "0000000000",
    "ARTIFACT": '{"uri": "s3://b/a", "digest": "sha256:%s", "store": {"uriPrefix": "s3://bb/a", "credentials": "/"}}'
    % ("0" * 64),
    "HOST": "127.0.0.1",
}


class NoTallies(Tallies):
    """Counts nothing by connection."""

    def answered(self, voice: Voice, status: int, seconds: float, at: float) -> None:
        """Do nothing."""


if __name__ == "__main__":
    directory, port = Path(sys.argv[1]), sys.argv[-1]
    os.environ.update({f"STEADFIT_{name}": value for name, value in ENVIRONMENT.items()} | {"STEADFIT_PORT": port})
    if "--bound" in sys.argv:
        bound = sys.argv[sys.argv.index("--bound") + 1]
        os.environ.update({"STEADFIT_MAX_REQUESTS_PER_CONNECTION": bound, "STEADFIT_MAX_CONNECTION_SECONDS": "0"})
    settings = Settings()
    model = ArtifactModel(load_model(directory))
    signals = None
    if "--without-signals" not in sys.argv:
        signals = Signals(settings, b"secret", model, model.classes, read_reference(directory))
        if "--without-counting" in sys.argv:
            signals.counting = None
    lifecycle = Lifecycle(Predictor(model, settings.max_rows, settings.request_timeout_seconds, signals))
    identity = (settings.namespace, settings.model_name, settings.version, settings.revision)
    tallies = NoTallies(*identity) if "--without-tallies" in sys.argv else Tallies(*identity)
    DrainingServer(settings, App(settings, lifecycle, Metrics(*identity), tallies), lifecycle, tallies).run()
