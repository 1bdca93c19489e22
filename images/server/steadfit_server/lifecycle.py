"""What one process is at the moment: not ready, ready, draining. Shared by the HTTP side and the loader."""

from dataclasses import dataclass

from steadfit_server.predictor import Predictor


@dataclass
class Lifecycle:
    """The state that answers depend on.

    Each attribute is written by one thread and replaced whole, so reading it needs no lock.

    Attributes:
        predictor: the loaded model; None until its digests were verified and it was loaded.
        reason: while `predictor` is None, why, as a sentence.
        draining: SIGTERM came; keep answering, but close each connection with its answer.
    """

    predictor: Predictor | None = None
    reason: str = "The model is being downloaded."
    draining: bool = False
