from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from steadfit.api.modelversion import ModelVersion
from steadfit.api.run import Cause
from steadfit.api.trainingjob import AutomaticRun, TrainingJobStatus
from steadfit.core.training.limits import automatic_runs

from tests.unit.core.training.builders import NOW, at, finished_run, training_run, version

CAUSE = {"type": "Alert", "key": f"drift@{at(hours=3)}", "trigger": "drift"}
QUARANTINE = {"deployment": "orders", "revision": "r", "reason": "errors", "by": "ada", "at": at()}


def entry(name: str = "orders-a", hours: float = 3, outcome: str = "Open") -> dict[str, Any]:
    return {"name": name, "at": at(hours=hours), "outcome": outcome}


def status(*entries: dict[str, Any], active: str | None = None) -> TrainingJobStatus:
    run = {"name": active, "cause": CAUSE, "inputHash": "h"} if active else None
    return TrainingJobStatus.model_validate({"automaticRuns": list(entries), "activeRun": run})


def made(number: int, phase: str | None, run: str, hours: float = 2, **changes: Any) -> ModelVersion:
    """Return the version of a run, made `hours` before now."""
    spec = {"duplicateOf": changes.pop("duplicate_of")} if "duplicate_of" in changes else {}
    obj = version(number, phase, run, **{"cause": changes.pop("cause", {"type": "SpecChange", "key": "k"}), **spec})
    created = obj.metadata.model_copy(update={"creation_timestamp": NOW - timedelta(hours=hours)})
    known = ModelVersion.model_validate({**obj.dump(), "status": {**obj.status.dump(), **changes}})
    return known.model_copy(update={"metadata": created})


def outcomes(found: list[AutomaticRun]) -> dict[str, str]:
    return {item.name: item.outcome for item in found}


@pytest.mark.parametrize(
    ("runs", "versions", "outcome"),
    [
        ([training_run("orders-a", {"phase": "Running"})], [], "Open"),
        ([finished_run("orders-a", "Succeeded", 1)], [made(1, None, "orders-a")], "Open"),
        ([finished_run("orders-a", "Succeeded", 1)], [], "Open"),
        ([finished_run("orders-a", "Succeeded", 1)], [made(1, "Verified", "orders-a")], "Better"),
        ([], [made(1, "Verified", "orders-a")], "Better"),
        ([finished_run("orders-a", "Succeeded", 1)], [made(1, "Rejected", "orders-a")], "NotBetter"),
        ([finished_run("orders-a", "Succeeded", 1)], [made(1, "Held", "orders-a")], "NotBetter"),
        (
            [finished_run("orders-a", "Succeeded", 1)],
            [made(2, "Verified", "orders-a", duplicate_of="orders-v1")],
            "NotBetter",
        ),
        (
            [finished_run("orders-a", "Succeeded", 1)],
            [made(1, "Verified", "orders-a", quarantine=QUARANTINE)],
            "NotBetter",
        ),
        ([finished_run("orders-a", "Failed", 1)], [], "Failed"),
        ([finished_run("orders-a", "Superseded", 1)], [], "Failed"),
        ([], [], "Failed"),
    ],
    ids=[
        "it runs",
        "its version is not judged yet",
        "its version was not seen yet",
        "verified",
        "verified, and the run was put away",
        "rejected",
        "held",
        "a duplicate",
        "rolled back",
        "failed",
        "overtaken",
        "deleted",
    ],
)
def test_what_a_run_brought_follows_from_its_version(runs: Any, versions: Any, outcome: str) -> None:
    assert outcomes(automatic_runs.follow(status(entry()), runs, versions, NOW)) == {"orders-a": outcome}


def test_a_run_that_was_decided_on_and_does_not_exist_yet_is_open() -> None:
    assert outcomes(automatic_runs.follow(status(entry(), active="orders-a"), [], [], NOW)) == {"orders-a": "Open"}


@pytest.mark.parametrize("outcome", ["Better", "NotBetter", "Failed"])
def test_what_a_run_brought_is_remembered_when_nothing_of_it_is_left(outcome: str) -> None:
    assert outcomes(automatic_runs.follow(status(entry(outcome=outcome)), [], [], NOW)) == {"orders-a": outcome}


def test_a_status_that_was_lost_is_found_again_in_runs_and_versions_by_their_cause() -> None:
    again = {**CAUSE, "key": f"drift@{at(hours=5)}#2"}
    runs = [
        training_run("orders-b", {"phase": "Failed", "finishedAt": at(hours=1)}, cause=CAUSE),
        training_run("orders-c", {"phase": "Failed", "finishedAt": at(hours=1)}),
    ]
    found = automatic_runs.follow(status(), runs, [made(4, "Rejected", "orders-d", cause=again)], NOW)
    assert {item.name: item.at for item in found} == {
        "orders-b": NOW - timedelta(hours=3),
        "orders-d": NOW - timedelta(hours=5),
    }
    assert outcomes(found) == {"orders-b": "Failed", "orders-d": "NotBetter"}


@pytest.mark.parametrize("key", ["drift", "drift@yesterday", "drift@2026-01-05T09:00:00"])
def test_a_cause_without_a_time_counts_from_when_its_run_was_made(key: str) -> None:
    run = training_run("orders-b", {"phase": "Failed"}, cause={**CAUSE, "key": key})
    (found,) = automatic_runs.follow(status(), [run], [], NOW)
    assert found.at == NOW - timedelta(hours=1)


def row(*entries: dict[str, Any], versions: Any = ()) -> list[str]:
    return [item.name for item in automatic_runs.without_improvement(status(*entries).automatic_runs, versions)]


def test_the_row_counts_back_to_the_last_better_version() -> None:
    past = [entry("a", 9, "Failed"), entry("b", 8, "Better"), entry("c", 7, "NotBetter"), entry("d", 6, "Failed")]
    assert row(*past) == ["c", "d"]
    assert row(*past, entry("e", 5, "Better")) == []
    assert row(*past, entry("e", 5, "Open")) == ["c", "d"]
    assert row() == []


def test_a_better_version_that_a_person_asked_for_ends_the_row() -> None:
    past = [entry("a", 9, "Failed"), entry("b", 6, "Failed")]
    assert row(*past, versions=[made(3, "Verified", "orders-x", hours=7)]) == ["b"]
    assert row(*past, versions=[made(3, "Rejected", "orders-x", hours=7)]) == ["a", "b"]
    assert row(*past, versions=[made(3, "Verified", "orders-x", hours=7, quarantine=QUARANTINE)]) == ["a", "b"]


def follow(*entries: dict[str, Any], now: datetime = NOW, versions: Any = (), active: str | None = None) -> list[str]:
    return [item.name for item in automatic_runs.follow(status(*entries, active=active), [], list(versions), now)]


def test_what_is_older_than_a_day_counts_only_in_the_row() -> None:
    old = [entry("a", 90, "Failed"), entry("b", 80, "Better"), entry("c", 70, "NotBetter")]
    assert follow(*old) == ["b", "c"], "the last better one is what the row ends at"
    assert follow(*old, entry("d", 1, "Better")) == ["d"]
    assert follow(*old, entry("d", 23, "Better"), entry("e", 24, "Better"), entry("f", 25, "Failed")) == ["d"]
    assert follow(entry("a", 90, "Failed"), versions=[made(3, "Verified", "orders-x")]) == []


def test_a_run_in_flight_is_kept_however_old_it_is() -> None:
    assert follow(entry("a", 90), active="a", versions=[made(3, "Verified", "orders-x")]) == ["a"]


def test_at_most_64_are_kept_and_they_are_the_newest() -> None:
    known = [entry(f"r{number:02}", 300 - number, "Failed") for number in range(64)]
    cause = {**CAUSE, "key": f"drift@{at(hours=1)}"}
    assert follow(*known, versions=[made(1, "Rejected", "new", cause=cause)]) == [
        *[f"r{number:02}" for number in range(1, 64)],
        "new",
    ]
    begun = automatic_runs.begin(status(*known).automatic_runs, "new", Cause(type="Alert", key="k"), NOW)
    assert [item.name for item in begun][::63] == ["r01", "new"]


def test_following_twice_changes_nothing_more() -> None:
    versions = [made(1, "Rejected", "a", 95, cause={**CAUSE, "key": f"drift@{at(hours=96)}"})]
    for known in ([entry("b", 80, "Better")], [entry("b", 3, "Better")], [entry("b", 80)], []):
        once = automatic_runs.follow(status(*known), [finished_run("b", "Succeeded", 70)], versions, NOW)
        again = status().model_copy(update={"automatic_runs": once})
        assert automatic_runs.follow(again, [finished_run("b", "Succeeded", 70)], versions, NOW) == once


@pytest.mark.parametrize(
    ("cause", "counts"),
    [("Alert", True), ("Monitor", True), ("Action", False), ("SpecChange", False), ("Schedule", False)],
)
def test_only_runs_by_alerts_and_monitors_are_automatic(cause: Any, counts: bool) -> None:
    begun = automatic_runs.begin([], "orders-a", Cause(type=cause, key="k"), NOW)
    assert [(item.name, item.at, item.outcome) for item in begun] == ([("orders-a", NOW, "Open")] if counts else [])


def test_it_is_known_when_a_run_leaves_the_budget() -> None:
    assert automatic_runs.changes_at(status(entry(hours=3)).automatic_runs) == [NOW + timedelta(hours=21)]
