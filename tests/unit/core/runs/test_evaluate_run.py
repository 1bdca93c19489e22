"""A run of purpose Evaluate: from its Job to an outcome, beside the runs that train."""

from __future__ import annotations

import json
from typing import Any

import pytest
from steadfit.api.modelversion import ModelVersion
from steadfit.api.trainingrun import Attempt
from steadfit.core import names
from steadfit.core.runs import evaluated_versions
from steadfit.core.runs.failure_classification import classify
from steadfit.core.runs.runtime import job_manifest
from steadfit.core.runs.runtime.pod_view import parse
from steadfit.core.types import Stores
from steadfit_trainer.config import Config

from tests.unit.core.training.builders import (
    COMPLETE,
    FAILED,
    HEX,
    JSON,
    NOW,
    PLATFORM,
    STORES,
    UNSCHEDULABLE,
    disruption,
    ended,
    pod,
    record,
    running,
    version,
    waits,
)
from tests.unit.core.training.evaluations import INPUTS, LAST_GOOD, NAME, Evaluating, evaluation_run

RUN = "TrainingRun"
ATTEMPT = Attempt(number=1, job=f"{NAME}-a1", decided_at=NOW)


def started(**spec: Any) -> Evaluating:
    """Return a cluster whose evaluation has a Job."""
    cluster = Evaluating(**spec)
    cluster.evaluate()
    cluster.settle()
    assert ("Job", f"{NAME}-a1") in cluster.objects
    return cluster


def ready(cluster: Evaluating) -> tuple[str, str, str]:
    return cluster.condition(RUN, NAME)


def test_an_evaluation_goes_from_its_job_to_an_outcome_and_brings_no_version() -> None:
    cluster = started()
    cluster.evaluation_pod(running(seconds=0))
    cluster.settle()
    assert (cluster.evaluation.status.phase, ready(cluster)[1]) == ("Running", "Fetching")
    cluster.evaluation_pod(ended(0), running(seconds=0), phase="Running")
    cluster.settle()
    assert ready(cluster)[1:] == ("Evaluating", f"attempt 1: evaluating in pod {NAME}-a1-pod")
    cluster.post_outcome()
    cluster.settle()
    assert (cluster.evaluation.status.phase, ready(cluster)[1]) == ("Running", "Recording")
    cluster.evaluation_pod(ended(0), ended(0), phase="Succeeded")
    cluster.end_evaluation(COMPLETE)
    cluster.settle()
    status = cluster.evaluation.status
    assert (status.phase, status.version_number, status.version, status.failure) == ("Succeeded", None, None, None)
    assert ready(cluster) == (
        "True",
        "Succeeded",
        "on 4,210 rows brier_score is 0.241 of orders-v2 and 0.198 of orders-v1, which is better by 0.043"
        " (95 % interval +0.03 to +0.056)",
    )
    assert [item.name for item in cluster.versions()] == ["orders-v1", "orders-v2"]


def test_an_outcome_without_a_comparison_says_why() -> None:
    cluster = started()
    cluster.post_outcome(rows=12, live=None, reason="12 rows have an outcome, and 200 are needed")
    cluster.evaluation_pod(ended(0), ended(0), phase="Succeeded")
    cluster.end_evaluation(COMPLETE)
    cluster.settle()
    assert ready(cluster) == (
        "True",
        "Succeeded",
        "no comparison on 12 rows: 12 rows have an outcome, and 200 are needed",
    )


def test_an_evaluation_is_made_while_a_run_trains_and_while_the_training_job_is_suspended() -> None:
    cluster = Evaluating()
    cluster.settle()
    (training,) = cluster.trainings()
    assert training.status.phase == "Pending"
    cluster.edit(suspend=True)
    cluster.evaluate()
    cluster.settle()
    assert {job["metadata"]["name"] for job in cluster.every("Job")} == {f"{training.name}-a1", f"{NAME}-a1"}


def test_a_training_job_neither_waits_for_an_evaluation_nor_counts_it() -> None:
    cluster = Evaluating()
    cluster.run_well()
    cluster.evaluate()
    cluster.settle()
    assert cluster.job.status.active_run is None
    cluster.edit(params={"depth": 7})
    cluster.settle()
    assert cluster.job.status.active_run is not None
    assert cluster.job.status.active_run.name != NAME
    cluster.post_outcome()
    cluster.end_evaluation(COMPLETE)
    cluster.settle()
    cluster.edit(history={"runs": 1})
    cluster.settle()
    assert cluster.evaluation.status.phase == "Succeeded"
    assert cluster.job.status.last_run is not None
    assert cluster.job.status.last_run.name != NAME


def test_a_recipe_that_changes_does_not_overtake_an_evaluation() -> None:
    cluster = started()
    cluster.edit(image="shop/train:2")
    cluster.settle()
    assert ready(cluster)[1] == "Pending"
    cluster.evaluation_pod(running(seconds=0))
    cluster.settle()
    assert ready(cluster)[1] == "Fetching"


def test_an_outcome_counts_however_its_pod_ends_and_the_run_gets_no_further_job() -> None:
    cluster = started()
    cluster.evaluation_pod(ended(0), running(seconds=0), phase="Running")
    cluster.settle()
    cluster.post_outcome()
    cluster.settle()
    cluster.evaluation_pod(ended(0), running(minutes=1), phase="Running", conditions=[disruption()])
    cluster.settle()
    assert (cluster.evaluation.status.phase, len(cluster.evaluation.status.attempts)) == ("Succeeded", 1)


def test_the_store_being_away_is_tried_again_and_the_outcome_of_the_second_attempt_counts() -> None:
    cluster = started()
    cluster.evaluation_pod(ended(0), ended(11, "the store does not answer"), phase="Failed")
    cluster.end_evaluation(FAILED)
    cluster.settle()
    assert ready(cluster)[1] == "WaitingForRetry"
    cluster.run_until_due()
    assert ("Job", f"{NAME}-a2") in cluster.objects
    cluster.post_outcome()
    cluster.end_evaluation(COMPLETE)
    cluster.settle()
    assert (cluster.evaluation.status.phase, cluster.evaluation.status.failure) == ("Succeeded", None)


def test_a_job_that_ends_without_an_outcome_is_tried_again() -> None:
    cluster = started()
    cluster.evaluation_pod(ended(0), ended(0), phase="Succeeded")
    cluster.end_evaluation(COMPLETE)
    cluster.settle()
    failure = cluster.evaluation.status.failure
    assert failure is not None
    assert (failure.failure_class, failure.message) == (
        "Infrastructure",
        "evaluate ended without posting its outcome",
    )
    assert cluster.evaluation.status.next_attempt_at is not None


def test_no_version_is_made_of_a_record_that_stands_in_the_status_of_an_evaluation() -> None:
    cluster = started()
    cluster.objects[RUN, NAME]["status"]["record"] = record(run=cluster.evaluation)
    cluster.settle()
    assert cluster.evaluation.status.version_number is None
    assert len(cluster.versions()) == 2
    cluster.evaluation_pod(ended(0), ended(0), phase="Succeeded")
    cluster.end_evaluation(COMPLETE)
    cluster.settle()
    assert ready(cluster)[1] == "WaitingForRetry", "it is not what the run is for"


def test_the_clock_of_the_run_is_that_of_evaluate() -> None:
    cluster = started(limits={"runTimeout": "10m"})
    cluster.objects[RUN, NAME]["spec"]["limits"]["runTimeout"] = "10m"
    cluster.evaluation_pod(ended(0), running(seconds=0), phase="Running")
    cluster.advance(minutes=11)
    cluster.settle()
    failure = cluster.evaluation.status.failure
    assert failure is not None
    assert (failure.failure_class, failure.message) == ("Deadline", "runTimeout: evaluate had not ended after 10m")


# Why an attempt failed.


def seen(fetch: JSON, evaluate: JSON | None = None, **more: Any) -> JSON:
    """Return the pod of an evaluation."""
    manifest = pod(fetch, **more)
    manifest["spec"]["initContainers"] = [{"name": "fetch", "image": "steadfit/trainer:1"}]
    manifest["spec"]["containers"] = [{"name": "evaluate", "image": "steadfit/trainer:1"}]
    manifest["status"]["containerStatuses"] = [{"name": "evaluate", **(evaluate or waits())}]
    return manifest


@pytest.mark.parametrize(
    ("manifest", "failure_class", "words"),
    [
        (seen(ended(137, reason="OOMKilled"), phase="Failed"), "OutOfMemory", "fetch ran out of memory"),
        (
            seen(ended(0), ended(137, reason="OOMKilled"), phase="Failed"),
            "OutOfMemory",
            "evaluate ran out of memory",
        ),
        (seen(ended(10, "damaged"), phase="Failed"), "Data", "fetch ended with exit code 10: damaged"),
        (seen(ended(11, "away"), phase="Failed"), "Store", "fetch ended with exit code 11: away"),
        (seen(ended(0), ended(11, "away"), phase="Failed"), "Store", "evaluate ended with exit code 11: away"),
        (seen(ended(0), ended(1, "boom"), phase="Failed"), "Internal", "evaluate ended with exit code 1: boom"),
        (seen(ended(0), ended(12, "no"), phase="Failed"), "Internal", "evaluate ended with exit code 12: no"),
        (
            seen(ended(0), ended(143), phase="Failed", conditions=[disruption(ago={"minutes": 6})]),
            "Infrastructure",
            "the pod was disrupted",
        ),
        (seen(ended(0), waits("InvalidImageName", "bad")), "Image", "is not the name of an image"),
        (
            seen(running(), phase="Failed", reason="Evicted", message="Usage of EmptyDir volume exceeds the limit"),
            "Data",
            "the pod was evicted: Usage of EmptyDir",
        ),
    ],
)
def test_an_evaluation_fails_with_a_class_that_is_never_the_users_error(
    manifest: JSON, failure_class: str, words: str
) -> None:
    found = classify(parse(manifest))
    assert found is not None
    assert found.failure_class == failure_class
    assert words in found.message


def test_a_pod_that_finds_no_node_is_a_matter_of_scheduling() -> None:
    cluster = started()
    cluster.evaluation_pod(waits(), conditions=[UNSCHEDULABLE])
    cluster.advance(minutes=11)
    cluster.settle()
    failure = cluster.evaluation.status.failure
    assert failure is not None
    assert failure.failure_class == "Scheduling"


# The Job.


def rendered(*versions: ModelVersion, stores: Stores = STORES, **spec: Any) -> JSON:
    run = evaluation_run(**spec)
    pair = evaluated_versions.pick(run, versions or (version(1), version(2)))
    job = job_manifest.render(run, ATTEMPT, stores, PLATFORM, evaluated=pair)
    assert job is not None
    return job


def containers(job: JSON) -> dict[str, JSON]:
    pod_spec = job["spec"]["template"]["spec"]
    return {item["name"]: item for item in (*pod_spec["initContainers"], *pod_spec["containers"])}


def config(job: JSON) -> JSON:
    env = {item["name"]: item["value"] for item in containers(job)["evaluate"]["env"]}
    found: JSON = json.loads(env["STEADFIT_CONFIG"].replace("$$", "$"))
    return found


def test_the_pod_of_an_evaluation_has_nothing_of_the_users_in_it() -> None:
    job = rendered(image="shop/train:1", command=["python", "train.py"], env=[{"name": "A", "value": "b"}])
    template = job["spec"]["template"]
    assert [item["name"] for item in template["spec"]["initContainers"]] == ["fetch"]
    assert [item["name"] for item in template["spec"]["containers"]] == ["evaluate"]
    assert {item["image"] for item in containers(job).values()} == {PLATFORM.trainer_image}
    assert template["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "evaluate"
    assert "shop/train:1" not in json.dumps(template["spec"]["containers"][0]["args"])


def test_no_service_takes_the_pod_of_an_evaluation_for_one_that_serves() -> None:
    run = evaluation_run()
    labelled = run.model_copy(
        update={"metadata": run.metadata.model_copy(update={"labels": {names.MODEL_DEPLOYMENT: "orders"}})}
    )
    job = job_manifest.render(
        labelled, ATTEMPT, STORES, PLATFORM, evaluated=evaluated_versions.pick(labelled, [version(1)])
    )
    assert job is not None
    assert names.MODEL_DEPLOYMENT not in job["metadata"]["labels"]
    assert names.MODEL_DEPLOYMENT not in job["spec"]["template"]["metadata"]["labels"]


def test_evaluate_alone_can_speak_to_the_operator_and_both_steps_hold_the_keys() -> None:
    steps = containers(rendered())
    mounts = {name: {mount["mountPath"] for mount in step["volumeMounts"]} for name, step in steps.items()}
    assert mounts["evaluate"] - mounts["fetch"] == {"/steadfit/operator-ca", "/steadfit/token"}
    assert {"/steadfit/handover", "/steadfit/credentials/default"} <= mounts["fetch"]


def test_evaluate_is_told_where_both_artifacts_lie_and_how_many_rows_to_take() -> None:
    told = config(rendered())
    window = {"until": "2026-01-31T09:00:00Z", "flushSeconds": 60.0}
    assert told["recordUrl"].endswith(f"/v1/namespaces/shop/trainingruns/{NAME}/evaluation")
    assert told["data"][0]["uri"] == "s3://models/shop/_captures/orders/"
    both = {name: told["evaluate"].pop(name) for name in ("live", "lastGood")}
    assert told["evaluate"] == {"metric": "brier_score", "minRows": 200, "maxRows": 20000, **window}
    for name, number in (("live", 2), ("lastGood", 1)):
        digest = f"{number:064x}"
        assert both[name]["version"] == f"orders-v{number}"
        assert both[name]["artifact"] == {
            "digest": f"sha256:{digest}",
            "uri": f"s3://models/shop/orders/artifacts/sha256/{digest}/",
        }
        assert both[name]["store"]["uriPrefix"] == "s3://models"
    assert "champion" not in told


def test_the_trainer_reads_what_it_is_told() -> None:
    read = Config.model_validate(config(rendered()))
    assert read.evaluate is not None
    assert read.evaluate.last_good is not None
    assert (read.evaluate.live.version, read.evaluate.last_good.version) == ("orders-v2", "orders-v1")
    assert read.data[0].captured is not None


def test_a_last_good_version_in_another_store_brings_that_stores_keys() -> None:
    job = rendered(version(1, storeRef={"name": "lake"}), version(2))
    assert config(job)["evaluate"]["lastGood"]["store"]["uriPrefix"] == "s3://lake"
    mounts = {mount["mountPath"] for mount in containers(job)["evaluate"]["volumeMounts"]}
    assert {"/steadfit/credentials/default", "/steadfit/credentials/lake"} <= mounts


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        ((version(2),), "no ModelVersion orders-v1 has this artifact"),
        (
            (version(2), version(1, artifact={"uri": "s3://x/", "digest": f"sha256:{HEX}"})),
            "no ModelVersion orders-v1 has this artifact",
        ),
        ((version(2), version(1, storeRef={"name": "none"})), "there is no ArtifactStore none"),
    ],
    ids=["the object is gone", "the name has another artifact", "the store is gone"],
)
def test_a_version_that_cannot_be_had_is_named_with_the_reason(versions: Any, problem: str) -> None:
    last_good = config(rendered(*versions))["evaluate"]["lastGood"]
    assert last_good["problem"] == problem
    assert last_good["artifact"] == {"digest": LAST_GOOD["digest"]}


def test_without_a_last_good_version_only_what_serves_is_evaluated() -> None:
    inputs = {key: value for key, value in INPUTS.items() if key != "lastGood"}
    assert "lastGood" not in config(rendered(evaluate=inputs))["evaluate"]
