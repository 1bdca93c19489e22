"""Diagnosis: whose fault it is that a monitor of action Recover fires, the model's or the world's.

One evaluation for each time that the monitor begins to fire on a pair of versions: what serves and the last good one.
The entry in the status is the intent that its run is created from. One that decided nothing is tried again after the
monitor's window, when there are other rows. A monitor that ceases and fires again within its window, as it does when
its source was away for a moment, has its verdict already.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.base import API_VERSION, parse_duration
from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.monitor import Monitor, MonitorState
from steadfit.api.rollout import Diagnosis, RevisionRef
from steadfit.core.monitors.evaluation import FIRING, MonitorResult
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.text import cut
from steadfit.core.types import Action, Create, Delete

from . import diagnosis_verdict, evaluation_run
from .diagnosis_verdict import VerdictMessage


def recover_monitors(deployment: ModelDeployment) -> list[Monitor]:
    """Return the monitors whose firing is diagnosed."""
    return [monitor for monitor in deployment.spec.monitors if monitor.action == "Recover"]


def for_state(status: ModelDeploymentStatus, state: MonitorState) -> Diagnosis | None:
    """Return the diagnosis of the time for which a monitor fires; None if there is none of what serves."""
    if state.phase != FIRING or status.live is None:
        return None
    found = next((entry for entry in status.diagnoses if entry.monitor == state.name), None)
    return found if found and (found.since, found.number) == (state.since, status.live.number) else None


def follow(
    status: ModelDeploymentStatus, results: Sequence[MonitorResult], fleet: Fleet, now: datetime
) -> ModelDeploymentStatus:
    """Return the status with the diagnoses brought up to date: begun, and judged once their run has ended."""
    deployment = fleet.observed.deployment
    stored = {entry.monitor: entry for entry in status.diagnoses}
    states = {result.state.name: result.state for result in results}
    entries = []
    for monitor in recover_monitors(deployment):
        entry = _settled(stored.get(monitor.name), status, fleet)
        state = states.get(monitor.name)
        live = status.live
        if state is not None and state.phase == FIRING and live is not None and not is_quarantined(live, status, fleet):
            entry = _of_firing(entry, monitor, state, live, status, fleet, now)
        entries += [entry] if entry else []
    return status.model_copy(update={"diagnoses": entries})


def rolled_back(status: ModelDeploymentStatus, monitor: str) -> ModelDeploymentStatus:
    """Return the status in which a monitor's diagnosis says what has followed from it."""
    entries = [
        entry.model_copy(update={"message": cut(f"{entry.message}; rolled back")})
        if entry.monitor == monitor
        else entry
        for entry in status.diagnoses
    ]
    return status.model_copy(update={"diagnoses": entries})


def running(status: ModelDeploymentStatus, fleet: Fleet) -> list[Diagnosis]:
    """Return the diagnoses of what serves that are not decided yet."""
    live = status.live
    return [
        entry for entry in status.diagnoses if live and entry.verdict is None and _is_of(entry, live, status, fleet)
    ]


def changes_at(status: ModelDeploymentStatus, fleet: Fleet) -> list[datetime]:
    """Return when each diagnosis that decided nothing is tried again, if its monitor still fires."""
    windows = {monitor.name: parse_duration(monitor.window) for monitor in recover_monitors(fleet.observed.deployment)}
    return [
        entry.decided_at + windows[entry.monitor]
        for entry in status.diagnoses
        if entry.verdict == "Undecided" and entry.run is not None and entry.monitor in windows
    ]


def runs(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the creation of the runs that were decided on, and the deletion of old ones."""
    observed = fleet.observed
    there = {run.name for run in observed.evaluations}
    actions: list[Action] = []
    for entry in running(status, fleet):
        monitor = next((item for item in recover_monitors(observed.deployment) if item.name == entry.monitor), None)
        good, live = status.last_good, status.live
        versions = [fleet.version_named(ref.version) if ref else None for ref in (live, good)]
        if entry.run in there or monitor is None or observed.job is None or versions[0] is None or versions[1] is None:
            continue
        manifest = evaluation_run.render(
            entry, monitor, observed.deployment, observed.job, versions[0], versions[1], observed.platform
        )
        actions.append(Create(manifest))
    actions += [
        Delete(
            {
                "apiVersion": API_VERSION,
                "kind": "TrainingRun",
                "metadata": {"name": run.name, "namespace": run.metadata.namespace, "uid": run.uid},
            }
        )
        for run in evaluation_run.expired(observed.evaluations)
    ]
    return actions


def _settled(entry: Diagnosis | None, status: ModelDeploymentStatus, fleet: Fleet) -> Diagnosis | None:
    """Return an entry with the verdict of its run; None for one that waits for a run nobody will make any more."""
    if entry is None or entry.verdict is not None:
        return entry
    run = next((run for run in fleet.observed.evaluations if run.name == entry.run), None)
    if run is None:
        live = status.live
        return entry if live and _is_of(entry, live, status, fleet) else None
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
    """Return the diagnosis of a monitor that fires: the one that holds, or a new one."""
    if entry is not None and not _is_of(entry, live, status, fleet):
        entry = None
    begun = Diagnosis(
        monitor=monitor.name,
        since=state.since,
        number=live.number,
        compared_version=_last_good(status, fleet),
        decided_at=now,
    )
    known = _without_run(live, status, fleet)
    if entry is not None and _is_current(entry, monitor, state, known, fleet, now):
        return entry.model_copy(update={"since": state.since})
    if known is not None:
        return _decided(begun, known, fleet)
    if fleet.observed.job is None:
        return begun
    name = evaluation_run.name(fleet.observed.job, fleet.observed.deployment, monitor.name, now)
    return begun.model_copy(update={"run": name})


def _is_current(
    entry: Diagnosis, monitor: Monitor, state: MonitorState, known: VerdictMessage | None, fleet: Fleet, now: datetime
) -> bool:
    """Return whether what was found out, or is being found out, of these versions still counts."""
    if entry.verdict is None:
        return known is None or any(run.name == entry.run for run in fleet.observed.evaluations)
    current = entry.since == state.since or entry.decided_at + parse_duration(monitor.window) > now
    if entry.run is None:
        # It was decided without a run, so it holds for as long as the same would be decided anew.
        return current and known is not None and _decided(entry, known, fleet).message == entry.message
    if entry.verdict == "Undecided":
        return entry.decided_at + parse_duration(monitor.window) > now
    return current


def _last_good(status: ModelDeploymentStatus, fleet: Fleet) -> int | None:
    good = status.last_good
    return good.number if good and not is_quarantined(good, status, fleet) else None


def _is_of(entry: Diagnosis, live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether an entry is of the versions that serve now and could be gone back to."""
    return (entry.number, entry.compared_version) == (live.number, _last_good(status, fleet))


def _without_run(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> VerdictMessage | None:
    """Return the verdict that needs no evaluation, or why there can be none."""
    observed, good = fleet.observed, status.last_good
    if good is None or is_quarantined(good, status, fleet):
        return (
            "ConceptDrift",
            f"the world moved: there is nothing to go back to, as no good version before version {live.number} is left",
        )
    if good.digest == live.digest:
        return "ConceptDrift", "the world moved: there is nothing to go back to, as the same model served before"
    if observed.job is None:
        return "Undecided", f"undecided: there is no TrainingJob {observed.deployment.training_job}"
    if observed.deployment.spec.capture is None:
        return "Undecided", "undecided: spec.capture is not set, so there are no rows to compare versions on"
    for ref in (live, good):
        version = fleet.version_named(ref.version)
        if version is None or version.spec.artifact.digest != ref.digest:
            return "Undecided", f"undecided: ModelVersion {ref.version} is gone, so its model cannot be evaluated"
    return None


def _decided(entry: Diagnosis, found: VerdictMessage, fleet: Fleet) -> Diagnosis:
    """Return an entry with its verdict, and with what follows from that where it follows at once."""
    verdict, message = found
    retrains = verdict == "ConceptDrift" and not fleet.observed.deployment.spec.dry_run
    tail = "; to be retrained" if retrains else ""
    return entry.model_copy(update={"verdict": verdict, "message": f"{message[: 1024 - len(tail)]}{tail}"})
