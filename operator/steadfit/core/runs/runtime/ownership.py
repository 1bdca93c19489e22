"""From a pod to its TrainingRun: Pod, Job, TrainingRun, each controlled by the next, by uid.

By this chain `publish` is authenticated: a token names a pod, and the pod may post a result for this run alone.
"""

from __future__ import annotations

from steadfit.api.base import API_VERSION, OwnerReference
from steadfit.core import names
from steadfit.core.types import Manifest


def workload_of(pod: Manifest) -> OwnerReference | str:
    """Return the reference to the Job that controls a pod, or why there is none."""
    return _controller(pod, "batch/v1", "Job")


def run_of(pod: Manifest, job: Manifest) -> OwnerReference | str:
    """Return the reference to the TrainingRun that a pod belongs to by its Job, or why there is none.

    Names are not enough: an object of the same name may have been made since, by anybody.
    """
    reference = workload_of(pod)
    if isinstance(reference, str):
        return reference
    if job["metadata"]["uid"] != reference.uid:
        return f"the Job {job['metadata']['name']} is another one of the same name"
    return _controller(job, API_VERSION, "TrainingRun")


def _controller(obj: Manifest, api_version: str, kind: str) -> OwnerReference | str:
    found = names.controller_of(obj)
    if found is None or (found["apiVersion"], found["kind"]) != (api_version, kind):
        return f"{obj['kind']} {obj['metadata']['name']} is not controlled by a {kind}"
    return OwnerReference.model_validate(found)
