"""The skops format: a scikit-learn estimator without pickle."""

from pathlib import Path

from steadfit_artifact.formats.names import SKOPS, SKOPS_NAME
from steadfit_artifact.prediction import Label, Model
from steadfit_artifact.signature import Signature


class SkopsFormat:
    """skops, in `model.skops`."""

    name = SKOPS
    file_name = SKOPS_NAME

    def load(self, path: Path, signature: Signature, classes: tuple[Label, ...] | None) -> Model:
        """Load an estimator; see `Format.load`."""
        # scikit-learn takes seconds to import, and a pod that serves ONNX never needs it.
        from steadfit_artifact.formats.skops_model import SkopsModel

        return SkopsModel(path, signature, classes)
