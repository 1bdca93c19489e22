"""ONNX models, executed by ONNX Runtime in one thread; no other file is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import ArrayLike, NDArray

from steadfit_artifact.errors import ColumnError, ModelError, SignatureError
from steadfit_artifact.formats.names import ONNX, ONNX_NAME
from steadfit_artifact.prediction import Label, Prediction, probabilities_of, refuse_missing, values_of
from steadfit_artifact.signature import SIGNATURE_NAME, Feature, Signature, column_of

MAX_ONNX_BYTES = 1024 * 1024 * 1024

_FLOATS = ("tensor(float)", "tensor(double)")
_DTYPES: Mapping[str, type] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}


class OnnxModel:
    """A model.onnx with its signature.

    One input of rank 2 is "stacked": [rows, features] in the signature's order. Otherwise there is one input for
    each feature, by its name, of shape [rows] or [rows, 1].

    An output of integers or strings is the label; an output of floats is the probabilities if there is a label or
    `classes`, else the value of a regression.

    Parameters
    ----------
    path : Path
        The file.
    signature : Signature
        The features.
    classes : tuple[Label, ...] | None
        From classes.json, in the order of the probabilities.

    Raises
    ------
    ModelError
        The file can't be loaded, or has no such output.
    SignatureError
        The inputs differ from the signature.
    """

    format = ONNX

    def __init__(self, path: Path, signature: Signature, classes: tuple[Label, ...] | None) -> None:
        self._signature = signature
        self.classes = classes
        self._session = _session(path)
        inputs = {each.name: each for each in self._session.get_inputs()}
        first = next(iter(inputs.values()))
        self._stacked = first if len(inputs) == 1 and len(first.shape) == 2 and first.type in _FLOATS else None
        if self._stacked is not None:
            self._check_stacked(self._stacked)
        else:
            self._check_named(inputs)
        self._inputs = inputs
        self._label, self._score = _outputs(self._session.get_outputs())

    @property
    def features(self) -> tuple[Feature, ...]:
        """The inputs in order."""
        return self._signature.features

    def predict(self, columns: Mapping[str, ArrayLike]) -> Prediction:
        """Predict rows; see `Model.predict`."""
        feeds = self._feeds(columns)
        rows = len(next(iter(feeds.values())))
        wanted = [name for name in (self._label, self._score) if name is not None]
        try:
            outputs = dict(zip(wanted, self._session.run(wanted, feeds), strict=True))
        except Exception as error:  # The exceptions of ONNX Runtime have no other common class.
            raise ModelError(f"The model failed to predict: {_first_line(error)}.") from error
        scores = outputs.get(self._score or "")
        if scores is not None and np.isnan(scores).any():
            refuse_missing(self._signature, columns)
        return self._prediction(outputs, rows)

    def _prediction(self, outputs: Mapping[str, NDArray[Any]], rows: int) -> Prediction:
        labels = None
        if self._label is not None:
            labels = outputs[self._label]
            if labels.shape[0] != rows or labels.size != rows:
                raise ModelError(f"Output '{self._label}' has shape {list(labels.shape)} for {rows} rows.")
            labels = labels.reshape(rows)
        if self._score is None:
            return Prediction(np.asarray(labels), None, self.classes)
        scores = outputs[self._score]
        if labels is None and self.classes is None:
            return Prediction(values_of(self._score, scores, rows), None, None)
        columns = len(self.classes) if self.classes is not None else None
        probabilities = probabilities_of(self._score, scores, rows, columns)
        if labels is None:
            labels = np.asarray(self.classes)[probabilities.argmax(axis=1)]
        return Prediction(labels, probabilities, self.classes)

    def _feeds(self, columns: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
        if self._stacked is not None:
            stacked = self._signature.stacked(columns)
            return {self._stacked.name: stacked.astype(_DTYPES[self._stacked.type], copy=False)}
        feeds = {feature.name: self._named(feature, columns) for feature in self.features}
        rows = len(feeds[self.features[0].name])
        for name, array in feeds.items():
            if len(array) != rows:
                raise ColumnError(name, f"has {len(array)} rows, but the first column has {rows}.")
        return feeds

    def _named(self, feature: Feature, columns: Mapping[str, ArrayLike]) -> NDArray[Any]:
        """Return one feature in the type and rank that the graph declares."""
        node = self._inputs[feature.name]
        if node.type == "tensor(string)":
            values = column_of(feature, columns)
            array = np.array(["" if value is None else str(value) for value in values.tolist()], np.object_)
        else:
            encoded = self._signature.encoded(feature, columns)
            if node.type not in _FLOATS and np.isnan(encoded).any():
                row = int(np.isnan(encoded).argmax())
                raise ColumnError(feature.name, f"is missing in row {row}, and this model takes whole numbers there.")
            wide = feature.datatype != "BYTES" and node.type in ("tensor(int64)", "tensor(int32)", "tensor(double)")
            # float32 has a mantissa of 24 bits: not enough for the wider types.
            array = (column_of(feature, columns) if wide else encoded).astype(_DTYPES[node.type])
        return array.reshape(-1, 1) if len(node.shape) == 2 else array

    def _check_stacked(self, node: Any) -> None:
        self._signature.require_numbers()
        width = node.shape[1]
        if isinstance(width, int) and width != len(self.features):
            raise SignatureError(
                f"{ONNX_NAME} takes {width} features, but {SIGNATURE_NAME} names {len(self.features)}."
            )

    def _check_named(self, inputs: Mapping[str, Any]) -> None:
        names = {feature.name for feature in self.features}
        if names != set(inputs):
            odd = min(names ^ set(inputs))
            where = f"{ONNX_NAME} has no such input" if odd in names else f"{SIGNATURE_NAME} has no such feature"
            raise SignatureError(f"{ONNX_NAME} and {SIGNATURE_NAME} differ at '{odd}': {where}.")
        for feature in self.features:
            node = inputs[feature.name]
            if node.type not in _DTYPES or len(node.shape) not in (1, 2):
                raise ModelError(
                    f"Input '{feature.name}' of {ONNX_NAME} is {node.type} of rank {len(node.shape)}; "
                    f"use {', '.join(_DTYPES)} of shape [N] or [N, 1]."
                )
            if feature.datatype == "BYTES" and feature.categories is None and node.type != "tensor(string)":
                raise SignatureError(f"{SIGNATURE_NAME}: '{feature.name}' is text, but {ONNX_NAME} takes {node.type}.")


def _session(path: Path) -> onnxruntime.InferenceSession:
    if path.stat().st_size > MAX_ONNX_BYTES:
        raise ModelError(f"{ONNX_NAME} is larger than {MAX_ONNX_BYTES} bytes.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # External weights would be read from any path that the file names, unchecked: use a folder that cannot exist.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/dev/null/none")
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # The exceptions of ONNX Runtime have no other common class.
        message = _first_line(error)
        if "external data" in message.lower():
            raise ModelError(f"{ONNX_NAME} keeps weights in other files; save it as a single file.") from error
        raise ModelError(f"{ONNX_NAME} can't be loaded: {message}.") from error


def _outputs(outputs: list[Any]) -> tuple[str | None, str | None]:
    """Return the names of the label's and the score's output."""
    label = next(
        (each.name for each in outputs if each.type in ("tensor(int64)", "tensor(int32)", "tensor(string)")), None
    )
    score = next((each.name for each in outputs if each.type in _FLOATS), None)
    if label is None and score is None:
        found = ", ".join(f"'{each.name}' ({each.type})" for each in outputs)
        raise ModelError(
            f"{ONNX_NAME} has outputs {found}; a label (int64 or string), probabilities or a value (float) is needed."
        )
    return label, score


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".")[:500] if lines else type(error).__name__
