"""What one process is at the moment: not ready, ready, draining. Shared by the HTTP side and the loader."""

from dataclasses import dataclass

from steadfit_server.inference.predictor import Predictor


@dataclass
class Lifecycle:
    """The state that answers depend on.

    Each attribute is written by one thread and replaced whole, so reading it needs no lock.

    Attributes
    ----------
    predictor : Predictor, optional
        The loaded model; None until its digests were verified and it was loaded.
    reason : str, default 'The model is being downloaded.'
        While `predictor` is None, why, as a sentence.
    ending : bool, default False
        SIGTERM came; the process ends when its clients have had time to move.
    left : bool, default False
        The traffic goes elsewhere by now, as the operator says; the process stays, and may be wanted again.
    """

    predictor: Predictor | None = None
    reason: str = "The model is being downloaded."
    ending: bool = False
    left: bool = False

    @property
    def draining(self) -> bool:
        """Whether to go on answering, but close each connection with its answer."""
        return self.ending or self.left
