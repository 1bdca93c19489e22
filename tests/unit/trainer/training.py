"""What users' containers do, in process: the SDK on the rows that fetch left."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import steadfit_sdk as steadfit
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from tests.unit.trainer.flights import flights
from tests.unit.trainer.run_pod import RunPod


@contextmanager
def training_container(pod: RunPod) -> Iterator[None]:
    """Give the SDK the environment of the `train` container."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEADFIT_ROOT", str(pod.root))
        patch.setenv("STEADFIT_SEED", str(pod.document["seed"]))
        patch.setenv("STEADFIT_SOURCE_COMMIT", "c0ffee")
        patch.setenv("STEADFIT_SOURCE_DIRTY", "false")
        yield


def train(pod: RunPod) -> None:
    """Train as the documentation shows."""
    with training_container(pod):
        table = steadfit.load_data("flights")
        features = steadfit.features(table, exclude=["late", "time", "id"])
        model = make_pipeline(
            SimpleImputer(),
            GradientBoostingClassifier(n_estimators=steadfit.params()["trees"], random_state=steadfit.seed()),
        )
        model.fit(steadfit.encode(table, features), table["late"])
        steadfit.save(model, features, table)


def trained(folder: Path, template: Path) -> RunPod:
    """Return a world after fetch and train, copied from one that was made once."""
    pod = RunPod(folder / "steadfit")
    if not template.exists():
        first = RunPod(template)
        first.put("s3://lake/flights/part-0.parquet", flights())
        first.fetch()
        train(first)
    shutil.copytree(template, pod.root, dirs_exist_ok=True)
    return pod


def write(pod: RunPod, name: str, document: Any) -> None:
    """Write one file of the output as JSON, or as it is."""
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    (pod.paths.output / name).write_bytes(content)
