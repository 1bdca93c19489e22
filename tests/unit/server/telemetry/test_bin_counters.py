"""What is counted of requests and answers, and in which bin."""

import math
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray
from steadfit_artifact.reference import (
    CategoryFeature,
    Reference,
    ReferenceFileError,
    count_categories,
    count_numbers,
    count_scores,
    numbers,
)
from steadfit_server.model.interface import Output
from steadfit_server.telemetry.bin_counters import BinCounters
from steadfit_server.telemetry.number_bins import MAX_WAITING_VALUES

from tests.unit.server.harness import MIXED, REFERENCE, Caller, FakeModel, Feature, mixed, replaced, tensor


class Scores(FakeModel):
    """Answers the given probabilities of the classes."""

    def __init__(self, probabilities: Sequence[Sequence[float]], labels: list[Any], **options: Any) -> None:
        super().__init__(**options)
        self.probabilities = np.array(probabilities, np.float32)
        self.labels = labels

    def predict(self, columns: Any) -> Sequence[Output]:
        rows = len(next(iter(columns.values())))
        shape = [rows, self.probabilities.shape[1]]
        return [
            Output("label", "BYTES", [rows], (self.labels * rows)[:rows]),
            Output("probabilities", "FP32", shape, np.resize(self.probabilities, shape).ravel()),
        ]


class Values(FakeModel):
    """A regression that answers the wind."""

    def __init__(self) -> None:
        super().__init__(output_tensors=({"name": "prediction", "datatype": "FP64", "shape": [-1]},))

    def predict(self, columns: Any) -> Sequence[Output]:
        wind = np.nan_to_num(columns["wind"])
        return [Output("prediction", "FP64", [len(wind)], wind)]


VALUES = {key: value for key, value in REFERENCE.items() if key not in ("positive", "classes")} | {
    "task": "regression",
    "predictions": {"kind": "value", "edges": [1.0, 2.0], "counts": [1, 1, 1]},
}
CLASSES = ("early", "late", "gone")
MULTI = {key: value for key, value in REFERENCE.items() if key != "positive"} | {
    "task": "multiclass",
    "classes": list(CLASSES),
    "predictions": {"kind": "class", "classes": ["early", "late"], "counts": [5, 4, 1]},
}


def feature_bins(caller: Caller, feature: str) -> dict[str, float]:
    return samples(caller, "steadfit_feature_bin_total", feature=feature)


def samples(caller: Caller, name: str, **labels: str) -> dict[str, float]:
    return {
        sample.labels["bin"]: sample.value
        for family in caller.metrics.registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    }


def test_every_series_begins_at_0() -> None:
    caller = Caller(reference=REFERENCE)
    assert feature_bins(caller, "hour") == {"0": 0, "1": 0, "2": 0, "missing": 0}
    assert feature_bins(caller, "carrier") == {"UA": 0, "DL": 0, "other": 0, "missing": 0}
    assert samples(caller, "steadfit_prediction_bin_total") == {"0": 0, "1": 0, "2": 0}
    assert caller.value("steadfit_predicted_rows_total") == 0
    for outcome in ("positive", "negative"):
        counted = samples(caller, "steadfit_feedback_total", outcome=outcome)
        assert counted == {str(number): 0 for number in range(20)}
    assert caller.value("steadfit_feedback_squared_error_total") == 0
    for reason in ("malformed", "forged", "other_model", "expired", "wrong_type", "replayed"):
        assert caller.value("steadfit_feedback_rejected_total", reason=reason) == 0


def test_a_row_is_counted_once_for_each_feature_and_once_for_its_answer() -> None:
    caller = Caller(reference=REFERENCE)
    caller.infer(
        tensor("hour", "INT64", [6, 7, 13]),
        tensor("wind", "FP64", [3.5, None, 3.6]),
        tensor("holiday", "BOOL", [True, False, True]),
        tensor("carrier", "BYTES", ["DL", "AA", None]),
    )
    assert feature_bins(caller, "hour") == {"0": 1, "1": 1, "2": 1, "missing": 0}
    assert feature_bins(caller, "wind") == {"0": 1, "1": 1, "missing": 1}
    assert feature_bins(caller, "holiday") == {"0": 1, "1": 2, "missing": 0}
    assert feature_bins(caller, "carrier") == {"UA": 0, "DL": 1, "other": 1, "missing": 1}
    assert samples(caller, "steadfit_prediction_bin_total") == {"0": 0, "1": 0, "2": 3}
    assert caller.value("steadfit_predicted_rows_total") == 3


def columns_of(rows: int) -> dict[str, NDArray[Any]]:
    """Return random columns of MIXED, with missing ones."""
    random = np.random.default_rng(1)
    return {
        "hour": random.integers(0, 24, rows),
        "wind": np.where(random.random(rows) < 0.2, np.nan, random.normal(3, 2, rows)),
        "holiday": random.random(rows) < 0.5,
        "carrier": random.choice(np.array(["UA", "DL", "AA", None], object), rows),
    }


def test_rows_are_counted_as_publish_counts_them_however_they_come() -> None:
    room = MAX_WAITING_VALUES // len(MIXED)
    sizes = [1] * 5 + [room - 3, 1, 7, 2 * room + 11, 1]
    rows = sum(sizes)
    columns, scores = columns_of(rows), np.random.default_rng(2).random(rows)
    reference = Reference.parse(orjson.dumps(REFERENCE))
    counting = BinCounters(reference, MIXED)
    begin = 0
    for size in sizes:
        part = slice(begin, begin + size)
        counting.add({name: values[part] for name, values in columns.items()}, scores[part])
        begin += size
    features, predictions = counting.snapshot()
    for feature, of_model in zip(reference.features, MIXED, strict=True):
        column = columns[feature.name]
        if isinstance(feature, CategoryFeature):
            assert features[feature.name] == count_categories(feature.categories, column.tolist())
        else:
            assert features[feature.name] == count_numbers(feature.edges, numbers(column, of_model.datatype))
    assert predictions == count_scores((0.25, 0.5), scores)
    assert counting.snapshot() == (features, predictions)


def test_no_array_of_a_request_outlives_it() -> None:
    counting = BinCounters(Reference.parse(orjson.dumps(REFERENCE)), MIXED)
    columns, scores = columns_of(3), np.zeros(3)
    alive = [weakref.ref(array) for array in (*columns.values(), scores)]
    counting.add(columns, scores)
    del columns, scores
    assert [each() for each in alive] == [None] * 5


def test_a_request_that_is_refused_counts_no_row() -> None:
    caller = Caller(reference=REFERENCE)
    assert caller.infer(*replaced("hour", data=["x", "y"])).status == 400
    assert caller.value("steadfit_predicted_rows_total") == 0
    assert sum(feature_bins(caller, "wind").values()) == 0


def test_long_predictions_in_the_worker_thread_are_counted_too() -> None:
    caller = Caller(reference=REFERENCE)
    assert caller.lifecycle.predictor is not None
    caller.lifecycle.predictor.inline_rows = 0
    caller.infer(*mixed(5))
    assert caller.value("steadfit_predicted_rows_total") == 5
    assert feature_bins(caller, "carrier")["UA"] == 5


def test_the_reference_is_told_beside_the_counts_smoothed_so_that_no_share_is_0() -> None:
    caller = Caller(reference=REFERENCE)
    ratios = samples(caller, "steadfit_feature_reference_ratio", feature="hour")
    assert ratios == {"0": 4.5 / 12, "1": 3.5 / 12, "2": 3.5 / 12, "missing": 0.5 / 12}
    assert math.isclose(sum(samples(caller, "steadfit_feature_reference_ratio", feature="carrier").values()), 1)
    assert samples(caller, "steadfit_prediction_reference_ratio") == {"0": 2.5 / 11.5, "1": 4.5 / 11.5, "2": 4.5 / 11.5}
    assert caller.value("steadfit_reference_samples") == 10
    assert caller.value("steadfit_feature_importance_ratio", feature="hour") == 0.5


def test_an_artifact_without_a_reference_is_served_and_seen_as_one() -> None:
    caller = Caller()
    assert caller.infer(*mixed()).status == 200
    assert caller.value("steadfit_reference_samples") == 0
    assert caller.value("steadfit_predicted_rows_total") == 2
    assert feature_bins(caller, "hour") == {}


def test_categories_whose_names_are_cut_or_taken_share_a_bin_in_counts_and_reference() -> None:
    long = "x" * 64
    categories = [f"{long}1", f"{long}2", "other", "missing"]
    carrier = {"name": "carrier", "kind": "category", "categories": categories, "counts": [1, 2, 3, 1, 2, 1]}
    caller = Caller(reference=REFERENCE | {"features": [carrier | {"importance": 1.0}]})
    sent = [f"{long}1", f"{long}2", "other", "missing", "AA", None]
    caller.infer(*[each if each["name"] != "carrier" else tensor("carrier", "BYTES", sent) for each in mixed(6)])
    assert feature_bins(caller, "carrier") == {long: 2, "other": 3, "missing": 1}
    ratios = samples(caller, "steadfit_feature_reference_ratio", feature="carrier")
    assert ratios == {long: 3.5 / 11.5, "other": 6.5 / 11.5, "missing": 1.5 / 11.5}


def test_the_score_of_a_binary_model_is_its_positive_classs_probability() -> None:
    caller = Caller(
        Scores([[0.9, 0.1]], ["late"]), REFERENCE | {"positive": "late", "classes": ["late", "early"]}, None
    )
    caller.infer(*mixed(1))
    assert samples(caller, "steadfit_prediction_bin_total") == {"0": 0, "1": 0, "2": 1}


def test_without_a_reference_the_greater_label_is_positive() -> None:
    caller = Caller(Scores([[0.875, 0.125]], ["late"]), classes=("late", "early"))
    token = caller.infer(*mixed(1)).body["parameters"]["prediction_token"]
    caller.feedback({"token": token, "row": 0, "outcome": "late"})
    assert caller.value("steadfit_feedback_total", bin="17", outcome="positive") == 1


def test_a_model_with_several_classes_is_counted_by_class_and_other() -> None:
    caller = Caller(Scores([[1, 0, 0]], ["early", "gone", "late", "early"]), MULTI, CLASSES)
    caller.infer(*mixed(4))
    assert samples(caller, "steadfit_prediction_bin_total") == {"early": 2, "late": 1, "other": 1}


def test_a_binary_model_without_probabilities_is_counted_by_class() -> None:
    class Labels(Scores):
        def predict(self, columns: Any) -> Sequence[Output]:
            return super().predict(columns)[:1]

    classes = ["early", "late"]
    reference = REFERENCE | {
        "classes": classes,
        "positive": "late",
        "predictions": {"kind": "class", "classes": classes, "counts": [6, 4, 0]},
    }
    caller = Caller(Labels([[0, 1]], ["early", "late", "late"]), reference, classes)
    caller.infer(*mixed(3))
    assert samples(caller, "steadfit_prediction_bin_total") == {"early": 1, "late": 2, "other": 0}


@pytest.mark.parametrize("rows", [3, 3000])
def test_a_regressions_values_are_counted_by_their_edges(rows: int) -> None:
    caller = Caller(Values(), VALUES, None)
    caller.infer(
        *[each | {"data": [1.0, 1.5, 9.0] * (rows // 3)} if each["name"] == "wind" else each for each in mixed(rows)]
    )
    assert samples(caller, "steadfit_prediction_bin_total") == {"0": rows / 3, "1": rows / 3, "2": rows / 3}


def test_a_32_bit_inputs_value_lies_where_training_put_it() -> None:
    edge = float(np.float32(0.7))
    wind = {"name": "wind", "kind": "number", "edges": [edge], "counts": [5, 5, 0], "importance": 1.0}
    caller = Caller(FakeModel((Feature("wind", "FP32"),)), REFERENCE | {"features": [wind]})
    assert edge < 0.7
    caller.infer(tensor("wind", "FP32", [0.7]))
    assert feature_bins(caller, "wind") == {"0": 1, "1": 0, "missing": 0}


@pytest.mark.parametrize(
    ("reference", "features", "sentence"),
    [
        (REFERENCE, MIXED[:3], "reference.json counts 'carrier' as a category, which the model's inputs don't have."),
        (REFERENCE, (*MIXED[:3], Feature("carrier", "INT64")), "counts 'carrier' as a category"),
        (VALUES, MIXED, "reference.json is of a regression model, and this one is none."),
    ],
)
def test_a_reference_of_another_model_is_refused(reference: Any, features: Any, sentence: str) -> None:
    with pytest.raises(ReferenceFileError, match=sentence):
        Caller(FakeModel(features), reference)
