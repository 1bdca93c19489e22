"""The state of the process: not ready, ready or draining. Shared by the HTTP server and the loader."""

from dataclasses import dataclass

from steadfit_server.inference.predictor import Predictor


@dataclass
class Lifecycle:
    """The state that answers depend on.

    Each attribute is written by one thread and replaced as a whole, so it is read without a lock.

    Attributes
    ----------
    predictor : Predictor, optional
        The predictor of the loaded model; None until the model is verified and loaded.
    reason : str, default 'The model is being downloaded.'
        The reason why `predictor` is None, as a sentence.
    ending : bool, default False
        Whether SIGTERM was received; the process ends after the drain.
    left : bool, default False
        Whether the operator says that the traffic goes to other pods; the process stays, and may get traffic again.
    """

    predictor: Predictor | None = None
    reason: str = "The model is being downloaded."
    ending: bool = False
    left: bool = False

    @property
    def draining(self) -> bool:
        """Whether each answer closes its connection."""
        return self.ending or self.left
