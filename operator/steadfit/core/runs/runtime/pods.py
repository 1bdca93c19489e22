"""Which pods are those of a Job."""

from __future__ import annotations

from collections.abc import Sequence

from steadfit.core.types import Manifest

from . import job as jobs
from . import pod_view
from .pod_view import RunPod


def pods_of(job: Manifest, pods: Sequence[Manifest]) -> list[RunPod]:
    """Return the pods of a Job, oldest first."""
    uid = job["metadata"]["uid"]
    own = [pod for pod in pods if any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences", []))]
    return sorted((pod_view.parse(pod) for pod in own), key=lambda pod: (pod.created_at, pod.name))


def pod_of(job: Manifest, pods: Sequence[Manifest]) -> RunPod | None:
    """Return the newest pod of a Job; a suspended Job has none that counts."""
    own = pods_of(job, pods)
    return own[-1] if own and not jobs.is_suspended(job) else None
