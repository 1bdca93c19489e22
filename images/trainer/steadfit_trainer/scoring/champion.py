"""Comparison with the champion: the version that serves, on the same holdout rows, by the first metric.

A champion that cannot be compared does not fail the run: the record says why, and the operator holds the version for a
person. A champion that was trained on rows of this holdout, or on rows that are not recorded, is not compared, because
it would look better than it is.
"""

import logging
import shutil
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from steadfit_artifact.model import Model

from steadfit_trainer.config import Champion, Config
from steadfit_trainer.deadline import Deadline
from steadfit_trainer.failures import Failure
from steadfit_trainer.metrics.answers import Answers, UndefinedMetricError
from steadfit_trainer.paths import Paths
from steadfit_trainer.scoring import older_versions, paired_comparison, score
from steadfit_trainer.scoring.older_versions import Connect, NotComparableError, end, short

LOG = logging.getLogger(__name__)

# The rest of the time is for publishing, which needs the same store more.
_SHARE = 0.5
_LONGEST_REASON = 1024


def compare(
    config: Config, paths: Paths, answers: Answers, boundary: str | None, connect: Connect, deadline: Deadline
) -> dict[str, Any] | None:
    """Return how the result compares with the champion, as the record has it; None if there is no champion.

    Parameters
    ----------
    config : Config
        Of the run.
    paths : Paths
        Of the pod.
    answers : Answers
        The result's, to all rows of the holdout.
    boundary : str | None
        Smallest value of the holdout, for a split by time.
    connect : Connect
        Opens a store.
    deadline : Deadline
        Of publishing; at most half of it is used up.
    """
    champion = config.champion
    if champion is None:
        return None
    metric = config.evaluation.metrics[0].name
    named = {"version": champion.version, "digest": champion.artifact.digest, "metric": metric}
    try:
        _check_rows(champion, config, paths, boundary)
        model = _load(champion, paths, connect, deadline.part(_SHARE, "It was not loaded"))
        found = _compared(model, config, paths, answers, metric)
    except NotComparableError as error:
        reason = str(error)
    except Exception as error:  # Whatever the champion does, the run has its result.
        LOG.exception("the champion can't be compared with")
        reason = f"comparing failed with {type(error).__name__}: {error}"
    else:
        LOG.info("against %s: %s", champion.version, found)
        numbers = {name: short(getattr(found, name)) for name in ("value", "difference", "lower", "upper")}
        return {**named, **numbers, "rows": found.rows, "method": found.method, "reason": ""}
    finally:
        shutil.rmtree(paths.champion, ignore_errors=True)
    LOG.warning("not compared with %s: %s", champion.version, reason)
    return {**named, "rows": 0, "method": "", "reason": reason[:_LONGEST_REASON]}


def _compared(
    model: Model, config: Config, paths: Paths, answers: Answers, metric: str
) -> paired_comparison.Comparison:
    """Compare the answers of the result and the champion to the sampled rows.

    Raises
    ------
    NotComparableError
        It can't answer them, or the metric has no value.
    """
    rows = paired_comparison.sample(len(answers.truth), config.seed)
    try:
        columns, truth = score.load_holdout(paths.holdout, model.features, config.evaluation.target)
    except Failure as error:
        raise NotComparableError(f"it can't be judged on the holdout: {end(error)}") from error
    sampled = {name: column[rows] for name, column in columns.items()}
    its = older_versions.answers(model, sampled, [truth[row] for row in rows.tolist()], config.evaluation)
    own = replace(
        answers,
        truth=answers.truth[rows],
        labels=answers.labels[rows],
        probabilities=None if answers.probabilities is None else answers.probabilities[rows],
    )
    try:
        found = paired_comparison.compare(metric, own, its, config.seed)
    except UndefinedMetricError as error:
        raise NotComparableError(f"{metric} has no value on the compared rows: {end(error)}") from error
    if not np.isfinite([found.value, found.difference, found.lower, found.upper]).all():
        raise NotComparableError(f"{metric} is too large on the compared rows to have a difference")
    return found


def _load(champion: Champion, paths: Paths, connect: Connect, deadline: Deadline) -> Model:
    """Load the champion.

    Raises
    ------
    NotComparableError
        It is not there, can't be loaded here, or the store does not answer.
    """
    try:
        return older_versions.load(champion, paths.champion, connect, deadline)
    except Failure as error:
        raise NotComparableError(f"it can't be loaded: {end(error)}") from error


def _check_rows(champion: Champion, config: Config, paths: Paths, boundary: str | None) -> None:
    """Check that the champion was not trained on rows of the holdout.

    Raises
    ------
    NotComparableError
        It was, or nobody can tell.
    """
    rule = config.evaluation.holdout
    if (champion.by, champion.column) != (rule.by, rule.column):
        was = (
            f"{champion.by} of '{champion.column}'" if champion.by and champion.column else "a way that is not recorded"
        )
        raise NotComparableError(
            f"its holdout was split off by {was}, this one by {rule.by} of '{rule.column}', so it may have learned from"
            " rows that would judge it"
        )
    if rule.by == "Hash" and champion.fraction is None:
        raise NotComparableError("how much was held out from it is not recorded, so it may have seen the rows")
    if rule.by == "Hash" and champion.fraction is not None and champion.fraction < rule.fraction:
        raise NotComparableError(
            f"{champion.fraction:g} of the rows were held out from it and {rule.fraction:g} of them judge now, so it"
            " has learned from rows that would judge it"
        )
    if rule.by == "Time" and not _not_after(champion.boundary, boundary, _type_of(rule.column, paths)):
        raise NotComparableError(
            f"it was trained on rows before {champion.boundary} and the holdout begins at {boundary}, so it has learned"
            " from rows that would judge it"
        )


def _not_after(one: str | None, other: str | None, kind: Any) -> bool:
    """Tell whether one boundary, as the text of a column's value, is at or before another; False if it is not known."""
    if one is None or other is None:
        return False
    try:
        if pa.types.is_timestamp(kind):
            return datetime.fromisoformat(one) <= datetime.fromisoformat(other)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return Decimal(one) <= Decimal(other)
    except (ValueError, TypeError, InvalidOperation):
        return False
    return one <= other


def _type_of(column: str, paths: Paths) -> Any:
    """Return the type of the column that the holdout was split by."""
    return pq.read_schema(min(paths.holdout.glob("*.parquet"))).field(column).type
