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
    "PodsReady",
    "Progressing",
    "QuarantineStored",
    "Ready",
    "Reconciling",
    "Recovering",
    "RetrainingPaused",
    "RollbacksFrozen",
    "RouteReady",
    "Serving",
    "Stalled",
    "TemplatesFrozen",
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
    present
        When it is there.
    """

    kinds: tuple[str, ...]
    meaning: str
    present: str


_DEPLOYMENT = ("ModelDeployment",)
_JOB = ("TrainingJob",)

CONDITION_TYPES: Mapping[ConditionType, TypeOfCondition] = {
    "AlertsReachable": TypeOfCondition(
        _JOB,
        "`False`: senders refuse the operator's certificate, and no alert arrives for the triggers.",
        "while it is `False`",
    ),
    "ConnectionDraining": TypeOfCondition(
        _DEPLOYMENT,
        "`False`: clients may stay connected to pods that the traffic has left.",
        "while it is `False`",
    ),
    "DryRun": TypeOfCondition(
        _DEPLOYMENT, "`True`: what monitors would have caused without `spec.dryRun`.", "while monitors fire"
    ),
    "Finished": TypeOfCondition(
        ("ModelAction", "TrainingRun"),
        "`True`: the work has ended, by success (`Ready`) or not (`Stalled`); for `kubectl wait`.",
        "while it is `True`",
    ),
    "LastRunSucceeded": TypeOfCondition(
        _JOB, "How the newest run ended; `Unknown` when it was superseded.", "after the first run"
    ),
    "MetricsAvailable": TypeOfCondition(
        _DEPLOYMENT, "Whether everything that the operator measures has data.", "while something is measured"
    ),
    "Overridden": TypeOfCondition(_DEPLOYMENT, "`True`: who pinned a version.", "while a `Pin` action is in force"),
    "PodsReady": TypeOfCondition(
        _DEPLOYMENT, "Whether all pods of the live version are ready.", "while a version is live"
    ),
    "Progressing": TypeOfCondition(
        _DEPLOYMENT,
        "`True`: what is rolled out, and what it waits for. `False`: why nothing newer is.",
        "while a rollout is in progress or prevented",
    ),
    "QuarantineStored": TypeOfCondition(
        ("ModelVersion",),
        "`False`: the store does not have the note of the quarantine, or still has it.",
        "while it is `False`",
    ),
    "Ready": TypeOfCondition(KINDS, "Whether the present spec is accepted and kept.", "always"),
    "Reconciling": TypeOfCondition(
        KINDS, "`True`: the operator works on it; `Ready` is `False`.", "while it is `True`"
    ),
    "Recovering": TypeOfCondition(
        _DEPLOYMENT,
        "`True`: a rollback or a diagnosis is in progress. `False`: it is needed and not possible.",
        "while a monitor asks for it",
    ),
    "RetrainingPaused": TypeOfCondition(
        _JOB, "`True`: the circuit breaker delays automatic runs.", "while it is `True`"
    ),
    "RollbacksFrozen": TypeOfCondition(
        _DEPLOYMENT, "`True`: no more automatic rollbacks are made for now.", "while it is `True`"
    ),
    "RouteReady": TypeOfCondition(
        _DEPLOYMENT, "Whether every Gateway accepts the HTTPRoute.", "with `spec.traffic.gatewayAPI`"
    ),
    "Serving": TypeOfCondition(_DEPLOYMENT, "Which version answers requests.", "always"),
    "Stalled": TypeOfCondition(KINDS, "`True`: a person is needed; `Ready` is `False`.", "while it is `True`"),
    "TemplatesFrozen": TypeOfCondition(
        _DEPLOYMENT,
        "`False`: the API server refuses the ControllerRevision of a revision in use.",
        "while it does",
    ),
    "Training": TypeOfCondition(_JOB, "Whether a run is in flight, and what the next one waits for.", "always"),
    "UpToDate": TypeOfCondition(
        _DEPLOYMENT,
        "Whether the pods of the live version are those that the installed operator and the spec ask for.",
        "while a version is live",
    ),
}
