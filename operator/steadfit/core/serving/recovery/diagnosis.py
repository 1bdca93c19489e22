"""Diagnosis of a firing monitor of action Recover: whether the model or the data is the root cause.

Each time the monitor starts to fire, the live version is evaluated beside the best one to go back to; if that is not
better, or cannot be evaluated, beside the next best one, and so on, at most `MOST` times. Each TrainingRun is created
from the entry in the status. An inconclusive diagnosis is repeated after the monitor's window, when there are other
rows. A monitor that resolves and fires again within its window, as after a short outage of its source, keeps its
verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.monitor import Monitor, MonitorState
from steadfit.api.rollout import Diagnosis, NotBetterVersion, RevisionRef
from steadfit.core.monitors.evaluation import FIRING, MonitorResult
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.selection import going_back
from steadfit.core.serving.selection.going_back import GoingBack
from steadfit.core.status_texts import LONG
from steadfit.core.text import is_cut_of, stored_length, with_tail
from steadfit.core.types import Action, Create, Delete, reference

from . import diagnosis_verdict, evaluation_run
from .diagnosis_verdict import VerdictMessage

MOST = 3
"""Most versions that are evaluated one after the other before a diagnosis ends."""
ROLLED_BACK = "; rolled back"


def recover_monitors(deployment: ModelDeployment) -> list[Monitor]:
    """Return the monitors of action Recover."""
    return [monitor for monitor in deployment.spec.monitors if monitor.action == "Recover"]


def for_state(status: ModelDeploymentStatus, state: MonitorState) -> Diagnosis | None:
    """Return the diagnosis of a firing monitor for the live version; None without one."""
    if state.phase != FIRING or status.live is None:
        return None
    found = next((entry for entry in status.diagnoses if entry.monitor == state.name), None)
    return found if found and found.since == state.since and _is_of_version(found, status.live) else None


def excluded(entry: Diagnosis, live: RevisionRef) -> frozenset[str]:
    """Return the artifacts that are not better than the live one, itself included."""
    return frozenset([live.digest, *(one.digest for one in entry.not_better)])


def follow(
    status: ModelDeploymentStatus, results: Sequence[MonitorResult], fleet: Fleet, now: datetime
) -> ModelDeploymentStatus:
    """Return the status with the diagnoses updated: new ones started, and verdicts of finished runs entered."""
    deployment = fleet.observed.deployment
    stored = {entry.monitor: entry for entry in status.diagnoses}
    states = {result.state.name: result.state for result in results}
    entries = []
    for monitor in recover_monitors(deployment):
        entry = _settled(stored.get(monitor.name), status, fleet, now)
        state = states.get(monitor.name)
        live = status.live
        if state is not None and state.phase == FIRING and live is not None and not is_quarantined(live, status, fleet):
            entry = _of_firing(entry, monitor, state, live, status, fleet, now)
        entries += [entry] if entry else []
    return status.model_copy(update={"diagnoses": entries})


def rolled_back(status: ModelDeploymentStatus, monitor: str) -> ModelDeploymentStatus:
    """Return the status in which the message of a monitor's diagnosis reports the rollback."""
    entries = [
        entry.model_copy(update={"message": with_tail(entry.message, ROLLED_BACK, LONG["message"])})
        if entry.monitor == monitor
        else entry
        for entry in status.diagnoses
    ]
    return status.model_copy(update={"diagnoses": entries})


def running(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[Diagnosis]:
    """Return the diagnoses of the live version without a verdict."""
    live = status.live
    return [
        entry
        for entry in status.diagnoses
        if live and entry.verdict is None and _is_of(entry, live, _back(entry, live, status, fleet, now))
    ]


def changes_at(status: ModelDeploymentStatus, fleet: Fleet) -> list[datetime]:
    """Return when each inconclusive diagnosis is repeated, if its monitor still fires."""
    windows = {monitor.name: parse_duration(monitor.window) for monitor in recover_monitors(fleet.observed.deployment)}
    return [
        entry.decided_at + windows[entry.monitor]
        for entry in status.diagnoses
        if entry.verdict == "Inconclusive" and entry.run is not None and entry.monitor in windows
    ]


def runs(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Sequence[Action]:
    """Return the creations of the runs of diagnoses, and the deletions of old runs."""
    observed, live = fleet.observed, status.live
    existing = {run.name for run in observed.evaluations}
    actions: list[Action] = []
    for entry in running(status, fleet, now) if live else []:
        monitor = next((item for item in recover_monitors(observed.deployment) if item.name == entry.monitor), None)
        if live is None or entry.run is None or entry.run in existing or monitor is None or observed.job is None:
            continue
        good = _back(entry, live, status, fleet, now).revision
        versions = [fleet.version_of(ref) if ref else None for ref in (live, good)]
        if versions[0] is None or versions[1] is None:
            continue
        manifest = evaluation_run.render(
            entry, monitor, observed.deployment, observed.job, versions[0], versions[1], observed.platform
        )
        actions.append(Create(manifest))
    actions += [Delete(reference("TrainingRun", run)) for run in evaluation_run.expired(observed.evaluations)]
    return actions


def _settled(entry: Diagnosis | None, status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Diagnosis | None:
    """Return an entry with the verdict of its run, if that has ended; None if its run will never be created."""
    if entry is None or entry.verdict is not None:
        return entry
    run = next((run for run in fleet.observed.evaluations if run.name == entry.run), None)
    if run is None:
        live = status.live
        return entry if live and _is_of(entry, live, _back(entry, live, status, fleet, now)) else None
    found = diagnosis_verdict.of_run(run)
    return _decided(entry, found, fleet) if found else entry


def _of_firing(
    entry: Diagnosis | None,
    monitor: Monitor,
    state: MonitorState,
    live: RevisionRef,
    status: ModelDeploymentStatus,
    fleet: Fleet,
    now: datetime,
) -> Diagnosis:
    """Return the diagnosis of a firing monitor: the current one, one beside an older version, or a new one."""
    if entry is not None and not _is_of(entry, live, _back(entry, live, status, fleet, now)):
        entry = None
    back = _back(entry, live, status, fleet, now)
    if entry is not None and _is_current(entry, monitor, state, _without_run(live, back, fleet), fleet, now):
        not_better = _not_better(entry, fleet)
        older = going_back.best(status, fleet, now, excluding={live.digest, *(one.digest for one in not_better)})
        if len(not_better) == len(entry.not_better) or len(not_better) >= MOST or older.revision is None:
            return entry.model_copy(update={"since": state.since})
        return _begun(monitor, state, live, older, not_better, fleet, now)
    return _begun(monitor, state, live, _back(None, live, status, fleet, now), [], fleet, now)


def _begun(
    monitor: Monitor,
    state: MonitorState,
    live: RevisionRef,
    back: GoingBack,
    not_better: Sequence[NotBetterVersion],
    fleet: Fleet,
    now: datetime,
) -> Diagnosis:
    """Return a new diagnosis beside the best version to go back to, decided if it needs no run or cannot have one."""
    good, known, job = back.revision, _without_run(live, back, fleet), fleet.observed.job
    new = Diagnosis(
        monitor=monitor.name,
        since=state.since,
        number=live.number,
        digest=live.digest,
        compared_number=good.number if good else None,
        compared_digest=good.digest if good else None,
        not_better=list(not_better),
        decided_at=now,
    )
    if known is not None or job is None:
        return _decided(new, known, fleet) if known else new
    return new.model_copy(update={"run": evaluation_run.name(job, fleet.observed.deployment, monitor.name, now)})


def _not_better(entry: Diagnosis, fleet: Fleet) -> list[NotBetterVersion]:
    """Return the versions not found better after an evaluation: its own too if it is not, or no run scores it.

    One that may be better by chance is not: more rows will follow.
    """
    run = next((run for run in fleet.observed.evaluations if run.name == entry.run), None)
    failed = entry.verdict == "Inconclusive" and run is not None and run.status.phase == "Failed"
    if entry.compared_number is None or entry.compared_digest is None or entry.run is None:
        return entry.not_better
    if entry.verdict != "ConceptDrift" and not failed:
        return entry.not_better
    return [*entry.not_better, NotBetterVersion(number=entry.compared_number, digest=entry.compared_digest)]


def _is_current(
    entry: Diagnosis, monitor: Monitor, state: MonitorState, known: VerdictMessage | None, fleet: Fleet, now: datetime
) -> bool:
    """Return whether a diagnosis of these versions, finished or not, still applies."""
    if entry.verdict is None:
        return known is None or any(run.name == entry.run for run in fleet.observed.evaluations)
    current = entry.since == state.since or entry.decided_at + parse_duration(monitor.window) > now
    if entry.run is None:
        # It was decided without a run, so it applies as long as the same decision would be made again.
        return current and known is not None and is_cut_of(entry.message, _decided(entry, known, fleet).message)
    if entry.verdict == "Inconclusive":
        return entry.decided_at + parse_duration(monitor.window) > now
    return current


def _back(
    entry: Diagnosis | None, live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet, now: datetime
) -> GoingBack:
    """Return the best version to go back to, of another model, without those that an entry has found not better."""
    found = excluded(entry, live) if entry else frozenset([live.digest])
    return going_back.best(status, fleet, now, excluding=found)


def _is_of(entry: Diagnosis, live: RevisionRef, back: GoingBack) -> bool:
    """Return whether an entry is about the live version and the best one to go back to now."""
    number = back.revision.number if back.revision else None
    same = back.revision is None or entry.compared_digest in (None, back.revision.digest)
    return _is_of_version(entry, live) and entry.compared_number == number and same


def _is_of_version(entry: Diagnosis, live: RevisionRef) -> bool:
    """Return whether an entry is about the live version. Another one may have its number later."""
    return entry.number == live.number and entry.digest in (None, live.digest)


def _without_run(live: RevisionRef, back: GoingBack, fleet: Fleet) -> VerdictMessage | None:
    """Return the verdict if no evaluation is needed or possible; None if it needs one."""
    observed = fleet.observed
    if back.revision is None:
        return "ConceptDrift", f"concept drift: {back.problem(live).message}"
    if observed.job is None:
        return (
            "Inconclusive",
            f"inconclusive: there is no TrainingJob {observed.deployment.training_job} in this namespace",
        )
    if observed.deployment.spec.capture is None:
        return "Inconclusive", "inconclusive: spec.capture is not set, so there are no rows to compare versions on"
    if fleet.version_of(live) is None:
        return "Inconclusive", f"inconclusive: ModelVersion {live.version} is gone, so its model cannot be evaluated"
    return None


def _decided(entry: Diagnosis, found: VerdictMessage, fleet: Fleet) -> Diagnosis:
    """Return an entry with its verdict and message, which has room for what may follow it."""
    verdict, message = found
    numbers = " and ".join(str(one.number) for one in entry.not_better)
    versions = f"versions {numbers}" if len(entry.not_better) > 1 else f"version {numbers}"
    tail = f"; no evaluation has found {versions} better" if entry.not_better else ""
    if verdict == "ConceptDrift" and not fleet.observed.deployment.spec.dry_run:
        tail += "; a retraining follows"
    longest = LONG["message"] - stored_length(ROLLED_BACK)
    return entry.model_copy(update={"verdict": verdict, "message": with_tail(message, tail, longest)})
