"""Evaluate: compares two versions on the labelled rows of production by which a monitor fired.

The result tells whether the model or the data causes a fall in quality. Both versions predict the same rows, so rows
that are harder for both favour neither. A problem with the versions or the rows is a result too, with its reason; only
a store or an operator that does not answer fails the step.
"""

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from steadfit_artifact.model import Model
from steadfit_artifact.store import Store

from steadfit_trainer.config import Config, Evaluate, Evaluation, Metric, Version
from steadfit_trainer.deadline import Deadline
from steadfit_trainer.failures import Failure, UserFailure
from steadfit_trainer.metrics.answers import Answers, UndefinedMetricError
from steadfit_trainer.metrics.registry import METRICS
from steadfit_trainer.paths import Paths
from steadfit_trainer.report import record
from steadfit_trainer.report.operator_client import OperatorClient, OperatorUnavailableError
from steadfit_trainer.scoring import older_versions, paired_comparison, score
from steadfit_trainer.scoring.older_versions import Connect, NotComparableError, end, short

LOG = logging.getLogger(__name__)

WHERE = "the captured rows"
_LONGEST_REASON = 1024


class RefusedError(Exception):
    """The operator refuses the outcome; the message is a sentence."""


def evaluate_versions(
    config: Config,
    paths: Paths,
    ca_file: Path | None,
    deadline: Deadline,
    connect: Connect = Store.connect,
) -> dict[str, Any]:
    """Compare the versions of a run of purpose Evaluate, post the outcome and return it.

    Raises
    ------
    StoreFailure
        Store or operator could not be reached until the deadline.
    RefusedError
        The operator refuses the outcome.
    """
    if config.evaluate is None:
        raise ValueError("the configuration names no versions to evaluate")
    found = outcome(config, config.evaluate, paths, connect, deadline)
    run = config.run.model_dump(mode="json", by_alias=True)
    body = record.dump({"schemaVersion": 1, "run": run, "evaluation": found})
    operator = OperatorClient(config.record_url, paths.token, ca_file, "outcome")
    try:
        deadline.retry(lambda: operator.post(body), OperatorUnavailableError)
    except UserFailure as error:
        raise RefusedError(str(error)) from error
    return found


def outcome(config: Config, spec: Evaluate, paths: Paths, connect: Connect, deadline: Deadline) -> dict[str, Any]:
    """Return the outcome: a comparison, or the reason why there is none.

    Raises
    ------
    StoreFailure
        The store did not answer until the deadline.
    """
    resolved = json.loads(paths.resolved.read_text())
    rows, came = int(resolved["rows"]), int(resolved["outcomes"])
    try:
        if rows < spec.min_rows:
            raise NotComparableError(
                f"{came} outcomes of captured rows came in {_window(spec, resolved['window'])}, {rows} with their"
                f" request, and {spec.min_rows} are needed"
            )
        return _compared(config, spec, paths, resolved.get("received", {}), connect, deadline)
    except NotComparableError as error:
        reason = str(error)
    except UndefinedMetricError as error:
        reason = f"{spec.metric} has no value on {WHERE}: {end(error)}"
    finally:
        shutil.rmtree(paths.champion, ignore_errors=True)
    LOG.warning("no comparison: %s", reason)
    return {"rows": rows, "reason": reason[:_LONGEST_REASON]}


def _window(spec: Evaluate, length: str) -> str:
    """Return the window of the outcomes, for a sentence."""
    return f"the {length} until " + ("the newest one" if spec.until is None else f"{spec.until:%Y-%m-%dT%H:%M:%SZ}")


def _compared(
    config: Config,
    spec: Evaluate,
    paths: Paths,
    received: Mapping[str, Sequence[int]],
    connect: Connect,
    deadline: Deadline,
) -> dict[str, Any]:
    evaluation = config.evaluation.model_copy(update={"metrics": (Metric(name=spec.metric),)})
    versions = [version for version in (spec.live, spec.last_good) if version is not None]
    folders = [paths.champion / str(index) for index in range(len(versions))]
    models = [_load(*each, connect, deadline) for each in zip(versions, folders, strict=True)]
    files = _usable(sorted(paths.holdout.glob("*.parquet")), models)
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    if rows < spec.min_rows:
        names = " and ".join(version.version for version in versions)
        raise NotComparableError(
            f"{rows} rows have all inputs of {names}, and {spec.min_rows} are needed; rows that another version "
            "answered lack what it did not take"
        )
    live, *good = (_answers(version, model, files, evaluation) for version, model in zip(versions, models, strict=True))
    value = METRICS[spec.metric].value
    if not good:
        return {"rows": rows, "live": short(value(live)), "reason": "there is no other version to compare with"}
    found = paired_comparison.compare(spec.metric, good[0], live, config.seed)
    numbers = {
        "live": found.value,
        "lastGood": value(good[0]),
        "difference": found.difference,
        "lower": found.lower,
        "upper": found.upper,
    }
    scores = {name: short(number) for name, number in numbers.items()}
    return {"rows": rows, **_span([received[file.name] for file in files]), **scores, "reason": ""}


def _span(received: Sequence[Sequence[int]]) -> dict[str, str]:
    """Return when the first and the last outcome came, from those of each file in microseconds since 1970."""
    ends = {"firstOutcomeAt": min(first for first, _ in received), "lastOutcomeAt": max(last for _, last in received)}
    return {name: f"{datetime.fromtimestamp(at // 10**6, UTC):%Y-%m-%dT%H:%M:%SZ}" for name, at in ends.items()}


def _load(version: Version, folder: Path, connect: Connect, deadline: Deadline) -> Model:
    try:
        return older_versions.load(version, folder, connect, deadline)
    except NotComparableError as error:
        raise NotComparableError(f"version {version.version}: {error}") from error


def _usable(files: Sequence[Path], models: Sequence[Model]) -> list[Path]:
    """Return the files that have every input of every model."""
    needed = {feature.name for model in models for feature in model.features}
    return [file for file in files if needed <= set(pq.read_schema(file).names)]


def _answers(version: Version, model: Model, files: list[Path], evaluation: Evaluation) -> Answers:
    try:
        columns, truth = score.load(files, model.features, evaluation.target)
        return older_versions.answers(model, columns, truth, evaluation, WHERE)
    except (Failure, NotComparableError) as error:
        raise NotComparableError(f"version {version.version}: {end(error)}") from error
