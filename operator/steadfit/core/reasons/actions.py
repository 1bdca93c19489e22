"""Reasons of a ModelAction: why it was rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .entry import Reason

ActionReason = Literal[
    "ActionRejected",
    "AlreadyServes",
    "CandidateQuarantined",
    "InQuarantine",
    "NoCandidate",
    "NoLastGood",
    "NoVerdictAwaited",
    "NotPinned",
    "TargetNotFound",
    "UnderWay",
    "UnknownVerb",
    "VersionMissing",
]

REJECTED = ("ModelAction/Ready",)

ACTIONS: Mapping[ActionReason, Reason] = {
    "ActionRejected": Reason(
        "A ModelAction was rejected, and nothing has changed.",
        "Read the message, and create a ModelAction that fits.",
        REJECTED,
        warning=("ModelAction", "ModelDeployment"),
    ),
    "AlreadyServes": Reason("The version that the action names serves already.", "Name another version.", REJECTED),
    "CandidateQuarantined": Reason("The candidate is in quarantine.", "`Release` it first.", REJECTED),
    "InQuarantine": Reason("The version is in quarantine already.", "Nothing to do.", REJECTED),
    "NoCandidate": Reason(
        "No version is being rolled out, so there is nothing to promote or abort.", "Name a version.", REJECTED
    ),
    "NoLastGood": Reason(
        "No good version that served before is left to go back to.",
        "Name a version to serve.",
        REJECTED,
    ),
    "NoVerdictAwaited": Reason(
        "The candidate is not analysed: it takes the traffic as soon as its pods are ready.",
        "Wait for its pods.",
        REJECTED,
    ),
    "NotPinned": Reason("No `Pin` action is in force.", "To end a pin of the spec remove `spec.pin`.", REJECTED),
    "TargetNotFound": Reason(
        "The object that the action is aimed at does not exist in this namespace.",
        "Correct `spec.target`.",
        REJECTED,
    ),
    "UnderWay": Reason("What the action asks for is being done already.", "Wait for it.", REJECTED),
    "UnknownVerb": Reason("The object has no such verb.", "See the table of verbs.", REJECTED),
    "VersionMissing": Reason("The action needs a version.", "Name the version to serve.", REJECTED),
}
