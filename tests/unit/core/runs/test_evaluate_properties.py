"""Whatever happens to the pod, the queue, the store and the clock: an evaluation never becomes a version, and rests.

`TrainingCluster` checks at every pass that a plan rests on its own status, records an Event once, and never gives a
finished run a Job.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.training.builders import COMPLETE, FAILED, UNSCHEDULABLE, disruption, ended, record, running, waits
from tests.unit.core.training.evaluations import NAME, Evaluating
from tests.unit.core.training.training_cluster import FINISHED

PODS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((waits(),), {"conditions": [UNSCHEDULABLE]}),
    ((waits("ErrImagePull", "not found"),), {}),
    ((waits("CreateContainerConfigError", "secret not found"),), {}),
    ((running(minutes=3),), {}),
    ((ended(10, "damaged"),), {"phase": "Failed"}),
    ((ended(0), running(minutes=2)), {"phase": "Running"}),
    ((ended(0), running(minutes=2)), {"phase": "Running", "conditions": [disruption()]}),
    ((ended(0), ended(137, reason="OOMKilled")), {"phase": "Failed"}),
    ((ended(0), ended(11, "away")), {"phase": "Failed"}),
    ((ended(0), ended(0)), {"phase": "Succeeded"}),
]


def change_the_pod(cluster: Evaluating, choice: int) -> None:
    if ("Job", cluster.evaluation.status.attempts[-1].job) in cluster.objects:
        states, status = PODS[choice % len(PODS)]
        cluster.evaluation_pod(*states, **status)


def end_the_job(cluster: Evaluating, choice: int) -> None:
    if ("Job", cluster.evaluation.status.attempts[-1].job) in cluster.objects:
        cluster.end_evaluation((COMPLETE, FAILED)[choice % 2])


def post(cluster: Evaluating, choice: int) -> None:
    status = cluster.evaluation.status
    if status.phase not in FINISHED and status.evaluation is None:
        cluster.post_outcome(**([{}, {"reason": "too few", "live": None}][choice % 2]))


def forge_a_record(cluster: Evaluating, choice: int) -> None:
    cluster.objects["TrainingRun", NAME]["status"]["record"] = record(run=cluster.evaluation)


def delete_the_job(cluster: Evaluating, choice: int) -> None:
    job = cluster.evaluation.status.attempts[-1].job
    if ("Job", job) in cluster.objects:
        cluster.remove("Job", job)


def change_the_recipe(cluster: Evaluating, choice: int) -> None:
    cluster.edit(params={"depth": choice % 3}, suspend=choice % 2 == 0)


def take_the_stores_away(cluster: Evaluating, choice: int) -> None:
    stores, cluster.stores = cluster.stores, []
    cluster.settle()
    cluster.stores = stores


def wait(cluster: Evaluating, choice: int) -> None:
    cluster.advance(minutes=choice * 7)


DEEDS: list[Callable[[Evaluating, int], None]] = [
    change_the_pod, change_the_pod, end_the_job, post, forge_a_record, delete_the_job, change_the_recipe,
    take_the_stores_away, wait,
]  # fmt: skip


@given(deeds=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 30)), min_size=1, max_size=14))
@settings(max_examples=60)
def test_an_evaluation_ends_with_an_outcome_or_a_failure_and_never_with_a_version(deeds: Any) -> None:
    cluster = Evaluating()
    cluster.settle()
    cluster.evaluate()
    cluster.settle()
    phases = []
    for deed, choice in deeds:
        deed(cluster, choice)
        cluster.settle()
        status = cluster.evaluation.status
        phases.append(status.phase)
        assert (status.version, status.version_number) == (None, None)
        assert status.phase != "Superseded"
        assert (status.phase == "Succeeded") <= (status.evaluation is not None)
        failure = status.failure
        assert failure is None or failure.failure_class != "UserError"
    ends = [phase for phase in phases if phase in FINISHED]
    assert len(set(ends)) <= 1, "an end is final"
    assert {item.name for item in cluster.versions()} == {"orders-v1", "orders-v2"}
