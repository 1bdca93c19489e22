"""Reasons that several kinds share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .entry import NOTHING, Reason

GeneralReason = Literal[
    "Accepted",
    "AwaitingFirstModel",
    "InvalidObject",
    "Pending",
    "StoreNotUsable",
    "Succeeded",
    "Superseded",
    "Suspended",
    "WriteRefused",
]

KINDS = (
    "ArtifactStore",
    "MetricSource",
    "ModelAction",
    "ModelDeployment",
    "ModelVersion",
    "TrainingJob",
    "TrainingRun",
)

GENERAL: Mapping[GeneralReason, Reason] = {
    "Accepted": Reason(
        "The spec is valid; there is no result yet.",
        NOTHING,
        conditions=(
            "ArtifactStore/Ready",
            "ModelDeployment/Progressing",
            "ModelDeployment/Ready",
            "TrainingJob/Ready",
        ),
    ),
    "AwaitingFirstModel": Reason(
        "No version is verified yet, and `spec.readyPolicy` is `FirstModel`.",
        "Wait for the first run; `kubectl get tr,mv` shows how far it is, or what rejected its version.",
        conditions=("ModelDeployment/Progressing", "ModelDeployment/Ready", "TrainingJob/Ready"),
    ),
    "InvalidObject": Reason(
        "The stored object does not have the form that this version of the operator reads.",
        "Read the message for the field; correct the object, and compare the versions of CRDs and operator.",
        warning=KINDS,
    ),
    "Pending": Reason(
        "The object is accepted and its work has not begun.",
        "If it lasts longer than a minute, read the message: it names what is missing.",
        conditions=("ModelAction/Ready", "TrainingRun/Ready"),
    ),
    "StoreNotUsable": Reason(
        "An ArtifactStore that is needed does not exist, or is not allowed in this namespace.",
        "Create the ArtifactStore, correct the reference, or let its `allowedNamespaces` select this namespace.",
        conditions=(
            "ModelAction/Ready",
            "ModelDeployment/Progressing",
            "ModelDeployment/Ready",
            "ModelDeployment/UpToDate",
            "ModelVersion/QuarantineStored",
            "TrainingJob/Ready",
        ),
        warning=("ModelDeployment", "TrainingJob"),
    ),
    "Succeeded": Reason(
        "The work is done.",
        NOTHING,
        conditions=("ModelAction/Ready", "TrainingJob/LastRunSucceeded", "TrainingRun/Ready"),
    ),
    "Superseded": Reason(
        "The recipe changed before the run had a result, so the run was ended; the next run follows the new recipe.",
        NOTHING,
        conditions=("TrainingJob/LastRunSucceeded", "TrainingRun/Ready"),
    ),
    "Suspended": Reason(
        "`spec.suspend` is true, so no run starts.",
        "Set `spec.suspend` to false to train again.",
        conditions=("TrainingJob/Ready", "TrainingJob/Training"),
    ),
    "WriteRefused": Reason(
        "The API server refuses what the operator writes for this object, or another object has the name.",
        "Read the message: grant the right, correct the field, or delete the object that has the name.",
        warning=KINDS,
    ),
}
