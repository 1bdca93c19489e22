"""Runs started by alerts or monitors, and their outcomes.

They are written to the status when they are decided on. A lost status is recovered from the runs and versions, which
carry their cause, so that the budget and the breaker still count them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from steadfit.api.modelversion import ModelVersion
from steadfit.api.run import FINISHED, Cause, CauseType
from steadfit.api.trainingjob import AutomaticRun, RunOutcome, TrainingJobStatus
from steadfit.api.trainingrun import TrainingRun
from steadfit.core.text import read_time

from .budget import DAY
from .in_flight import named

AUTOMATIC: frozenset[CauseType] = frozenset({"Alert", "Monitor"})
MOST = 64
_NEVER = datetime.min.replace(tzinfo=UTC)


def follow(
    status: TrainingJobStatus, runs: Sequence[TrainingRun], versions: Sequence[ModelVersion], now: datetime
) -> list[AutomaticRun]:
    """Return the runs that still count, with their outcomes: of a day, and since the last better version."""
    active = status.active_run.name if status.active_run else None
    entries = [
        entry.model_copy(update={"outcome": _outcome(entry, active, runs, versions)})
        for entry in _recovered(status.automatic_runs, runs, versions)
    ]
    entries.sort(key=lambda entry: (entry.at, entry.name))
    # The last better one stays too: without it, older ones whose versions still exist would seem to follow it once its
    # own version is deleted.
    last_better = max((index for index, entry in enumerate(entries) if entry.outcome == "Better"), default=0)
    improved_at = _improved_at(versions)
    return [
        entry
        for index, entry in enumerate(entries)
        if (index >= last_better and entry.at > improved_at) or entry.at + DAY > now or entry.name == active
    ][-MOST:]


def begin(entries: Sequence[AutomaticRun], name: str, cause: Cause, now: datetime) -> list[AutomaticRun]:
    """Return the entries with the run that was just decided on, if an alert or a monitor started it."""
    begun = [AutomaticRun(name=name, at=now)] if cause.type in AUTOMATIC else []
    return [*entries, *begun][-MOST:]


def without_improvement(entries: Sequence[AutomaticRun], versions: Iterable[ModelVersion]) -> list[AutomaticRun]:
    """Return the newest runs in a row without a better version, oldest first.

    Any better version ends the row, also one of a run that a person started.
    """
    improved_at = _improved_at(versions)
    row: list[AutomaticRun] = []
    for entry in reversed(entries):
        if entry.outcome == "Better" or entry.at <= improved_at:
            break
        if entry.outcome not in ("Open", "Skipped"):
            row.append(entry)
    return row[::-1]


def changes_at(entries: Iterable[AutomaticRun]) -> list[datetime]:
    """Return when each run no longer counts for the day's budget."""
    return [entry.at + DAY for entry in entries]


def _improved_at(versions: Iterable[ModelVersion]) -> datetime:
    """Return when the newest better version was created."""
    created = [version.metadata.creation_timestamp for version in versions if _verdict(version) == "Better"]
    return max((at for at in created if at is not None), default=_NEVER)


def _recovered(
    known: Iterable[AutomaticRun], runs: Iterable[TrainingRun], versions: Iterable[ModelVersion]
) -> list[AutomaticRun]:
    entries = {entry.name: entry for entry in known}
    causes = [
        *[(run.name, run.spec.cause, run.metadata.creation_timestamp) for run in runs],
        *[(item.spec.run.name, item.spec.cause, item.metadata.creation_timestamp) for item in versions],
    ]
    for name, cause, created in causes:
        if cause.type not in AUTOMATIC:
            continue
        entry = entries.get(name)
        # It was decided on before it was created; a clock that was ahead says otherwise.
        times = [at for at in (entry.at if entry else _decided_at(cause), created) if at is not None]
        if times:
            at = min(times)
            entries[name] = entry.model_copy(update={"at": at}) if entry else AutomaticRun(name=name, at=at)
    return list(entries.values())


def _decided_at(cause: Cause) -> datetime | None:
    """Return the time in a cause's key `<trigger>@<time>`, which may end in a count."""
    return read_time(cause.key.rpartition("@")[2].partition("#")[0])


def _outcome(
    entry: AutomaticRun, active: str | None, runs: Sequence[TrainingRun], versions: Sequence[ModelVersion]
) -> RunOutcome:
    """Return the outcome of a run. The stored one stays when neither the run nor its version exists any more."""
    run = named(entry.name, runs)
    if entry.name == active or (run is not None and run.status.phase not in FINISHED):
        return "Open"
    version = next((version for version in versions if version.spec.run.name == entry.name), None)
    if version is not None:
        return _verdict(version)
    if run is not None and run.status.phase == "Skipped":
        return "Skipped"
    if run is not None and run.status.phase == "Succeeded":
        # Its version was deleted, or is not in the cache yet.
        return entry.outcome
    return "Failed" if run is not None or entry.outcome == "Open" else entry.outcome


def _verdict(version: ModelVersion) -> RunOutcome:
    """Return whether a version is better than the one before. One that was rolled back is not."""
    status = version.status
    if status.phase is None:
        return "Open"
    good = status.phase == "Verified" and status.quarantine is None and version.spec.duplicate_of is None
    return "Better" if good else "NotBetter"
