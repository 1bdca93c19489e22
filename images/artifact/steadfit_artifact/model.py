"""From a directory to a model that predicts: ONNX if there is one, else skops; never pickle."""

import json
from pathlib import Path

from steadfit_artifact.errors import ModelError, SignatureError
from steadfit_artifact.onnx_model import ONNX_NAME, OnnxModel
from steadfit_artifact.prediction import Label, Model, Prediction
from steadfit_artifact.signature import MAX_SIGNATURE_BYTES, SIGNATURE_NAME, Signature
from steadfit_artifact.skops_types import SKOPS_NAME

__all__ = ["CLASSES_NAME", "Label", "Model", "Prediction", "load_model", "read_classes", "read_signature"]

CLASSES_NAME = "classes.json"
PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")


def load_model(directory: Path, format: str | None = None) -> Model:  # noqa: A002 — the field's own word
    """Load the model of a verified artifact.

    Args:
        directory: holds model.onnx and/or model.skops, signature.json, and optionally classes.json.
        format: `onnx` or `skops` to insist on one; by default ONNX if it is there.

    Raises:
        ArtifactError: it can't be loaded or is refused; the sentence says why.
    """
    refuse_pickles(directory)
    present = [name for name in (ONNX_NAME, SKOPS_NAME) if (directory / name).is_file()]
    if format is not None:
        present = [name for name in present if name == f"model.{format}"]
    if not present:
        raise ModelError(f"There is no {f'model.{format}' if format else f'{ONNX_NAME} or {SKOPS_NAME}'}.")
    signature, classes = read_signature(directory), read_classes(directory)
    if present[0] == ONNX_NAME:
        return OnnxModel(directory / ONNX_NAME, signature, classes)
    # Here, because scikit-learn takes seconds to import, and a pod that serves ONNX never needs it.
    from steadfit_artifact.skops_model import SkopsModel

    return SkopsModel(directory / SKOPS_NAME, signature, classes)


def refuse_pickles(directory: Path) -> None:
    """Refuse files that run code when they are read, even beside a model that does not.

    Raises:
        ModelError: there is one.
    """
    for path in sorted(directory.rglob("*")):
        if path.suffix.lower() in PICKLES:
            raise ModelError(
                f"'{path.relative_to(directory).as_posix()}' is a pickle, which can run any code when it is loaded; "
                f"write {ONNX_NAME} or {SKOPS_NAME} instead."
            )


def read_signature(directory: Path) -> Signature:
    """Return the signature of an artifact.

    Raises:
        SignatureError: there is none, or it can't be read.
    """
    try:
        raw = (directory / SIGNATURE_NAME).read_bytes()
    except OSError:
        raise SignatureError(f"There is no {SIGNATURE_NAME}, which names the model's inputs.") from None
    return Signature.parse(raw)


def read_classes(directory: Path) -> tuple[Label, ...] | None:
    """Return the classes in the order of the probabilities, or None if the artifact has no classes.json.

    Raises:
        SignatureError: it is not a list of at least two different labels.
    """
    try:
        raw = (directory / CLASSES_NAME).read_bytes()
    except FileNotFoundError:
        return None
    try:
        classes = json.loads(raw) if len(raw) <= MAX_SIGNATURE_BYTES else None
    except ValueError:
        classes = None
    if (
        not isinstance(classes, list)
        or len(classes) < 2
        or any(not isinstance(label, str | int | float) for label in classes)
        or len(set(classes)) < len(classes)
    ):
        raise SignatureError(f"{CLASSES_NAME} must be a list of at least two different labels.")
    return tuple(classes)
