"""scikit-learn estimators from skops files: no pickle, only listed types, only the same scikit-learn version."""

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import skops.io
from numpy.typing import ArrayLike
from sklearn.exceptions import InconsistentVersionWarning
from skops.io.exceptions import UntrustedTypesFoundException

from steadfit_artifact.errors import ModelError
from steadfit_artifact.formats.names import SKOPS, SKOPS_NAME
from steadfit_artifact.formats.skops_types import ALLOWED
from steadfit_artifact.prediction import Label, Prediction, probabilities_of, refuse_missing, values_of
from steadfit_artifact.signature import Feature, Signature

# Limit on the unpacked size of all arrays and the schema: a small zip file can unpack to a large one.
MAX_UNPACKED_BYTES = 4 * 1024 * 1024 * 1024


class SkopsModel:
    """A model.skops with its signature; the estimator gets the stacked float32 array [rows, features].

    Parameters
    ----------
    path : Path
        The file.
    signature : Signature
        The features.
    classes : tuple[Label, ...] | None
        From classes.json; must be the estimator's own.

    Raises
    ------
    ModelError
        The file can't be loaded, was saved with another scikit-learn, or holds types that are not listed.
    SignatureError
        A text feature has no categories.
    """

    format = SKOPS

    def __init__(self, path: Path, signature: Signature, classes: tuple[Label, ...] | None) -> None:
        signature.require_numbers()
        self._signature = signature
        self._estimator = _load(path)
        own = getattr(self._estimator, "classes_", None)
        self.classes: tuple[Label, ...] | None = tuple(own.tolist()) if own is not None else None
        if classes is not None and classes != self.classes:
            raise ModelError(f"classes.json says {list(classes)}, but {SKOPS_NAME} says {list(self.classes or ())}.")
        width = getattr(self._estimator, "n_features_in_", len(signature.features))
        if width != len(signature.features):
            raise ModelError(f"{SKOPS_NAME} takes {width} features, but the signature names {len(signature.features)}.")

    @property
    def features(self) -> tuple[Feature, ...]:
        """The inputs in order."""
        return self._signature.features

    def predict(self, columns: Mapping[str, ArrayLike]) -> Prediction:
        """Predict rows; see `Model.predict`."""
        matrix = self._signature.stacked(columns)
        rows = len(matrix)
        try:
            if self.classes is None:
                values = np.asarray(self._estimator.predict(matrix))
                return Prediction(values_of("predict", values, rows), None, None)
            if not hasattr(self._estimator, "predict_proba"):
                return Prediction(np.asarray(self._estimator.predict(matrix)), None, self.classes)
            scores = np.asarray(self._estimator.predict_proba(matrix))
        except ValueError as error:
            # Usually the estimator does not accept NaN; scikit-learn does not name the column.
            refuse_missing(self._signature, columns)
            raise ModelError(f"The model failed to predict: {str(error).splitlines()[0]}") from error
        probabilities = probabilities_of("predict_proba", scores, rows, len(self.classes))
        return Prediction(
            np.asarray(self._estimator.classes_)[probabilities.argmax(axis=1)], probabilities, self.classes
        )


def _load(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError):
        raise ModelError(f"{SKOPS_NAME} is not a skops file.") from None
    if unpacked > MAX_UNPACKED_BYTES:
        raise ModelError(f"{SKOPS_NAME} unpacks to {unpacked} bytes; at most {MAX_UNPACKED_BYTES} are allowed.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            return skops.io.load(path, trusted=list(ALLOWED))
    except UntrustedTypesFoundException as error:
        names = ", ".join(sorted(set(skops.io.get_untrusted_types(file=path)) - set(ALLOWED)))
        raise ModelError(
            f"{SKOPS_NAME} holds types that are not allowed: {names}. Use estimators of scikit-learn alone, or ONNX."
        ) from error
    except InconsistentVersionWarning as error:
        raise ModelError(
            f"{SKOPS_NAME} was saved with scikit-learn {error.original_sklearn_version}, but this image has "
            f"{sklearn.__version__}; train with that version, or write model.onnx."
        ) from None
    except Exception as error:  # A damaged file can fail anywhere in skops.
        raise ModelError(f"{SKOPS_NAME} can't be loaded: {type(error).__name__}: {error}") from error
