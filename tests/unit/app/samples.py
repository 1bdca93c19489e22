"""Objects as the API server stores them, small but valid."""

from __future__ import annotations

from typing import Any

from steadfit.kube.cache import JSONObject
from steadfit.kube.resources import (
    ARTIFACT_STORES,
    DEPLOYMENTS,
    HTTP_ROUTES,
    JOBS,
    METRIC_SOURCES,
    MODEL_ACTIONS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    NAMESPACES,
    PODS,
    SERVICES,
    TRAINING_JOBS,
    TRAINING_RUNS,
    Resource,
)

EVALUATION = {
    "target": "late",
    "holdout": {"by": "Hash", "column": "id"},
    "metrics": [{"name": "mae", "goal": "Minimize"}],
}
DATA = [{"name": "flights", "uri": "s3://lake/flights/", "format": "Parquet"}]
CAUSE = {"type": "SpecChange", "key": "k"}
HEX = "a" * 64


def obj(resource: Resource, name: str, *, version: int = 1, namespace: str | None = "ns", **parts: Any) -> JSONObject:
    """An object whose uid is its kind and name."""
    metadata: JSONObject = {"name": name, "uid": f"{resource.kind}-{name}", "resourceVersion": str(version)}
    if resource.namespaced:
        metadata["namespace"] = namespace
    metadata |= parts.pop("metadata", {})
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **parts}


def owner(parent: JSONObject) -> JSONObject:
    metadata = parent["metadata"]
    reference = {"apiVersion": parent["apiVersion"], "kind": parent["kind"], "name": metadata["name"]}
    return {"ownerReferences": [{**reference, "uid": metadata["uid"], "controller": True}]}


def training_job(name: str = "flights", **parts: Any) -> JSONObject:
    return obj(TRAINING_JOBS, name, spec={"image": "i", "data": DATA, "evaluation": EVALUATION}, **parts)


def training_run(
    name: str,
    job: str = "flights",
    phase: str = "Running",
    uid: str | None = None,
    purpose: str = "Train",
    **parts: Any,
) -> JSONObject:
    spec = {
        "purpose": purpose,
        "trainingJobRef": {"name": job, "uid": uid or f"TrainingJob-{job}"},
        "cause": CAUSE,
        "inputHash": "h",
        "image": "i",
        "data": DATA,
        "evaluation": EVALUATION,
    }
    return obj(TRAINING_RUNS, name, spec=spec, status={"phase": phase}, **parts)


def model_version(name: str, job: str = "flights", **parts: Any) -> JSONObject:
    spec = {
        "trainingJobRef": {"name": job},
        "number": 1,
        "run": {"name": "r", "uid": "u"},
        "cause": CAUSE,
        "storeRef": {"name": "default"},
        "artifact": {"uri": "s3://models/x/", "digest": f"sha256:{HEX}"},
        "evaluation": {},
        "lineage": {"image": "i"},
        "recordUri": "s3://models/r.json",
    }
    return obj(MODEL_VERSIONS, name, spec=spec, **parts)


def model_deployment(name: str = "flights", job: str | None = None, **parts: Any) -> JSONObject:
    return obj(MODEL_DEPLOYMENTS, name, spec={"trainingJobRef": {"name": job}} if job else {}, **parts)


def model_action(name: str, kind: str = "TrainingJob", target: str = "flights", **parts: Any) -> JSONObject:
    verb = "Retrain" if kind == "TrainingJob" else "Rollback"
    spec = {"verb": verb, "target": {"kind": kind, "name": target}, "reason": "why", "requestedBy": "me"}
    return obj(MODEL_ACTIONS, name, spec=spec, **parts)


def artifact_store(name: str = "default") -> JSONObject:
    return obj(ARTIFACT_STORES, name, spec={"uriPrefix": "s3://models/", "credentialsSecretName": "s3"})


def metric_source(name: str = "default") -> JSONObject:
    return obj(METRIC_SOURCES, name, spec={"url": "http://prometheus:9090"})


def namespace(name: str = "ns", **labels: str) -> JSONObject:
    return obj(NAMESPACES, name, metadata={"labels": labels})


def batch_job(name: str, run: JSONObject) -> JSONObject:
    return obj(JOBS, name, metadata=owner(run))


def pod(name: str, parent: JSONObject | None = None, labels: dict[str, str] | None = None) -> JSONObject:
    return obj(PODS, name, metadata={"labels": labels or {}, **(owner(parent) if parent else {})})


def workload(name: str, deployment: JSONObject) -> JSONObject:
    return obj(DEPLOYMENTS, name, metadata=owner(deployment))


def service(name: str, **metadata: Any) -> JSONObject:
    return obj(SERVICES, name, metadata=metadata)


def http_route(name: str) -> JSONObject:
    return obj(HTTP_ROUTES, name)
