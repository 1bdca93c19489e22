"""The conditions of a TrainingJob: whether the recipe is valid, whether a run is in flight, how the last one ended.

`Ready` says that the recipe is accepted. A run in flight or one that failed does not change it, except that a final
failure stalls a TrainingJob without any version: a person is needed then. `RetrainingPaused` exists only while it is
true (runs by alerts and monitors had no better version and are delayed for longer), the others always.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from steadfit.api.modelversion import ModelVersion
from steadfit.api.run import FailureRecord
from steadfit.api.trainingjob import LastRun, TrainingJob, TrainingJobStatus
from steadfit.api.trainingrun import TrainingRun
from steadfit.core.conditions import READY, DesiredCondition, ready, reconciling, stalled
from steadfit.core.problem import Problem
from steadfit.core.text import time_text
from steadfit.core.training.limits.blocked import Hold
from steadfit.core.training.limits.in_flight import named
from steadfit.core.training.limits.waiting import wait_message

TRAINING: Final = "Training"
LAST_RUN_SUCCEEDED: Final = "LastRunSucceeded"
RETRAINING_PAUSED: Final = "RetrainingPaused"
ALERTS_REACHABLE: Final = "AlertsReachable"


def conditions(
    status: TrainingJobStatus,
    problem: Problem | None,
    job: TrainingJob,
    runs: Sequence[TrainingRun],
    versions: Sequence[ModelVersion],
    breaker: Hold | None,
    refusals: Mapping[str, str],
    alerts_refused_since: datetime | None = None,
) -> list[DesiredCondition]:
    """Return the conditions; `refusals` are those of the API server, by the name of the TrainingRun."""
    run = named(status.active_run.name, runs) if status.active_run else None
    return [
        *_ready(status, problem, job, versions),
        _training(status, run, refusals),
        _last_run(status, run),
        *([DesiredCondition(RETRAINING_PAUSED, "True", breaker.reason, breaker.message)] if breaker else []),
        _alerts_reachable(job, alerts_refused_since),
    ]


def _alerts_reachable(job: TrainingJob, refused_since: datetime | None) -> DesiredCondition:
    """Return whether alerts arrive; that they do not concerns a TrainingJob with a trigger that waits for them."""
    triggers = [trigger.name for trigger in job.spec.triggers if trigger.alert]
    if refused_since is None or not triggers:
        message = "no client refuses the certificate of the operator's endpoint, or no trigger waits for an alert"
        return DesiredCondition(ALERTS_REACHABLE, "True", "CertificateTrusted", message)
    message = (
        f"clients refuse the certificate of the operator's endpoint since {time_text(refused_since)}, and no alert has"
        f" arrived since, so trigger {', '.join(triggers)} may miss one; give Alertmanager the operator's present CA"
        " certificate (STEADFIT_CA_NAMESPACES publishes it)"
    )
    return DesiredCondition(ALERTS_REACHABLE, "False", "CertificateNotTrusted", message)


def _ready(
    status: TrainingJobStatus, problem: Problem | None, job: TrainingJob, versions: Sequence[ModelVersion]
) -> list[DesiredCondition]:
    last = status.last_run
    if problem is not None:
        return stalled(problem.reason, problem.message)
    if job.spec.suspend:
        active = status.active_run
        continues = f"; run {active.name} in flight continues, and a Cancel action ends it" if active else ""
        return ready("Suspended", f"no run starts while spec.suspend is true{continues}")
    if status.latest_version is None and status.active_run is None and last and last.failure:
        return stalled(last.failure.failure_class, f"run {last.name} failed: {last.failure.message}")
    if job.spec.ready_policy == "FirstModel" and not any(item.status.phase == "Verified" for item in versions):
        return _without_verified(status, versions)
    if status.active_run is not None:
        return ready("RunInFlight", f"run {status.active_run.name} is in flight")
    if status.latest_version is not None:
        return _of_newest(status.latest_version.name, versions)
    return ready("Accepted", "the recipe is accepted; there is no version yet")


def _of_newest(name: str, versions: Sequence[ModelVersion]) -> list[DesiredCondition]:
    """Return that the recipe has trained a version, and what its gate says of it unless that lets it through."""
    newest = next((version for version in versions if version.name == name), None)
    verdict = next((one.message for one in newest.status.conditions if one.type == READY), "") if newest else ""
    why = f": {verdict}" if verdict else ""
    if newest is not None and newest.status.phase == "Rejected":
        step = f"`kubectl describe mv {name}` compares its metrics"
        return ready("VersionRejected", f"the newest version {name} is rejected{why}; {step}")
    if newest is not None and newest.status.phase == "Held":
        step = f"a Promote of version {newest.spec.number} serves it"
        return ready("VersionHeld", f"the newest version {name} is held{why}; {step}")
    return ready("Trained", f"the newest version is {name}")


def _without_verified(status: TrainingJobStatus, versions: Sequence[ModelVersion]) -> list[DesiredCondition]:
    newest = max(versions, key=lambda item: item.spec.number, default=None)
    if newest is not None and newest.status.phase in ("Rejected", "Held") and status.active_run is None:
        if newest.status.phase == "Rejected":
            return stalled("VersionRejected", f"version {newest.name} did not pass the gate, and no other is verified")
        held = f"version {newest.name} is held until it is pinned or promoted, and no other is verified"
        return stalled("VersionHeld", held)
    last = status.last_run
    if newest is None and last is not None and last.phase == "Cancelled" and status.active_run is None:
        return stalled(
            "Cancelled", f"run {last.name} was cancelled, and there is no version; a Retrain action starts a run"
        )
    return reconciling("AwaitingFirstModel", "no version is verified yet (spec.readyPolicy is FirstModel)")


def _training(status: TrainingJobStatus, run: TrainingRun | None, refusals: Mapping[str, str]) -> DesiredCondition:
    active, waiting = status.active_run, status.waiting
    rest = f"; {wait_message(waiting)}" if waiting else ""
    if active is None:
        return DesiredCondition(TRAINING, "False", waiting.reason if waiting else "Idle", f"no run is in flight{rest}")
    if run is None and (cause := refusals.get(active.name)):
        message = f"run {active.name} is refused: {cause}; correct that, or give it up by a Cancel action{rest}"
        return DesiredCondition(TRAINING, "True", "RunStarting", message)
    if run is None:
        return DesiredCondition(TRAINING, "True", "RunStarting", f"run {active.name} is being created{rest}")
    condition = next((item for item in run.status.conditions if item.type == READY), None)
    message = condition.message if condition else "it is starting"
    return DesiredCondition(TRAINING, "True", "RunInFlight", f"run {active.name}: {message}{rest}")


def _last_run(status: TrainingJobStatus, run: TrainingRun | None) -> DesiredCondition:
    """Return how the newest run ended, or that the run in flight has failed an attempt."""
    last = status.last_run
    if run is not None and run.status.failure is not None:
        return _failed(run.name, run.status.failure)
    if last is None:
        return DesiredCondition(LAST_RUN_SUCCEEDED, "Unknown", "NoRun", "no run has ended yet")
    if last.failure is not None:
        return _failed(last.name, last.failure)
    if last.phase == "Succeeded":
        message = f"run {last.name} produced version {last.version}"
        return DesiredCondition(LAST_RUN_SUCCEEDED, "True", "Succeeded", message)
    if last.phase == "Skipped":
        return DesiredCondition(LAST_RUN_SUCCEEDED, "True", "InputsKnown", skipped_message(last))
    if last.phase == "Cancelled":
        return DesiredCondition(LAST_RUN_SUCCEEDED, "Unknown", "Cancelled", f"run {last.name} was cancelled")
    message = f"run {last.name} was superseded by a change of the recipe"
    return DesiredCondition(LAST_RUN_SUCCEEDED, "Unknown", "Superseded", message)


def skipped_message(last: LastRun) -> str:
    """Return that a run trained nothing."""
    return f"run {last.name} trained nothing: version {last.known_version} has the same recipe and data"


def _failed(name: str, failure: FailureRecord) -> DesiredCondition:
    return DesiredCondition(LAST_RUN_SUCCEEDED, "False", failure.failure_class, f"run {name}: {failure.message}")
