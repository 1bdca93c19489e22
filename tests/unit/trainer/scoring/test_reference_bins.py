"""The reference bins of a result, against numpy; and what they cost."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import RandomForestClassifier
from steadfit_artifact.model import load_model
from steadfit_artifact.prediction import Prediction
from steadfit_artifact.reference import Reference, read_reference
from steadfit_artifact.signature import Feature
from steadfit_artifact.transfer import download
from steadfit_trainer.metrics.answers import Answers
from steadfit_trainer.paths import Paths
from steadfit_trainer.scoring import permutation_importance, reference_bins

from tests.unit.trainer.flights import flights
from tests.unit.trainer.run_pod import RunPod, as_parquet, operator
from tests.unit.trainer.training import train, training_container


def published(pod: RunPod, folder: Path) -> Path:
    """Publish, and return the artifact as a server has it."""
    with operator(folder) as intake:
        pod.publish(intake)
    artifact = intake.bodies()[0]["artifact"]
    download(pod.store("s3://models"), artifact["uri"], artifact["digest"], folder / "served")
    return folder / "served"


def test_a_server_finds_the_training_rows_in_bins(pod: RunPod, tmp_path: Path) -> None:
    served = published(pod, tmp_path)
    found = read_reference(served)
    assert found is not None
    assert (found.task, found.rows, found.classes, found.positive) == ("binary", 480, (0, 1), 1)
    rows = pod.trained()
    wind, carrier = (feature.model_dump() for feature in found.features)
    present = rows["wind"].drop_null().to_numpy()
    edges = np.quantile(present, np.arange(1, 10) / 10, method="inverted_cdf")
    assert wind["edges"] == pytest.approx(edges)
    counts = np.histogram(present, [-np.inf, *np.nextafter(edges, np.inf), np.inf])[0]
    assert list(wind["counts"]) == [*counts, rows["wind"].null_count]
    texts = rows["carrier"].to_pylist()
    often = sorted(set(texts), key=lambda text: (-texts.count(text), text))
    assert carrier["categories"] == tuple(often)
    assert carrier["counts"] == (*(texts.count(text) for text in often), 0, 0)
    assert wind["importance"] + carrier["importance"] == pytest.approx(1, abs=1e-5)
    assert wind["importance"] > carrier["importance"] > 0


def test_predictions_are_counted_on_rows_that_the_model_has_not_learned_from(pod: RunPod, tmp_path: Path) -> None:
    served = published(pod, tmp_path)
    found = read_reference(served)
    assert found is not None
    held = pod.held()
    columns = {"wind": held["wind"].to_numpy(), "carrier": np.array(held["carrier"].to_pylist(), object)}
    probabilities = load_model(served).predict(columns).probabilities
    assert probabilities is not None
    scores = probabilities[:, 1].astype(float)
    edges = found.predictions.model_dump()["edges"]
    expected = np.bincount([int((edge_of > np.array(edges)).sum()) for edge_of in scores], minlength=len(edges) + 1)
    assert found.predictions.counts == tuple(expected)
    assert sum(found.predictions.counts) == 120


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, template: Path) -> None:
    raws = []
    for name in ("one", "two"):
        pod = RunPod(tmp_path / name / "steadfit")
        pod.put("s3://lake/flights/part-0.parquet", flights())
        pod.fetch()
        train(pod)
        raws.append((published(pod, tmp_path / name) / "reference.json").read_bytes())
    assert raws[0] == raws[1]


def test_only_sources_with_labels_are_counted(tmp_path: Path) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.document["data"].append({**pod.document["data"][0], "name": "airports", "uri": "s3://lake/airports/"})
    pod.put("s3://lake/flights/part-0.parquet", flights())
    pod.put("s3://lake/airports/part-0.parquet", pa.table({"carrier": ["ZZ"] * 1000}))
    pod.fetch()
    train(pod)
    found = read_reference(published(pod, tmp_path))
    assert found is not None
    assert found.rows == 480
    assert "ZZ" not in str(found.features)


# Edges.


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([], ()),
        ([np.nan, np.nan], ()),
        ([0, 1, 1, 0, np.nan], (0,)),
        ([3, 1, 2, 2], (1, 2)),
        (list(range(10)), tuple(range(9))),
        ([0] * 200 + list(range(1, 12)), (0,)),
        ([5, 5, 5], (np.nextafter(5, 0), 5)),
        ([np.inf, 1, 2], (1,)),
    ],
)
def test_edges_are_values_of_the_data_and_divide_none(values: list[float], edges: tuple[float, ...]) -> None:
    assert reference_bins.edges_of(np.array(values, float)) == edges


def test_ten_bins_hold_about_the_same_number_of_values_each() -> None:
    values = np.random.default_rng(0).lognormal(size=10_000)
    edges = reference_bins.edges_of(values)
    counts = np.bincount(np.searchsorted(edges, values), minlength=10)
    assert len(edges) == 9
    assert counts.min() >= 999
    assert counts.max() <= 1001


# Importance.


class _Linear:
    """A model that is known: 0.8 of `a`, 0.2 of `b`, nothing of the others."""

    format = "onnx"

    def __init__(self, features: int, classes: tuple[Any, ...] | None) -> None:
        names = ["a", "b", *(f"f{index}" for index in range(2, features))]
        self.features = tuple(Feature(name=name, datatype="FP64") for name in names)
        self.classes = classes
        self.rows = 0

    def predict(self, columns: Mapping[str, ArrayLike]) -> Prediction:
        a, b = np.asarray(columns["a"]), np.asarray(columns["b"])
        self.rows += len(a)
        if self.classes is None:
            return Prediction(4 * a + b, None, None)
        score = 1 / (1 + np.exp(-(4 * a + b)))
        probabilities = np.stack([1 - score, score], axis=1).astype(np.float32)
        return Prediction((score > 0.5).astype(int), probabilities, self.classes)


def shares(classes: tuple[Any, ...] | None, features: int = 4, rows: int = 2000, seed: int = 1) -> tuple[Any, _Linear]:
    rng = np.random.default_rng(0)
    model = _Linear(features, classes)
    columns: dict[str, NDArray[Any]] = {feature.name: rng.normal(size=rows) for feature in model.features}
    prediction = model.predict(columns)
    truth = prediction.labels + rng.normal(scale=0.1, size=rows) if classes is None else prediction.labels
    model.rows = 0
    answers = Answers(truth, prediction.labels, None, 1, len(classes or ()))
    return permutation_importance.importances(model, columns, answers, classes, seed), model


def test_the_squared_error_that_shuffling_costs_is_shared_as_the_variances_are() -> None:
    found, _ = shares(None, rows=5000)
    assert found == pytest.approx([16 / 17, 1 / 17, 0, 0], abs=0.01)


def test_what_a_classifier_does_not_use_has_no_importance() -> None:
    found, _ = shares((0, 1))
    assert found[0] > found[1] > 0
    assert found[2:] == [0, 0]
    assert sum(found) == pytest.approx(1)


def test_where_nothing_matters_all_matter_the_same() -> None:
    model = _Linear(4, None)
    columns: dict[str, NDArray[Any]] = {feature.name: np.zeros(50) for feature in model.features}
    answers = Answers(np.zeros(50), np.zeros(50), None, 0, 0)
    assert permutation_importance.importances(model, columns, answers, None, 0) == [0.25] * 4


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_loss_that_overflows_gives_no_feature_an_importance() -> None:
    model = _Linear(4, None)
    columns: dict[str, NDArray[Any]] = {feature.name: np.zeros(50) for feature in model.features}
    columns["a"][0] = 1e160
    values = 4 * columns["a"]
    answers = Answers(values, values, None, 0, 0)
    assert permutation_importance.importances(model, columns, answers, None, 0) == [0.25] * 4


def test_rows_of_a_class_that_the_model_does_not_know_say_nothing() -> None:
    model = _Linear(4, (0, 1))
    columns: dict[str, NDArray[Any]] = {feature.name: np.ones(50) for feature in model.features}
    answers = Answers(np.full(50, -1), np.zeros(50, int), None, 1, 2)
    assert permutation_importance.importances(model, columns, answers, (0, 1), 0) == [0.25] * 4


def test_a_wide_model_is_asked_for_fewer_rows() -> None:
    _, narrow = shares(None, features=20, rows=6000)
    _, wide = shares(None, features=1000, rows=6000)
    assert narrow.rows == 21 * 5000
    assert wide.rows == 1001 * 400


# What is listed.


def reference_of(
    tmp_path: Path, features: int, classes: tuple[Any, ...] | None, prediction: Prediction, weights: list[float]
) -> Reference:
    paths = Paths(tmp_path)
    names = [f"f{index}" for index in range(features)]
    table = pa.table({name: [1.0, 2.0, None] for name in names})
    for folder, name in ((paths.holdout, "rows.parquet"), (paths.data / "rows", "part-0.parquet")):
        folder.mkdir(parents=True)
        (folder / name).write_bytes(as_parquet(table))
    model = _Linear(2, classes)
    model.features = tuple(Feature(name=name, datatype="FP64") for name in names)
    labels = np.zeros(len(prediction.labels), int)
    if classes is not None:
        labels = np.array([classes.index(label) for label in prediction.labels.tolist()])
    answers = Answers(labels, labels, None, 1, len(classes or ()))
    found = reference_bins.describe(model, paths, prediction, answers, classes, weights)
    assert found is not None
    assert Reference.parse(found.dump()) == found
    return found


def test_of_many_features_the_64_that_matter_most_are_listed_in_the_signatures_order(tmp_path: Path) -> None:
    weights = [0.0] * 30 + [2.0] * 50 + [1.0] * 20
    found = reference_of(tmp_path, 100, None, Prediction(np.ones(3), None, None), [weight / 120 for weight in weights])
    assert [feature.name for feature in found.features] == [f"f{index}" for index in range(30, 94)]
    assert sum(feature.importance for feature in found.features) == pytest.approx(1, abs=1e-4)
    assert found.features[0].importance == pytest.approx(2 / 114, abs=1e-6)


def test_predictions_of_a_regression_are_values(tmp_path: Path) -> None:
    found = reference_of(tmp_path, 1, None, Prediction(np.array([1.5, 2.5, 2.5]), None, None), [1.0])
    assert (found.task, found.predictions.kind) == ("regression", "value")
    assert found.predictions.counts == (1, 2)


def test_predictions_of_several_classes_are_counted_by_class_also_those_that_never_came(tmp_path: Path) -> None:
    labels = np.array(["late", "early", "late"], object)
    found = reference_of(tmp_path, 1, ("early", "late", "on time"), Prediction(labels, None, None), [1.0])
    assert (found.task, found.positive) == ("multiclass", None)
    assert found.predictions.model_dump()["classes"] == ("early", "late", "on time")
    assert found.predictions.counts == (1, 2, 0, 0)


def test_of_many_classes_the_most_frequent_are_counted(tmp_path: Path) -> None:
    classes = tuple(range(20))
    labels = np.array([19, 19, 18, *classes])
    found = reference_of(tmp_path, 1, classes, Prediction(labels, None, None), [1.0])
    assert found.predictions.model_dump()["classes"] == (*range(9), 18, 19)
    assert found.predictions.counts == (*[1] * 9, 2, 3, 9)


def test_a_classifier_without_probabilities_is_counted_by_class(tmp_path: Path) -> None:
    found = reference_of(tmp_path, 1, ("no", "yes"), Prediction(np.array(["yes"] * 3, object), None, None), [1.0])
    assert (found.task, found.positive, found.predictions.kind) == ("binary", "yes", "class")


def test_describing_30_000_rows_of_20_features_takes_seconds(tmp_path: Path) -> None:
    pod = RunPod(tmp_path / "steadfit")
    rng = np.random.default_rng(0)
    columns = {f"f{index}": rng.normal(size=30_000) for index in range(20)}
    late = (columns["f0"] + columns["f1"] > 0).astype(int)
    table = pa.table({"time": np.arange(30_000), **columns, "late": late})
    pod.put("s3://lake/flights/part-0.parquet", table)
    pod.fetch()
    with training_container(pod):
        import steadfit_sdk as steadfit

        rows = steadfit.load_data("flights")
        features = steadfit.features(rows, exclude=["late", "time"])
        model = RandomForestClassifier(n_estimators=100, min_samples_leaf=20, max_samples=2000, random_state=0)
        model.fit(steadfit.encode(rows, features), rows["late"])
        steadfit.save(model, features, rows)
    before = time.process_time()
    served = published(pod, tmp_path)
    assert time.process_time() - before < 20
    found = json.loads((served / "reference.json").read_text())
    weights = [feature["importance"] for feature in found["features"]]
    assert sum(weights[:2]) > 0.9
