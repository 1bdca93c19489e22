"""When the operator saw the pods of servers change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from steadfit.app.engine.pod_times import PodObservations
from steadfit.core import names
from steadfit.core.types import PodTimes
from steadfit.kube.cache import Cache, JSONObject

START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def moves(self) -> datetime:
        self.time += timedelta(minutes=1)
        return self.time


def pod(version: int, *, ready: bool = True, since: str = "t0", uid: str = "u", **server: Any) -> JSONObject:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "namespace": "n",
            "uid": uid,
            "resourceVersion": str(version),
            "labels": {names.MODEL_DEPLOYMENT: "flights"},
        },
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": since}],
            "containerStatuses": [{"name": "server", **server}],
        },
    }


def ended(container: str) -> dict[str, Any]:
    return {"terminated": {"containerID": container, "finishedAt": "by another clock"}}


def test_what_the_first_list_shows_has_come_at_an_unknown_time() -> None:
    clock, cache = Clock(), Cache()
    seen = PodObservations(cache, clock)
    cache.put(pod(1, ready=False, lastState=ended("a")))
    assert seen.by_uid == {"u": PodTimes(first_seen=START)}


def test_each_exit_and_each_change_of_readiness_is_seen_once() -> None:
    clock, cache = Clock(), Cache()
    seen = PodObservations(cache, clock)
    cache.put(pod(1))
    exit_ = clock.moves()
    cache.put(pod(2, ready=False, since="t1", state=ended("a")))
    assert seen.by_uid["u"] == PodTimes(START, exit_, exit_)
    clock.moves()
    cache.put(pod(3, ready=False, since="t1", lastState=ended("a")))
    assert seen.by_uid["u"] == PodTimes(START, exit_, exit_)
    ready = clock.moves()
    cache.put(pod(4, since="t2", lastState=ended("a")))
    assert seen.by_uid["u"] == PodTimes(START, exit_, ready)


def test_a_pod_that_is_gone_or_replaced_is_forgotten() -> None:
    clock, cache = Clock(), Cache()
    seen = PodObservations(cache, clock)
    cache.put(pod(1))
    later = clock.moves()
    cache.put(pod(2, uid="another"))
    assert seen.by_uid == {"another": PodTimes(first_seen=later)}
    cache.delete(pod(2, uid="another"))
    assert seen.by_uid == {}
