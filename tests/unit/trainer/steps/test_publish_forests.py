"""A forest's ONNX graph adds up its trees in float32: it gives probabilities a little above 1 and below 0."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import steadfit_sdk as steadfit
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from steadfit_artifact.model import load_model

from tests.unit.trainer.flights import flights
from tests.unit.trainer.run_pod import RunPod, operator
from tests.unit.trainer.training import training_container


@pytest.mark.parametrize("trees", [10, 20, 30])
def test_a_forest_is_published_and_scored_by_its_probabilities(tmp_path: Path, trees: int) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.document["evaluation"]["metrics"] = [{"name": "brier_score"}, {"name": "log_loss"}, {"name": "roc_auc"}]
    pod.put("s3://lake/flights/part-0.parquet", _decided_by_wind())
    pod.fetch()
    with training_container(pod):
        table = steadfit.load_data("flights")
        features = steadfit.features(table, exclude=["late", "time", "id"])
        forest = make_pipeline(SimpleImputer(), RandomForestClassifier(trees, random_state=0))
        forest.fit(steadfit.encode(table, features), table["late"].to_numpy())
        steadfit.save(forest, features, table)
    with operator(tmp_path) as intake:
        assert pod.publish(intake) == "flights-v1"
    assert set(pod.record()["evaluation"]["metrics"]) == {"brier_score", "log_loss", "roc_auc"}
    held = pod.held()
    served = load_model(pod.paths.output).predict(
        {"wind": held.column("wind").to_numpy(), "carrier": np.array(held.column("carrier").to_pylist(), object)}
    )
    assert served.probabilities is not None
    assert (served.probabilities.min(), served.probabilities.max()) == (0, 1), "what the server answers and counts"


def _decided_by_wind(rows: int = 600) -> pa.Table:
    """Return flights that are late exactly by wind, so that all trees agree about most rows."""
    table = flights(rows)
    wind = np.linspace(0, 1, rows)[np.random.default_rng(0).permutation(rows)]
    for name, values in (("wind", wind), ("late", (wind > 0.5).astype(int))):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    return table
