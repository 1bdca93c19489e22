"""The frozen bins: what the file may hold, and where each value lies."""

import json
import math
from bisect import bisect_left
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit_artifact.reference import (
    CategoryFeature,
    ClassPredictions,
    NumberFeature,
    Reference,
    ReferenceFileError,
    ScorePredictions,
    count_categories,
    count_classes,
    count_numbers,
    count_scores,
    numbers,
    read_reference,
)

DOCUMENT: dict[str, Any] = {
    "schemaVersion": 1,
    "task": "binary",
    "rows": 10,
    "features": [
        {"name": "wind", "kind": "number", "edges": [1.0, 2.5], "counts": [3, 3, 3, 1], "importance": 0.75},
        {"name": "carrier", "kind": "category", "categories": ["UA"], "counts": [6, 3, 1], "importance": 0.25},
    ],
    "predictions": {"kind": "score", "edges": [0.5], "counts": [4, 6]},
    "positive": 1,
    "classes": [0, 1],
}

edges = st.lists(st.floats(-1e6, 1e6), max_size=9, unique=True).map(sorted)
values = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(-5, 5).map(float))


def changed(*path: str | int, to: Any) -> bytes:
    document = json.loads(json.dumps(DOCUMENT))
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = to
    return json.dumps(document).encode()


def test_a_reference_survives_writing_and_reading(tmp_path: Path) -> None:
    reference = Reference.parse(json.dumps(DOCUMENT).encode())
    (tmp_path / "reference.json").write_bytes(reference.dump())
    assert read_reference(tmp_path) == reference
    assert json.loads(reference.dump()) == DOCUMENT


def test_an_artifact_of_an_older_release_has_none(tmp_path: Path) -> None:
    assert read_reference(tmp_path) is None


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"[", "reference.json is wrong: Invalid JSON"),
        (changed("schemaVersion", to=2), "wrong at schemaVersion"),
        (changed("rows", to=0), "wrong at rows"),
        (changed("features", 0, "edges", to=[2.5, 1.0]), "the edges do not rise"),
        (changed("features", 0, "edges", to=[1.0, 1.0]), "the edges do not rise"),
        (changed("features", 0, "counts", to=[9, 1]), "2 counts for 4 bins"),
        (changed("features", 0, "counts", to=[3, 3, 3, 2]), "'wind' counts 11 of 10 rows"),
        (changed("features", 0, "counts", to=[3, 3, 5, -1]), "wrong at features.0.number.counts.3"),
        (changed("features", 0, "importance", to=0.5), "importances do not sum to 1"),
        (changed("features", 1, "name", to="wind"), "a feature is there twice"),
        (changed("features", 1, "categories", to=[str(i) for i in range(11)]), "at most 10 items"),
        (changed("positive", to=2), "none of the classes"),
        (changed("positive", to=None), "has a positive class"),
        (changed("classes", to=None), "has classes"),
        (changed("classes", to=[1]), "at least two different labels"),
        (changed("more", to=1), "Extra inputs"),
        (changed("predictions", "counts", to=[10]), "1 counts for 2 bins"),
        (b" " * (1024 * 1024 + 1), "larger than 1048576 bytes"),
    ],
)
def test_a_reference_that_is_wrong_is_refused_with_the_place(raw: bytes, sentence: str) -> None:
    with pytest.raises(ReferenceFileError) as refused:
        Reference.parse(raw)
    assert sentence in str(refused.value)


def test_not_more_than_64_features_are_counted() -> None:
    one = DOCUMENT["features"][0] | {"importance": 1 / 65}
    raw = changed("features", to=[one | {"name": str(index)} for index in range(65)])
    with pytest.raises(ReferenceFileError, match="at most 64 items"):
        Reference.parse(raw)


def test_a_value_on_an_edge_lies_below_it() -> None:
    assert count_numbers([1.0, 2.5], np.array([0.9, 1.0, 1.1, 2.5, 2.6, np.nan, np.inf, -np.inf])) == [3, 2, 2, 1]


@given(edges, st.lists(values, max_size=30))
def test_counting_many_values_at_once_is_counting_each(edges: list[float], values: list[float]) -> None:
    one_by_one = [0] * (len(edges) + 2)
    for value in values:
        one_by_one[-1 if math.isnan(value) else bisect_left(edges, value)] += 1
    assert count_numbers(edges, np.array(values, np.float64)) == one_by_one


@given(st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=30))
def test_a_number_of_a_32_bit_file_finds_its_bin_when_it_comes_as_json(written: list[float]) -> None:
    column = np.array(written, np.float32)
    edges = sorted(set(numbers(column, "FP32").tolist()))[:9]
    sent = [float(str(value)) for value in column]
    assert count_numbers(edges, numbers(sent, "FP32")) == count_numbers(edges, numbers(column, "FP32"))


def test_whole_numbers_keep_their_digits() -> None:
    assert numbers(np.array([16_777_217]), "INT64").tolist() == [16_777_217.0]


def test_booleans_are_numbers_and_none_is_missing() -> None:
    assert count_numbers([0.0], numbers([True, False, True], "BOOL")) == [1, 2, 0]
    assert count_numbers([0.0], numbers(np.array([1.0, None], object), "FP64")) == [0, 1, 1]


def test_texts_are_counted_by_category_other_and_missing() -> None:
    assert count_categories(["UA", "DL"], ["UA", "AA", None, "UA", float("nan"), "DL"]) == [2, 1, 1, 2]


def test_predictions_are_never_missing() -> None:
    assert count_scores([0.5], np.array([0.2, 0.5, 0.9])) == [2, 1]
    assert count_classes(["early", 3, True], ["early", "late", 3]) == [1, 1, 0, 1]


def test_bins_are_named_by_number_or_by_text() -> None:
    number = NumberFeature(name="wind", edges=(1.0,), counts=(1, 2, 3), importance=1)
    assert number.positions == ("0", "1", "missing")
    texts = ("UA", "other", "missing", "x" * 70)
    category = CategoryFeature(name="carrier", categories=texts, counts=(1, 1, 1, 1, 1, 1), importance=1)
    assert category.positions == ("UA", "other", "other", "x" * 64, "other", "missing")
    assert ScorePredictions(edges=(), counts=(1,)).positions == ("0",)
    classes = ClassPredictions(classes=(1.0, 2.5, True, "late"), counts=(0, 0, 0, 0, 0))
    assert classes.positions == ("1", "2.5", "true", "late", "other")
