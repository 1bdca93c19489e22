"""The objects that scenarios start from."""

from __future__ import annotations

from typing import Any

from .objects import JSON
from .simulated_cluster import NAMESPACE, SimulatedCluster

GROUP = "steadfit.dev/v1alpha1"
NAME = "flights"


def installation(cluster: SimulatedCluster) -> None:
    """Create the namespaces and a store."""
    for name in ("default", NAMESPACE):
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": name}}})
    cluster.create(
        {
            "apiVersion": GROUP,
            "kind": "ArtifactStore",
            "metadata": {"name": "default"},
            "spec": {"uriPrefix": "s3://models/", "credentialsSecretName": "store-keys"},
        }
    )
    cluster.create(
        {
            "apiVersion": GROUP,
            "kind": "ArtifactStore",
            "metadata": {"name": "lake"},
            "spec": {"uriPrefix": "s3://lake/", "credentialsSecretName": "lake-keys"},
        }
    )


def training_job(name: str = NAME, **spec: Any) -> JSON:
    """Return a TrainingJob as a user writes it."""
    return {
        "apiVersion": GROUP,
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "image": "registry.example.com/ml/flights-train:1.4.0",
            "data": [
                {"name": "flights", "uri": "s3://lake/flights/", "format": "Parquet", "latest": {"partitions": 2}}
            ],
            "evaluation": {
                "target": "late",
                "holdout": {"by": "Time", "column": "time_hour"},
                "metrics": [{"name": "roc_auc", "goal": "Maximize", "threshold": 0.6}],
            },
            **spec,
        },
    }


def model_deployment(name: str = NAME, **spec: Any) -> JSON:
    """Return a ModelDeployment as a user writes it."""
    return {
        "apiVersion": GROUP,
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"server": {"replicas": 2}, **spec},
    }


def action(name: str, verb: str, version: int | None = None, target: str = NAME) -> JSON:
    """Return a ModelAction as a user writes it."""
    spec: JSON = {
        "verb": verb,
        "target": {"kind": "TrainingJob" if verb in ("Retrain", "Cancel") else "ModelDeployment", "name": target},
        "reason": "the simulation wants it",
        "requestedBy": "jane@example.com",
    }
    if version is not None:
        spec["version"] = version
    return {
        "apiVersion": GROUP,
        "kind": "ModelAction",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
