"""The signature of a model: its inputs (`signature.json`) and how columns are encoded for it.

The encoding is the same in training, evaluation and serving: numbers and booleans are float32, text is the index of its
category, a missing or unknown value is NaN.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from steadfit_artifact.errors import ColumnError, SignatureError

SIGNATURE_NAME = "signature.json"
MAX_SIGNATURE_BYTES = 1024 * 1024
MAX_FEATURES = 2048
MAX_CATEGORIES = 10_000

# Datatypes of the Open Inference Protocol.
Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]


class Feature(BaseModel):
    """One input of the model.

    Attributes
    ----------
    name : str
        Name of the column and of the input tensor.
    datatype : Datatype
        Datatype of the Open Inference Protocol.
    categories : tuple[str, ...], optional
        Categories of a text feature (BYTES), in the order of their indices.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=128)]
    datatype: Datatype
    categories: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_CATEGORIES)] | None = None

    @model_validator(mode="after")
    def _text_only(self) -> Self:
        if self.categories is not None and self.datatype != "BYTES":
            raise ValueError(f"categories belong to BYTES, not to {self.datatype}")
        if self.categories is not None and len(set(self.categories)) < len(self.categories):
            raise ValueError("a category is there twice")
        return self

    def document(self) -> dict[str, Any]:
        """Return the feature as the JSON object of `signature.json`."""
        return self.model_dump(mode="json", exclude_none=True)


_FEATURES = TypeAdapter(Annotated[tuple[Feature, ...], Field(min_length=1, max_length=MAX_FEATURES)])


class Signature:
    """The model's inputs in order.

    Raises
    ------
    SignatureError
        Two features have the same name.
    """

    def __init__(self, features: tuple[Feature, ...]) -> None:
        self.features = features
        self._indices = {
            feature.name: {category: float(index) for index, category in enumerate(feature.categories)}
            for feature in features
            if feature.categories is not None
        }
        names = [feature.name for feature in features]
        for name in names:
            if names.count(name) > 1:
                raise SignatureError(f"{SIGNATURE_NAME} names '{name}' twice.")

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read `signature.json`: a list of {name, datatype, categories?}.

        Raises
        ------
        SignatureError
            The bytes do not fit the schema; the message names the field.
        """
        if len(raw) > MAX_SIGNATURE_BYTES:
            raise SignatureError(f"{SIGNATURE_NAME} is larger than {MAX_SIGNATURE_BYTES} bytes.")
        try:
            return cls(_FEATURES.validate_json(raw))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SignatureError(
                f"{SIGNATURE_NAME} is wrong{f' at {where}' if where else ''}: {first['msg']}."
            ) from None

    def dump(self) -> bytes:
        """Return the bytes of `signature.json`."""
        return json.dumps([feature.document() for feature in self.features], indent=1, ensure_ascii=False).encode()

    def require_numbers(self) -> None:
        """Check that every feature can be a number.

        Raises
        ------
        SignatureError
            A text feature has no categories.
        """
        for feature in self.features:
            if feature.datatype == "BYTES" and feature.categories is None:
                raise SignatureError(
                    f"{SIGNATURE_NAME}: '{feature.name}' is text without categories, but the model takes numbers."
                )

    def stacked(self, columns: Mapping[str, ArrayLike]) -> NDArray[np.float32]:
        """Encode columns of shape [rows] as one array of shape [rows, features].

        Raises
        ------
        ColumnError
            A column is absent, has another length, or holds a value that does not fit.
        """
        # Once for all features: entering the context costs as much as encoding one row of one feature.
        with np.errstate(over="ignore"):
            arrays = [self._encoded(feature, columns) for feature in self.features]
        matrix = np.empty((len(arrays[0]), len(arrays)), np.float32)
        for index, (feature, array) in enumerate(zip(self.features, arrays, strict=True)):
            if len(array) != len(matrix):
                raise ColumnError(feature.name, f"has {len(array)} rows, but the first column has {len(matrix)}.")
            matrix[:, index] = array
        return matrix

    def encoded(self, feature: Feature, columns: Mapping[str, ArrayLike]) -> NDArray[np.float32]:
        """Encode one feature's column as float32 of shape [rows].

        Raises
        ------
        ColumnError
            The column is absent, or a value is no number, infinite, or too large for 32 bits.
        """
        with np.errstate(over="ignore"):
            return self._encoded(feature, columns)

    def _encoded(self, feature: Feature, columns: Mapping[str, ArrayLike]) -> NDArray[np.float32]:
        values = column_of(feature, columns)
        if feature.datatype == "BYTES":
            indices = self._indices[feature.name]
            return np.array([indices.get(value, np.nan) for value in values.tolist()], np.float32)
        try:
            encoded = values.astype(np.float32)
        except (TypeError, ValueError):
            raise ColumnError(
                feature.name, f"has a value that is no number; the model takes {feature.datatype}."
            ) from None
        if np.isinf(encoded).any():
            row = int(np.isinf(encoded).argmax())
            raise ColumnError(feature.name, f"is infinite or too large for 32-bit floating point in row {row}.")
        return encoded


def column_of(feature: Feature, columns: Mapping[str, ArrayLike]) -> NDArray[Any]:
    """Return the feature's column as a numpy array of shape [rows].

    Raises
    ------
    ColumnError
        The column is absent, or does not have one value for each row.
    """
    try:
        values = np.asarray(columns[feature.name])
    except KeyError:
        raise ColumnError(feature.name, f"is missing; the model takes it as {feature.datatype}.") from None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ColumnError(feature.name, f"has shape {list(values.shape)}; one value for each row is needed.")
    return values
