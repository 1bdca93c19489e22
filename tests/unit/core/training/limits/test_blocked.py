"""What alerts and monitors have to wait for: cooldown, budget, breaker, an open gate or rollout."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.runinputs import Limits
from steadfit.api.trainingjob import AutomaticRun, TrainingJobStatus
from steadfit.core.problem import Problem
from steadfit.core.training.limits import blocked, budget, circuit_breaker, cooldown, open_rollout
from steadfit.core.training.limits.blocked import Hold
from steadfit.core.training.limits.cooldown import Start

from tests.unit.core.training.builders import NOW, at, deployment, revision, training_job, version


def status(**last: Any) -> TrainingJobStatus:
    return TrainingJobStatus.model_validate({"lastRun": {"name": "orders-1", "phase": "Succeeded", **last}})


def runs(*hours_ago: float) -> list[AutomaticRun]:
    return [AutomaticRun(name=f"r{ago}", at=NOW - timedelta(hours=ago), outcome="NotBetter") for ago in hours_ago]


# Cooldown


@pytest.mark.parametrize(
    ("ended", "live", "begins"),
    [
        (None, [], None),
        (at(hours=2), [], at(hours=2)),
        (at(hours=2), [revision(7, at(hours=1))], at(hours=1)),
        (at(hours=2), [revision(7, at(hours=1)), revision(7, at(minutes=5))], at(minutes=5)),
        (at(hours=2), [revision(6, at(hours=1))], at(hours=2)),
        (at(hours=2), [None], at(hours=2)),
    ],
    ids=[
        "no run has ended",
        "from the run's end",
        "from its version's going live",
        "anywhere",
        "not from an older version's",
        "nothing is live",
    ],
)
def test_the_cooldown_counts_from_the_run_and_from_its_version_taking_over(ended: Any, live: Any, begins: Any) -> None:
    fleet = [deployment(f"d{index}", {"live": ref} if ref else {}) for index, ref in enumerate(live)]
    found = cooldown.start(status(finishedAt=ended, version="orders-v7"), fleet)
    assert (found.at.strftime("%Y-%m-%dT%H:%M:%SZ") if found else None) == begins


def test_a_failed_run_without_a_version_has_a_cooldown_beside_a_deployment_that_serves_nothing() -> None:
    found = cooldown.start(status(finishedAt=at(hours=1)), [deployment()])
    assert found == Start(NOW - timedelta(hours=1), "run orders-1 ended")


@pytest.mark.parametrize(("minutes", "waits"), [(59, True), (60, False), (61, False)])
def test_the_cooldown_ends_by_the_limit(minutes: int, waits: bool) -> None:
    begun = Start(NOW - timedelta(minutes=minutes), "run orders-1 ended")
    found = cooldown.hold(begun, Limits(cooldown="1h"), NOW)
    assert (found is not None) is waits
    if found:
        assert found.until == NOW + timedelta(minutes=1)
        assert found.message == (
            "waits until 2026-01-05T12:01:00Z: run orders-1 ended at 2026-01-05T11:01:00Z, and limits.cooldown is 1h"
        )


def test_before_any_run_there_is_no_cooldown() -> None:
    assert cooldown.hold(None, Limits(), NOW) is None


# Budget


@pytest.mark.parametrize(
    ("hours_ago", "most", "hours_left"),
    [
        ((), 1, None),
        ((23,), 2, None),
        ((23,), 1, 1),
        ((24,), 1, None),
        ((23, 20, 1), 3, 1),
        ((23, 20, 1), 2, 4),
        ((23, 20, 1), 1, 23),
        ((50, 40, 30, 1), 2, None),
    ],
)
def test_the_budget_is_full_until_one_of_its_runs_is_a_day_old(
    hours_ago: tuple[float, ...], most: int, hours_left: int | None
) -> None:
    found = budget.hold(runs(*hours_ago), Limits(max_runs_per_day=most), NOW)
    assert (found.until if found else None) == (NOW + timedelta(hours=hours_left) if hours_left else None)


def test_the_budget_says_how_many_runs_there_were() -> None:
    found = budget.hold(runs(23, 1), Limits(max_runs_per_day=2), NOW)
    assert found is not None
    assert found.message == (
        "waits until 2026-01-05T13:00:00Z: alerts and monitors have started 2 runs within 24 hours, and"
        " limits.maxRunsPerDay is 2"
    )


# Breaker


@pytest.mark.parametrize(
    ("count", "after", "limit", "hours"),
    [
        (0, 1, "1h", None),
        (2, 3, "1h", None),
        (3, 3, "1h", 2),
        (4, 3, "1h", 4),
        (5, 3, "1h", 8),
        (7, 3, "1h", 24),
        (64, 1, "1h", 24),
        (64, 1, "1ms", 24),
        (1, 1, "30m", 1),
        (9, 1, "36h", 36),
        (64, 1, "2500000h", 2_500_000),
    ],
)
def test_the_pause_doubles_with_every_run_that_brought_nothing_up_to_a_day(
    count: int, after: int, limit: str, hours: int | None
) -> None:
    limits = Limits(cooldown=limit, break_after=after)
    found = circuit_breaker.hold(runs(*[1.0] * count), Start(NOW, "run orders-1 ended"), limits, NOW)
    assert (found.until if found else None) == (NOW + timedelta(hours=hours) if hours else None)


def test_the_breaker_closes_when_its_pause_is_over() -> None:
    begun = Start(NOW - timedelta(hours=2), "run orders-1 ended")
    assert circuit_breaker.hold(runs(3, 2, 1), begun, Limits(), NOW) is None
    assert circuit_breaker.hold(runs(3, 2, 1), begun, Limits(), NOW - timedelta(seconds=1)) is not None


def test_the_breaker_says_what_helps() -> None:
    found = circuit_breaker.hold(runs(3, 2, 1), Start(NOW, "run orders-1 ended"), Limits(), NOW)
    assert found is not None
    assert found.message == (
        "waits until 2026-01-05T14:00:00Z: 3 runs in a row by alerts and monitors produced no better version, and"
        " limits.breakAfter is 3; a Retrain action or a change of the recipe starts one now"
    )


# An open gate or rollout


def test_a_newest_version_without_a_verdict_is_waited_for() -> None:
    found = open_rollout.hold("orders", [version(1), version(2, phase=None)], [], NOW)
    assert found == Hold("RolloutInProgress", "waits until version orders-v2 is judged")


@pytest.mark.parametrize("phase", ["Verified", "Rejected", "Held"])
def test_with_a_verdict_the_gate_is_shut_whatever_it_says(phase: str) -> None:
    assert open_rollout.hold("orders", [version(1, phase=None), version(2, phase=phase)], [deployment()], NOW) is None


def test_a_version_that_is_being_deleted_is_not_waited_for() -> None:
    newest = version(2, phase=None)
    going = newest.metadata.model_copy(update={"deletion_timestamp": NOW})
    assert open_rollout.hold("orders", [newest.model_copy(update={"metadata": going})], [], NOW) is None


def rolling_out(name: str = "orders", **candidate: Any) -> ModelDeployment:
    """Return a ModelDeployment in which version 2 takes traffic beside version 1."""
    return deployment(
        name, {"live": revision(1, at()), "candidate": {**revision(2, at()), "phase": "Analysing", **candidate}}
    )


def test_a_candidate_beside_the_champion_is_waited_for() -> None:
    fleet = [deployment("a"), rolling_out()]
    found = open_rollout.hold("orders", [version(2)], fleet, NOW)
    assert found == Hold("RolloutInProgress", "waits until the rollout of orders-v2 on ModelDeployment orders is over")


def test_a_candidate_on_a_deployment_that_runs_do_not_compare_with_is_not_waited_for() -> None:
    fleet = [deployment("orders", {"live": revision(1, at())}), rolling_out("dev")]
    assert open_rollout.hold("orders", [version(2)], fleet, NOW) is None


def test_without_a_deployment_of_the_jobs_name_the_first_that_serves_is_the_one_runs_compare_with() -> None:
    assert open_rollout.hold("orders", [version(2)], [deployment("a"), rolling_out("dev")], NOW) is not None


def test_a_candidate_that_does_not_start_is_waited_for_until_its_deadline() -> None:
    fleet = [rolling_out(phase="Starting", phaseSince=at())]
    found = open_rollout.hold("orders", [version(2)], fleet, NOW)
    assert found is not None
    assert found.until == NOW + timedelta(hours=1)
    assert open_rollout.hold("orders", [version(2)], fleet, NOW + timedelta(hours=1)) is None


def test_a_candidate_that_waits_for_replicas_keeps_nothing_from_being_trained() -> None:
    assert open_rollout.hold("orders", [version(2)], [rolling_out(phase="Starting")], NOW) is None


def test_the_rollout_of_a_deployment_that_goes_away_is_not_waited_for() -> None:
    obj = rolling_out()
    going = obj.metadata.model_copy(update={"deletion_timestamp": NOW})
    assert open_rollout.hold("orders", [version(2)], [obj.model_copy(update={"metadata": going})], NOW) is None


def test_a_candidate_that_waits_for_a_person_keeps_nothing_from_being_trained() -> None:
    paused = rolling_out(phase="Paused")
    assert open_rollout.hold("orders", [version(2)], [paused], NOW) is None


# Which one is shown


def timed(reason: Any, hours: float) -> Hold:
    return Hold(reason, "waits until then", NOW + timedelta(hours=hours))


OPEN = Hold("RolloutInProgress", "waits until the rollout is over")


@pytest.mark.parametrize(
    ("holds", "untimed", "reason"),
    [
        ([None, None, None], None, None),
        ([None, None, None], OPEN, "RolloutInProgress"),
        ([None, timed("Cooldown", 1), None], OPEN, "Cooldown"),
        ([timed("CircuitBreakerOpen", 2), timed("Cooldown", 1), timed("RunLimitReached", 3)], OPEN, "RunLimitReached"),
        ([timed("CircuitBreakerOpen", 2), timed("Cooldown", 2), None], None, "CircuitBreakerOpen"),
    ],
)
def test_of_several_waits_the_longest_is_shown(holds: Any, untimed: Any, reason: str | None) -> None:
    found = blocked.shown(holds, untimed)
    assert (found.reason if found else None) == reason


@pytest.mark.parametrize(
    ("active", "suspend", "problem", "reason"),
    [
        (False, False, None, None),
        (True, True, Problem("InvalidParams", "y"), "RunInFlight"),
        (False, True, Problem("InvalidParams", "y"), "Suspended"),
        (False, False, Problem("InvalidParams", "y"), "NotReady"),
    ],
)
def test_a_run_a_suspended_recipe_and_a_broken_one_hold_back_every_cause(
    active: bool, suspend: bool, problem: Any, reason: str | None
) -> None:
    run = {"activeRun": {"name": "orders-1", "cause": {"type": "SpecChange", "key": "k"}, "inputHash": "h"}}
    found = blocked.of_every_cause(
        TrainingJobStatus.model_validate(run if active else {}), problem, training_job(suspend=suspend)
    )
    assert (found.reason if found else None) == reason
