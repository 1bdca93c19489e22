from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from steadfit.api.record import Record
from steadfit.api.trainingrun import Attempt
from steadfit.core.runs.runtime import job_manifest
from steadfit.core.types import Stores
from steadfit_artifact.digest import FileEntry, Manifest
from steadfit_trainer.config import Config
from steadfit_trainer.report.record import complete, dump, posted

from tests.unit.core.training.builders import HEX, NOW, PLATFORM, SPEC, STORES, record, training_job, training_run

JSON = dict[str, Any]

ATTEMPT = Attempt(number=2, job="orders-0123456789-a2", decided_at=NOW)


def render(**recipe: Any) -> JSON:
    rendered = job_manifest.render(training_run(recipe=training_job(**recipe)), ATTEMPT, STORES, PLATFORM)
    assert rendered is not None
    return rendered


def template(**recipe: Any) -> JSON:
    found: JSON = render(**recipe)["spec"]["template"]
    return found


def containers(pod: JSON) -> dict[str, JSON]:
    return {item["name"]: item for item in (*pod["spec"]["initContainers"], *pod["spec"]["containers"])}


def mounts(container: JSON) -> dict[str, JSON]:
    return {mount["mountPath"]: mount for mount in container["volumeMounts"]}


def env(container: JSON) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container["env"]}


def config(pod: JSON) -> JSON:
    found: JSON = json.loads(env(containers(pod)["fetch"])["STEADFIT_CONFIG"].replace("$$", "$"))
    return found


def test_the_job_is_one_pod_that_kubernetes_neither_repeats_nor_ends() -> None:
    job = render()
    assert job["metadata"]["name"] == "orders-0123456789-a2"
    spec = {key: value for key, value in job["spec"].items() if key != "template"}
    assert spec == {"backoffLimit": 0, "completions": 1, "parallelism": 1, "podReplacementPolicy": "Failed"}
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_job_and_pod_carry_the_keys_by_which_they_are_found() -> None:
    job = render(pod={"labels": {"team": "a"}})
    keys = {
        "app.kubernetes.io/managed-by": "steadfit",
        "steadfit.dev/training-job": "orders",
        "steadfit.dev/training-run": "orders-0123456789",
        "steadfit.dev/attempt": "2",
    }
    assert job["metadata"]["labels"] == keys
    assert job["spec"]["template"]["metadata"]["labels"] == {"team": "a", **keys}
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("TrainingRun", "uid-of-orders-0123456789", True)


def test_the_steps_run_one_after_the_other_and_logs_show_train() -> None:
    pod = template()
    assert [item["name"] for item in pod["spec"]["initContainers"]] == ["fetch", "train"]
    assert [item["name"] for item in pod["spec"]["containers"]] == ["publish"]
    assert pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "train"
    assert {item["terminationMessagePolicy"] for item in containers(pod).values()} == {"FallbackToLogsOnError"}


def test_every_container_meets_the_restricted_pod_security_standard() -> None:
    pod = template()
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["enableServiceLinks"] is False
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    for container in containers(pod).values():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


def test_train_sees_no_keys_no_token_and_nothing_that_fetch_keeps_from_it() -> None:
    steps = containers(template())
    train = {mount["name"] for mount in steps["train"]["volumeMounts"]}
    assert train == {"workspace", "tmp-train"}
    shared = {mount["name"] for mount in steps["fetch"]["volumeMounts"]} & train
    assert shared == {"workspace"}
    assert "STEADFIT_CONFIG" not in env(steps["train"])
    assert mounts(steps["train"])["/steadfit/data"]["readOnly"] is True


def test_fetch_and_publish_hand_over_and_hold_the_keys_of_every_store() -> None:
    steps = containers(template())
    for name in ("fetch", "publish"):
        assert {"/steadfit/handover", "/steadfit/credentials/default", "/steadfit/credentials/lake"} <= set(
            mounts(steps[name])
        )
        assert "/steadfit/ca/lake" in mounts(steps[name])


def test_only_publish_can_speak_to_the_operator() -> None:
    pod = template()
    steps = containers(pod)
    assert {"/steadfit/operator-ca", "/steadfit/token"} <= set(mounts(steps["publish"]))
    assert not {"/steadfit/operator-ca", "/steadfit/token"} & set(mounts(steps["fetch"]))
    assert env(steps["publish"])["STEADFIT_CA_FILE"] == "/steadfit/operator-ca/ca.crt"
    assert pod["metadata"]["annotations"]["steadfit.dev/operator-ca"] == PLATFORM.ca_bundle
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    (source,) = volumes["token"]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "steadfit"
    assert source["serviceAccountToken"]["path"] == "token"
    (item,) = volumes["operator-ca"]["downwardAPI"]["items"]
    assert item == {
        "path": "ca.crt",
        "fieldRef": {"fieldPath": "metadata.annotations['steadfit.dev/operator-ca']"},
    }


def test_every_mount_has_its_volume_and_every_scratch_volume_a_limit() -> None:
    pod = template(limits={"workspace": "3Gi"})
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounted = {mount["name"] for item in containers(pod).values() for mount in item["volumeMounts"]}
    assert mounted == set(volumes)
    scratch = [volume["emptyDir"] for volume in volumes.values() if "emptyDir" in volume]
    assert scratch == [{"sizeLimit": "3Gi"}] * 4


def test_the_users_container_is_as_the_recipe_says() -> None:
    train = containers(template(command=["python"], args=["train.py"], seed=7, env=[{"name": "A", "value": "1"}]))[
        "train"
    ]
    assert (train["image"], train["command"], train["args"]) == ("shop/train:1", ["python"], ["train.py"])
    assert env(train) == {"HOME": "/tmp", "A": "1", "STEADFIT_RUN": "orders-0123456789", "STEADFIT_SEED": "7"}
    assert train["resources"]["limits"] == {"memory": "1Gi"}
    assert "command" not in containers(template())["train"]


def test_a_home_of_the_users_own_is_kept() -> None:
    assert env(containers(template(env=[{"name": "HOME", "value": "/steadfit"}]))["train"])["HOME"] == "/steadfit"


def test_dollar_signs_in_values_are_not_expanded_by_the_kubelet() -> None:
    pod = template(env=[{"name": "PRICE", "value": "$(HOME) $$5"}], params={"pattern": "^a$(X)"})
    assert env(containers(pod)["train"])["PRICE"] == "$$(HOME) $$$$5"
    assert config(pod)["params"] == {"pattern": "^a$(X)"}
    assert "$$(X)" in env(containers(pod)["fetch"])["STEADFIT_CONFIG"]


def test_fetch_and_publish_ask_for_what_train_asks_for_without_its_devices() -> None:
    amounts = {"requests": {"cpu": "1500m", "memory": "4Gi"}, "limits": {"memory": "4Gi", "nvidia.com/gpu": 1}}
    steps = containers(template(resources=amounts))
    assert steps["train"]["resources"] == amounts
    assert steps["fetch"]["resources"] == {"requests": {"cpu": "1500m", "memory": "4Gi"}, "limits": {"memory": "4Gi"}}
    assert steps["publish"]["resources"] == steps["fetch"]["resources"]


def test_the_configuration_says_all_that_fetch_and_publish_need() -> None:
    found = config(template())
    assert found["run"] == {
        "namespace": "shop",
        "name": "orders-0123456789",
        "uid": "uid-of-orders-0123456789",
        "attempt": 2,
        "trainingJob": "orders",
    }
    assert found["store"]["uriPrefix"] == "s3://models"
    (source,) = found["data"]
    assert source["uri"] == "s3://lake/orders/"
    assert source["latest"] == {"partitions": 2}
    assert source["store"] == {
        "uriPrefix": "s3://lake",
        "s3": {"endpoint": "https://lake:7070", "region": "us-east-1", "forcePathStyle": False},
        "credentials": "/steadfit/credentials/lake",
        "caBundle": "/steadfit/ca/lake/ca.crt",
    }
    assert found["evaluation"]["holdout"] == {"by": "Time", "column": "at", "fraction": 0.2}
    assert found["params"] == {"depth": 6}
    assert found["seed"] == 0
    assert found["recordUrl"] == (
        "https://steadfit-operator.steadfit-system.svc:8443/v1/namespaces/shop/trainingruns/orders-0123456789/record"
    )


def test_the_lineage_holds_the_pod_template_but_not_itself_nor_the_certificate() -> None:
    lineage = config(template())["lineage"]
    assert lineage["operatorVersion"] == "1.0.0"
    assert lineage["cause"]["type"] == "SpecChange"
    assert [item["name"] for item in lineage["podTemplate"]["spec"]["initContainers"]] == ["fetch", "train"]
    assert "STEADFIT_CONFIG" not in json.dumps(lineage)
    assert PLATFORM.ca_bundle not in json.dumps(lineage)
    assert "gitRevision" not in lineage


def test_the_pod_goes_where_the_recipe_wants_it() -> None:
    pod = template(
        pod={"nodeSelector": {"disk": "fast"}, "tolerations": [{"operator": "Exists"}], "serviceAccountName": "trainer"}
    )
    assert pod["spec"]["nodeSelector"] == {"disk": "fast"}
    assert pod["spec"]["tolerations"] == [{"operator": "Exists"}]
    assert pod["spec"]["serviceAccountName"] == "trainer"
    assert "priorityClassName" not in pod["spec"]


def test_the_queue_of_the_recipe_is_the_queue_of_the_job() -> None:
    run = training_run()
    queued = run.model_copy(
        update={"metadata": run.metadata.model_copy(update={"labels": {"kueue.x-k8s.io/queue-name": "gpu"}})}
    )
    job = job_manifest.render(queued, ATTEMPT, STORES, PLATFORM)
    assert job is not None
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpu"
    assert "kueue.x-k8s.io/queue-name" not in render()["metadata"]["labels"]


def test_without_a_store_there_is_no_job_but_a_sentence() -> None:
    assert job_manifest.render(training_run(), ATTEMPT, Stores(), PLATFORM) is None
    assert job_manifest.missing(training_run(), Stores()) == "there is no ArtifactStore default"
    assert job_manifest.missing(training_run(), STORES) is None


def test_one_store_for_results_and_data_is_mounted_once() -> None:
    data = [
        {"name": "a", "uri": "s3://models/a", "format": "CSV"},
        {"name": "b", "uri": "s3://models/b", "format": "CSV"},
    ]
    names = [volume["name"] for volume in template(data=data)["spec"]["volumes"]]
    assert len(names) == len(set(names)) == 7


def test_the_trainer_reads_the_configuration_and_its_record_is_taken_at_the_intake() -> None:
    """The two sides of the formats between operator and trainer, read against each other."""
    told = Config.model_validate(config(template(data=[{**SPEC["data"][0], "timeColumn": "at"}])))
    assert (told.run.attempt, told.data[0].time_column) == (2, "at")
    assert told.data[0].store.ca_bundle is not None
    manifest = Manifest((FileEntry("model.onnx", 10, HEX),))
    held = {"rows": 20, "digest": f"sha256:{HEX}", "by": "Time", "column": "at", "boundary": "2026-01-01"}
    uri = f"s3://models/shop/orders/artifacts/sha256/{manifest.digest.removeprefix('sha256:')}/"
    resolved = {"data": [{**record()["data"][0], "droppedRows": 1}], "holdout": held, "profile": [{"name": "orders"}]}
    inputs = [{"name": "distance", "datatype": "FP64"}]
    whole = complete(told, uri, manifest, resolved, {"roc_auc": 0.7}, inputs, {"python": None}, {}, {})
    assert whole["profile"] == resolved["profile"]
    sent = json.loads(dump(posted(whole)))
    taken = Record.model_validate(sent)
    assert (taken.run.attempt, taken.artifact.uri) == (2, uri)
    assert Record.model_validate(taken.dump()) == taken


def test_the_trainer_is_told_where_the_captured_rows_of_a_deployment_lie() -> None:
    captured = {"name": "live", "captured": {"deployment": "orders", "window": "24h"}}
    told = Config.model_validate(config(template(data=[*SPEC["data"], captured])))
    source = told.data[1]
    assert (source.uri, source.format) == ("s3://models/shop/_captures/orders/", "Parquet")
    assert source.captured is not None
    assert (source.captured.deployment, source.captured.window) == ("orders", "24h")
    assert source.store == told.store
    assert told.data[0].captured is None


def test_captured_rows_are_read_where_the_live_version_writes_them_though_the_recipe_names_another_store_now() -> None:
    captured = {"name": "live", "captured": {"deployment": "orders", "window": "24h"}}
    run = training_run(recipe=training_job(data=[*SPEC["data"], captured]))
    stores = replace(STORES, captured_in={"orders": "lake", "another": "default"})
    job = job_manifest.render(run, ATTEMPT, stores, PLATFORM)
    assert job is not None
    told = Config.model_validate(config(job["spec"]["template"]))
    assert (told.data[1].uri, told.data[1].store.uri_prefix) == ("s3://lake/shop/_captures/orders/", "s3://lake")
    assert told.store.uri_prefix == "s3://models"
    assert "/steadfit/credentials/lake" in mounts(containers(job["spec"]["template"])["fetch"])
