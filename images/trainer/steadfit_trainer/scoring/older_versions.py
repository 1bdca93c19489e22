"""Older versions: downloaded from the store with every digest checked, and scored on today's rows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from steadfit_artifact.errors import ArtifactError
from steadfit_artifact.model import Model, load_model
from steadfit_artifact.store import ObjectMissingError, Store, StoreConfig, StoreError
from steadfit_artifact.transfer import download

from steadfit_trainer.config import Evaluation, Version
from steadfit_trainer.deadline import Deadline
from steadfit_trainer.failures import Failure
from steadfit_trainer.metrics.answers import Answers
from steadfit_trainer.scoring import score

Connect = Callable[[StoreConfig], Store]


class NotComparableError(Exception):
    """There is no comparison; the message is the end of a sentence."""


def load(version: Version, folder: Path, connect: Connect, deadline: Deadline) -> Model:
    """Download a version to `folder`, every byte checked against its digest, and load it.

    Raises
    ------
    NotComparableError
        It is not there, not what its digest says, or can't be loaded here.
    StoreFailure
        The store did not answer until the deadline.
    """
    store, uri = version.store, version.artifact.uri
    if version.problem is not None or store is None or uri is None:
        raise NotComparableError(version.problem or "the place of its artifact is not known")

    def fetch() -> None:
        try:
            download(connect(store), uri, version.artifact.digest, folder)
        except ObjectMissingError as error:  # Waiting does not bring it back.
            raise NotComparableError(f"its artifact is gone: {end(error)}") from error

    try:
        deadline.retry(fetch, StoreError)
        return load_model(folder)
    except ArtifactError as error:
        raise NotComparableError(f"it can't be loaded: {end(error)}") from error


def answers(
    model: Model,
    columns: Mapping[str, NDArray[Any]],
    truth: list[Any],
    evaluation: Evaluation,
    where: str = "the holdout",
) -> Answers:
    """Return the answers of a version to some rows, beside the truth.

    Raises
    ------
    NotComparableError
        It can't answer them, or nobody knows what its answers mean.
    """
    try:
        prediction = score.predict(model, columns, len(truth), where)
        if model.classes is None and prediction.labels.dtype.kind != "f":
            raise NotComparableError("its artifact does not say which classes it knows")
        return score.judged(evaluation, prediction, truth, model.classes)
    except (Failure, ArtifactError) as error:
        raise NotComparableError(f"it can't be judged on {where}: {end(error)}") from error


def short(value: float) -> float:
    """Round to six digits, which are the same on every machine."""
    return float(f"{value:.6g}")


def end(error: Exception) -> str:
    """Return the message of an error without its full stop, as the end of another sentence."""
    return str(error).rstrip(".")
