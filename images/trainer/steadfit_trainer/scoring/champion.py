"""Comparison with the champion: the version that serves, on the same holdout rows, by the first metric.

A champion that cannot be compared does not fail the run: the record says why, and the operator holds the version for a
person. Rows that the champion was trained on do not count, because it would look better on them than it is. So after a
change of the holdout the two are compared once on the rows that were held out from both.
"""

import logging
import shutil
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from steadfit_artifact.model import Model

from steadfit_trainer.config import Champion, Config, Metric
from steadfit_trainer.deadline import Deadline
from steadfit_trainer.failures import Failure
from steadfit_trainer.metrics.answers import Answers, UndefinedMetricError
from steadfit_trainer.paths import Paths
from steadfit_trainer.scoring import older_versions, paired_comparison, score, unseen_rows
from steadfit_trainer.scoring.older_versions import Connect, NotComparableError, end, short

LOG = logging.getLogger(__name__)

# The rest of the time is for publishing, which needs the same store more.
_SHARE = 0.5
_LONGEST_REASON = 1024


def compare(
    config: Config, paths: Paths, answers: Answers, connect: Connect, deadline: Deadline
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
        rows = unseen_rows.unseen(champion, paths.holdout)
        model = _load(champion, paths, connect, deadline.part(_SHARE, "It was not loaded"))
        found = _compared(model, config, paths, answers, rows)
    except NotComparableError as error:
        reason = str(error)
    except Exception as error:  # Whatever the champion does, the run has its result.
        LOG.exception("the champion can't be compared with")
        reason = f"comparing failed with {type(error).__name__}: {error}"
    else:
        LOG.info("against %s: %s", champion.version, found)
        numbers = {name: short(getattr(found, name)) for name in ("value", "difference", "lower", "upper")}
        shared = {"sharedRows": len(rows)} if len(rows) < len(answers.truth) else {}
        return {**named, **numbers, "rows": found.rows, **shared, "method": found.method, "reason": ""}
    finally:
        shutil.rmtree(paths.champion, ignore_errors=True)
    LOG.warning("not compared with %s: %s", champion.version, reason)
    return {**named, "rows": 0, "method": "", "reason": reason[:_LONGEST_REASON]}


def _compared(
    model: Model, config: Config, paths: Paths, answers: Answers, fair: NDArray[np.int64]
) -> paired_comparison.Comparison:
    """Compare the answers of the result and the champion to a sample of the rows that are fair to both.

    The champion needs to give an answer by the first metric alone; the recipe may have got others since.

    Raises
    ------
    NotComparableError
        It can't answer them, or the metric has no value.
    """
    metric = config.evaluation.metrics[0].name
    evaluation = config.evaluation.model_copy(update={"metrics": (Metric(name=metric),)})
    rows = fair[paired_comparison.sample(len(fair), config.seed)]
    try:
        columns, truth = score.load_holdout(paths.holdout, model.features, config.evaluation.target)
    except Failure as error:
        raise NotComparableError(f"it can't be judged on the holdout: {end(error)}") from error
    sampled = {name: column[rows] for name, column in columns.items()}
    its = older_versions.answers(model, sampled, [truth[row] for row in rows.tolist()], evaluation)
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
