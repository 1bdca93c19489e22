"""The example of an artifact: a row of the training data that is a request."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from steadfit_artifact import example
from steadfit_artifact.errors import ModelError
from steadfit_artifact.signature import Feature

FEATURES = (
    Feature(name="hour", datatype="INT32"),
    Feature(name="wind", datatype="FP32"),
    Feature(name="holiday", datatype="BOOL"),
    Feature(name="carrier", datatype="BYTES"),
)


def test_an_example_is_read_as_it_was_written_in_the_types_of_requests(tmp_path: Path) -> None:
    (tmp_path / "example.json").write_bytes(example.dump(FEATURES, [7, 0.1, 1, "Ü"]))
    found = example.read(tmp_path, FEATURES)
    assert found is not None
    assert {name: (column.dtype.name, column.tolist()) for name, column in found.items()} == {
        "hour": ("int32", [7]),
        "wind": ("float64", [0.1]),
        "holiday": ("bool", [True]),
        "carrier": ("object", ["Ü"]),
    }


def test_missing_numbers_and_texts_stay_missing_and_integers_are_0(tmp_path: Path) -> None:
    nan = float("nan")
    (tmp_path / "example.json").write_bytes(example.dump(FEATURES, [nan, nan, None, None]))
    found = example.read(tmp_path, FEATURES)
    assert found is not None
    assert (found["hour"][0], found["holiday"][0], found["carrier"][0]) == (0, False, None)
    assert np.isnan(found["wind"][0])


def test_the_first_row_with_the_fewest_gaps_is_the_example() -> None:
    rows = {
        "hour": np.array([1.0, np.nan, 3.0, 4.0]),
        "wind": np.array([np.nan, 2.0, 3.0, 4.0]),
        "holiday": np.array([0, 0, 1, 1], np.uint8),
        "carrier": np.array([None, "UA", "DL", "AA"], object),
    }
    assert example.row_of(FEATURES, rows) == [3.0, 3.0, 1, "DL"]


def test_an_artifact_without_an_example_has_none(tmp_path: Path) -> None:
    assert example.read(tmp_path, FEATURES) is None


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"inputs": [{"name": "hour", "data": [1]}]},
        {"inputs": [{"name": feature.name, "data": []} for feature in FEATURES]},
        {"inputs": [{"name": feature.name, "data": ["x"]} for feature in FEATURES]},
        {"inputs": [{"name": feature.name, "data": [2**40]} for feature in FEATURES]},
    ],
)
def test_an_example_that_does_not_fit_is_an_error_of_the_artifact(tmp_path: Path, document: Any) -> None:
    (tmp_path / "example.json").write_text(json.dumps(document))
    with pytest.raises(ModelError, match=r"example\.json does not fit the signature"):
        example.read(tmp_path, FEATURES)
