"""The protocol of a model format."""

from pathlib import Path
from typing import Protocol

from steadfit_artifact.prediction import Label, Model
from steadfit_artifact.signature import Signature


class Format(Protocol):
    """A way to store a model in one file.

    An instance is cheap to create: the runtime of a format takes seconds to import, so `load` imports it.
    """

    @property
    def name(self) -> str:
        """Name in records, metrics and the protocol's metadata, e.g. `onnx`."""

    @property
    def file_name(self) -> str:
        """Name of its file in an artifact, e.g. `model.onnx`."""

    def load(self, path: Path, signature: Signature, classes: tuple[Label, ...] | None) -> Model:
        """Load a model; the file may be hostile, so nothing in it may run.

        Parameters
        ----------
        path : Path
            The file.
        signature : Signature
            The model's inputs.
        classes : tuple of Label, optional
            From `classes.json`, in the order of the probabilities.

        Raises
        ------
        ArtifactError
            The file can't be loaded, is refused, or does not fit the signature or the classes.
        """
