"""The oracle of reasons catches what is not in the catalogue."""

from __future__ import annotations

from typing import cast

import pytest
from steadfit.core.reasons.catalogue import ReasonWord
from steadfit.core.types import Event

from tests.oracles import reasons, status


def found(type_: str, reason: str) -> list[str]:
    return reasons.violations("TrainingJob", {"conditions": [{"type": type_, "reason": reason}]})


def test_a_condition_of_the_catalogue_passes() -> None:
    assert found("Training", "Cooldown") == []
    assert found("Stalled", "InvalidSchedule") == []
    assert reasons.violations("TrainingJob", {}) == []


@pytest.mark.parametrize(
    ("type_", "reason", "message"),
    [
        ("Training", "Nonsense", "the catalogue has no reason Nonsense of TrainingJob/Training"),
        ("Training", "InvalidSchedule", "the catalogue has no reason InvalidSchedule of TrainingJob/Training"),
        ("Stalled", "Cooldown", "the catalogue has no reason Cooldown of TrainingJob/Ready"),
        ("Serving", "Serving", "the catalogue has no condition Serving of a TrainingJob"),
        ("Nonsense", "Accepted", "the catalogue has no condition Nonsense of a TrainingJob"),
    ],
)
def test_a_condition_that_is_not_in_the_catalogue_is_caught(type_: str, reason: str, message: str) -> None:
    assert found(type_, reason) == [message]


def test_the_oracle_of_a_status_asks_that_of_reasons() -> None:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Nonsense",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    obj = {
        "apiVersion": "steadfit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "a", "uid": "u", "generation": 1},
        "status": {"observedGeneration": 1, "conditions": [ready]},
    }
    assert "the catalogue has no reason Nonsense of TrainingJob/Ready" in status.violations(obj)


def test_an_event_that_is_not_in_the_catalogue_is_caught() -> None:
    assert reasons.event_violations("TrainingJob", Event("Warning", "RunFailed", "x")) == []
    for kind, event in (
        ("TrainingJob", Event("Normal", "RunFailed", "x")),
        ("ModelVersion", Event("Warning", "RunFailed", "x")),
        ("TrainingJob", Event("Warning", cast(ReasonWord, "Nonsense"), "x")),
    ):
        assert reasons.event_violations(kind, event) == [
            f"the catalogue has no {event.type} Event {event.reason} of a {kind}"
        ]
