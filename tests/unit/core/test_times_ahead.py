"""Every time in every status is corrected if it lies in the future, and no other."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit.api.base import Definition, Object, ObjectMeta, Planned
from steadfit.api.kinds import DEFINITIONS
from steadfit.api.modelversion import NoteFailure
from steadfit.api.structural import structural
from steadfit.api.trainingrun import TrainingRunStatus
from steadfit.core.runs import attempts
from steadfit.core.times_ahead import SKEW, corrected, is_after
from steadfit.core.versions import quarantine_sync

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
COMPUTED_ANEW = {"nextScheduledAt", "nextRunAt", "until"}
RETRIES = {"nextAttemptAt": timedelta(minutes=10), "retryAt": timedelta(hours=1)}


@dataclass(frozen=True)
class Observed:
    own: Object


def text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def filled(schema: dict[str, Any], at: datetime, name: str = "") -> Any:
    """Return a value with every field, in which every time is `at`; a retry is as much later as it may be."""
    if schema.get("format") == "date-time":
        return text(at + RETRIES.get(name, timedelta()))
    if "properties" in schema:
        return {key: filled(child, at, key) for key, child in schema["properties"].items()}
    if schema.get("type") == "array":
        return [filled(schema["items"], at)]
    if schema.get("type") == "object":
        return {"key": filled(schema["additionalProperties"], at)} if "additionalProperties" in schema else {}
    if "enum" in schema:
        return schema["enum"][0]
    return {"boolean": True, "integer": 1, "number": 1.0}.get(schema.get("type", ""), "other")


def times(value: Any, name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [found for key, child in value.items() for found in times(child, key)]
    if isinstance(value, list):
        return [found for child in value for found in times(child, name)]
    return [(name, value)] if isinstance(value, str) and value[:2] == "20" and value.endswith("Z") else []


def after(definition: Definition, at: datetime, now: datetime = NOW) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the status of a kind with `at` in every field, and the same corrected."""
    model = type(definition.model.model_fields["status"].default)
    status = filled(structural(model), at)
    made = definition.model.model_construct(
        metadata=ObjectMeta(name="flights"), status=model.model_validate(copy.deepcopy(status))
    )
    fixed = corrected(Observed(made), now).own
    return made.status.dump(), fixed.status.dump()  # type: ignore[attr-defined]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_every_time_in_the_future_becomes_now(definition: Definition) -> None:
    before, fixed = after(definition, NOW + YEAR)
    assert times(before)
    assert {at for name, at in times(fixed) if name not in COMPUTED_ANEW} == {text(NOW)}


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
@given(seconds=st.integers(0, 10**8))
def test_a_time_that_has_passed_or_is_within_the_skew_stands(definition: Definition, seconds: int) -> None:
    before, fixed = after(definition, NOW + SKEW - timedelta(seconds=seconds))
    assert fixed == before


@given(st.timedeltas(SKEW + timedelta(seconds=1), YEAR), st.timedeltas(timedelta(), YEAR))
def test_a_time_is_rewritten_once(ahead: timedelta, later: timedelta) -> None:
    ahead, later = timedelta(seconds=int(ahead.total_seconds())), timedelta(seconds=int(later.total_seconds()))
    status = TrainingRunStatus.model_validate({"phase": "Failed", "finishedAt": text(NOW + ahead)})
    run = DEFINITIONS[1].model.model_construct(metadata=ObjectMeta(name="flights"), status=status)
    once = corrected(Observed(run), NOW)
    assert corrected(once, NOW + later).own is once.own


def test_no_retry_is_planned_further_ahead_than_its_field_says() -> None:
    assert TrainingRunStatus.model_fields["next_attempt_at"].metadata == [Planned(attempts.LONGEST_PAUSE)]
    assert NoteFailure.model_fields["retry_at"].metadata == [Planned(quarantine_sync.LONGEST_PAUSE)]


def test_times_of_two_objects_that_are_closer_than_clocks_differ_have_no_order() -> None:
    assert not is_after(NOW + SKEW, NOW)
    assert is_after(NOW + SKEW + timedelta(seconds=1), NOW)
