"""A ModelAction shows what its target made of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core import names
from steadfit.core.plans.model_action import plan
from steadfit.core.types import Delete, ObservedModelAction

from tests.unit.core.serving.serving_cluster import START, ServingCluster

NOW = datetime(2026, 2, 1, tzinfo=UTC)


def action(number: int = 1, **status: Any) -> ModelAction:
    return ModelAction.model_validate(
        {
            "metadata": {
                "name": f"action-{number}",
                "namespace": "shop",
                "uid": f"uid-{number}",
                "generation": 1,
                "annotations": {names.ACCEPTED_ANNOTATION: f"uid-{number}"},
                "creationTimestamp": (START + timedelta(minutes=number)).isoformat(),
            },
            "spec": {
                "verb": "Rollback",
                "target": {"kind": "ModelDeployment", "name": "flights"},
                "reason": "worse",
                "requestedBy": "alice",
            },
            "status": status,
        }
    )


def target(**record: Any) -> ModelDeployment:
    raw = ServingCluster().deployment
    if record:
        raw["status"]["actions"] = [
            {
                "uid": "uid-1",
                "name": "action-1",
                "verb": "Rollback",
                "requestedBy": "alice",
                "at": "2026-01-15T00:00:00Z",
                **record,
            }
        ]
    return ModelDeployment.model_validate(raw)


def condition(status: dict[str, Any], kind: str) -> tuple[str, str] | None:
    found = [item for item in status["conditions"] if item["type"] == kind]
    return (found[0]["status"], found[0]["reason"]) if found else None


@pytest.mark.parametrize(
    ("phase", "reason", "finished"),
    [
        ("Pending", None, None),
        ("Succeeded", None, ("True", "Succeeded")),
        ("Rejected", "NoCandidate", ("True", "NoCandidate")),
    ],
)
def test_one_wait_returns_whether_an_action_was_executed_or_rejected(
    phase: str, reason: str | None, finished: tuple[str, str] | None
) -> None:
    observed = ObservedModelAction(action(), target(phase=phase, message="", reason=reason), [])
    assert condition(plan(observed, NOW).status, "Finished") == finished


def test_an_action_waits_for_its_target() -> None:
    status = plan(ObservedModelAction(action(), target(), []), NOW).status
    assert (status["phase"], status["message"]) == ("Pending", "waits for ModelDeployment flights")
    assert "completedAt" not in status
    assert condition(status, "Reconciling") == ("True", "Pending")


def test_an_action_shows_its_targets_record_while_it_is_under_way() -> None:
    observed = ObservedModelAction(action(), target(phase="Pending", message="rolling back to version 1"), [])
    status = plan(observed, NOW).status
    assert (status["phase"], status["message"]) == ("Pending", "rolling back to version 1")
    assert "completedAt" not in status


def test_an_action_has_succeeded_when_its_target_says_so() -> None:
    observed = ObservedModelAction(action(), target(phase="Succeeded", message="version 1 serves"), [])
    status = plan(observed, NOW).status
    assert (status["phase"], status["message"]) == ("Succeeded", "version 1 serves")
    assert status["completedAt"] == "2026-01-15T00:00:00Z"
    assert condition(status, "Ready") == ("True", "Succeeded")


def test_a_refused_action_says_why_and_tells_it_once() -> None:
    observed = ObservedModelAction(
        action(), target(phase="Rejected", reason="NoRollbackTarget", message="nothing to roll back"), []
    )
    first = plan(observed, NOW)
    assert (first.status["phase"], first.status["message"]) == ("Rejected", "nothing to roll back")
    assert condition(first.status, "Stalled") == ("True", "NoRollbackTarget")
    assert [event.message for event in first.events] == ["nothing to roll back"]
    again = plan(ObservedModelAction(action(1, **first.status), target(), []), NOW)
    assert again.events == ()
    assert again.status == first.status


def test_an_action_on_nothing_is_refused() -> None:
    status = plan(ObservedModelAction(action(), None, []), NOW).status
    assert (status["phase"], status["message"]) == (
        "Rejected",
        "there is no ModelDeployment flights in this namespace",
    )
    assert condition(status, "Stalled") == ("True", "TargetNotFound")
    assert status["completedAt"] == "2026-02-01T00:00:00Z"


def test_a_rejection_whose_reason_this_operator_does_not_know_is_shown_without_it() -> None:
    for reason in ({}, {"reason": "OfAnotherOperator"}, {"reason": "Rejected"}):
        found = target(phase="Rejected", message="no", **reason)
        status = plan(ObservedModelAction(action(), found, []), NOW).status
        assert condition(status, "Stalled") == ("True", "ActionRejected")


def test_an_action_that_an_older_operator_rejected_shows_a_reason_of_this_one() -> None:
    rejected = plan(ObservedModelAction(action(), target(phase="Rejected", message="no"), []), NOW).status
    old = [{**one, "reason": "Rejected"} for one in rejected["conditions"]]
    status = plan(ObservedModelAction(action(1, **{**rejected, "conditions": old}), None, []), NOW).status
    assert (status["phase"], status["message"]) == ("Rejected", "no")
    assert condition(status, "Stalled") == ("True", "ActionRejected")


def test_what_is_completed_stays_so_when_the_target_or_its_record_is_gone() -> None:
    done = plan(ObservedModelAction(action(), target(phase="Succeeded", message="done"), []), NOW).status
    for found in (None, target()):
        assert plan(ObservedModelAction(action(1, **done), found, []), NOW + timedelta(days=1)).status == done


def test_completed_actions_beyond_the_newest_20_of_a_target_are_deleted_oldest_first() -> None:
    done = {"phase": "Succeeded", "message": "done", "completedAt": "2026-01-15T00:00:00Z"}
    siblings = [action(number, **done) for number in range(2, 23)]
    plans = plan(ObservedModelAction(action(1, **done), target(), siblings), NOW)
    assert all(isinstance(item, Delete) for item in plans.actions)
    assert [item.manifest["metadata"] for item in plans.actions] == [
        {"name": "action-1", "namespace": "shop", "uid": "uid-1"},
        {"name": "action-2", "namespace": "shop", "uid": "uid-2"},
    ]


def test_actions_that_are_not_completed_are_never_deleted() -> None:
    siblings = [action(number) for number in range(2, 40)]
    assert plan(ObservedModelAction(action(), target(), siblings), NOW).actions == ()


def test_planning_again_gives_the_same_status() -> None:
    first = plan(ObservedModelAction(action(), target(phase="Pending", message="m"), []), NOW).status
    later = plan(
        ObservedModelAction(action(1, **first), target(phase="Pending", message="m"), []), NOW + timedelta(hours=1)
    )
    assert later.status == first
