"""What a TrainingJob leads to, with real containers and a real store."""

from __future__ import annotations

import json
from typing import Any

import obstore
import pytest

from tests.support.buckets import bucket
from tests.support.kubectl import Kubectl, Manifest, condition, is_true

from .recipes import (
    EXIT,
    FIT,
    HELD_OUT,
    KEYS,
    MEMORY_IN_A_CHILD,
    ROWS,
    SLEEP,
    act,
    finished_run,
    put_rows,
    rows,
    training_job,
)


def failure(run: Manifest) -> tuple[str, str]:
    found = run["status"]["failure"]
    return found["class"], found["message"]


def test_a_recipe_becomes_a_verified_version_with_its_lineage(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    namespace.apply(training_job(images["flights-train"], store, params={"C": 2.0}, seed=7))
    run = finished_run(namespace)
    assert run["status"]["phase"] == "Succeeded", run["status"]
    version = namespace.wait_for("modelversion", "model-v1", lambda v: v["status"].get("phase"))
    assert version["status"]["phase"] == "Verified"
    assert "ownerReferences" not in version["metadata"]
    spec = version["spec"]
    assert spec["run"] == {"name": run["metadata"]["name"], "uid": run["metadata"]["uid"]}
    assert spec["cause"]["type"] == "SpecChange"
    assert spec["evaluation"]["holdoutRows"] == HELD_OUT
    assert spec["lineage"]["params"] == {"C": 2.0}
    assert spec["lineage"]["seed"] == 7
    assert spec["lineage"]["imageId"].endswith(images["flights-train"].partition("@")[2])
    [data] = spec["lineage"]["data"]
    assert (data["rows"], data["holdoutRows"]) == (ROWS - HELD_OUT, HELD_OUT)
    prefix = f"{store}/{namespace.namespace}/model"
    record = json.loads(bytes(obstore.get(bucket("tests"), f"{prefix}/records/{run['metadata']['uid']}.json").bytes()))
    assert record["artifact"]["digest"] == spec["artifact"]["digest"]
    job = namespace.wait_for("trainingjob", "model", lambda j: j["status"].get("lastRun"))
    assert is_true(job, "Ready")
    assert job["status"]["latestVersion"] == {"name": "model-v1", "number": 1}


def test_the_users_code_never_sees_a_row_it_is_judged_by(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    table = rows()
    put_rows(store, table)
    namespace.apply(training_job(images["flights-train"], store, KEYS))
    run = finished_run(namespace)
    assert run["status"]["phase"] == "Succeeded", run["status"]
    pod = run["status"]["attempts"][-1]["pod"]
    [told] = [line for line in namespace.run("logs", pod, "-c", "train").splitlines() if line.startswith("KEYS ")]
    seen = set(json.loads(told.removeprefix("KEYS ")))
    keys = table["key"].to_pylist()
    assert seen == set(keys[: ROWS - HELD_OUT])
    assert not seen & set(keys[ROWS - HELD_OUT :])


def test_a_version_below_its_threshold_is_rejected_until_the_threshold_is_edited(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    recipe = training_job(images["flights-train"], store)
    recipe["spec"]["evaluation"]["metrics"][0]["threshold"] = 0.9999
    namespace.apply(recipe)
    finished_run(namespace)
    namespace.wait_for("modelversion", "model-v1", lambda v: v["status"].get("phase") == "Rejected")
    recipe["spec"]["evaluation"]["metrics"][0]["threshold"] = 0.6
    namespace.apply(recipe)
    namespace.wait_for("modelversion", "model-v1", lambda v: v["status"].get("phase") == "Verified")
    assert len(namespace.list("trainingruns")) == 1


def test_a_retrain_on_the_same_data_is_recorded_as_a_duplicate(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    namespace.apply(training_job(images["flights-train"], store))
    finished_run(namespace)
    action = act(namespace, "Retrain")
    second = namespace.wait_for("modelversion", "model-v2", lambda v: v["status"].get("phase"), timeout=180)
    assert second["spec"]["duplicateOf"] == "model-v1"
    assert second["spec"]["cause"]["key"] == action["metadata"]["uid"]
    done = namespace.wait_for("modelaction", action["metadata"]["name"], lambda a: a["status"]["phase"] != "Pending")
    assert done["status"]["phase"] == "Succeeded"


def test_a_retrain_action_that_is_restored_without_status_starts_nothing(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    namespace.apply(training_job(images["flights-train"], store, suspend=True))
    name = act(namespace, "Retrain")["metadata"]["name"]
    accepted = namespace.wait_for("modelaction", name, lambda a: a["metadata"].get("annotations"), timeout=60)
    namespace.run("delete", "modelaction", name)
    namespace.create({**accepted, "metadata": {"name": name, "annotations": accepted["metadata"]["annotations"]}})
    restored = namespace.wait_for("modelaction", name, lambda a: a["status"].get("phase") == "Rejected", timeout=60)
    assert condition(restored, "Ready")["reason"] == "Expired"
    assert not namespace.list("trainingruns")


def test_a_cancelled_run_ends_with_its_pod_and_is_not_made_again(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    namespace.apply(training_job(images["flights-train"], store, SLEEP))
    active = namespace.wait_for("trainingjob", "model", lambda j: j["status"].get("activeRun"))["status"]["activeRun"]
    action = act(namespace, "Cancel")["metadata"]["name"]
    namespace.wait_for("modelaction", action, lambda a: a["status"].get("phase") == "Succeeded", timeout=60)
    job = namespace.wait_for("trainingjob", "model", lambda j: "activeRun" not in j["status"], timeout=60)
    assert (job["status"]["lastRun"]["name"], job["status"]["lastRun"]["phase"]) == (active["name"], "Cancelled")
    namespace.wait_for(
        "trainingjob", "model", lambda j: not namespace.list("pods"), timeout=90, what="the pod of the run is gone"
    )
    assert len(namespace.list("trainingruns")) <= 1


def test_a_schedule_starts_a_run(namespace: Kubectl, store: str, images: dict[str, str]) -> None:
    put_rows(store)
    every_minute = [{"name": "often", "schedule": {"cron": "* * * * *"}}]
    namespace.apply(training_job(images["flights-train"], store, triggers=every_minute))
    namespace.wait_for("modelversion", "model-v1", lambda v: v["spec"], timeout=180, what="the first version")
    skipped = namespace.wait_for(
        "trainingjob",
        "model",
        lambda j: j["status"].get("lastRun", {}).get("phase") == "Skipped",
        timeout=180,
        what="a scheduled run finds the data of version 1",
    )
    assert skipped["status"]["lastRun"]["knownVersion"] == "model-v1"
    put_rows(store, rows(seed=1))
    namespace.wait_for("modelversion", "model-v2", lambda v: v["spec"], timeout=240, what="the scheduled version")
    version = namespace.get("modelversion", "model-v2")
    assert version is not None
    assert version["spec"]["cause"]["type"] == "Schedule"
    assert version["spec"]["cause"]["trigger"] == "often"


def test_a_change_of_the_recipe_replaces_the_run_in_flight(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    namespace.apply(training_job(images["flights-train"], store, SLEEP))
    namespace.wait_for("trainingjob", "model", lambda j: j["status"].get("activeRun"))
    namespace.apply(training_job(images["flights-train"], store, FIT))
    namespace.wait_for("modelversion", "model-v1", lambda v: v["status"].get("phase"), timeout=180)
    phases = sorted(run["status"]["phase"] for run in namespace.list("trainingruns"))
    assert phases == ["Succeeded", "Superseded"] or phases == ["Running", "Superseded"]


CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("UserError", EXIT, {}, "the learning rate must be positive"),
    ("UserError", "pass", {}, "/steadfit/output"),
    ("OutOfMemory", MEMORY_IN_A_CHILD, {}, "memory"),
    ("Deadline", SLEEP, {"limits": {"runTimeout": "5s"}}, "runTimeout"),
    ("Scheduling", FIT, {"pod": {"nodeSelector": {"no": "such"}}, "limits": {"startTimeout": "5s"}}, "node"),
    ("Image", FIT, {"image": "UPPER:case"}, "UPPER:case"),
    (
        "Admission",
        FIT,
        {"pod": {"serviceAccountName": "nobody"}, "limits": {"startTimeout": "5s"}},
        'serviceaccount "nobody" not found',
    ),
]


@pytest.mark.parametrize(
    ("wanted", "script", "spec", "words"), CASES, ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)]
)
def test_a_failure_has_its_class_and_the_pods_own_words(
    namespace: Kubectl,
    store: str,
    images: dict[str, str],
    wanted: str,
    script: str,
    spec: dict[str, Any],
    words: str,
) -> None:
    put_rows(store)
    namespace.apply(training_job(images["flights-train"], store, script, **spec))
    run = finished_run(namespace)
    assert failure(run)[0] == wanted, run["status"]
    assert words in failure(run)[1]
    assert len(run["status"]["attempts"]) == 1
    assert wanted in namespace.run("get", "tr")
    job = namespace.wait_for("trainingjob", "model", lambda j: j["status"].get("lastRun"))
    assert job["status"]["lastRun"]["failure"]["class"] == wanted
    assert words in condition(job, "LastRunSucceeded")["message"]


def test_an_image_that_cannot_be_pulled_fails_after_two_minutes_of_pulling(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    absent = images["flights-train"].partition("@")[0] + ":absent"
    namespace.apply(training_job(absent, store))
    run = finished_run(namespace, timeout=240)
    assert failure(run)[0] == "Image"
    assert absent in failure(run)[1]
    assert run["status"]["phase"] == "Failed"


def test_data_that_is_not_what_its_digest_says_fails_and_nothing_is_trained(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    recipe = training_job(images["flights-train"], store)
    recipe["spec"]["data"][0]["digest"] = "sha256:" + "0" * 64
    namespace.apply(recipe)
    run = finished_run(namespace)
    assert failure(run)[0] == "Data"
    assert "digest" in failure(run)[1]
    assert "trainStartedAt" not in run["status"]["attempts"][0]


def test_a_missing_secret_is_named_and_the_run_goes_on_when_it_is_there(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    secret = namespace.get("secret", "store-credentials")
    assert secret is not None
    namespace.run("delete", "secret", "store-credentials")
    namespace.apply(training_job(images["flights-train"], store))
    name = namespace.wait_for("trainingjob", "model", lambda j: j["status"].get("activeRun"))["status"]["activeRun"][
        "name"
    ]
    namespace.wait_for(
        "trainingrun",
        name,
        lambda r: "store-credentials" in json.dumps(r.get("status", {}).get("conditions", [])),
        what="the missing Secret is named",
    )
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        secret["metadata"].pop(field)
    namespace.apply(secret)
    assert finished_run(namespace, timeout=240)["status"]["phase"] == "Succeeded"


def test_an_unknown_store_stalls_the_recipe_and_heals_when_it_is_made(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    recipe = training_job(images["flights-train"], store, storeRef={"name": f"{store}-later"})
    namespace.apply(recipe)
    stalled = namespace.wait_for("trainingjob", "model", lambda j: is_true(j, "Stalled"), what="the recipe stalls")
    assert f"{store}-later" in condition(stalled, "Stalled")["message"]
    assert not namespace.list("trainingruns")
    recipe["spec"]["storeRef"]["name"] = store
    namespace.apply(recipe)
    assert finished_run(namespace)["status"]["phase"] == "Succeeded"


def test_a_suspended_recipe_trains_nothing_until_it_is_resumed(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    namespace.apply(training_job(images["flights-train"], store, suspend=True))
    namespace.wait_for("trainingjob", "model", lambda j: condition(j, "Ready").get("reason") == "Suspended")
    assert not namespace.list("trainingruns")
    namespace.apply(training_job(images["flights-train"], store, suspend=False))
    assert finished_run(namespace)["status"]["phase"] == "Succeeded"
