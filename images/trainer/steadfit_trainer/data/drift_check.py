"""Compares the data of a run with that of the last accepted run, before the training.

A model that was trained on data from a broken pipeline scores well on a holdout with the same fault. So the data must
resemble the last accepted data: columns and their types, shares of missing values, number of rows, and ranges of
numbers. The thresholds are wide: drift passes, and only a break fails the run.

A source whose declaration has changed (another URI, other partitions, another window) is not compared.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from steadfit_artifact.store import Store, StoreConfig, StoreError

from steadfit_trainer.config import Accepted, Config, DataSource, Evaluation
from steadfit_trainer.data.profile import Profile
from steadfit_trainer.failures import DataFailure

LOG = logging.getLogger(__name__)

MAX_MISSING_RISE = 0.2
MIN_ROWS_SHARE = 0.5
# A message has to fit into a status; the log has all problems.
_SHOWN = 3


def document(source: DataSource, profile: Profile) -> dict[str, Any]:
    """Return the entry of a source for the record."""
    return {"name": source.name, "declared": _declared(source), "rows": profile.rows, "columns": profile.columns()}


def check(
    config: Config, fetched: Sequence[tuple[DataSource, Profile]], connect: Callable[[StoreConfig], Store]
) -> None:
    """Compare the data with that of the last accepted run, if there is one.

    Raises
    ------
    DataFailure
        The data differs by more than drift.
    """
    record = _accepted(config.accepted, connect) if config.accepted is not None else None
    if record is None:
        return
    try:
        now = [document(source, profile) for source, profile in fetched]
        found = list(differences(record, now, config.evaluation))
        run = str(record["run"]["name"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        LOG.warning("the data was not compared: the accepted run's record is not as expected (%r)", error)
        return
    for each in found:
        LOG.error("%s", each)
    if found:
        more = f" There are {len(found) - _SHOWN} more." if len(found) > _SHOWN else ""
        raise DataFailure(f"The data is not like that of the accepted run {run}: {'; '.join(found[:_SHOWN])}.{more}")
    LOG.info("the data is like that of the accepted run %s", run)


def differences(record: Mapping[str, Any], now: Sequence[Mapping[str, Any]], evaluation: Evaluation) -> Iterator[str]:
    """Yield the problems of the data, each as a part of a sentence.

    Parameters
    ----------
    record : Mapping[str, Any]
        Entry of the source in the record of the accepted run, with `profile`.
    now : Sequence[Mapping[str, Any]]
        Profile of this run's data.
    evaluation : Evaluation
        Names the target and the column that rows are split by.
    """
    accepted = {each["name"]: each for each in record["profile"]}
    used = {feature["name"] for feature in record["signature"]}
    for source in now:
        then = accepted.get(source["name"])
        if then is None or then["rows"] == 0:
            continue
        if then["declared"] != source["declared"]:
            LOG.info("'%s' is declared otherwise than in the accepted run, so it is not compared", source["name"])
            continue
        if source["rows"] < MIN_ROWS_SHARE * then["rows"]:
            yield f"'{source['name']}' has {source['rows']} rows, and had {then['rows']}"
        columns = {each["name"]: each for each in source["columns"]}
        for column in then["columns"]:
            # The model takes its inputs by name from the table with the target; its use of other tables is unknown.
            whole = not any(each["name"] == evaluation.target for each in then["columns"])
            if whole or column["name"] in used or column["name"] in (evaluation.target, evaluation.holdout.column):
                yield from _column(source["name"], column, columns.get(column["name"]), column["name"] in used)


def _column(source: str, then: Mapping[str, Any], now: Mapping[str, Any] | None, used: bool) -> Iterator[str]:
    name = f"'{then['name']}' of '{source}'"
    if now is None:
        yield f"{name} is not there any more"
        return
    if now["kind"] != then["kind"] and "empty" not in (now["kind"], then["kind"]):
        yield f"{name} is {now['kind']} ({now['type']}), and was {then['kind']} ({then['type']})"
        return
    if now["missing"] - then["missing"] > MAX_MISSING_RISE:
        yield f"{name} is missing in {now['missing']:.1%} of the rows, and was in {then['missing']:.1%}"
    if used and "q01" in now and "min" in then:
        width = then["max"] - then["min"]
        # A constant column has no range to compare with.
        if width > 0 and (now["q01"] > then["max"] + width or now["q99"] < then["min"] - width):
            yield (
                f"{name} lies between {now['q01']:.6g} and {now['q99']:.6g} in 98% of the rows, and lay between "
                f"{then['min']:.6g} and {then['max']:.6g}"
            )


def _accepted(accepted: Accepted, connect: Callable[[StoreConfig], Store]) -> dict[str, Any] | None:
    """Return the accepted run's record, or None if there is none to compare with.

    A store that can't be read does not fail the run: publish compares with the same champion, and holds the version.
    """
    try:
        record = json.loads(connect(accepted.store).get(accepted.record_uri))
    except (StoreError, ValueError) as error:
        LOG.warning("the data was not compared with that of the accepted run: %s", error)
        return None
    if not isinstance(record, dict) or "profile" not in record:
        LOG.info("the data was not compared: the accepted run's record %s has no profile", accepted.record_uri)
        return None
    return record


def _declared(source: DataSource) -> dict[str, Any]:
    """Return the declaration of the source without the digest, which pins data and does not change them."""
    return source.model_dump(mode="json", by_alias=True, include={"uri", "format", "latest", "captured"})
