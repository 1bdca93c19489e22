"""Fetches the labelled rows of production by which a monitor fired, answered by any version.

As in a quality monitor, the window is over the times at which outcomes were received. It ends when the diagnosis was
decided on, and servers write rows some time after they came; so the step waits for that time first.
Their requests may be weeks older, so the parts of requests are searched from the newest hour backwards, until there are
enough rows, every outcome has its request, or a day of requests has matched no further outcome.

The inputs of two versions may differ, and a row that an older version answered lacks inputs of a newer one. So rows
with different columns go to different files, and the evaluation reads the files that have all inputs of both versions.
"""

import itertools
import json
import logging
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from steadfit_artifact import captures
from steadfit_artifact.store import Store, StoredObject

from steadfit_trainer.config import Config, DataSource, Evaluate
from steadfit_trainer.data import captured, outcomes, tables
from steadfit_trainer.data.outcomes import Outcomes
from steadfit_trainer.failures import DataFailure
from steadfit_trainer.paths import Paths
from steadfit_trainer.scoring.older_versions import Connect

LOG = logging.getLogger(__name__)

# A part has rows of one hour. Clocks of replicas may differ, so an outcome may seem older than its request.
_HOUR = timedelta(hours=1)
# The search ends after this time of requests without a match, but only once there are enough rows for a decision.
_QUIET = timedelta(days=1)
# Time to upload a part. A store that does not take it for longer does not answer the search either.
_UPLOAD_SECONDS = 5.0


@dataclass(frozen=True)
class CapturedPart:
    """A part of requests or outcomes, and the hour of its rows."""

    stored: StoredObject
    hour: datetime


@dataclass
class _Rows:
    """Rows with the same columns (inputs and target), and the times of each answer and of its outcome."""

    table: pa.Table
    moments: NDArray[np.int64]
    received: NDArray[np.int64]


def fetch(config: Config, spec: Evaluate, paths: Paths, connect: Connect) -> None:
    """Write the labelled rows of the window as holdout, one file for each set of columns.

    Raises
    ------
    DataFailure
        A part can't be read, or the model takes its target as an input.
    StoreError
        The store failed.
    """
    source, text = next((each, each.captured.window) for each in config.data if each.captured is not None)
    window = captured.length_of(text)
    if spec.until is not None:
        time.sleep(unwritten_seconds(spec.until, spec.flush_seconds, datetime.now(UTC)))
    store, target = connect(source.store), config.evaluation.target
    parts: dict[str, list[CapturedPart]] = {captures.REQUESTS: [], captures.OUTCOMES: []}
    for stored in store.list(source.uri):
        place = captures.parse_part_path(stored.path)
        if place is not None:
            parts[place.kind].append(CapturedPart(stored, place.hour))
    known = _outcomes(store, source, parts[captures.OUTCOMES], window, spec.until, target, paths.downloads)
    newest = spec.until or max((part.hour for part in parts[captures.OUTCOMES]), default=None)
    requests = [part for part in parts[captures.REQUESTS] if newest is not None and part.hour <= newest + _HOUR]
    found = _search(store, requests, known, source, target, spec, paths.downloads)
    kept = _newest(found, spec.max_rows)
    paths.holdout.mkdir(parents=True, exist_ok=True)
    spans = {}
    for index, each in enumerate(kept):
        file = paths.holdout / f"{source.name}-{index:03d}.parquet"
        pq.write_table(each.table, file)
        spans[file.name] = [int(each.received.min()), int(each.received.max())]
    shutil.rmtree(paths.downloads, ignore_errors=True)
    rows = sum(len(each.table) for each in kept)
    paths.resolved.write_text(
        json.dumps({"rows": rows, "outcomes": len(known.keys), "window": text, "received": spans})
    )
    LOG.info("%d labelled rows of %d outcomes in %s", rows, len(known.keys), source.uri)


def unwritten_seconds(until: datetime, flush_seconds: float, now: datetime) -> float:
    """Return how long the rows that came until a time may not be written yet; bounded, whatever the clocks say."""
    longest = flush_seconds + _UPLOAD_SECONDS
    return min(max(0.0, longest - (now - until).total_seconds()), longest)


def _outcomes(
    store: Store,
    source: DataSource,
    parts: Sequence[CapturedPart],
    window: timedelta,
    until: datetime | None,
    target: str,
    folder: Path,
) -> Outcomes:
    """Return the newest outcome of each row in the window."""
    newest = until or max((part.hour for part in parts), default=None)
    recent = [part for part in parts if newest is not None and newest - window - _HOUR <= part.hour <= newest]
    recent = sorted(recent, key=lambda part: part.hour)[-captured.MAX_PARTS :]
    files, _ = captured.download(store, [part.stored for part in recent], folder / "outcomes")
    return outcomes.read(files, source.name, target, None, window, until)


def _search(
    store: Store,
    requests: Sequence[CapturedPart],
    known: Outcomes,
    source: DataSource,
    target: str,
    spec: Evaluate,
    folder: Path,
) -> list[_Rows]:
    """Return the rows of the requests of outcomes, searched from the newest hour backwards."""
    used = np.zeros(len(known.keys), np.bool_)
    found: dict[tuple[tuple[str, str], ...], list[_Rows]] = {}
    rows, read = 0, 0
    fruitful: datetime | None = None
    by_hour = sorted(requests, key=lambda part: (part.hour, part.stored.path), reverse=True)
    for hour, group in itertools.groupby(by_hour, key=lambda part: part.hour):
        parts = list(group)
        quiet = rows >= spec.min_rows and fruitful is not None and fruitful - hour > _QUIET
        if used.all() or rows >= spec.max_rows or quiet:
            break
        read += len(parts)
        if read > captured.MAX_PARTS:
            LOG.warning("%s: %d parts were searched, older ones are left out", source.uri, captured.MAX_PARTS)
            break
        place = folder / f"{hour:%Y-%m-%dT%H}"
        files, _ = captured.download(store, [part.stored for part in parts], place)
        for each in _labelled(files, known, used, source, target):
            key = tuple((field.name, str(field.type)) for field in each.table.schema)
            found.setdefault(key, []).append(each)
            rows, fruitful = rows + len(each.moments), hour
        for file in files.values():
            file.unlink()
    return [
        _Rows(
            pa.concat_tables([each.table for each in same]),
            np.concatenate([each.moments for each in same]),
            np.concatenate([each.received for each in same]),
        )
        for same in found.values()
    ]


def _labelled(
    files: dict[str, Path], known: Outcomes, used: NDArray[np.bool_], source: DataSource, target: str
) -> Iterable[_Rows]:
    """Yield the rows of each part that have an outcome, each outcome once."""
    for uri, path in files.items():
        with tables.readable(uri, "Parquet"):
            table = pq.read_table(path, partitioning=None)
        rows, index = captured.matches(outcomes.keys_of(table), known.keys, used)
        if not len(rows):
            continue
        matched = table.take(pa.array(rows))
        columns: dict[str, Any] = {
            name: matched.column(column)
            for column in matched.column_names
            if (name := captures.input_of(column)) is not None
        }
        if target in columns:
            raise DataFailure(
                f"'{source.name}': the model takes '{target}' as an input, but that column is the target."
            )
        columns[target] = known.values.take(pa.array(index))
        moments = matched.column(captures.CAPTURED_AT).cast(pa.int64()).to_numpy()
        yield _Rows(pa.table(columns), moments, known.received[index])


def _newest(found: Sequence[_Rows], most: int) -> list[_Rows]:
    """Return the rows with the newest answers, at most `most` in all."""
    if not found:
        return []
    moments = np.concatenate([each.moments for each in found])
    keep = np.zeros(len(moments), np.bool_)
    keep[np.argsort(-moments, kind="stable")[:most]] = True
    masks = np.split(keep, np.cumsum([len(each.moments) for each in found])[:-1])
    return [
        _Rows(each.table.filter(pa.array(mask)), each.moments[mask], each.received[mask])
        for each, mask in zip(found, masks, strict=True)
        if mask.any()
    ]
