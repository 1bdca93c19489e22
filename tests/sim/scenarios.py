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
from .objects import JSON
from .observations import condition, is_idle, is_ready, live, phases, serves, versions
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job

Scenario = Callable[[SimulatedCluster], Awaitable[None]]

LIMITS = {"startTimeout": "10m", "queueTimeout": "30m", "runTimeout": "20m", "retries": 3}


def set_param(cluster: SimulatedCluster, name: str, value: object) -> None:
    """Change a parameter of the recipe: a new input hash."""
    cluster.edit("TrainingJob", NAME, lambda job: job["spec"].setdefault("params", {}).update({name: value}))


async def first_version_serves(cluster: SimulatedCluster, **job: Any) -> None:
    """Begin as every story does: a recipe and a deployment are applied, and version 1 serves."""
    installation(cluster)
    cluster.create(training_job(limits=LIMITS, **job))
    cluster.create(model_deployment())
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
    await cluster.until(lambda: is_ready(cluster, "TrainingJob"), say="the TrainingJob is Ready")


async def a_recipe_is_trained_recorded_and_served(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    assert phases(cluster) == ["Succeeded"]
    assert cluster.status("TrainingJob", NAME)["latestVersion"]["number"] == 1


async def a_changed_recipe_is_retrained_and_traffic_moves(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
    assert versions(cluster) == [1, 2]
    before = cluster.status("ModelDeployment", NAME)["live"]["revision"]
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"]["server"].update(replicas=3))
    await cluster.until(lambda: cluster.status("ModelDeployment", NAME).get("replicas") == 3, say="three pods answer")
    assert cluster.status("ModelDeployment", NAME)["live"]["revision"] == before


async def a_new_server_is_a_new_revision_of_the_same_version(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    before = cluster.status("ModelDeployment", NAME)["live"]["revision"]
    cluster.edit(
        "ModelDeployment", NAME, lambda obj: obj["spec"]["server"].update(image="registry.example.com/server:2")
    )
    await cluster.until(
        lambda: cluster.status("ModelDeployment", NAME)["live"]["revision"] != before and serves(cluster, 1),
        say="version 1 serves by a new revision",
    )
    assert versions(cluster) == [1]


async def retryable_failures_are_retried(cluster: SimulatedCluster) -> None:
    outcomes: dict[int, TrainingOutcome] = {1: "Evicted", 2: "FetchStore", 3: "PublishStore"}
    cluster.training = lambda run, attempt: Training(outcomes.get(attempt, "Success"))
    await first_version_serves(cluster)
    (run,) = cluster.objects("TrainingRun")
    classes = [attempt.get("failure", {}).get("class") for attempt in run["status"]["attempts"]]
    assert classes == ["Infrastructure", "Store", "Store", None], run["status"]["attempts"]


async def a_lost_pod_is_a_lost_attempt(cluster: SimulatedCluster) -> None:
    outcomes: dict[int, TrainingOutcome] = {1: "PodGone"}
    cluster.training = lambda run, attempt: Training(outcomes.get(attempt, "Success"))
    await first_version_serves(cluster)
    (run,) = cluster.objects("TrainingRun")
    classes = [attempt.get("failure", {}).get("class") for attempt in run["status"]["attempts"]]
    assert classes == ["Infrastructure", None], run["status"]["attempts"]


async def retries_run_out_and_a_fixed_recipe_starts_anew(cluster: SimulatedCluster) -> None:
    installation(cluster)
    cluster.training = lambda run, attempt: Training(
        "PublishStore" if run["spec"]["image"].endswith(":1.4.0") else "Success"
    )
    cluster.create(training_job(limits=LIMITS))
    await cluster.until(lambda: phases(cluster) == ["Failed"] and is_idle(cluster), say="the run has failed for good")
    (run,) = cluster.objects("TrainingRun")
    classes = [attempt["failure"]["class"] for attempt in run["status"]["attempts"]]
    assert classes == ["Store"] * 4, run["status"]["attempts"]
    assert cluster.status("TrainingJob", NAME)["lastRun"]["failure"]["class"] == "Store"
    cluster.edit(
        "TrainingJob", NAME, lambda job: job["spec"].update(image="registry.example.com/ml/flights-train:1.4.1")
    )
    await cluster.until(
        lambda: is_idle(cluster) and phases(cluster) == ["Failed", "Succeeded"], say="the fixed recipe trains"
    )


def fails_at_once(outcome: TrainingOutcome, failure_class: str) -> Scenario:
    """Return the story of a failure that no retry would mend, beside a version that goes on serving."""

    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        cluster.training = lambda run, attempt: Training(outcome)
        set_param(cluster, "depth", 7)
        await cluster.until(
            lambda: phases(cluster) == ["Succeeded", "Failed"] and is_idle(cluster), say=f"{outcome} fails"
        )
        last = cluster.status("TrainingJob", NAME)["lastRun"]
        assert last["failure"]["class"] == failure_class, last
        assert last["failure"]["message"]
        failed = next(run for run in cluster.objects("TrainingRun") if run["status"]["phase"] == "Failed")
        assert len(failed["status"]["attempts"]) == 1, failed["status"]["attempts"]
        assert serves(cluster, 1)
        assert condition(cluster.status("TrainingJob", NAME), "LastRunSucceeded") == "False"
        await cluster.until(
            lambda: is_ready(cluster, "TrainingJob"), say="the TrainingJob is Ready beside a failed run"
        )
        await cluster.until(lambda: not _jobs_at_work(cluster), say="no Job is left at work")

    scenario.__name__ = f"{outcome}_is_{failure_class}"
    return scenario


def _jobs_at_work(cluster: SimulatedCluster) -> list[str]:
    return [job["metadata"]["name"] for job in cluster.objects("Job") if job.get("status", {}).get("active")]


async def an_image_that_comes_late_is_waited_for(cluster: SimulatedCluster) -> None:
    cluster.training = lambda run, attempt: Training("ImageLate")
    await first_version_serves(cluster)
    (run,) = cluster.objects("TrainingRun")
    assert len(run["status"]["attempts"]) == 1


async def a_schedule_starts_runs(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster, triggers=[{"name": "hourly", "schedule": {"cron": "0 * * * *"}}])
    await cluster.until(lambda: serves(cluster, 3), within=4 * 3600, say="two scheduled runs")
    causes = {run["spec"]["cause"]["type"] for run in cluster.objects("TrainingRun")}
    assert causes == {"SpecChange", "Schedule"}
    cluster.edit("TrainingJob", NAME, lambda job: job["spec"]["triggers"][0]["schedule"].update(suspend=True))
    await cluster.until(lambda: is_ready(cluster, "TrainingJob"), say="the suspended schedule is accepted")


async def actions_retrain_pin_roll_back_and_unpin(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    cluster.create(action("again", "Retrain"))
    await cluster.until(lambda: serves(cluster, 2), say="the retrained version serves")
    cluster.create(action("hold", "Pin", version=1))
    await cluster.until(lambda: serves(cluster, 1), say="the pinned version serves")
    assert condition(cluster.status("ModelDeployment", NAME), "Overridden") == "True"
    cluster.create(action("let-go", "Unpin"))
    await cluster.until(lambda: serves(cluster, 2), say="the newest version serves again")
    cluster.create(action("back", "Rollback"))
    await cluster.until(lambda: serves(cluster, 1), say="the last good version serves after a rollback")
    await cluster.until(lambda: _all_done(cluster, 4), say="all actions are done")
    assert {one["status"]["phase"] for one in cluster.objects("ModelAction")} == {"Succeeded"}
    cluster.create(action("wrong", "Pin", version=9))
    cluster.create(action("nowhere", "Unpin", target="nobody"))
    await cluster.until(lambda: _all_done(cluster, 6), say="impossible actions are rejected")
    phases_by_name = {one["metadata"]["name"]: one["status"]["phase"] for one in cluster.objects("ModelAction")}
    assert phases_by_name["wrong"] == phases_by_name["nowhere"] == "Rejected"
    set_param(cluster, "depth", 8)
    await cluster.until(lambda: serves(cluster, 3), say="a newer version ends the quarantined one's story")


async def actions_promote_quarantine_release_and_abort(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    cluster.create(action("again", "Retrain"))
    await cluster.until(lambda: serves(cluster, 2), say="the retrained version serves")
    cluster.create(action("older", "Promote", version=1))
    await cluster.until(lambda: serves(cluster, 1), say="the promoted version serves, though it is older")
    cluster.create(action("forth", "Promote", version=2))
    await cluster.until(lambda: serves(cluster, 2), say="the other one was promoted")
    cluster.create(action("away", "Quarantine", version=2))
    await cluster.until(lambda: serves(cluster, 1), say="what was good serves instead of what is in quarantine")
    second = f"{NAME}-v2"
    await cluster.until(
        lambda: cluster.status("ModelVersion", second).get("quarantine", {}).get("stored") is True,
        say="the store knows of the quarantine",
    )
    cluster.create(action("mercy", "Release", version=2))
    await cluster.until(lambda: _all_done(cluster, 5), say="the store has forgotten")
    assert {one["status"]["phase"] for one in cluster.objects("ModelAction")} == {"Succeeded"}
    assert "quarantine" not in cluster.status("ModelVersion", second)
    cluster.create(action("nothing", "Abort"))
    await cluster.until(lambda: _all_done(cluster, 6), say="there is nothing to abort")
    await asyncio.sleep(300)
    assert serves(cluster, 1), "a release rolls nothing out"
    assert not [job for job in cluster.objects("Job") if job["metadata"]["name"].endswith("-quarantine")]
    set_param(cluster, "depth", 8)
    await cluster.until(lambda: serves(cluster, 3), say="a newer version ends the promotion")


def _all_done(cluster: SimulatedCluster, count: int) -> bool:
    actions = cluster.objects("ModelAction")
    return len(actions) == count and all(one["status"].get("phase", "Pending") != "Pending" for one in actions)


async def a_change_in_the_middle_of_a_run_supersedes_it(cluster: SimulatedCluster) -> None:
    installation(cluster)
    cluster.training = lambda run, attempt: Training(seconds=300)
    cluster.create(training_job(limits=LIMITS))
    await cluster.until(lambda: _is_training(cluster), say="the first run is training")
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: is_idle(cluster) and versions(cluster) == [1], say="the changed recipe is trained")
    assert sorted(phases(cluster)) == ["Succeeded", "Superseded"]
    await cluster.until(lambda: not _jobs_at_work(cluster), say="no Job is left at work")


def _is_training(cluster: SimulatedCluster) -> bool:
    attempts = [run.get("status", {}).get("attempts", []) for run in cluster.objects("TrainingRun")]
    return any(one and one[-1]["phase"] == "Training" for one in attempts)


async def a_retrain_during_a_run_waits_for_it(cluster: SimulatedCluster) -> None:
    installation(cluster)
    cluster.training = lambda run, attempt: Training(seconds=300)
    cluster.create(training_job(limits=LIMITS))
    await cluster.until(lambda: phases(cluster) == ["Running"], say="the first run is running")
    cluster.create(action("again", "Retrain"))
    await asyncio.sleep(30)
    assert len(phases(cluster)) == 1
    await cluster.until(lambda: is_idle(cluster) and versions(cluster) == [1, 2], say="the action's run has followed")


async def deleting_and_applying_again_loses_no_version(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: _is_training(cluster), say="a second run is training")
    cluster.delete("TrainingJob", NAME)
    await cluster.until(
        lambda: not cluster.objects("TrainingRun") and not cluster.objects("Job"), say="runs are collected"
    )
    await asyncio.sleep(60)
    assert serves(cluster, 1) or serves(cluster, 2)
    known = versions(cluster)
    cluster.training = lambda run, attempt: Training(artifact="after")
    cluster.create(training_job(limits=LIMITS, params={"depth": 9}))
    await cluster.until(lambda: serves(cluster, max(known) + 1), say="numbers go on")
    assert versions(cluster) == [*known, max(known) + 1]
    cluster.delete("ModelDeployment", NAME)
    await cluster.until(
        lambda: not cluster.objects("Service") and not cluster.objects("Deployment"), say="servers are collected"
    )


async def a_rejected_version_that_takes_the_name_of_what_serves_is_not_rolled_out(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    before = cluster.status("ModelDeployment", NAME)["live"]
    cluster.delete("TrainingJob", NAME)
    await cluster.until(
        lambda: not cluster.objects("TrainingRun") and not cluster.objects("Job"), say="runs are collected"
    )
    cluster.delete("ModelVersion", f"{NAME}-v1")
    await asyncio.sleep(60)
    cluster.training = lambda run, attempt: Training(artifact="after", roc_auc=0.55)
    cluster.create(training_job(limits=LIMITS))
    await cluster.until(
        lambda: cluster.status("ModelVersion", f"{NAME}-v1").get("phase") == "Rejected", say="its namesake is rejected"
    )
    await asyncio.sleep(300)
    assert cluster.status("ModelDeployment", NAME)["live"] == before
    assert "candidate" not in cluster.status("ModelDeployment", NAME)


async def suspending_holds_runs_back(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    cluster.edit("TrainingJob", NAME, lambda job: job["spec"].update(suspend=True))
    set_param(cluster, "depth", 6)
    await asyncio.sleep(600)
    assert versions(cluster) == [1]
    await cluster.until(lambda: is_ready(cluster, "TrainingJob"), say="a suspended TrainingJob is Ready")
    cluster.edit("TrainingJob", NAME, lambda job: job["spec"].update(suspend=False))
    await cluster.until(lambda: serves(cluster, 2), say="the change is trained after all")


async def only_so_many_finished_runs_are_kept(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster, history={"runs": 1})
    for number in (2, 3, 4):
        set_param(cluster, "depth", number)
        await cluster.until(lambda number=number: serves(cluster, number), say=f"version {number} serves")  # type: ignore[misc]
    await cluster.until(lambda: phases(cluster) == ["Succeeded"], say="one finished run is left")
    assert versions(cluster) == [1, 2, 3, 4]


async def a_rejected_version_does_not_serve_until_the_threshold_lets_it(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    cluster.training = lambda run, attempt: Training(roc_auc=0.55)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: is_idle(cluster) and versions(cluster) == [1, 2], say="version 2 is recorded")
    await cluster.until(
        lambda: cluster.status("ModelVersion", f"{NAME}-v2").get("phase") == "Rejected", say="it is rejected"
    )
    await asyncio.sleep(300)
    assert serves(cluster, 1)

    def lower(job: JSON) -> None:
        job["spec"]["evaluation"]["metrics"][0]["threshold"] = 0.5
        job["spec"]["evaluation"]["champion"] = {"margin": 0.5}

    cluster.edit("TrainingJob", NAME, lower)
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves once the threshold lets it")
    assert len(phases(cluster)) == 2


async def a_version_that_is_worse_than_what_serves_does_not_serve_until_the_margin_lets_it(
    cluster: SimulatedCluster,
) -> None:
    await first_version_serves(cluster)
    cluster.training = lambda run, attempt: Training(roc_auc=0.78)
    set_param(cluster, "depth", 6)
    await cluster.until(
        lambda: cluster.status("ModelVersion", f"{NAME}-v2").get("gate", {}).get("verdict") == "Fail", say="it fails"
    )
    assert cluster.status("ModelVersion", f"{NAME}-v2")["phase"] == "Rejected"
    await asyncio.sleep(300)
    assert serves(cluster, 1)
    cluster.edit("TrainingJob", NAME, lambda job: job["spec"]["evaluation"].update(champion={"margin": 0.1}))
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves once the margin lets it")
    assert len(phases(cluster)) == 2


async def a_first_version_is_held_until_it_is_pinned_and_the_next_one_follows_by_itself(
    cluster: SimulatedCluster,
) -> None:
    installation(cluster)
    recipe = training_job(limits=LIMITS)
    recipe["spec"]["evaluation"]["bootstrap"] = "Manual"
    cluster.create(recipe)
    cluster.create(model_deployment())
    await cluster.until(lambda: cluster.status("ModelVersion", f"{NAME}-v1").get("phase") == "Held", say="it is held")
    await asyncio.sleep(300)
    assert live(cluster) is None
    cluster.create(action("pin-1", "Pin", version=1))
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves by the pin")
    set_param(cluster, "depth", 6)
    await cluster.until(
        lambda: cluster.status("ModelVersion", f"{NAME}-v2").get("phase") == "Verified", say="2 is good"
    )
    cluster.create(action("unpin-1", "Unpin"))
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")


async def what_was_compared_with_a_version_that_is_rolled_back_meanwhile_does_not_follow_it(
    cluster: SimulatedCluster,
) -> None:
    await first_version_serves(cluster)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
    cluster.training = lambda run, attempt: Training(seconds=800)
    set_param(cluster, "depth", 7)
    await cluster.until(
        lambda: any(job.get("status", {}).get("active") for job in cluster.objects("Job")),
        say="the next run has its champion",
    )
    cluster.create(action("rollback-1", "Rollback"))
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves again")
    await cluster.until(
        lambda: cluster.status("ModelVersion", f"{NAME}-v3").get("phase") == "Verified", say="3 is good"
    )
    await asyncio.sleep(300)
    assert serves(cluster, 1)
    assert condition(cluster.status("ModelDeployment", NAME), "Progressing") == "False"
    cluster.create(action("retrain-1", "Retrain"))
    await cluster.until(lambda: serves(cluster, 4), say="version 4, which was compared with version 1, serves")


async def a_candidate_that_never_gets_ready_takes_no_traffic(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    cluster.serving = lambda deployment: Serving(
        "Crashes" if deployment["spec"]["template"]["metadata"]["labels"][names.VERSION] == "2" else "Ready"
    )
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: versions(cluster) == [1, 2] and is_idle(cluster), say="version 2 is recorded")
    await asyncio.sleep(900)
    assert live(cluster) == 1
    set_param(cluster, "depth", 7)
    await cluster.until(lambda: serves(cluster, 3), say="version 3 serves")


async def an_identical_result_is_a_duplicate_and_rolls_nothing_out(cluster: SimulatedCluster) -> None:
    cluster.training = lambda run, attempt: Training(artifact="always the same")
    await first_version_serves(cluster)
    before = cluster.status("ModelDeployment", NAME)["live"]
    cluster.create(action("again", "Retrain"))
    await cluster.until(lambda: is_idle(cluster) and versions(cluster) == [1, 2], say="version 2 is recorded")
    duplicate = cluster.find("ModelVersion", f"{NAME}-v2")
    assert duplicate is not None
    assert duplicate["spec"]["duplicateOf"] == f"{NAME}-v1"
    await asyncio.sleep(300)
    assert cluster.status("ModelDeployment", NAME)["live"] == before


async def a_reverted_recipe_serves_its_model_again(cluster: SimulatedCluster) -> None:
    cluster.training = lambda run, attempt: Training(artifact=f"depth {run['spec'].get('params', {}).get('depth')}")
    await first_version_serves(cluster)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: serves(cluster, 2), say="the changed recipe serves")
    cluster.edit("TrainingJob", NAME, lambda job: job["spec"].pop("params"))
    await cluster.until(lambda: serves(cluster, 3), say="the reverted recipe serves")
    reverted = cluster.find("ModelVersion", f"{NAME}-v3")
    assert reverted is not None
    assert reverted["spec"]["duplicateOf"] == f"{NAME}-v1"


async def children_deleted_by_hand_come_back(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    cluster.delete("Service", NAME)
    await cluster.until(lambda: serves(cluster, 1), say="the Service is back")
    revision = cluster.status("ModelDeployment", NAME)["live"]["revision"]
    cluster.delete("Deployment", f"{NAME}-{revision}")
    await cluster.until(lambda: cluster.find("Deployment", f"{NAME}-{revision}") is None, say="the Deployment is gone")
    await cluster.until(
        lambda: cluster.find("Deployment", f"{NAME}-{revision}") is not None and serves(cluster, 1),
        say="the Deployment is back",
    )
    cluster.training = lambda run, attempt: Training(seconds=300)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: bool(_jobs_at_work(cluster)), say="a Job is at work")
    await cluster.until(lambda: _is_training(cluster), say="the run is training")
    cluster.delete("Job", _jobs_at_work(cluster)[0])
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves after its Job was deleted once")
    run = max(cluster.objects("TrainingRun"), key=lambda run: run["metadata"]["creationTimestamp"])
    assert run["status"]["attempts"][0]["failure"]["class"] == "Infrastructure"


async def a_git_pin_holds_and_lets_go(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(pin={"version": 1}))
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: versions(cluster) == [1, 2] and is_idle(cluster), say="version 2 is recorded")
    await asyncio.sleep(300)
    assert serves(cluster, 1)
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].pop("pin"))
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves once the pin is gone")


async def a_spec_that_cannot_be_is_stalled_until_it_is_mended(cluster: SimulatedCluster) -> None:
    installation(cluster)
    cluster.create(training_job(storeRef={"name": "nobody"}, limits=LIMITS))
    await cluster.until(
        lambda: condition(cluster.status("TrainingJob", NAME), "Stalled") == "True", say="an unknown store is Stalled"
    )
    assert phases(cluster) == []
    cluster.edit("TrainingJob", NAME, lambda job: job["spec"].update(storeRef={"name": "default"}))
    await cluster.until(lambda: is_idle(cluster) and versions(cluster) == [1], say="the mended recipe is trained")


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
    a_rejected_version_that_takes_the_name_of_what_serves_is_not_rolled_out,
    suspending_holds_runs_back,
    only_so_many_finished_runs_are_kept,
    a_rejected_version_does_not_serve_until_the_threshold_lets_it,
    a_version_that_is_worse_than_what_serves_does_not_serve_until_the_margin_lets_it,
    a_first_version_is_held_until_it_is_pinned_and_the_next_one_follows_by_itself,
    what_was_compared_with_a_version_that_is_rolled_back_meanwhile_does_not_follow_it,
    a_candidate_that_never_gets_ready_takes_no_traffic,
    an_identical_result_is_a_duplicate_and_rolls_nothing_out,
    a_reverted_recipe_serves_its_model_again,
    children_deleted_by_hand_come_back,
    a_git_pin_holds_and_lets_go,
    a_spec_that_cannot_be_is_stalled_until_it_is_mended,
)
