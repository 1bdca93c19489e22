"""Loading the model of an artifact, in the first format of the registry that the artifact holds; never pickle."""

import json
from pathlib import Path
from typing import NoReturn

from steadfit_artifact.errors import ModelError, SignatureError
from steadfit_artifact.formats import registry
from steadfit_artifact.prediction import Label, Model, Prediction
from steadfit_artifact.signature import MAX_SIGNATURE_BYTES, SIGNATURE_NAME, Signature

__all__ = ["CLASSES_NAME", "Label", "Model", "Prediction", "load_model", "read_classes", "read_signature"]

CLASSES_NAME = "classes.json"
PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")


def load_model(directory: Path, format: str | None = None) -> Model:  # noqa: A002 — the field's own word
    """Load the model of a verified artifact.

    Parameters
    ----------
    directory : Path
        Holds the file of at least one format, signature.json, and optionally classes.json.
    format : str, optional
        Name of the format to load; by default the preferred one of those that are there.

    Raises
    ------
    ArtifactError
        The model can't be loaded or is refused; the message has the reason.
    """
    refuse_pickles(directory)
    if format is not None:
        chosen = registry.named(format)
        if not (directory / chosen.file_name).is_file():
            raise ModelError(f"There is no {chosen.file_name}.")
    else:
        chosen = next(iter(registry.present(directory)), None) or _no_model(directory)
    return chosen.load(directory / chosen.file_name, read_signature(directory), read_classes(directory))


def refuse_pickles(directory: Path) -> None:
    """Refuse pickles, which run code when they are loaded, even if they lie beside a safe model.

    Raises
    ------
    ModelError
        The directory holds a pickle.
    """
    for path in sorted(directory.rglob("*")):
        if path.suffix.lower() in PICKLES:
            raise ModelError(
                f"'{path.relative_to(directory).as_posix()}' is a pickle, which can run any code when it is loaded; "
                f"write {registry.file_names()} instead."
            )


def _no_model(directory: Path) -> NoReturn:
    """Raise ModelError for an artifact without a model; the message names a model file of an unknown format."""
    unknown = min((path.name for path in directory.glob("model.*")), default=None)
    hint = f" '{unknown}' is in no format that this release loads." if unknown is not None else ""
    raise ModelError(f"There is no {registry.file_names()}.{hint}")


def read_signature(directory: Path) -> Signature:
    """Return the signature of an artifact.

    Raises
    ------
    SignatureError
        The signature is absent or can't be read.
    """
    try:
        raw = (directory / SIGNATURE_NAME).read_bytes()
    except OSError:
        raise SignatureError(f"There is no {SIGNATURE_NAME}, which names the model's inputs.") from None
    return Signature.parse(raw)


def read_classes(directory: Path) -> tuple[Label, ...] | None:
    """Return the classes in the order of the probabilities, or None if the artifact has no classes.json.

    Raises
    ------
    SignatureError
        `classes.json` is not a list of at least two different labels.
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
