"""Reasons of a ModelAction: why it was rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .entry import NOTHING, Reason

ActionReason = Literal[
    "ActionRejected",
    "AlreadyPromoted",
    "AlreadyServing",
    "CandidateReplaced",
    "Expired",
    "NoAnalysis",
    "NoCandidate",
    "NoRunInFlight",
    "NotPinned",
    "RefreshFailed",
    "RefreshStopped",
    "RefreshSuperseded",
    "RollbackEnded",
    "RunEnded",
    "TargetNotFound",
    "TooManyAbandoned",
    "TooManyReleased",
    "UnknownVerb",
    "VersionReplaced",
    "VersionRequired",
]

_REJECTED = ("ModelAction/Ready",)

ACTIONS: Mapping[ActionReason, Reason] = {
    "ActionRejected": Reason(
        "A ModelAction was rejected, and nothing has changed.",
        "Read the message, and create a ModelAction that fits.",
        conditions=_REJECTED,
        warning=("ModelAction", "ModelDeployment"),
    ),
    "AlreadyPromoted": Reason("The candidate is promoted already.", "Wait for its pods.", conditions=_REJECTED),
    "AlreadyServing": Reason("The version serves already.", "Name another version.", conditions=_REJECTED),
    "CandidateReplaced": Reason(
        "The candidate was chosen after the action was created, which was about an earlier one.",
        "Look at the candidate that the message names; create another action if it applies to that one too.",
        conditions=_REJECTED,
    ),
    "Expired": Reason(
        "The action is not new: it was restored, copied or created again, or its `spec.requestedAt` is old.",
        "Nothing to do after a restore; to request the same again, create an action with another name.",
        conditions=_REJECTED,
    ),
    "NoAnalysis": Reason(
        "The candidate is not analysed: it takes the traffic as soon as its pods are ready.",
        "Wait for its pods.",
        conditions=_REJECTED,
    ),
    "NoCandidate": Reason(
        "No version is being rolled out, so there is nothing to promote or abort.",
        "To promote a version name it in `spec.version`.",
        conditions=_REJECTED,
    ),
    "NoRunInFlight": Reason("No run of the TrainingJob is in flight.", NOTHING, conditions=_REJECTED),
    "NotPinned": Reason(
        "No `Pin` action is in force.", "Remove `spec.pin` to end a pin of the spec.", conditions=_REJECTED
    ),
    "RefreshFailed": Reason(
        "The live version keeps the pods that it has: with the pod template of the installed operator it was rolled"
        " back or abandoned.",
        "Read the message; correct the cause, then create another `Refresh` action.",
        conditions=_REJECTED,
    ),
    "RefreshStopped": Reason(
        "A `Refresh` with a selector ended at a ModelDeployment that failed, was rolled back, or was not live with the"
        " new pods within `pace.memberDeadline`. Those whose turn had not come keep the pods that they have.",
        "Look at the ModelDeployment that the message names; correct the cause, then create another `Refresh`. It"
        " leaves those that are up to date alone.",
        conditions=_REJECTED,
    ),
    "RefreshSuperseded": Reason(
        "Another rollout ended the `Refresh` before the live version had its new pods.",
        "Nothing to do if a newer version serves: it has the new pods. Otherwise create another `Refresh` action.",
        conditions=_REJECTED,
    ),
    "RollbackEnded": Reason(
        "The version that was rolled back was released before another one had replaced it, so it continues to serve.",
        "`Rollback` again if it should not serve.",
        conditions=_REJECTED,
    ),
    "RunEnded": Reason(
        "The run had ended before it could be cancelled: by its result, by a failure, or by a change of the recipe.",
        "Look at its version by `kubectl get mv`; `Rollback` or `Pin` if it should not serve.",
        conditions=_REJECTED,
    ),
    "TargetNotFound": Reason(
        "The target of the action does not exist in this namespace.", "Correct `spec.target`.", conditions=_REJECTED
    ),
    "TooManyAbandoned": Reason(
        "No version serves, and sixteen candidates are abandoned already: another one would make the oldest return.",
        "`Quarantine` the candidate, or `Promote` one of the versions.",
        conditions=_REJECTED,
    ),
    "TooManyReleased": Reason(
        "The notes of sixteen released versions are not deleted from the store yet.",
        "Read the condition `QuarantineStored` of these ModelVersions, correct the store, and `Release` again.",
        conditions=_REJECTED,
    ),
    "UnknownVerb": Reason(
        "The target has no such verb.",
        "Choose a verb of [the table of verbs](../verbs.md).",
        conditions=_REJECTED,
    ),
    "VersionReplaced": Reason(
        "The version that serves took over after the action was created, which was about an earlier one.",
        "Look at the version that the message names; create another `Rollback` if it is bad too.",
        conditions=_REJECTED,
    ),
    "VersionRequired": Reason(
        "The action needs a version.", "Name the version in `spec.version`.", conditions=_REJECTED
    ),
}
