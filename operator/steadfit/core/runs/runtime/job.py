"""The Job that runs one pod, once: its name, its manifest, and what its status says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadfit.api.base import Object
from steadfit.core import names
from steadfit.core.types import Manifest

KIND = "Job"
"""The kind's name, for messages."""
_TYPE = {"apiVersion": "batch/v1", "kind": KIND}


def attempt_name(run: str, number: int) -> str:
    """Return the name of the Job of one attempt."""
    return f"{run}-a{number}"


def render(
    name: str,
    owner: Object,
    template: Mapping[str, Any],
    *,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    deadline_seconds: int | None = None,
) -> dict[str, Any]:
    """Return a Job of `owner` that runs a pod of `template` once.

    After `deadline_seconds` Kubernetes fails the Job and deletes its pod, with the evidence; None = never.
    """
    return {
        **_TYPE,
        "metadata": {
            "name": name,
            "namespace": owner.metadata.namespace,
            "labels": dict(labels),
            "annotations": dict(annotations),
            "ownerReferences": [names.owner_reference(owner)],
        },
        "spec": {
            # The operator counts attempts and waits between them.
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            # Never a second pod beside one that is still ending.
            "podReplacementPolicy": "Failed",
            **({} if deadline_seconds is None else {"activeDeadlineSeconds": deadline_seconds}),
            "template": dict(template),
        },
    }


def reference(job: Manifest) -> Manifest:
    """Return a Job by name and uid alone, as a deletion needs it."""
    return {**_TYPE, "metadata": {key: job["metadata"][key] for key in ("name", "namespace", "uid")}}


def is_complete(job: Manifest) -> bool:
    """Return whether the pod of a Job has succeeded."""
    return _condition(job, "Complete") is not None


def failed(job: Manifest) -> Manifest | None:
    """Return the condition that says why and when a Job failed; None while it has not."""
    return _condition(job, "Failed")


def is_over(job: Manifest) -> bool:
    """Return whether a Job has ended, either way."""
    return is_complete(job) or failed(job) is not None


def is_suspended(job: Manifest) -> bool:
    """Return whether a queue holds a Job back: it has no pod then."""
    return bool(job.get("spec", {}).get("suspend", False))


def is_deleted(job: Manifest) -> bool:
    """Return whether a Job is being deleted, together with its pods."""
    return "deletionTimestamp" in job["metadata"]


def _condition(job: Manifest, condition_type: str) -> Manifest | None:
    for condition in job.get("status", {}).get("conditions", []):
        if condition["type"] == condition_type and condition["status"] == "True":
            return dict(condition)
    return None
