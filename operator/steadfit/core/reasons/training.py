"""Reasons of a TrainingJob: whether its recipe can be followed, and why a run starts or waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from steadfit.api.trainingjob import WaitReason

from .entry import NOTHING, Reason

_OwnReason = Literal[
    "CertificateNotTrusted",
    "CertificateTrusted",
    "Idle",
    "InputsTooLarge",
    "InvalidParams",
    "InvalidSchedule",
    "NoRun",
    "RetrainingPaused",
    "RetrainingWaiting",
    "RunCancelled",
    "RunFailed",
    "RunSkipped",
    "RunStarted",
    "RunStarting",
    "RunSucceeded",
    "RunSuperseded",
    "Trained",
    "VersionHeld",
    "VersionRejected",
]
# A recipe that is suspended has the general reason.
TrainingReason = _OwnReason | WaitReason

_READY = ("TrainingJob/Ready",)
_TRAINING = ("TrainingJob/Training",)
_JOB = ("TrainingJob",)
_BOTH = ("TrainingJob", "TrainingRun")

TRAINING: Mapping[TrainingReason, Reason] = {
    "CertificateNotTrusted": Reason(
        "Clients refuse the certificate of the operator's endpoint, and no alert has arrived for five minutes.",
        "Give Alertmanager the present CA certificate: `STEADFIT_CA_NAMESPACES` publishes it, or copy it again.",
        conditions=("TrainingJob/AlertsReachable",),
    ),
    "CertificateTrusted": Reason(
        "No client refuses the certificate of the operator's endpoint, or no trigger waits for an alert.",
        NOTHING,
        conditions=("TrainingJob/AlertsReachable",),
    ),
    "ChampionNotComparable": Reason(
        "What serves is no version of this TrainingJob that exists, as after a change of `spec.trainingJobRef`: the"
        " result of a run could not be compared with it and would be held, so alerts and monitors start none.",
        "`Promote` a version of this TrainingJob on the ModelDeployment in the message; a `Retrain` action, a change of"
        " the recipe or a schedule trains one.",
        conditions=_TRAINING,
    ),
    "CircuitBreakerOpen": Reason(
        "So many automatic runs in a row produced no better version that the pause between them grows"
        " (`spec.limits.breakAfter`).",
        "Look at the data and the recipe, compare the last versions with `kubectl get mv`; a `Retrain` action starts a"
        " run now.",
        conditions=(*_TRAINING, "TrainingJob/RetrainingPaused"),
    ),
    "Cooldown": Reason(
        "`spec.limits.cooldown` has not passed yet since the last run ended or its version went live.",
        "Wait until the time in the message, or create a `Retrain` action, which has no cooldown.",
        conditions=_TRAINING,
    ),
    "DataUnchanged": Reason(
        "The last run found nothing new to learn from, so alerts and monitors start none for 24 hours.",
        "Wait for new data; a change of the recipe, a schedule or a `Retrain` action starts a run now.",
        conditions=_TRAINING,
    ),
    "Idle": Reason("No run is in flight, and nothing requests one.", NOTHING, conditions=_TRAINING),
    "InputsTooLarge": Reason(
        "The inputs of the recipe are larger than what a run's pod can be given.",
        "Move long parameters into a file of the image or into the data.",
        conditions=_READY,
        warning=_JOB,
    ),
    "InvalidParams": Reason(
        "A parameter in `spec.params` is not a string, a number or a boolean.",
        "Correct the parameter that the message names.",
        conditions=_READY,
        warning=_JOB,
    ),
    "InvalidSchedule": Reason(
        "A cron expression or time zone of a trigger cannot be read.",
        "Correct the trigger that the message names.",
        conditions=_READY,
        warning=_JOB,
    ),
    "LevelUnreachable": Reason(
        "A monitor of quality still fires after the run that it started, and by the gate's score on the holdout no run"
        " of this recipe reaches its level, so it requests no further run.",
        "Change the level of the monitor, the recipe or the data; a `Retrain` action trains once.",
        conditions=_TRAINING,
    ),
    "NoRun": Reason("No run has ended yet.", NOTHING, conditions=("TrainingJob/LastRunSucceeded",)),
    "NotReady": Reason(
        "A run is due and the recipe cannot be followed.",
        "Fix what the condition `Ready` names.",
        conditions=_TRAINING,
    ),
    "RetrainingPaused": Reason(
        "The circuit breaker has opened: automatic runs produced no better version.",
        "Look at the data and the recipe, compare the last versions with `kubectl get mv`; a `Retrain` action starts a"
        " run now.",
        warning=_JOB,
    ),
    "RetrainingWaiting": Reason(
        "An alert or a monitor requests a run, which cannot start yet.",
        "Read the message, and `status.waiting` for the time until which it waits.",
        normal=_JOB,
    ),
    "RolloutInProgress": Reason(
        "The newest version is not judged yet, or a ModelDeployment still rolls it out.",
        "Wait for the rollout; a `Promote` or `Abort` action ends one that takes too long.",
        conditions=(*_TRAINING, "ModelAction/Ready"),
    ),
    "RunCancelled": Reason(
        "A run was ended by a `Cancel` action, its TrainingRun was deleted, or its TrainingJob does not exist any"
        " more.",
        "A `Retrain` action starts another.",
        normal=_BOTH,
    ),
    "RunFailed": Reason(
        "A run has failed for good; the message begins with its failure class.",
        "Read the class and the message by `kubectl get tr`, fix the cause, then create a `Retrain` action.",
        warning=_BOTH,
    ),
    "RunInFlight": Reason("A run is in flight.", NOTHING, conditions=(*_READY, *_TRAINING)),
    "RunLimitReached": Reason(
        "`spec.limits.maxRunsPerDay` automatic runs have started within 24 hours.",
        "Wait until the time in the message, raise the limit, or create a `Retrain` action, which has no limit.",
        conditions=_TRAINING,
    ),
    "RunSkipped": Reason(
        "A run ended after `fetch`, because a version was trained from the same recipe and data.",
        "Nothing to do; a `Retrain` action trains all the same.",
        normal=_BOTH,
    ),
    "RunStarted": Reason("A run has started; the message names its cause.", NOTHING, normal=_JOB),
    "RunStarting": Reason(
        "The TrainingRun is being created, or the API server refuses it.",
        "If the message names a refusal, correct its cause, or create a `Cancel` action.",
        conditions=_TRAINING,
    ),
    "RunSucceeded": Reason("A run has ended with a version or with an evaluation.", NOTHING, normal=_BOTH),
    "RunSuperseded": Reason(
        "The recipe changed before the run had a result, so the run was ended; the next run follows the new recipe.",
        NOTHING,
        normal=_BOTH,
    ),
    "Trained": Reason("The newest run produced a version, and no run is in flight.", NOTHING, conditions=_READY),
    "VersionHeld": Reason(
        "The gate could not compare the version, so it is not rolled out automatically.",
        "Look at its record by `kubectl describe mv`, then `Promote` or `Pin` it, or train another.",
        conditions=_READY,
        warning=_JOB,
    ),
    "VersionRejected": Reason(
        "The gate rejected the version: it is worse than a threshold, or than the version that serves.",
        "Compare the metrics in the message with those of the version that serves; look at the data or the recipe.",
        conditions=_READY,
        warning=_JOB,
    ),
}
