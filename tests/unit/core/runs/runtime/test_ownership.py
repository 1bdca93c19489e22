from __future__ import annotations

from typing import Any

import pytest
from steadfit.api.base import OwnerReference
from steadfit.core.runs.runtime.ownership import run_of, workload_of

JSON = dict[str, Any]

RUN = {"apiVersion": "steadfit.dev/v1alpha1", "kind": "TrainingRun", "name": "orders-1", "uid": "run-1"}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "name": "orders-1-a1", "uid": "job-1"}


def controlled(kind: str, name: str, uid: str, owner: JSON | None, controller: bool = True) -> JSON:
    owners = [] if owner is None else [{**owner, "controller": controller}]
    return {"kind": kind, "metadata": {"name": name, "uid": uid, "ownerReferences": owners}}


def pod(owner: JSON | None = JOB, controller: bool = True) -> JSON:
    return controlled("Pod", "orders-1-a1-x", "pod-1", owner, controller)


def job(owner: JSON | None = RUN, controller: bool = True, uid: str = "job-1") -> JSON:
    return controlled("Job", "orders-1-a1", uid, owner, controller)


def test_a_pod_belongs_to_the_run_that_controls_its_job() -> None:
    assert workload_of(pod()) == OwnerReference(**JOB, controller=True)
    assert run_of(pod(), job()) == OwnerReference(**RUN, controller=True)


@pytest.mark.parametrize(
    "loose",
    [
        pod(owner=None),
        pod(controller=False),
        pod({**JOB, "kind": "ReplicaSet"}),
        pod({**JOB, "apiVersion": "batch.volcano.sh/v1alpha1"}),
    ],
    ids=["none", "not the controller", "another kind", "another group"],
)
def test_a_pod_that_no_job_controls_belongs_to_no_run(loose: JSON) -> None:
    why = "Pod orders-1-a1-x is not controlled by a Job"
    assert workload_of(loose) == why
    assert run_of(loose, job()) == why


def test_a_job_of_the_same_name_but_another_uid_is_not_the_pods() -> None:
    assert run_of(pod(), job(uid="job-2")) == "the Job orders-1-a1 is another one of the same name"


@pytest.mark.parametrize(
    "loose",
    [
        job(owner=None),
        job(controller=False),
        job({**RUN, "kind": "ModelVersion"}),
        job({**RUN, "apiVersion": "example.com/v1"}),
    ],
    ids=["none", "not the controller", "another kind", "another group"],
)
def test_a_job_that_no_run_controls_leads_to_no_run(loose: JSON) -> None:
    assert run_of(pod(), loose) == "Job orders-1-a1 is not controlled by a TrainingRun"
