"""The ONNX format: a graph that ONNX Runtime executes."""

from pathlib import Path

from steadfit_artifact.formats.names import ONNX, ONNX_NAME
from steadfit_artifact.prediction import Label, Model
from steadfit_artifact.signature import Signature


class OnnxFormat:
    """ONNX, in `model.onnx`."""

    name = ONNX
    file_name = ONNX_NAME

    def load(self, path: Path, signature: Signature, classes: tuple[Label, ...] | None) -> Model:
        """Load a graph; see `Format.load`."""
        from steadfit_artifact.formats.onnx_model import OnnxModel

        return OnnxModel(path, signature, classes)
