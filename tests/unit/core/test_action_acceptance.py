"""Whether an action is new: over any order of restores, no copy of an accepted action is executed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit.api.modelaction import ModelAction
from steadfit.api.run import Cause
from steadfit.api.trainingjob import TrainingJob
from steadfit.core import action_acceptance, names

from tests.unit.core.training.builders import SPEC

NOW = datetime(2026, 2, 1, tzinfo=UTC)


def action(uid: str = "uid-9", name: str = "again", requested: datetime | None = None, **metadata: Any) -> ModelAction:
    spec = {
        "verb": "Retrain",
        "target": {"kind": "TrainingJob", "name": "orders"},
        "reason": "the labels were corrected",
        "requestedBy": "ada",
        **({"requestedAt": requested.isoformat()} if requested else {}),
    }
    own = {"name": name, "namespace": "shop", "uid": uid, "creationTimestamp": NOW.isoformat(), **metadata}
    return ModelAction.model_validate({"metadata": own, "spec": spec})


def job(since: datetime = NOW - timedelta(days=1), records: list[dict[str, Any]] | None = None) -> TrainingJob:
    metadata = {"name": "orders", "namespace": "shop", "uid": "uid-1", "creationTimestamp": since.isoformat()}
    return TrainingJob.model_validate({"metadata": metadata, "spec": SPEC, "status": {"actions": records or []}})


def record(name: str, uid: str, at: datetime) -> dict[str, Any]:
    told = {"verb": "Retrain", "requestedBy": "ada", "phase": "Succeeded", "message": "run r was started"}
    return {"name": name, "uid": uid, "at": at.isoformat(), **told}


def why(found: ModelAction, target: TrainingJob, *causes: Cause) -> str | None:
    return action_acceptance.expired(found, target, target.status.actions, causes)


def test_a_new_action_is_accepted_by_its_uid_and_marked_once() -> None:
    new = action()
    assert why(new, job()) is None
    assert not action_acceptance.is_accepted(new, job()), "nothing is executed before it is marked"
    (mark,) = action_acceptance.accept(new)
    assert mark.manifest["metadata"] == {
        "name": "again",
        "namespace": "shop",
        "uid": "uid-9",
        "annotations": {names.ACCEPTED_ANNOTATION: "uid-9"},
    }
    marked = action(annotations=mark.manifest["metadata"]["annotations"])
    assert action_acceptance.is_accepted(marked, job())
    assert action_acceptance.accept(marked) == []


@pytest.mark.parametrize(
    ("found", "target", "words"),
    [
        (action(annotations={names.ACCEPTED_ANNOTATION: "uid-2"}), job(), "is a copy of an action"),
        (action(requested=NOW - timedelta(hours=2)), job(), "was requested at 2026-01-31T22:00:00Z"),
        (action(), job(since=NOW), "is not older than this action"),
        (action(), job(records=[record("again", "uid-2", NOW - timedelta(days=9))]), "was decided at"),
    ],
)
def test_an_action_that_comes_back_says_how_it_was_recognised(
    found: ModelAction, target: TrainingJob, words: str
) -> None:
    said = why(found, target)
    assert said is not None
    assert words in said
    assert "to request" in said, "the next step"


def test_a_run_that_an_action_of_this_name_started_is_known_without_its_record() -> None:
    other = Cause(type="Action", key="uid-2", action="again")
    own = Cause(type="Action", key="uid-9#2", action="again")
    assert why(action(), job(), own) is None
    assert "has started a run" in str(why(action(), job(), own, other))
    assert why(action(requested=NOW), job(), other) is None


@pytest.mark.parametrize(("hours", "new"), [(-2, False), (0, True)])
def test_a_fresh_request_may_reuse_a_name(hours: int, new: bool) -> None:
    target = job(records=[record("again", "uid-2", NOW - timedelta(minutes=30))])
    assert (why(action(requested=NOW + timedelta(hours=hours)), target) is None) is new


@pytest.mark.parametrize(("seconds", "new"), [(-1, True), (0, True), (1, False)])
def test_a_generated_name_makes_an_action_new_within_the_second_of_its_target(seconds: int, new: bool) -> None:
    target = job(since=NOW + timedelta(seconds=seconds))
    generated = action(name="again-x7k2p", generateName="again-")
    assert (why(generated, target) is None) is new
    copy = action(generateName="again-", annotations={names.ACCEPTED_ANNOTATION: "uid-2"})
    assert why(copy, target) is not None, "a restored action has the mark of another"


@given(st.permutations(range(5)), st.integers(1, 4))
def test_no_copy_of_an_accepted_action_is_executed_however_often_it_is_restored(order: list[int], times: int) -> None:
    for number in order * times:
        original = f"uid-{number}"
        copy = action(uid=f"{original}-again", annotations={names.ACCEPTED_ANNOTATION: original})
        assert not action_acceptance.is_accepted(copy, job())
        assert why(copy, job()) is not None
        assert action_acceptance.accept(copy) == []
