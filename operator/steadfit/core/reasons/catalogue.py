"""All reasons in one table, and the type of their words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from .actions import ACTIONS, ActionReason
from .entry import Reason
from .general import GENERAL, GeneralReason
from .metrics import METRICS, MetricsReason
from .recovery import RECOVERY, RecoveryReason
from .rollout import ROLLOUT, RolloutReason
from .runs import RUNS, RunReason
from .serving import SERVING, ServingReason
from .training import TRAINING, TrainingReason
from .versions import VERSIONS, VersionReason

ReasonWord = (
    ActionReason
    | GeneralReason
    | MetricsReason
    | RecoveryReason
    | RolloutReason
    | RunReason
    | ServingReason
    | TrainingReason
    | VersionReason
)
"""Every word that may be the reason of a condition or of an Event."""

SECTIONS: Mapping[str, Mapping[Any, Reason]] = {
    "Shared by several kinds": GENERAL,
    "Training: when a run starts": TRAINING,
    "Runs": RUNS,
    "Versions": VERSIONS,
    "Serving": SERVING,
    "Rollouts": ROLLOUT,
    "Monitors and recovery": RECOVERY,
    "Metrics": METRICS,
    "Actions": ACTIONS,
}

CATALOGUE: Mapping[str, Reason] = {word: reason for section in SECTIONS.values() for word, reason in section.items()}


def is_word(word: str) -> TypeGuard[ReasonWord]:
    """Return whether this version of the operator has a word as a reason."""
    return word in CATALOGUE


def is_reason(word: str, place: str) -> TypeGuard[ReasonWord]:
    """Return whether this version of the operator has a word as reason of a condition; `place` is Kind/Type."""
    return word in CATALOGUE and place in CATALOGUE[word].conditions
