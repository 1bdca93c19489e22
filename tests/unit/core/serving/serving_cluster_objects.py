"""The objects that a cluster of the serving side is made of: a store, versions, and the job that trained them."""

from __future__ import annotations

from typing import Any

NAMESPACE = "shop"


def digest(number: int) -> str:
    """Return a digest that tells versions apart."""
    return f"sha256:{number:064x}"


def store(name: str = "default", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": f"store-{name}"},
        "spec": {
            "uriPrefix": "s3://models",
            "s3": {"endpoint": "http://store:7070", "forcePathStyle": True},
            "credentialsSecretName": "store-credentials",
            **spec,
        },
    }


def version(number: int, phase: str | None = "Verified", job: str = "job-1", **spec: Any) -> dict[str, Any]:
    """Return a version of the TrainingJob of a uid."""
    status = {"phase": phase} if phase else {}
    uid = f"version-{number}" if job == "job-1" else f"{job}-version-{number}"
    return {
        "metadata": {"name": f"flights-v{number}", "namespace": NAMESPACE, "uid": uid},
        "spec": {
            "trainingJobRef": {"name": "flights", "uid": job},
            "number": number,
            "run": {"name": f"run-{number}", "uid": f"run-uid-{number}"},
            "cause": {"type": "SpecChange", "key": str(number)},
            "storeRef": {"name": "default"},
            "artifact": {"uri": f"s3://models/{number}/", "digest": digest(number), "size": 1000},
            "evaluation": {"metrics": [{"name": "roc_auc", "value": 0.7}]},
            "lineage": {"image": "train:1"},
            "recordUri": f"s3://models/records/{number}.json",
            **spec,
        },
        "status": status,
    }


def won(champion: str | None) -> dict[str, Any]:
    """Return a comparison with the artifact of a digest that came out well."""
    name = next((f"flights-v{number}" for number in range(100) if digest(number) == champion), "flights-v0")
    numbers = {"value": 0.7, "difference": 0.0, "lower": -0.001, "upper": 0.001, "rows": 1000}
    return {"version": name, "digest": champion, "metric": "roc_auc", "method": "paired bootstrap", **numbers}


def job(uid: str = "job-1") -> dict[str, Any]:
    return {
        "metadata": {"name": "flights", "namespace": NAMESPACE, "uid": uid},
        "spec": {
            "image": "train:1",
            "data": [{"name": "flights", "uri": "s3://models/data/", "format": "Parquet"}],
            "evaluation": {
                "target": "late",
                "holdout": {"by": "Hash", "column": "id"},
                "metrics": [{"name": "roc_auc", "goal": "Maximize"}],
            },
        },
    }
