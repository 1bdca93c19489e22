"""Which run of a TrainingJob is in flight, and how the newest finished one ended.

Decisions are read from the status, but the runs themselves take precedence: a lost status is recovered from them, and
a run in flight delays every other even if no status names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.modelversion import ModelVersion
from steadfit.api.run import FINISHED
from steadfit.api.trainingjob import ActiveRun, LastRun, TrainingJobStatus, VersionRef
from steadfit.api.trainingrun import TrainingRun


def settle(
    status: TrainingJobStatus,
    runs: Sequence[TrainingRun],
    versions: Sequence[ModelVersion],
    current: str,
    now: datetime,
) -> TrainingJobStatus:
    """Return the status with the run in flight, the newest finished run and the newest version.

    `current` is the hash of the recipe's inputs. A run that was decided on and does not exist yet is created
    from the recipe as it is then, so it gets that hash.
    """
    active = _active(status.active_run, runs)
    last = _deleted(status.active_run, runs, now) or _last(status, runs)
    trained = status.input_hash or _newest_hash(runs) or _newest_recipe(versions)
    if active is not None and active.input_hash != current and named(active.name, runs) is None:
        active = active.model_copy(update={"input_hash": current})
        trained = current
    return status.model_copy(
        update={
            "active_run": active,
            "input_hash": trained,
            "last_run": last,
            "latest_version": _latest(status.latest_version, versions),
        }
    )


def named(name: str, runs: Sequence[TrainingRun]) -> TrainingRun | None:
    """Return the run of a name."""
    return next((run for run in runs if run.name == name), None)


def _active(active: ActiveRun | None, runs: Sequence[TrainingRun]) -> ActiveRun | None:
    if active is not None:
        run = named(active.name, runs)
        if run is None and active.uid is None:
            return active
        if run is not None and run.status.phase not in FINISHED:
            return active.model_copy(update={"uid": run.uid})
    unfinished = [run for run in runs if run.status.phase not in FINISHED and run.metadata.deletion_timestamp is None]
    run = min(unfinished, key=_age, default=None)
    if run is None:
        return None
    return ActiveRun(name=run.name, cause=run.spec.cause, input_hash=run.spec.input_hash, uid=run.uid)


def _deleted(active: ActiveRun | None, runs: Sequence[TrainingRun], now: datetime) -> LastRun | None:
    """Return the end of a run in flight whose object was deleted: that cancels it, and it is not created again."""
    if active is None or active.uid is None or named(active.name, runs) is not None:
        return None
    return LastRun(name=active.name, phase="Cancelled", finished_at=now)


def _last(status: TrainingJobStatus, runs: Sequence[TrainingRun]) -> LastRun | None:
    """Return how the newest finished run ended; of two in one second, the one that was in flight until now."""
    last, active = status.last_run, status.active_run.name if status.active_run else None
    finished = [run for run in runs if run.status.phase in FINISHED]
    run = max(finished, key=lambda run: (str(run.status.finished_at), run.name == active, run.name), default=None)
    if run is None:
        return last
    if last is not None and run.name != active and str(last.finished_at or "") >= str(run.status.finished_at):
        return last
    return LastRun(
        name=run.name,
        phase=run.status.phase,
        finished_at=run.status.finished_at,
        version=run.status.version,
        failure=run.status.failure if run.status.phase == "Failed" else None,
        known_version=run.status.attempts[-1].known_version if run.status.attempts else None,
    )


def _latest(latest: VersionRef | None, versions: Sequence[ModelVersion]) -> VersionRef | None:
    """Return the newest version. It stays in the status after its deletion, so that no number is taken twice."""
    newest = max(versions, key=lambda version: version.spec.number, default=None)
    if newest is None or (latest is not None and latest.number > newest.spec.number):
        return latest
    return VersionRef(name=newest.name, number=newest.spec.number)


def _newest_hash(runs: Sequence[TrainingRun]) -> str | None:
    newest = max(runs, key=_age, default=None)
    return newest.spec.input_hash if newest else None


def _newest_recipe(versions: Sequence[ModelVersion]) -> str | None:
    """Return the input hash of the newest version: what a job that was created again has learned already."""
    newest = max(versions, key=lambda version: version.spec.number, default=None)
    return newest.spec.lineage.input_hash if newest else None


def _age(run: TrainingRun) -> tuple[str, str]:
    return str(run.metadata.creation_timestamp), run.name
