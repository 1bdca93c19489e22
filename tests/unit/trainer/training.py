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
from tests.unit.trainer.run_pod import World


@contextmanager
def pod(world: World) -> Iterator[None]:
    """Give the SDK the environment of the `train` container."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEADFIT_ROOT", str(world.root))
        patch.setenv("STEADFIT_SEED", str(world.document["seed"]))
        patch.setenv("STEADFIT_SOURCE_COMMIT", "c0ffee")
        patch.setenv("STEADFIT_SOURCE_DIRTY", "false")
        yield


def train(world: World) -> None:
    """Train as the documentation shows."""
    with pod(world):
        table = steadfit.load_data("flights")
        features = steadfit.features(table, exclude=["late", "time", "id"])
        model = make_pipeline(
            SimpleImputer(),
            GradientBoostingClassifier(n_estimators=steadfit.params()["trees"], random_state=steadfit.seed()),
        )
        model.fit(steadfit.encode(table, features), table["late"])
        steadfit.save(model, features, table)


def trained(folder: Path, template: Path) -> World:
    """Return a world after fetch and train, copied from one that was made once."""
    world = World(folder / "steadfit")
    if not template.exists():
        first = World(template)
        first.put("s3://lake/flights/part-0.parquet", flights())
        first.fetch()
        train(first)
    shutil.copytree(template, world.root, dirs_exist_ok=True)
    return world


def write(world: World, name: str, document: Any) -> None:
    """Write one file of the output as JSON, or as it is."""
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    (world.paths.output / name).write_bytes(content)
