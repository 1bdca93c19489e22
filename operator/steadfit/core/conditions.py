"""Conditions as kstatus, Flux, Argo CD and `kubectl wait` read them.

`Ready` is always present. `Reconciling` and `Stalled` are present only while true, never both, and never with
`Ready=True`. `Finished` is present once the work of an object has ended, whichever way: one `kubectl wait` returns
then. Every condition has its observedGeneration.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from steadfit.api.base import Condition, ConditionStatus
from steadfit.core.reasons.catalogue import ReasonWord, is_word
from steadfit.core.reasons.condition_types import ConditionType

from .text import cut

READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
FINISHED: Final = "Finished"


@dataclass(frozen=True, slots=True)
class DesiredCondition:
    """A condition without its transition time, which follows from the stored one."""

    type: ConditionType
    status: ConditionStatus
    reason: ReasonWord
    message: str = ""


def ready(reason: ReasonWord, message: str) -> list[DesiredCondition]:
    """Return the conditions of an object whose spec is realised."""
    return [DesiredCondition(READY, "True", reason, message)]


def reconciling(reason: ReasonWord, message: str) -> list[DesiredCondition]:
    """Return the conditions of an object that makes progress by itself."""
    return [DesiredCondition(READY, "False", reason, message), DesiredCondition(RECONCILING, "True", reason, message)]


def stalled(reason: ReasonWord, message: str) -> list[DesiredCondition]:
    """Return the conditions of an object that makes no progress until a person acts."""
    return [DesiredCondition(READY, "False", reason, message), DesiredCondition(STALLED, "True", reason, message)]


def finished(end: list[DesiredCondition]) -> list[DesiredCondition]:
    """Return the conditions of an object whose work has ended for good: `end`, which is ready or stalled."""
    how = next(condition for condition in end if condition.type == READY)
    return [*end, DesiredCondition(FINISHED, "True", how.reason, how.message)]


def reason_of(condition: Condition) -> ReasonWord:
    """Return the reason of a condition that this pass has made.

    Raises
    ------
    ValueError
        If it is not in the catalogue.
    """
    word = condition.reason
    if not is_word(word):
        raise ValueError(f"{condition.type} has the reason {word}, which is not in the catalogue")
    return word


def merge(
    stored: Sequence[Condition], desired: Iterable[DesiredCondition], generation: int, now: datetime
) -> list[Condition]:
    """Return the desired conditions by type; a transition time changes only with the condition's status."""
    before = {condition.type: condition for condition in stored}
    merged = []
    for condition in desired:
        old = before.get(condition.type)
        unchanged = old is not None and old.status == condition.status
        merged.append(
            Condition(
                type=condition.type,
                status=condition.status,
                reason=condition.reason,
                message=cut(condition.message),
                last_transition_time=old.last_transition_time if old and unchanged else now,
                observed_generation=generation,
            )
        )
    return sorted(merged, key=lambda condition: condition.type)
