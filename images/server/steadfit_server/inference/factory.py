"""Creates the predictor from a stored artifact."""

import logging

from steadfit_artifact import example
from steadfit_artifact.model import load_model
from steadfit_artifact.quarantine import refuse
from steadfit_artifact.reference import read_reference
from steadfit_artifact.store import Store
from steadfit_artifact.transfer import download

from steadfit_server.inference.predictor import Predictor
from steadfit_server.model.artifact_model import ArtifactModel
from steadfit_server.settings import Settings
from steadfit_server.telemetry.signals import CaptureSink, Signals

LOG = logging.getLogger(__name__)


def load(settings: Settings, capture: CaptureSink | None = None) -> Predictor:
    """Fetch the artifact, check every byte against its digest, and then load the model.

    An artifact that this ModelDeployment rolled back is refused, even if the cluster has no record of it any more.

    Parameters
    ----------
    settings : Settings
        The artifact and the limits.
    capture : CaptureSink, optional
        Captures requests and outcomes.

    Raises
    ------
    StoreError
        The artifact can't be fetched now.
    ArtifactError
        The artifact was rolled back here, does not have its digest, can't be loaded, or fails on its example.
    """
    artifact = settings.artifact
    store = Store.connect(artifact.store)
    refuse(store, artifact.uri, settings.model_name)
    download(store, artifact.uri, artifact.digest, settings.model_dir)
    loaded = load_model(settings.model_dir)
    model = ArtifactModel(loaded, example.read(settings.model_dir, loaded.features))
    reference = read_reference(settings.model_dir)
    if reference is None:
        LOG.warning("the artifact has no reference.json, so nothing is counted by bin")
    secret = (artifact.store.credentials / "AWS_SECRET_ACCESS_KEY").read_bytes().strip()
    signals = Signals(settings, secret, model, model.classes, reference, capture)
    return Predictor(model, settings.max_rows, settings.request_timeout_seconds, signals)
