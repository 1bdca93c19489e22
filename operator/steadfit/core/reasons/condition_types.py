"""Every type of condition that the operator writes, by kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .general import KINDS

ConditionType = Literal[
    "AlertsReachable",
    "ConnectionDraining",
    "DryRun",
    "Finished",
    "LastRunSucceeded",
    "MetricsAvailable",
    "Overridden",
    "PodTemplatesStored",
    "PodsReady",
    "Progressing",
    "QuarantineStored",
    "Ready",
    "Reconciling",
    "Recovering",
    "RecoveryStalled",
    "RetrainingPaused",
    "RollbacksFrozen",
    "RouteReady",
    "Serving",
    "Stalled",
    "Training",
    "UpToDate",
]


@dataclass(frozen=True, slots=True)
class TypeOfCondition:
    """A type of condition.

    Attributes
    ----------
    kinds
        The kinds that have it.
    meaning
        What it says, in one sentence.
    always
        Whether it is there from the first pass on. Every other type is there only while it is `True`.
    """

    kinds: tuple[str, ...]
    meaning: str
    always: bool


_DEPLOYMENT = ("ModelDeployment",)
_JOB = ("TrainingJob",)

CONDITION_TYPES: Mapping[ConditionType, TypeOfCondition] = {
    "AlertsReachable": TypeOfCondition(
        _JOB,
        "`False`: senders refuse the operator's certificate, and no alert arrives for the triggers.",
        always=True,
    ),
    "ConnectionDraining": TypeOfCondition(
        _DEPLOYMENT, "`False`: clients may stay connected to pods that the traffic has left.", always=True
    ),
    "DryRun": TypeOfCondition(
        _DEPLOYMENT, "`True`: what monitors would have caused without `spec.dryRun`.", always=False
    ),
    "Finished": TypeOfCondition(
        ("ModelAction", "TrainingRun"),
        "`True`: the work has ended, by success (`Ready`) or not (`Stalled`); for `kubectl wait`.",
        always=False,
    ),
    "LastRunSucceeded": TypeOfCondition(
        _JOB, "How the newest run ended; `Unknown` when none has, or when it was superseded or cancelled.", always=True
    ),
    "MetricsAvailable": TypeOfCondition(
        _DEPLOYMENT, "Whether everything that the operator measures has data.", always=True
    ),
    "Overridden": TypeOfCondition(
        _DEPLOYMENT, "`True`: a `Pin` action, and by whom, or `spec.pin` decides what serves.", always=False
    ),
    "PodTemplatesStored": TypeOfCondition(
        _DEPLOYMENT,
        "Whether each revision in use has a ControllerRevision, so that its pod template outlives its Deployment.",
        always=True,
    ),
    "PodsReady": TypeOfCondition(_DEPLOYMENT, "Whether all pods of the live version are ready.", always=True),
    "Progressing": TypeOfCondition(
        _DEPLOYMENT,
        "`True`: what is rolled out and what it waits for, or that the newest version is live. `False`: why it is not.",
        always=True,
    ),
    "QuarantineStored": TypeOfCondition(
        ("ModelVersion",),
        "`False`: the store does not have the note of the quarantine, or still has it.",
        always=True,
    ),
    "Ready": TypeOfCondition(KINDS, "Whether the present spec is accepted and kept.", always=True),
    "Reconciling": TypeOfCondition(KINDS, "`True`: the operator works on it; `Ready` is `False`.", always=False),
    "Recovering": TypeOfCondition(
        _DEPLOYMENT, "`True`: an automatic rollback or a diagnosis is in progress.", always=False
    ),
    "RecoveryStalled": TypeOfCondition(
        _DEPLOYMENT, "`True`: a monitor asks for a recovery that needs a person.", always=False
    ),
    "RetrainingPaused": TypeOfCondition(_JOB, "`True`: the circuit breaker delays automatic runs.", always=False),
    "RollbacksFrozen": TypeOfCondition(
        _DEPLOYMENT, "`True`: no more automatic rollbacks are made for now.", always=False
    ),
    "RouteReady": TypeOfCondition(
        _DEPLOYMENT,
        "Whether every Gateway of `spec.traffic.gatewayAPI` accepts the HTTPRoute; `True` without one.",
        always=True,
    ),
    "Serving": TypeOfCondition(_DEPLOYMENT, "Which version answers requests.", always=True),
    "Stalled": TypeOfCondition(KINDS, "`True`: a person is needed; `Ready` is `False`.", always=False),
    "Training": TypeOfCondition(_JOB, "Whether a run is in flight, and what the next one waits for.", always=True),
    "UpToDate": TypeOfCondition(
        _DEPLOYMENT,
        "Whether the pods of the live version are those that the installed operator and the spec ask for; `Unknown`"
        " while no version is live, or its pods cannot be rendered.",
        always=True,
    ),
}
