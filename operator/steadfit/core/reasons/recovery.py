"""Reasons of a ModelDeployment: its monitors, and the automatic actions that follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from steadfit.api.rollout import DiagnosisVerdict

from .entry import NOTHING, Reason

_OwnReason = Literal[
    "ActionsSuppressed",
    "AutomaticRollback",
    "AwaitingWindow",
    "Diagnosing",
    "DiagnosisStarted",
    "DryRun",
    "MonitorFiring",
    "MonitorResolved",
    "NoRollbackTarget",
    "RollbackLimitReached",
    "RollbacksFrozen",
    "RolledBack",
    "RollingBack",
]
RecoveryReason = _OwnReason | DiagnosisVerdict

_RECOVERING = ("ModelDeployment/Recovering",)
_STALLED = ("ModelDeployment/RecoveryStalled",)
_WANTED = ("ModelDeployment/Progressing", "ModelDeployment/Ready")
_DEPLOYMENT = ("ModelDeployment",)

RECOVERY: Mapping[RecoveryReason, Reason] = {
    "ActionsSuppressed": Reason(
        "`spec.dryRun` is true, and monitors would have caused what the message says.",
        "Create the ModelAction if it is right, or set `spec.dryRun` to false.",
        conditions=("ModelDeployment/DryRun",),
    ),
    "AutomaticRollback": Reason(
        "A monitor, or the failures of its servers, rolled back the version that served; the last good one takes its"
        " place.",
        "Find out by the message why the version failed, before the next one is trained the same way.",
        warning=_DEPLOYMENT,
    ),
    "AwaitingWindow": Reason(
        "A monitor of action `Rollback` fires, and its window still holds answers of other pods of the same version.",
        "Wait until the time in the message, when the monitor decides, or create a `Rollback` action.",
        conditions=_RECOVERING,
    ),
    "ConceptDrift": Reason(
        "Quality fell, and the version before is no better: the data has changed, not the model.",
        "Wait for the automatic run; if it does not start, read `status.waiting` of the TrainingJob.",
        warning=_DEPLOYMENT,
    ),
    "Diagnosing": Reason(
        "A monitor fires, and a run evaluates the live version and a good one that served before on the same rows.",
        "Wait for the run: `kubectl get tr`; a `Rollback` action can be created meanwhile.",
        conditions=_RECOVERING,
    ),
    "DiagnosisStarted": Reason(
        "A monitor fires, and a run that finds out whether the model or the data is to blame has started.",
        NOTHING,
        normal=_DEPLOYMENT,
    ),
    "DryRun": Reason(
        "`spec.dryRun` is true, and monitors would have caused what the message says.",
        "Create the ModelAction if it is right, or set `spec.dryRun` to false.",
        normal=_DEPLOYMENT,
    ),
    "Inconclusive": Reason(
        "Quality fell, and the evaluation could not tell whether the model or the data is to blame.",
        "Read the message for what is missing; roll back or retrain by a ModelAction if it cannot wait.",
        conditions=_STALLED,
        warning=_DEPLOYMENT,
    ),
    "ModelWorse": Reason(
        "Quality fell, and the version before is better on the same rows; the live version is rolled back.",
        "Find out what the last training changed: `kubectl describe mv` shows data, code and parameters.",
        warning=_DEPLOYMENT,
    ),
    "MonitorFiring": Reason(
        "A monitor fires: its value is beyond its limit for as long as `for` says.",
        "Read the value in the message; if no automatic action follows, roll back or retrain by a ModelAction.",
        warning=_DEPLOYMENT,
    ),
    "MonitorResolved": Reason("A monitor no longer fires.", NOTHING, normal=_DEPLOYMENT),
    "NoRollbackTarget": Reason(
        "The version that serves is bad, and no good one that served before is left; the message says why.",
        "`Pin` or `Promote` another version, or train one.",
        conditions=(*_STALLED, *_WANTED, "ModelAction/Ready"),
        warning=_DEPLOYMENT,
    ),
    "RollbackLimitReached": Reason(
        "`spec.limits.maxRollbacksPerDay` automatic rollbacks were made within 24 hours, so no more follow.",
        "Find out what those versions have in common (data, server, monitor); a `Rollback` action still works.",
        conditions=("ModelDeployment/RollbacksFrozen",),
    ),
    "RollbacksFrozen": Reason(
        "The limit of automatic rollbacks is reached, so no more follow.",
        "Find out what those versions have in common (data, server, monitor); a `Rollback` action still works.",
        warning=_DEPLOYMENT,
    ),
    "RolledBack": Reason("The traffic goes back to an earlier version.", NOTHING, normal=_DEPLOYMENT),
    "RollingBack": Reason(
        "The version that serves was rolled back; it answers until its replacement is ready.",
        "Wait for the pods of the replacement; the message says which version it is.",
        conditions=(*_RECOVERING, "ModelDeployment/Ready", "ModelAction/Ready"),
    ),
}
