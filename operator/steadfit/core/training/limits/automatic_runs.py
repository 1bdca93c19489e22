"""The runs that nobody asked for in person: which there were, and what each brought.

They are noted in the status when they are decided on. A status that was lost is found again in the runs and versions,
which carry their cause, so that the budget and the breaker forget as little as the cluster does.
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
    """Return the automatic runs that still count, with what they brought so far: of a day, and of the barren row."""
    active = status.active_run.name if status.active_run else None
    entries = [
        entry.model_copy(update={"outcome": _outcome(entry, active, runs, versions)})
        for entry in _found(status.automatic_runs, runs, versions)
    ]
    entries.sort(key=lambda entry: (entry.at, entry.name))
    # From the last better one on. That one stays too: without it, older ones whose versions are still there would seem
    # to be part of the row once its own version is deleted.
    row = max((place for place, entry in enumerate(entries) if entry.outcome == "Better"), default=0)
    mended = _mended(versions)
    return [
        entry
        for place, entry in enumerate(entries)
        if (place >= row and entry.at > mended) or entry.at + DAY > now or entry.name == active
    ][-MOST:]


def begin(entries: Sequence[AutomaticRun], name: str, cause: Cause, now: datetime) -> list[AutomaticRun]:
    """Return the entries with the run that was just decided on, if it is an automatic one."""
    begun = [AutomaticRun(name=name, at=now)] if cause.type in AUTOMATIC else []
    return [*entries, *begun][-MOST:]


def barren(entries: Sequence[AutomaticRun], versions: Iterable[ModelVersion]) -> list[AutomaticRun]:
    """Return the newest runs in a row that brought no better version.

    A better version ends the row also when a person asked for it: what went wrong before was mended.
    """
    mended = _mended(versions)
    row: list[AutomaticRun] = []
    for entry in reversed(entries):
        if entry.outcome == "Better" or entry.at <= mended:
            break
        if entry.outcome != "Open":
            row.append(entry)
    return row[::-1]


def changes_at(entries: Iterable[AutomaticRun]) -> list[datetime]:
    """Return when each run leaves the day's budget."""
    return [entry.at + DAY for entry in entries]


def _mended(versions: Iterable[ModelVersion]) -> datetime:
    """Return when the newest better version was made."""
    made = [version.metadata.creation_timestamp for version in versions if _verdict(version) == "Better"]
    return max((at for at in made if at is not None), default=_NEVER)


def _found(
    known: Iterable[AutomaticRun], runs: Iterable[TrainingRun], versions: Iterable[ModelVersion]
) -> list[AutomaticRun]:
    found = {entry.name: entry for entry in known}
    there = [
        *[(run.name, run.spec.cause, run.metadata.creation_timestamp) for run in runs],
        *[(item.spec.run.name, item.spec.cause, item.metadata.creation_timestamp) for item in versions],
    ]
    for name, cause, created in there:
        at = _decided_at(cause) or created
        if cause.type in AUTOMATIC and name not in found and at is not None:
            found[name] = AutomaticRun(name=name, at=at)
    return list(found.values())


def _decided_at(cause: Cause) -> datetime | None:
    """Return the time in a cause's key `<trigger>@<time>`, which may end in a count."""
    return read_time(cause.key.rpartition("@")[2].partition("#")[0])


def _outcome(
    entry: AutomaticRun, active: str | None, runs: Sequence[TrainingRun], versions: Sequence[ModelVersion]
) -> RunOutcome:
    """Return what a run brought. What became of it is remembered when neither it nor its version is left."""
    run = named(entry.name, runs)
    if entry.name == active or (run is not None and run.status.phase not in FINISHED):
        return "Open"
    version = next((version for version in versions if version.spec.run.name == entry.name), None)
    if version is not None:
        return _verdict(version)
    if run is not None and run.status.phase == "Succeeded":
        # Its version was deleted, or the news of it is late.
        return entry.outcome
    return "Failed" if run is not None or entry.outcome == "Open" else entry.outcome


def _verdict(version: ModelVersion) -> RunOutcome:
    """Return whether a version is better than what was there. One that was rolled back turned out not to be."""
    status = version.status
    if status.phase is None:
        return "Open"
    good = status.phase == "Verified" and status.quarantine is None and version.spec.duplicate_of is None
    return "Better" if good else "NotBetter"
