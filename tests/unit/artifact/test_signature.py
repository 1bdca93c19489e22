import json
from typing import Any

import numpy as np
import pytest
from steadfit_artifact.errors import ColumnError, SignatureError
from steadfit_artifact.signature import Feature, Signature

FEATURES = [
    {"name": "a", "datatype": "FP64"},
    {"name": "b", "datatype": "BYTES", "categories": ["x", "y"]},
    {"name": "c", "datatype": "BOOL"},
]


def _signature(features: Any = FEATURES) -> Signature:
    return Signature.parse(json.dumps(features).encode())


def test_a_signature_survives_being_written_and_read() -> None:
    signature = _signature()
    assert json.loads(signature.dump()) == FEATURES
    assert Signature.parse(signature.dump()).features == signature.features


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("x", "signature.json is wrong"),
        ("{}", "signature.json is wrong"),
        ("[]", "at least 1 item"),
        ('[{"name": "a"}]', "wrong at 0.datatype: Field required"),
        ('[{"name": "a", "datatype": "FLOAT"}]', "wrong at 0.datatype: Input should be 'BOOL'"),
        ('[{"name": "", "datatype": "FP64"}]', "wrong at 0.name"),
        ('[{"name": 1, "datatype": "FP64"}]', "wrong at 0.name"),
        ('[{"name": "a", "datatype": "FP64", "shape": [1]}]', "wrong at 0.shape"),
        ('[{"name": "a", "datatype": "FP64", "categories": ["x"]}]', "categories belong to BYTES, not to FP64"),
        ('[{"name": "a", "datatype": "BYTES", "categories": ["x", "x"]}]', "a category is there twice"),
        ('[{"name": "a", "datatype": "BYTES", "categories": [1]}]', "wrong at 0.categories.0"),
        ('[{"name": "a", "datatype": "FP64"}, {"name": "a", "datatype": "FP32"}]', "names 'a' twice"),
        (json.dumps([{"name": f"f{i}", "datatype": "FP32"} for i in range(2049)]), "at most 2048"),
        (" " * 1_048_577, "larger than"),
    ],
)
def test_a_wrong_signature_is_refused_in_a_sentence_that_says_where(document: str, sentence: str) -> None:
    with pytest.raises(SignatureError, match=sentence):
        Signature.parse(document.encode())


def test_columns_are_stacked_in_order_with_categories_as_index_and_missing_or_unknown_as_nan() -> None:
    columns = {
        "c": np.array([True, False, True]),
        "b": np.array(["y", "z", None], object),
        "a": np.array([1.5, np.nan, 3]),
        "other": np.array([1]),
    }
    stacked = _signature().stacked(columns)
    assert stacked.dtype == np.float32
    np.testing.assert_array_equal(stacked, [[1.5, 1, 1], [np.nan, np.nan, 0], [3, np.nan, 1]])


def test_a_column_of_shape_n_1_is_taken_as_n() -> None:
    columns = {"a": np.ones((2, 1)), "b": np.array([["x"], ["y"]], object), "c": np.ones((2, 1))}
    assert _signature().stacked(columns).shape == (2, 3)


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("a", None, "'a' is missing; the model takes it as FP64"),
        ("a", np.array([1.0, np.inf]), "'a' is infinite or too large for 32-bit floating point in row 1"),
        ("a", np.array([1e300, 1.0]), "'a' is infinite or too large for 32-bit floating point in row 0"),
        ("a", np.array(["x", "y"]), "'a' has a value that is no number"),
        ("a", np.ones((2, 2)), "'a' has shape"),
        ("c", np.array([True]), "'c' has 1 rows, but the first column has 2"),
    ],
)
def test_a_column_that_does_not_fit_is_named(column: str, value: Any, sentence: str) -> None:
    columns: dict[str, Any] = {"a": np.ones(2), "b": np.array(["x", "y"], object), "c": np.ones(2)} | {column: value}
    if value is None:
        del columns[column]
    with pytest.raises(ColumnError, match=sentence) as caught:
        _signature().stacked(columns)
    assert caught.value.field == column


def test_text_without_categories_is_refused_where_numbers_are_needed() -> None:
    with pytest.raises(SignatureError, match="'a' is text without categories"):
        Signature((Feature(name="a", datatype="BYTES"),)).require_numbers()
