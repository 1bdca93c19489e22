"""The inputs of a training container: data, parameters, seed."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def root() -> Path:
    """Return the folder of the run: /steadfit, or `STEADFIT_ROOT`, to run a script outside a pod."""
    return Path(os.environ.get("STEADFIT_ROOT", "/steadfit"))


def load_data(name: str, columns: list[str] | None = None) -> pa.Table:
    """Return the training rows of a data source, without the holdout.

    Parameters
    ----------
    name : str
        Name of the source in the TrainingJob.
    columns : list[str], optional
        The columns to read; all by default.

    Raises
    ------
    FileNotFoundError
        The run has no such source.
    """
    folder = root() / "data" / name
    parts = sorted(folder.glob("*.parquet"))
    if not parts:
        there = sorted(path.name for path in (root() / "data").glob("*"))
        raise FileNotFoundError(f"There is no data source '{name}'; the run has {there}.")
    return pa.concat_tables([pq.read_table(part, columns=columns) for part in parts]).combine_chunks()


def params() -> dict[str, Any]:
    """Return `spec.params` of the TrainingJob; empty if there is no file."""
    path = root() / "params.json"
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def seed() -> int:
    """Return `spec.seed` of the TrainingJob, 0 if none is set; pass it to every random generator."""
    return int(os.environ.get("STEADFIT_SEED", "0"))
