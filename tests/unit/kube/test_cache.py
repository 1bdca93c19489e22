from __future__ import annotations

from typing import Any

from steadfit.kube.cache import MAX_TOMBSTONES, Cache
from steadfit.kube.key import Key
from steadfit.kube.resources import JOBS, TRAINING_JOBS

KEY = Key(TRAINING_JOBS, "ns", "flights")


def job(version: int, uid: str = "u1", name: str = "flights", owner: str | None = None, **more: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "ns", "uid": uid, "resourceVersion": str(version)}
    if owner:
        metadata["ownerReferences"] = [{"uid": owner, "controller": True}]
    return {"apiVersion": "steadfit.dev/v1alpha1", "kind": "TrainingJob", "metadata": metadata, **more}


def by_owner() -> Cache:
    return Cache({"owner": lambda obj: [ref["uid"] for ref in obj["metadata"].get("ownerReferences", ())]})


def test_an_older_state_never_replaces_a_newer_one() -> None:
    cache = Cache()
    assert cache.put(job(9, spec="new"))
    assert not cache.put(job(8, spec="old"))
    assert not cache.put(job(9, spec="same"))
    known = cache.get(KEY)
    assert known is not None
    assert known["spec"] == "new"


def test_versions_are_compared_as_numbers() -> None:
    cache = Cache()
    cache.put(job(99))
    assert cache.put(job(100))


def test_a_late_event_does_not_raise_a_deleted_object() -> None:
    cache = Cache()
    cache.put(job(5))
    assert cache.delete(job(9))
    assert not cache.put(job(8))
    assert cache.get(KEY) is None


def test_a_deletion_that_arrives_before_the_reply_of_a_write_stands() -> None:
    cache = Cache()
    cache.delete(job(9))
    assert not cache.put(job(7))
    assert cache.get(KEY) is None


def test_an_object_that_comes_back_into_a_label_selector_is_taken_again() -> None:
    cache = Cache()
    cache.put(job(5))
    cache.delete(job(6))
    assert cache.put(job(7))


def test_a_deletion_of_the_former_object_leaves_its_successor() -> None:
    cache = Cache()
    cache.put(job(5, uid="former"))
    cache.put(job(8, uid="successor"))
    assert not cache.delete(job(6, uid="former"))
    known = cache.get(KEY)
    assert known is not None
    assert known["metadata"]["uid"] == "successor"


def test_news_of_the_former_object_does_not_replace_its_successor() -> None:
    cache = Cache()
    cache.put(job(8, uid="successor"))
    assert not cache.put(job(6, uid="former"))


def test_a_successor_tells_that_the_former_object_is_gone() -> None:
    cache, told = Cache(), []
    cache.put(job(5, uid="former"))
    cache.listen(lambda obj: told.append(obj["metadata"]["uid"]))
    cache.put(job(8, uid="successor"))
    assert told == ["former", "successor"]


def test_listeners_hear_each_change_once() -> None:
    cache, told = Cache(), []
    cache.listen(lambda obj: told.append(obj["metadata"]["resourceVersion"]))
    for version in (5, 5, 4, 6):
        cache.put(job(version))
    cache.delete(job(7))
    cache.delete(job(7))
    assert told == ["5", "6", "6"]


def test_an_index_follows_its_objects() -> None:
    cache = by_owner()
    cache.put(job(1, "a", "one", owner="x"))
    cache.put(job(2, "b", "two", owner="x"))
    assert [obj["metadata"]["name"] for obj in cache.by(TRAINING_JOBS, "owner", "x")] == ["one", "two"]
    cache.put(job(3, "a", "one", owner="y"))
    assert [obj["metadata"]["name"] for obj in cache.by(TRAINING_JOBS, "owner", "x")] == ["two"]
    cache.delete(job(4, "b", "two"))
    assert cache.by(TRAINING_JOBS, "owner", "x") == []
    assert cache.by(JOBS, "owner", "y") == []


def test_a_full_list_deletes_what_it_does_not_name() -> None:
    cache = Cache()
    cache.put(job(5, "a", "kept"))
    cache.put(job(6, "b", "gone"))
    newer, gone = cache.replace(TRAINING_JOBS, None, [job(5, "a", "kept"), job(7, "c", "new")], 10)
    assert [obj["metadata"]["name"] for obj in newer] == ["new"]
    assert [obj["metadata"]["name"] for obj in gone] == ["gone"]
    assert [obj["metadata"]["name"] for obj in cache.all(TRAINING_JOBS)] == ["kept", "new"]
    assert not cache.put(job(9, "b", "gone"))


def test_a_full_list_keeps_what_is_newer_than_itself() -> None:
    cache = Cache()
    cache.put(job(12, "a", "created-after-the-list"))
    _, gone = cache.replace(TRAINING_JOBS, None, [], 10)
    assert gone == []
    assert len(cache.all(TRAINING_JOBS)) == 1


def test_a_list_of_one_namespace_leaves_the_others() -> None:
    cache = Cache()
    cache.put(job(5))
    _, gone = cache.replace(TRAINING_JOBS, "other", [], 10)
    assert gone == []


def test_managed_fields_are_not_kept() -> None:
    cache = Cache()
    obj = job(5)
    obj["metadata"]["managedFields"] = [{"manager": "x"}]
    cache.put(obj)
    known = cache.get(KEY)
    assert known is not None
    assert "managedFields" not in known["metadata"]
    assert "managedFields" in obj["metadata"]


def test_tombstones_are_bounded() -> None:
    cache = Cache()
    for number in range(MAX_TOMBSTONES + 10):
        cache.delete(job(number, uid=f"u{number}"))
    assert cache.statistics().tombstones == MAX_TOMBSTONES


def test_statistics_count_what_is_known_and_what_was_stale() -> None:
    cache = Cache()
    cache.put(job(5))
    cache.put(job(4))
    statistics = cache.statistics()
    assert (statistics.objects["TrainingJob"], statistics.updates, statistics.stale) == (1, 1, 1)
