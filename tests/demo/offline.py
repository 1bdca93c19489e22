"""The example's recipe without a cluster: its own training code on rows of the lake, and the model that comes of it.

The holdout is split off by the trainer's own rule and not learned from, so a model is the one that a run would bring.
"""

from __future__ import annotations

import json
import os
import runpy
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray
from steadfit_artifact.model import Model, load_model
from steadfit_trainer.data import holdout
from steadfit_trainer.scoring.score import predict, values_of

EXAMPLE = Path("manifests/examples/flights")


@dataclass(frozen=True)
class Learned:
    """A model, with the rows that it learned from and those that judge it."""

    model: Model
    training: pd.DataFrame
    judging: pd.DataFrame

    def score(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of being late of each flight."""
        table = pa.Table.from_pandas(frame, preserve_index=False)
        columns = {each.name: values_of(each, table.column(each.name)) for each in self.model.features}
        probabilities = predict(self.model, columns, len(frame)).probabilities
        assert probabilities is not None
        return probabilities[:, 1].astype(np.float64)


def recipe() -> dict[str, Any]:
    """Return the spec of the example's TrainingJob."""
    spec: dict[str, Any] = yaml.safe_load((EXAMPLE / "training-job.yaml").read_text())["spec"]
    return spec


def learn(frame: pd.DataFrame) -> Learned:
    """Train by the example's recipe on rows in the order of time."""
    spec = recipe()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    column, fraction = spec["evaluation"]["holdout"]["column"], spec["evaluation"]["holdout"]["fraction"]
    splitter = holdout.by_time(column, holdout.boundary_of(table.column(column), fraction))
    judges = holdout.held_rows(table, spec["evaluation"]["target"], splitter).to_numpy(zero_copy_only=False)
    training, judging = frame[~judges], frame[judges]
    with tempfile.TemporaryDirectory() as folder, _root(Path(folder)) as root:
        (root / "data" / "flights").mkdir(parents=True)
        pq.write_table(pa.Table.from_pandas(training, preserve_index=False), root / "data/flights/part-0.parquet")
        (root / "params.json").write_text(json.dumps(spec["params"]))
        runpy.run_path(str(EXAMPLE / "image" / "train.py"))
        return Learned(load_model(root / "output"), training, judging)


@contextmanager
def _root(folder: Path) -> Iterator[Path]:
    before = os.environ.get("STEADFIT_ROOT")
    os.environ["STEADFIT_ROOT"] = str(folder)
    try:
        yield folder
    finally:
        if before is None:
            del os.environ["STEADFIT_ROOT"]
        else:
            os.environ["STEADFIT_ROOT"] = before
