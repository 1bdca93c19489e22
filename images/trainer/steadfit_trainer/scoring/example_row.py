"""The example of a result: a row of the training data that its server has to answer before it is ready."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from numpy.typing import NDArray
from steadfit_artifact import example
from steadfit_artifact.formats import registry
from steadfit_artifact.model import Model, load_model

from steadfit_trainer.paths import Paths
from steadfit_trainer.scoring import score

LOG = logging.getLogger(__name__)

# Enough to find a row without a gap in most tables.
MOST_ROWS = 1000


def write(model: Model, paths: Paths, holdout: Mapping[str, NDArray[Any]]) -> None:
    """Write `example.json`, once every format of the result has answered it as a server would.

    Raises
    ------
    UserFailure
        A format does not answer it: a server of this version would never be ready.
    """
    row = example.row_of(model.features, _training_rows(model, paths) or holdout)
    for other in registry.present(paths.staging):
        loaded = load_model(paths.staging, other.name)
        score.predict(loaded, example.columns(model.features, row), 1, "a row of the training data")
    (paths.staging / example.EXAMPLE_NAME).write_bytes(example.dump(model.features, row))


def _training_rows(model: Model, paths: Paths) -> dict[str, NDArray[Any]] | None:
    """Return the first training rows of the first source that has labels, by feature; None without any."""
    for name in sorted(path.stem for path in paths.holdout.glob("*.parquet")):
        files: list[Path] = sorted((paths.data / name).glob("*.parquet"))
        if not files:
            continue
        source = ds.dataset([str(path) for path in files], format="parquet")
        table: pa.Table = source.head(MOST_ROWS, columns=[feature.name for feature in model.features])
        if table.num_rows:
            return {feature.name: score.values_of(feature, table.column(feature.name)) for feature in model.features}
    return None
