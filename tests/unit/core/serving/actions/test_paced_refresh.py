"""The steps of a Refresh with a selector: whose turn it is, when it ends, and what stops it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core import names
from steadfit.core.action_acceptance import is_accepted
from steadfit.core.plans.model_action import plan
from steadfit.core.serving.actions.paced_refresh import Step, advance
from steadfit.core.types import ObservedModelAction

from tests.sim.objects import JSON
from tests.unit.core.serving.serving_cluster import START, serving

NOW = START + timedelta(days=1)
LIVE = serving(1).deployment


def member(name: str, *, created: timedelta = timedelta(), **status: Any) -> ModelDeployment:
    metadata = {
        **LIVE["metadata"],
        "name": name,
        "uid": f"uid-{name}",
        "labels": {"model": name},
        "creationTimestamp": (START + created).isoformat(),
    }
    return ModelDeployment.model_validate(
        {**LIVE, "metadata": metadata, "status": {**LIVE["status"], "quarantine": [], **status}}
    )


def record(phase: str, reason: str | None = None, **changes: Any) -> JSON:
    found = {"uid": "u", "name": "all", "verb": "Refresh", "requestedBy": "jane", "phase": phase, "reason": reason}
    return {"actions": [{**found, "message": "the message", "at": NOW.isoformat(), **changes}]}


def turn(name: str) -> JSON:
    return {"namespace": "shop", "name": name, "uid": f"uid-{name}", "since": NOW.isoformat()}


def action(*turns: str, selector: Mapping[str, Any] | None = None, **pace: Any) -> ModelAction:
    progress = {"total": 1, "refreshed": 0, "refused": 0, "underWay": [turn(name) for name in turns]}
    return ModelAction.model_validate(
        {
            "metadata": {
                "name": "all",
                "namespace": "shop",
                "uid": "u",
                "annotations": {names.ACCEPTED_ANNOTATION: "u"},
                "creationTimestamp": NOW.isoformat(),
            },
            "spec": {
                "verb": "Refresh",
                "target": {"kind": "ModelDeployment", "selector": selector or {}},
                "pace": pace,
                "reason": "upgrade",
                "requestedBy": "jane",
            },
            "status": {"progress": progress} if turns else {},
        }
    )


def step(of: ModelAction, *members: ModelDeployment, after: timedelta = timedelta(minutes=1)) -> Step:
    return advance(ObservedModelAction(of, None, [], scope=members), NOW + after)


def under_way(found: Step) -> list[str]:
    return [one.name for one in found.progress.under_way] if found.progress else []


@pytest.mark.parametrize(("at_once", "first"), [(1, ["a"]), (2, ["a", "b"]), (10, ["a", "b", "c"])])
def test_the_first_by_name_have_their_turns_first(at_once: int, first: list[str]) -> None:
    found = step(action(maxConcurrent=at_once), member("c"), member("a"), member("b"))
    assert (found.phase, under_way(found)) == ("Pending", first)


def test_only_the_one_whose_turn_it_is_executes_the_action() -> None:
    assert [is_accepted(action("a"), member(name)) for name in ("a", "b")] == [True, False]
    assert not is_accepted(action(), member("a"))


def test_a_model_that_was_created_again_under_its_name_has_no_turn() -> None:
    found = step(action("a"), member("a", created=timedelta(days=2)), member("b"))
    assert (found.progress and found.progress.total, under_way(found)) == (1, ["b"])


def test_what_the_selector_does_not_match_is_left_out() -> None:
    found = step(action(selector={"matchLabels": {"model": "b"}}), member("a"), member("b"))
    assert under_way(found) == ["b"]
    nothing = step(action(selector={"matchLabels": {"model": "x"}}), member("a"))
    assert (nothing.phase, nothing.reason) == ("Rejected", "TargetNotFound")


def test_a_turn_lasts_for_the_bake_and_the_next_one_begins_then() -> None:
    live = {**LIVE["status"]["live"], "since": NOW.isoformat()}
    members = member("a", live=live, **record("Succeeded")), member("b")
    assert under_way(step(action("a"), *members)) == ["a"]
    assert step(action("a"), *members).next_at == NOW + timedelta(hours=1)
    assert under_way(step(action("a"), *members, after=timedelta(hours=1))) == ["b"]


def test_a_model_that_was_up_to_date_does_not_bake_again() -> None:
    assert under_way(step(action("a"), member("a", **record("Succeeded")), member("b"))) == ["b"]


@pytest.mark.parametrize("turns", [["a"], ["b"]])
def test_a_rollback_stops_it_where_the_pod_template_may_be_the_cause_also_after_the_turn(turns: list[str]) -> None:
    entry = {
        "revision": "r",
        "version": "flights-v1",
        "number": 1,
        "artifact": "sha256:" + "0" * 64,
        "reason": "errors doubled",
        "by": "monitor errors",
        "at": (NOW + timedelta(seconds=30)).isoformat(),
    }
    found = step(action(*turns), member("a", quarantine=[entry], **record("Succeeded")), member("b"))
    assert (found.phase, found.reason) == ("Rejected", "RefreshStopped")
    assert found.message.startswith("ModelDeployment a: version 1 was rolled back: errors doubled (monitor errors)")
    of_the_model = {**entry, "digest": entry["artifact"]}
    found = step(action(*turns), member("a", quarantine=[of_the_model], **record("Succeeded")), member("b"))
    assert (found.phase, under_way(found)) == ("Pending", ["b"])


def test_a_failure_stops_it_and_says_what_goes_on_and_what_keeps_its_pods() -> None:
    failed = member("a", **record("Rejected", "RefreshFailed"))
    found = step(action("a", "b", maxConcurrent=2), failed, member("b"), member("c"))
    assert (found.phase, found.reason) == ("Rejected", "RefreshStopped")
    assert found.message == (
        "ModelDeployment a: the message. Stopped: 0 of 3 ModelDeployments are refreshed; b go on by their own"
        " strategies; the rest keep the pods that they have. Correct the cause, then create another Refresh: it leaves"
        " those that are up to date alone"
    )


@pytest.mark.parametrize("reason", ["RefreshSuperseded", "ScaledToZero", "RevisionQuarantined", None])
def test_a_refusal_is_counted_and_the_next_one_has_its_turn(reason: str | None) -> None:
    found = step(action("a"), member("a", **record("Rejected", reason)), member("b"))
    assert (found.phase, under_way(found), found.progress and found.progress.refused) == ("Pending", ["b"], 1)


def test_the_refusals_that_are_kept_are_bounded_and_counted_all() -> None:
    refused = [member(f"m{number}", **record("Rejected", "NotServing", message="x" * 2000)) for number in range(30)]
    found = step(action("m0"), *refused)
    assert found.progress is not None
    assert (found.progress.refused, len(found.progress.refusals)) == (30, 20)
    assert (found.phase, len(found.message) <= 1024) == ("Rejected", True)


def test_a_turn_has_a_deadline() -> None:
    assert step(action("a"), member("a")).next_at == NOW + timedelta(hours=48)
    for status in ({}, record("Pending")):
        found = step(action("a"), member("a", **status), after=timedelta(hours=48))
        assert (found.phase, found.reason) == ("Rejected", "RefreshStopped")
        assert "it is not live with the new pods after 48h" in found.message


def test_a_refresh_under_way_is_found_again_when_the_action_has_lost_its_status() -> None:
    assert under_way(step(action(), member("a"), member("b", **record("Pending")))) == ["b"]


def test_an_action_that_comes_back_under_its_name_is_not_executed_again() -> None:
    found = step(action(), member("a", **record("Succeeded", uid="before")))
    assert (found.phase, found.reason) == ("Rejected", "Expired")


def test_what_has_ended_stays_so() -> None:
    done = plan(ObservedModelAction(action("a"), None, [], scope=[member("a", **record("Succeeded"))]), NOW).status
    assert (done["phase"], done["message"]) == ("Succeeded", "1 of 1 ModelDeployments are refreshed")
    stored = action("a").model_dump(by_alias=True, mode="json") | {"status": done}
    again = ObservedModelAction(ModelAction.model_validate(stored), None, [])
    assert plan(again, NOW + timedelta(days=1)).status == done


def test_the_message_says_that_a_member_is_live_and_until_when_it_bakes() -> None:
    waiting = step(action("a", bakeDuration="1h"), member("a"), member("b"))
    assert waiting.message.endswith("under way: a (to be live by 2026-01-04T00:00:00Z)")
    since = (NOW + timedelta(minutes=2)).isoformat()
    baking = member("a", **record("Succeeded"), live={**LIVE["status"]["live"], "since": since})
    found = step(action("a", bakeDuration="1h"), baking, member("b"), after=timedelta(minutes=5))
    assert found.message.endswith("under way: a (live, bakes until 2026-01-02T01:02:00Z)")
    assert found.progress is not None
    assert [one.bakes_until for one in found.progress.under_way] == [NOW + timedelta(minutes=62)]
    assert found.next_at == NOW + timedelta(minutes=62)


@pytest.mark.parametrize(
    ("selector", "shown"),
    [
        ({}, "all"),
        ({"matchLabels": {"team": "ml", "tier": "gold"}}, "team=ml,tier=gold"),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}, "team in (a,b)"),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, "team notin (a)"),
        ({"matchExpressions": [{"key": "old", "operator": "DoesNotExist"}]}, "!old"),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, "team"),
    ],
)  # fmt: skip
def test_the_column_target_shows_a_selector_as_kubectl_takes_it(selector: JSON, shown: str) -> None:
    found = plan(ObservedModelAction(action(selector=selector), None, [], scope=[member("a")]), NOW)
    assert found.status["target"] == shown


def test_the_column_target_names_all_namespaces() -> None:
    asked = action()
    target = asked.spec.target.model_copy(update={"all_namespaces": True})
    asked = asked.model_copy(update={"spec": asked.spec.model_copy(update={"target": target})})
    assert plan(ObservedModelAction(asked, None, [], scope=[member("a")]), NOW).status["target"] == (
        "all (all namespaces)"
    )
