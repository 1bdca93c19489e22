from __future__ import annotations

from itertools import count
from typing import Any

from steadfit.app.engine.indexes import INDEXES
from steadfit.app.engine.refusals import REMEMBERED, Refusals
from steadfit.kube.cache import Cache
from steadfit.kube.resources import JOBS

NO_ACCOUNT = 'serviceaccount "trainer" not found'
NO_LIMITS = "failed quota: compute: must specify limits.cpu"


class Scene:
    """A cache with Jobs, their refusals, and the Jobs whose words have changed."""

    def __init__(self) -> None:
        self.cache = Cache(INDEXES)
        self.changed: list[str] = []
        self.refusals = Refusals(self.cache, lambda obj: self.changed.append(obj["metadata"]["name"]))
        self._versions = count(1)

    def job(self, name: str = "flights-1-a1", **status: Any) -> dict[str, Any]:
        obj = {"apiVersion": "batch/v1", "kind": "Job", "metadata": self._metadata(name), "status": status}
        self.cache.put(obj)
        return obj

    def pod(self, job: dict[str, Any]) -> dict[str, Any]:
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        controller = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": True}
        metadata = {**self._metadata(f"{name}-x"), "ownerReferences": [controller]}
        obj = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        self.cache.put(obj)
        return obj

    def causes(self) -> dict[str, str]:
        return dict(self.refusals.within("ns", [JOBS]))

    def _metadata(self, name: str) -> dict[str, Any]:
        return {"name": name, "namespace": "ns", "uid": f"uid of {name}", "resourceVersion": str(next(self._versions))}


def refused(job: dict[str, Any], words: str = NO_ACCOUNT, minute: int = 0, **more: Any) -> dict[str, Any]:
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{minute}", "namespace": "ns"},
        "reason": "FailedCreate",
        "note": f'Error creating: pods "{name}-x" is forbidden: {words}',
        "regarding": {"kind": "Job", "namespace": "ns", "name": name, "uid": uid},
        "deprecatedLastTimestamp": f"2026-11-30T12:{minute:02}:00Z",
        **more,
    }


def test_the_newest_event_counts_in_whatever_order_they_arrive() -> None:
    scene = Scene()
    job = scene.job()
    scene.refusals.on_event(refused(job, NO_LIMITS, 5))
    scene.refusals.on_event(refused(job, NO_ACCOUNT, 1))
    assert scene.causes() == {"flights-1-a1": NO_LIMITS}
    series = {"lastObservedTime": "2026-11-30T12:09:00.000000Z"}
    scene.refusals.on_event(refused(job, NO_ACCOUNT, 1, series=series))
    assert scene.causes() == {"flights-1-a1": NO_ACCOUNT}


def test_new_words_are_told_once() -> None:
    scene = Scene()
    job = scene.job()
    for minute, words in enumerate((NO_ACCOUNT, NO_ACCOUNT, NO_LIMITS, NO_LIMITS)):
        scene.refusals.on_event(refused(job, words, minute))
    assert scene.changed == ["flights-1-a1", "flights-1-a1"]


def test_a_refusal_is_over_once_the_pod_is_there_also_if_its_events_are_late() -> None:
    scene = Scene()
    job = scene.job()
    scene.refusals.on_event(refused(job))
    pod = scene.pod(job)
    assert scene.causes() == {}
    scene.refusals.on_event(refused(job, minute=1))
    assert scene.causes() == {}
    scene.cache.delete(pod)
    assert scene.causes() == {}, "why the pod is gone is another question"


def test_a_refusal_is_over_once_its_job_has_ended_or_is_gone() -> None:
    scene = Scene()
    for name in ("ended", "gone"):
        scene.refusals.on_event(refused(scene.job(name)))
    assert set(scene.causes()) == {"ended", "gone"}
    scene.job("ended", conditions=[{"type": "Failed", "status": "True"}])
    assert set(scene.causes()) == {"gone"}
    scene.cache.delete(scene.job("gone"))
    assert scene.causes() == {}


def test_events_of_other_objects_and_of_another_reason_are_ignored() -> None:
    scene = Scene()
    job = scene.job()
    for event in (
        refused({"metadata": {"name": "theirs", "uid": "theirs"}}),
        refused({"metadata": {"name": "flights-1-a1", "uid": "of an older Job of the name"}}),
        refused(job, reason="SuccessfulCreate"),
        refused(job, regarding={**refused(job)["regarding"], "kind": "ReplicaSet"}),
        refused(job, regarding={}),
    ):
        scene.refusals.on_event(event)
    assert scene.causes() == {}
    assert scene.changed == []


def test_the_memory_is_bounded_and_keeps_what_was_refused_last() -> None:
    scene = Scene()
    first = scene.job("first")
    scene.refusals.on_event(refused(first))
    for number in range(REMEMBERED - 1):
        scene.refusals.on_event(refused(scene.job(f"job-{number}")))
    scene.refusals.on_event(refused(first, minute=1))
    scene.refusals.on_event(refused(scene.job("last")))
    assert len(scene.causes()) == REMEMBERED
    assert {"first", "last"} <= set(scene.causes())
