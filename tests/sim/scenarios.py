"""Stories of users and nodes that the operator has to bring to a good end, each told in the terms of the product.

A scenario waits for what must come about and states what must be true when it has. It is run as it is, with the
operator killed before and after each of its writes, and with faults: so it must not depend on how long things take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from steadfit.core import names

from .behaviour import Serving, Training, TrainingOutcome
from .installation import World
from .objects import JSON
from .observations import condition, is_idle, is_ready, live, phases, serves, versions
from .starting_objects import NAME, action, installation, model_deployment, training_job

Scenario = Callable[[World], Awaitable[None]]

LIMITS = {"startTimeout": "10m", "queueTimeout": "30m", "runTimeout": "20m", "retries": 3}


def set_param(world: World, name: str, value: object) -> None:
    """Change a parameter of the recipe: a new input hash."""
    world.edit("TrainingJob", NAME, lambda job: job["spec"].setdefault("params", {}).update({name: value}))


async def first_version_serves(world: World, **job: Any) -> None:
    """Begin as every story does: a recipe and a deployment are applied, and version 1 serves."""
    installation(world)
    world.create(training_job(limits=LIMITS, **job))
    world.create(model_deployment())
    await world.until(lambda: serves(world, 1), say="version 1 serves")
    await world.until(lambda: is_ready(world, "TrainingJob"), say="the TrainingJob is Ready")


async def a_recipe_is_trained_recorded_and_served(world: World) -> None:
    await first_version_serves(world)
    assert phases(world) == ["Succeeded"]
    assert world.status("TrainingJob", NAME)["latestVersion"]["number"] == 1


async def a_changed_recipe_is_retrained_and_traffic_moves(world: World) -> None:
    await first_version_serves(world)
    set_param(world, "depth", 6)
    await world.until(lambda: serves(world, 2), say="version 2 serves")
    assert versions(world) == [1, 2]
    before = world.status("ModelDeployment", NAME)["live"]["revision"]
    world.edit("ModelDeployment", NAME, lambda obj: obj["spec"]["server"].update(replicas=3))
    await world.until(lambda: world.status("ModelDeployment", NAME).get("replicas") == 3, say="three pods answer")
    assert world.status("ModelDeployment", NAME)["live"]["revision"] == before


async def a_new_server_is_a_new_revision_of_the_same_version(world: World) -> None:
    await first_version_serves(world)
    before = world.status("ModelDeployment", NAME)["live"]["revision"]
    world.edit("ModelDeployment", NAME, lambda obj: obj["spec"]["server"].update(image="registry.example.com/server:2"))
    await world.until(
        lambda: world.status("ModelDeployment", NAME)["live"]["revision"] != before and serves(world, 1),
        say="version 1 serves by a new revision",
    )
    assert versions(world) == [1]


async def retryable_failures_are_retried(world: World) -> None:
    outcomes: dict[int, TrainingOutcome] = {1: "Evicted", 2: "FetchStore", 3: "PublishStore"}
    world.training = lambda run, attempt: Training(outcomes.get(attempt, "Success"))
    await first_version_serves(world)
    (run,) = world.objects("TrainingRun")
    classes = [attempt.get("failure", {}).get("class") for attempt in run["status"]["attempts"]]
    assert classes == ["Infrastructure", "Store", "Store", None], run["status"]["attempts"]


async def a_lost_pod_is_a_lost_attempt(world: World) -> None:
    outcomes: dict[int, TrainingOutcome] = {1: "PodGone"}
    world.training = lambda run, attempt: Training(outcomes.get(attempt, "Success"))
    await first_version_serves(world)
    (run,) = world.objects("TrainingRun")
    classes = [attempt.get("failure", {}).get("class") for attempt in run["status"]["attempts"]]
    assert classes == ["Infrastructure", None], run["status"]["attempts"]


async def retries_run_out_and_a_fixed_recipe_starts_anew(world: World) -> None:
    installation(world)
    world.training = lambda run, attempt: Training(
        "PublishStore" if run["spec"]["image"].endswith(":1.4.0") else "Success"
    )
    world.create(training_job(limits=LIMITS))
    await world.until(lambda: phases(world) == ["Failed"] and is_idle(world), say="the run has failed for good")
    (run,) = world.objects("TrainingRun")
    classes = [attempt["failure"]["class"] for attempt in run["status"]["attempts"]]
    assert classes == ["Store"] * 4, run["status"]["attempts"]
    assert world.status("TrainingJob", NAME)["lastRun"]["failure"]["class"] == "Store"
    world.edit("TrainingJob", NAME, lambda job: job["spec"].update(image="registry.example.com/ml/flights-train:1.4.1"))
    await world.until(
        lambda: is_idle(world) and phases(world) == ["Failed", "Succeeded"], say="the fixed recipe trains"
    )


def fails_at_once(outcome: TrainingOutcome, failure_class: str) -> Scenario:
    """Return the story of a failure that no retry would mend, beside a version that goes on serving."""

    async def scenario(world: World) -> None:
        await first_version_serves(world)
        world.training = lambda run, attempt: Training(outcome)
        set_param(world, "depth", 7)
        await world.until(lambda: phases(world) == ["Succeeded", "Failed"] and is_idle(world), say=f"{outcome} fails")
        last = world.status("TrainingJob", NAME)["lastRun"]
        assert last["failure"]["class"] == failure_class, last
        assert last["failure"]["message"]
        failed = next(run for run in world.objects("TrainingRun") if run["status"]["phase"] == "Failed")
        assert len(failed["status"]["attempts"]) == 1, failed["status"]["attempts"]
        assert serves(world, 1)
        assert condition(world.status("TrainingJob", NAME), "LastRunSucceeded") == "False"
        await world.until(lambda: is_ready(world, "TrainingJob"), say="the TrainingJob is Ready beside a failed run")
        await world.until(lambda: not _jobs_at_work(world), say="no Job is left at work")

    scenario.__name__ = f"{outcome}_is_{failure_class}"
    return scenario


def _jobs_at_work(world: World) -> list[str]:
    return [job["metadata"]["name"] for job in world.objects("Job") if job.get("status", {}).get("active")]


async def an_image_that_comes_late_is_waited_for(world: World) -> None:
    world.training = lambda run, attempt: Training("ImageLate")
    await first_version_serves(world)
    (run,) = world.objects("TrainingRun")
    assert len(run["status"]["attempts"]) == 1


async def a_schedule_starts_runs(world: World) -> None:
    await first_version_serves(world, triggers=[{"name": "hourly", "schedule": {"cron": "0 * * * *"}}])
    await world.until(lambda: serves(world, 3), within=4 * 3600, say="two scheduled runs")
    causes = {run["spec"]["cause"]["type"] for run in world.objects("TrainingRun")}
    assert causes == {"SpecChange", "Schedule"}
    world.edit("TrainingJob", NAME, lambda job: job["spec"]["triggers"][0]["schedule"].update(suspend=True))
    await world.until(lambda: is_ready(world, "TrainingJob"), say="the suspended schedule is accepted")


async def actions_retrain_pin_roll_back_and_unpin(world: World) -> None:
    await first_version_serves(world)
    world.create(action("again", "Retrain"))
    await world.until(lambda: serves(world, 2), say="the retrained version serves")
    world.create(action("hold", "Pin", version=1))
    await world.until(lambda: serves(world, 1), say="the pinned version serves")
    assert condition(world.status("ModelDeployment", NAME), "Overridden") == "True"
    world.create(action("let-go", "Unpin"))
    await world.until(lambda: serves(world, 2), say="the newest version serves again")
    world.create(action("back", "Rollback"))
    await world.until(lambda: serves(world, 1), say="the last good version serves after a rollback")
    await world.until(lambda: _all_done(world, 4), say="all actions are done")
    assert {one["status"]["phase"] for one in world.objects("ModelAction")} == {"Succeeded"}
    world.create(action("wrong", "Pin", version=9))
    world.create(action("nowhere", "Unpin", target="nobody"))
    await world.until(lambda: _all_done(world, 6), say="impossible actions are rejected")
    phases_by_name = {one["metadata"]["name"]: one["status"]["phase"] for one in world.objects("ModelAction")}
    assert phases_by_name["wrong"] == phases_by_name["nowhere"] == "Rejected"
    set_param(world, "depth", 8)
    await world.until(lambda: serves(world, 3), say="a newer version ends the quarantined one's story")


async def actions_promote_quarantine_release_and_abort(world: World) -> None:
    await first_version_serves(world)
    world.create(action("again", "Retrain"))
    await world.until(lambda: serves(world, 2), say="the retrained version serves")
    world.create(action("older", "Promote", version=1))
    await world.until(lambda: serves(world, 1), say="the promoted version serves, though it is older")
    world.create(action("forth", "Promote", version=2))
    await world.until(lambda: serves(world, 2), say="the other one was promoted")
    world.create(action("away", "Quarantine", version=2))
    await world.until(lambda: serves(world, 1), say="what was good serves instead of what is in quarantine")
    second = f"{NAME}-v2"
    await world.until(
        lambda: world.status("ModelVersion", second).get("quarantine", {}).get("stored") is True,
        say="the store knows of the quarantine",
    )
    world.create(action("mercy", "Release", version=2))
    await world.until(lambda: _all_done(world, 5), say="the store has forgotten")
    assert {one["status"]["phase"] for one in world.objects("ModelAction")} == {"Succeeded"}
    assert "quarantine" not in world.status("ModelVersion", second)
    world.create(action("nothing", "Abort"))
    await world.until(lambda: _all_done(world, 6), say="there is nothing to abort")
    await asyncio.sleep(300)
    assert serves(world, 1), "a release rolls nothing out"
    assert not [job for job in world.objects("Job") if job["metadata"]["name"].endswith("-quarantine")]
    set_param(world, "depth", 8)
    await world.until(lambda: serves(world, 3), say="a newer version ends the promotion")


def _all_done(world: World, count: int) -> bool:
    actions = world.objects("ModelAction")
    return len(actions) == count and all(one["status"].get("phase", "Pending") != "Pending" for one in actions)


async def a_change_in_the_middle_of_a_run_supersedes_it(world: World) -> None:
    installation(world)
    world.training = lambda run, attempt: Training(seconds=300)
    world.create(training_job(limits=LIMITS))
    await world.until(lambda: _is_training(world), say="the first run is training")
    set_param(world, "depth", 6)
    await world.until(lambda: is_idle(world) and versions(world) == [1], say="the changed recipe is trained")
    assert sorted(phases(world)) == ["Succeeded", "Superseded"]
    await world.until(lambda: not _jobs_at_work(world), say="no Job is left at work")


def _is_training(world: World) -> bool:
    attempts = [run.get("status", {}).get("attempts", []) for run in world.objects("TrainingRun")]
    return any(one and one[-1]["phase"] == "Training" for one in attempts)


async def a_retrain_during_a_run_waits_for_it(world: World) -> None:
    installation(world)
    world.training = lambda run, attempt: Training(seconds=300)
    world.create(training_job(limits=LIMITS))
    await world.until(lambda: phases(world) == ["Running"], say="the first run is running")
    world.create(action("again", "Retrain"))
    await asyncio.sleep(30)
    assert len(phases(world)) == 1
    await world.until(lambda: is_idle(world) and versions(world) == [1, 2], say="the action's run has followed")


async def deleting_and_applying_again_loses_no_version(world: World) -> None:
    await first_version_serves(world)
    set_param(world, "depth", 6)
    await world.until(lambda: _is_training(world), say="a second run is training")
    world.delete("TrainingJob", NAME)
    await world.until(lambda: not world.objects("TrainingRun") and not world.objects("Job"), say="runs are collected")
    await asyncio.sleep(60)
    assert serves(world, 1) or serves(world, 2)
    known = versions(world)
    world.training = lambda run, attempt: Training(artifact="after")
    world.create(training_job(limits=LIMITS))
    await world.until(lambda: serves(world, max(known) + 1), say="numbers go on")
    assert versions(world) == [*known, max(known) + 1]
    world.delete("ModelDeployment", NAME)
    await world.until(
        lambda: not world.objects("Service") and not world.objects("Deployment"), say="servers are collected"
    )


async def suspending_holds_runs_back(world: World) -> None:
    await first_version_serves(world)
    world.edit("TrainingJob", NAME, lambda job: job["spec"].update(suspend=True))
    set_param(world, "depth", 6)
    await asyncio.sleep(600)
    assert versions(world) == [1]
    await world.until(lambda: is_ready(world, "TrainingJob"), say="a suspended TrainingJob is Ready")
    world.edit("TrainingJob", NAME, lambda job: job["spec"].update(suspend=False))
    await world.until(lambda: serves(world, 2), say="the change is trained after all")


async def only_so_many_finished_runs_are_kept(world: World) -> None:
    await first_version_serves(world, history={"runs": 1})
    for number in (2, 3, 4):
        set_param(world, "depth", number)
        await world.until(lambda number=number: serves(world, number), say=f"version {number} serves")  # type: ignore[misc]
    await world.until(lambda: phases(world) == ["Succeeded"], say="one finished run is left")
    assert versions(world) == [1, 2, 3, 4]


async def a_rejected_version_does_not_serve_until_the_threshold_lets_it(world: World) -> None:
    await first_version_serves(world)
    world.training = lambda run, attempt: Training(roc_auc=0.55)
    set_param(world, "depth", 6)
    await world.until(lambda: is_idle(world) and versions(world) == [1, 2], say="version 2 is recorded")
    await world.until(
        lambda: world.status("ModelVersion", f"{NAME}-v2").get("phase") == "Rejected", say="it is rejected"
    )
    await asyncio.sleep(300)
    assert serves(world, 1)

    def lower(job: JSON) -> None:
        job["spec"]["evaluation"]["metrics"][0]["threshold"] = 0.5
        job["spec"]["evaluation"]["champion"] = {"margin": 0.5}

    world.edit("TrainingJob", NAME, lower)
    await world.until(lambda: serves(world, 2), say="version 2 serves once the threshold lets it")
    assert len(phases(world)) == 2


async def a_version_that_is_worse_than_what_serves_does_not_serve_until_the_margin_lets_it(world: World) -> None:
    await first_version_serves(world)
    world.training = lambda run, attempt: Training(roc_auc=0.78)
    set_param(world, "depth", 6)
    await world.until(
        lambda: world.status("ModelVersion", f"{NAME}-v2").get("gate", {}).get("verdict") == "Fail", say="it fails"
    )
    assert world.status("ModelVersion", f"{NAME}-v2")["phase"] == "Rejected"
    await asyncio.sleep(300)
    assert serves(world, 1)
    world.edit("TrainingJob", NAME, lambda job: job["spec"]["evaluation"].update(champion={"margin": 0.1}))
    await world.until(lambda: serves(world, 2), say="version 2 serves once the margin lets it")
    assert len(phases(world)) == 2


async def a_first_version_is_held_until_it_is_pinned_and_the_next_one_follows_by_itself(world: World) -> None:
    installation(world)
    recipe = training_job(limits=LIMITS)
    recipe["spec"]["evaluation"]["bootstrap"] = "Manual"
    world.create(recipe)
    world.create(model_deployment())
    await world.until(lambda: world.status("ModelVersion", f"{NAME}-v1").get("phase") == "Held", say="it is held")
    await asyncio.sleep(300)
    assert live(world) is None
    world.create(action("pin-1", "Pin", version=1))
    await world.until(lambda: serves(world, 1), say="version 1 serves by the pin")
    set_param(world, "depth", 6)
    await world.until(lambda: world.status("ModelVersion", f"{NAME}-v2").get("phase") == "Verified", say="2 is good")
    world.create(action("unpin-1", "Unpin"))
    await world.until(lambda: serves(world, 2), say="version 2 serves")


async def what_was_compared_with_a_version_that_is_rolled_back_meanwhile_does_not_follow_it(world: World) -> None:
    await first_version_serves(world)
    set_param(world, "depth", 6)
    await world.until(lambda: serves(world, 2), say="version 2 serves")
    world.training = lambda run, attempt: Training(seconds=800)
    set_param(world, "depth", 7)
    await world.until(
        lambda: any(job.get("status", {}).get("active") for job in world.objects("Job")),
        say="the next run has its champion",
    )
    world.create(action("rollback-1", "Rollback"))
    await world.until(lambda: serves(world, 1), say="version 1 serves again")
    await world.until(lambda: world.status("ModelVersion", f"{NAME}-v3").get("phase") == "Verified", say="3 is good")
    await asyncio.sleep(300)
    assert serves(world, 1)
    assert condition(world.status("ModelDeployment", NAME), "Progressing") == "False"
    world.create(action("retrain-1", "Retrain"))
    await world.until(lambda: serves(world, 4), say="version 4, which was compared with version 1, serves")


async def a_candidate_that_never_gets_ready_takes_no_traffic(world: World) -> None:
    await first_version_serves(world)
    world.serving = lambda deployment: Serving(
        "Crashes" if deployment["spec"]["template"]["metadata"]["labels"][names.VERSION] == "2" else "Ready"
    )
    set_param(world, "depth", 6)
    await world.until(lambda: versions(world) == [1, 2] and is_idle(world), say="version 2 is recorded")
    await asyncio.sleep(900)
    assert live(world) == 1
    set_param(world, "depth", 7)
    await world.until(lambda: serves(world, 3), say="version 3 serves")


async def an_identical_result_is_a_duplicate_and_rolls_nothing_out(world: World) -> None:
    world.training = lambda run, attempt: Training(artifact="always the same")
    await first_version_serves(world)
    before = world.status("ModelDeployment", NAME)["live"]
    world.create(action("again", "Retrain"))
    await world.until(lambda: is_idle(world) and versions(world) == [1, 2], say="version 2 is recorded")
    duplicate = world.find("ModelVersion", f"{NAME}-v2")
    assert duplicate is not None
    assert duplicate["spec"]["duplicateOf"] == f"{NAME}-v1"
    await asyncio.sleep(300)
    assert world.status("ModelDeployment", NAME)["live"] == before


async def children_deleted_by_hand_come_back(world: World) -> None:
    await first_version_serves(world)
    world.delete("Service", NAME)
    await world.until(lambda: serves(world, 1), say="the Service is back")
    revision = world.status("ModelDeployment", NAME)["live"]["revision"]
    world.delete("Deployment", f"{NAME}-{revision}")
    await world.until(lambda: world.find("Deployment", f"{NAME}-{revision}") is None, say="the Deployment is gone")
    await world.until(
        lambda: world.find("Deployment", f"{NAME}-{revision}") is not None and serves(world, 1),
        say="the Deployment is back",
    )
    world.training = lambda run, attempt: Training(seconds=300)
    set_param(world, "depth", 6)
    await world.until(lambda: bool(_jobs_at_work(world)), say="a Job is at work")
    await world.until(lambda: _is_training(world), say="the run is training")
    world.delete("Job", _jobs_at_work(world)[0])
    await world.until(lambda: serves(world, 2), say="version 2 serves after its Job was deleted once")
    run = max(world.objects("TrainingRun"), key=lambda run: run["metadata"]["creationTimestamp"])
    assert run["status"]["attempts"][0]["failure"]["class"] == "Infrastructure"


async def a_git_pin_holds_and_lets_go(world: World) -> None:
    await first_version_serves(world)
    world.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(pin={"version": 1}))
    set_param(world, "depth", 6)
    await world.until(lambda: versions(world) == [1, 2] and is_idle(world), say="version 2 is recorded")
    await asyncio.sleep(300)
    assert serves(world, 1)
    world.edit("ModelDeployment", NAME, lambda obj: obj["spec"].pop("pin"))
    await world.until(lambda: serves(world, 2), say="version 2 serves once the pin is gone")


async def a_spec_that_cannot_be_is_stalled_until_it_is_mended(world: World) -> None:
    installation(world)
    world.create(training_job(storeRef={"name": "nobody"}, limits=LIMITS))
    await world.until(
        lambda: condition(world.status("TrainingJob", NAME), "Stalled") == "True", say="an unknown store is Stalled"
    )
    assert phases(world) == []
    world.edit("TrainingJob", NAME, lambda job: job["spec"].update(storeRef={"name": "default"}))
    await world.until(lambda: is_idle(world) and versions(world) == [1], say="the mended recipe is trained")


RACES: tuple[Scenario, ...] = (a_lost_pod_is_a_lost_attempt,)
"""Stories whose end depends on who is faster: whether the Job of a lost pod ends by itself or is ended."""

SCENARIOS: tuple[Scenario, ...] = (
    a_recipe_is_trained_recorded_and_served,
    a_changed_recipe_is_retrained_and_traffic_moves,
    a_new_server_is_a_new_revision_of_the_same_version,
    retryable_failures_are_retried,
    retries_run_out_and_a_fixed_recipe_starts_anew,
    fails_at_once("TrainFails", "UserError"),
    fails_at_once("PublishUnreadable", "UserError"),
    fails_at_once("TrainOutOfMemory", "OutOfMemory"),
    fails_at_once("FetchData", "Data"),
    fails_at_once("Unschedulable", "Scheduling"),
    fails_at_once("ImageNameInvalid", "Image"),
    fails_at_once("TrainHangs", "Deadline"),
    fails_at_once("NoPod", "Deadline"),
    fails_at_once("ImageMissing", "Image"),
    an_image_that_comes_late_is_waited_for,
    a_schedule_starts_runs,
    actions_retrain_pin_roll_back_and_unpin,
    actions_promote_quarantine_release_and_abort,
    a_change_in_the_middle_of_a_run_supersedes_it,
    a_retrain_during_a_run_waits_for_it,
    deleting_and_applying_again_loses_no_version,
    suspending_holds_runs_back,
    only_so_many_finished_runs_are_kept,
    a_rejected_version_does_not_serve_until_the_threshold_lets_it,
    a_version_that_is_worse_than_what_serves_does_not_serve_until_the_margin_lets_it,
    a_first_version_is_held_until_it_is_pinned_and_the_next_one_follows_by_itself,
    what_was_compared_with_a_version_that_is_rolled_back_meanwhile_does_not_follow_it,
    a_candidate_that_never_gets_ready_takes_no_traffic,
    an_identical_result_is_a_duplicate_and_rolls_nothing_out,
    children_deleted_by_hand_come_back,
    a_git_pin_holds_and_lets_go,
    a_spec_that_cannot_be_is_stalled_until_it_is_mended,
)
