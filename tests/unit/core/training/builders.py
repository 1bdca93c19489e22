"""Objects as the API server and a kubelet of Kubernetes 1.34 show them, small enough to read in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.runinputs import RunInputs
from steadfit.api.trainingjob import TrainingJob
from steadfit.api.trainingrun import TrainingRun
from steadfit.core import names
from steadfit.core.input_hash import input_hash
from steadfit.core.types import ObservedTrainingJob, ObservedTrainingRun, Platform, Stores

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
NAMESPACE = "shop"
HEX = "ab" * 32
PLATFORM = Platform(
    trainer_image="steadfit/trainer:1",
    server_image="steadfit/server:1",
    operator_version="1.0.0",
    record_url="https://steadfit-operator.steadfit-system.svc:8443",
    ca_bundle="-----BEGIN CERTIFICATE-----",
)

JSON = dict[str, Any]


def at(**ago: float) -> str:
    """Return a time before NOW as Kubernetes writes it."""
    return (NOW - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(base: Mapping[str, Any], **changes: Any) -> JSON:
    return {**base, **changes}


STORE: JSON = {
    "metadata": {"name": "default", "uid": "store-1"},
    "spec": {
        "uriPrefix": "s3://models",
        "s3": {"endpoint": "http://store:7070", "forcePathStyle": True},
        "credentialsSecretName": "model-keys",
    },
}
LAKE: JSON = {
    "metadata": {"name": "lake", "uid": "store-2"},
    "spec": {
        "uriPrefix": "s3://lake",
        "s3": {"endpoint": "https://lake:7070", "caBundleSecret": {"name": "lake-ca"}},
        "credentialsSecretName": "lake-keys",
    },
}
STORES = Stores([ArtifactStore.model_validate(STORE), ArtifactStore.model_validate(LAKE)])

SPEC: JSON = {
    "image": "shop/train:1",
    "params": {"depth": 6},
    "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
    "data": [{"name": "orders", "uri": "s3://lake/orders/", "format": "Parquet", "latest": {"partitions": 2}}],
    "evaluation": {
        "target": "late",
        "holdout": {"by": "Time", "column": "at", "fraction": 0.2},
        "metrics": [{"name": "roc_auc", "goal": "Maximize", "threshold": 0.6}],
    },
}


def training_job(status: JSON | None = None, metadata: JSON | None = None, **spec: Any) -> TrainingJob:
    return TrainingJob.model_validate(
        {
            "metadata": {
                "name": "orders",
                "namespace": NAMESPACE,
                "uid": "job-uid",
                "generation": 3,
                **(metadata or {}),
            },
            "spec": {**SPEC, **spec},
            "status": status or {},
        }
    )


def training_run(
    name: str = "orders-0123456789",
    status: JSON | None = None,
    recipe: TrainingJob | None = None,
    **spec: Any,
) -> TrainingRun:
    job = recipe or training_job()
    return TrainingRun.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "uid": f"uid-of-{name}",
                "generation": 1,
                "creationTimestamp": at(hours=1),
            },
            "spec": {
                **job.spec.model_dump(
                    mode="json", by_alias=True, exclude_none=True, include=set(RunInputs.model_fields)
                ),
                "trainingJobRef": {"name": job.name, "uid": job.uid},
                "cause": {"type": "SpecChange", "key": "k", "message": "the recipe's inputs are new"},
                "inputHash": input_hash(job.spec),
                **spec,
            },
            "status": status or {},
        }
    )


def finished_run(name: str, phase: str, ago: float, **status: Any) -> TrainingRun:
    """Return a run that ended `ago` hours before NOW."""
    return training_run(name, {"phase": phase, "finishedAt": at(hours=ago), **status})


def version(
    number: int = 1, phase: str | None = "Verified", run: str = "orders-0000000000", **spec: Any
) -> ModelVersion:
    digest = f"{number:064x}"
    return ModelVersion.model_validate(
        {
            "metadata": {
                "name": f"orders-v{number}",
                "namespace": NAMESPACE,
                "uid": f"version-{number}",
                "generation": 1,
            },
            "spec": {
                "trainingJobRef": {"name": "orders"},
                "number": number,
                "run": {"name": run, "uid": f"uid-of-{run}"},
                "cause": {"type": "SpecChange", "key": "k"},
                "storeRef": {"name": "default"},
                "artifact": {
                    "uri": f"s3://models/{NAMESPACE}/orders/artifacts/sha256/{digest}/",
                    "digest": f"sha256:{digest}",
                },
                "evaluation": {"metrics": [{"name": "roc_auc", "value": 0.7}]},
                "lineage": {"image": "shop/train:1"},
                "recordUri": "s3://models/records/1.json",
                **spec,
            },
            "status": {"phase": phase} if phase else {},
        }
    )


def retrain(uid: str = "action-1", created: str | None = None, phase: str = "Pending") -> ModelAction:
    return ModelAction.model_validate(
        {
            "metadata": {
                "name": f"retrain-{uid}",
                "namespace": NAMESPACE,
                "uid": uid,
                "annotations": {names.ACCEPTED_ANNOTATION: uid},
                "creationTimestamp": created or at(minutes=1),
            },
            "spec": {
                "verb": "Retrain",
                "target": {"kind": "TrainingJob", "name": "orders"},
                "reason": "the labels were corrected",
                "requestedBy": "ada",
            },
            "status": {"phase": phase},
        }
    )


DRIFT: JSON = {"name": "drift", "alert": {"matchLabels": {"alertname": "ModelInputDrift"}}}
"""A trigger by alert."""


def alert(fingerprint: str = "3f2a9c1b44d05e77", status: str = "firing", **changes: Any) -> JSON:
    """Return an alert as the intake keeps it."""
    return {
        "fingerprint": fingerprint,
        "alertname": "ModelInputDrift",
        "status": status,
        "trigger": "drift",
        "startsAt": at(minutes=10),
        "receivedAt": at(minutes=1),
        "labels": {"alertname": "ModelInputDrift"},
        **changes,
    }


def deployment(name: str = "orders", status: JSON | None = None, **spec: Any) -> ModelDeployment:
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-of-{name}", "generation": 1},
            "spec": {"trainingJobRef": {"name": "orders"}, **spec},
            "status": status or {},
        }
    )


def revision(number: int, since: str) -> JSON:
    """Return what a ModelDeployment says of a revision that is live or coming up."""
    return {
        "revision": f"r{number}",
        "version": f"orders-v{number}",
        "number": number,
        "digest": f"sha256:{number:064x}",
        "templateDigest": "t",
        "since": since,
    }


def record(**changes: Any) -> JSON:
    run = changes.pop("run", training_run())
    return {
        "schemaVersion": 1,
        "run": {
            "namespace": NAMESPACE,
            "name": run.name,
            "uid": run.uid,
            "attempt": 1,
            "trainingJob": "orders",
        },
        "artifact": {
            "uri": f"s3://models/{NAMESPACE}/orders/artifacts/sha256/{HEX}/",
            "digest": f"sha256:{HEX}",
            "size": 10,
            "files": [{"path": "model.onnx", "size": 10, "sha256": HEX}],
        },
        "data": [
            {
                "name": "orders",
                "uri": "s3://lake/orders/",
                "digest": f"sha256:{HEX}",
                "rows": 80,
                "holdoutRows": 20,
                "objectCount": 2,
                "objects": [{"path": "month=2/part-0.parquet", "size": 5, "sha256": HEX}],
            }
        ],
        "evaluation": {
            "metrics": {"roc_auc": 0.71},
            "holdoutRows": 20,
            "holdoutDigest": f"sha256:{HEX}",
            "by": "Time",
            "column": "at",
            "boundary": "2026-01-01T00:00:00Z",
        },
        "signature": [{"name": "distance", "datatype": "FP64"}],
        "environment": {"python": "3.11", "packages": {"numpy": "2.4"}},
        "source": {"commit": "c0ffee", "dirty": False},
        "params": {"depth": 6},
        "seed": 0,
        "parity": {},
        **changes,
    }


# What the kubelet says of one container.


def running(**ago: float) -> JSON:
    return {"state": {"running": {"startedAt": at(**ago)}}, "imageID": "registry/shop/train@sha256:aa"}


def ended(code: int, message: str = "", reason: str | None = None, finished: JSON | None = None) -> JSON:
    terminated = {
        "exitCode": code,
        "reason": reason or ("Completed" if code == 0 else "Error"),
        "startedAt": at(minutes=30),
        "finishedAt": at(**(finished or {"minutes": 5})),
    }
    if message:
        terminated["message"] = message
    return {"state": {"terminated": terminated}, "imageID": "registry/shop/train@sha256:aa"}


def waits(reason: str = "PodInitializing", message: str = "") -> JSON:
    waiting = {"reason": reason, "message": message} if message else {"reason": reason}
    return {"state": {"waiting": waiting}}


def attempt_job(number: int = 1, run: str = "orders-0123456789", *conditions: JSON, **metadata: Any) -> JSON:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{run}-a{number}",
            "namespace": NAMESPACE,
            "uid": f"job-{number}",
            "creationTimestamp": at(minutes=40),
            **metadata,
        },
        "spec": {},
        "status": {"conditions": list(conditions)},
    }


COMPLETE: JSON = {"type": "Complete", "status": "True"}
FAILED: JSON = {
    "type": "Failed",
    "status": "True",
    "reason": "BackoffLimitExceeded",
    "message": "Job has reached the specified backoff limit",
    "lastTransitionTime": at(),
}


def pod(
    fetch: JSON | None = None,
    train: JSON | None = None,
    publish: JSON | None = None,
    *,
    phase: str = "Pending",
    reason: str = "",
    message: str = "",
    conditions: Sequence[JSON] = (),
    attempt: int = 1,
    created: JSON | None = None,
    **metadata: Any,
) -> JSON:
    """Return the pod of an attempt; a step that is not given has no status yet."""
    status: JSON = {"phase": phase, "conditions": list(conditions)}
    if reason:
        status["reason"] = reason
    if message:
        status["message"] = message
    init = [{"name": name, **state} for name, state in (("fetch", fetch), ("train", train)) if state]
    if init:
        status["initContainerStatuses"] = init
        status["containerStatuses"] = [{"name": "publish", **(publish or waits())}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"orders-0123456789-a{attempt}-x7k2p",
            "namespace": NAMESPACE,
            "uid": f"pod-{attempt}",
            "creationTimestamp": at(**(created or {"minutes": 35})),
            "ownerReferences": [{"kind": "Job", "name": "j", "uid": f"job-{attempt}", "controller": True}],
            **metadata,
        },
        "spec": {
            "initContainers": [
                {"name": "fetch", "image": "steadfit/trainer:1"},
                {"name": "train", "image": "shop/train:1"},
            ],
            "containers": [{"name": "publish", "image": "steadfit/trainer:1"}],
            "volumes": [
                {"name": "workspace", "emptyDir": {}},
                {"name": "a", "secret": {"secretName": "model-keys"}},
                {"name": "b", "secret": {"secretName": "lake-keys"}},
            ],
        },
        "status": status,
    }


def disruption(reason: str = "DeletionByTaintManager", ago: JSON | None = None) -> JSON:
    return {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": reason,
        "message": "Taint manager: deleting due to NoExecute taint",
        "lastTransitionTime": at(**(ago or {"minutes": 5})),
    }


UNSCHEDULABLE: JSON = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/2 nodes are available: 2 Insufficient memory.",
    "lastTransitionTime": at(minutes=35),
}


def observed_job(
    job: TrainingJob | None = None,
    runs: Sequence[TrainingRun] = (),
    versions: Sequence[ModelVersion] = (),
    actions: Sequence[ModelAction] = (),
    stores: Stores = STORES,
    deployments: Sequence[ModelDeployment] = (),
) -> ObservedTrainingJob:
    return ObservedTrainingJob(job or training_job(), runs, versions, actions, stores, deployments)


def observed_run(
    run: TrainingRun | None = None,
    *,
    job: TrainingJob | None = None,
    orphan: bool = False,
    siblings: Sequence[TrainingRun] = (),
    versions: Sequence[ModelVersion] = (),
    jobs: Sequence[JSON] = (),
    pods: Sequence[JSON] = (),
    stores: Stores = STORES,
) -> ObservedTrainingRun:
    return ObservedTrainingRun(
        run=run or training_run(),
        job=None if orphan else job or training_job(),
        siblings=siblings,
        versions=versions,
        workloads=jobs,
        pods=pods,
        stores=stores,
        platform=PLATFORM,
    )
