"""One Event for each transition, and none while nothing changes."""

from __future__ import annotations

from tests.unit.core.serving.serving_cluster import serving


def test_a_rollout_tells_when_it_starts_and_when_traffic_moves() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.settle()
    first, second = cluster.moves
    assert cluster.seen("RolloutStarted") == [
        f"version 1 (revision {first}) comes up",
        f"version 2 (revision {second}) comes up beside version 1",
    ]
    assert cluster.seen("TrafficSwitched") == [
        f"traffic moves to version 1 (revision {first})",
        f"traffic moves to version 2 (revision {second})",
    ]
    assert cluster.seen("RolloutCancelled") == []


def test_a_rollback_tells_what_is_quarantined_and_where_traffic_goes() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    good, bad = cluster.moves[:2]
    assert cluster.seen("Quarantined") == [
        f"version 2 (revision {bad}) is in quarantine by alice (action-1): it is worse"
    ]
    assert cluster.seen("RolledBack") == [f"traffic moves back from version 2 to version 1 (revision {good})"]
    assert len(cluster.seen("TrafficSwitched")) == 2


def test_pins_tell_who_set_them_and_when_they_are_lifted() -> None:
    cluster = serving(1, 2)
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.seen("Pinned") == ["version 1 is pinned by alice until Unpin"]
    assert cluster.seen("Unpinned") == ["version 1 is not pinned any more"]


def test_a_refused_action_tells_why() -> None:
    cluster = serving(1)
    cluster.act("Pin", 9)
    cluster.settle()
    assert cluster.seen("ActionRejected") == ["Pin by alice (action-1): there is no version 9 of TrainingJob flights"]


def test_a_failing_candidate_tells_once_what_its_pods_say() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    assert cluster.status.candidate is not None
    revision = cluster.status.candidate.revision
    cluster.broken.add(revision)
    cluster.settle()
    assert len(cluster.seen("CandidateFailing")) == 1
    cluster.broken.clear()
    cluster.half.add(revision)
    cluster.settle()
    assert cluster.seen("CandidateFailing") == [
        f"version 2 (revision {revision}) does not come up:"
        " the server ended with exit code 3: the digest does not match"
    ]


def test_a_stall_tells_once_why() -> None:
    cluster = serving(1)
    cluster.edit(pin={"version": 9})
    cluster.settle()
    cluster.edit(pin={"version": 9}, server={"replicas": 1})
    cluster.settle()
    assert cluster.seen("VersionNotFound") == ["there is no version 9 of TrainingJob flights"]


def test_nothing_is_told_while_nothing_changes() -> None:
    cluster = serving(1, 2)
    told = len(cluster.events)
    for _ in range(5):
        cluster.step()
    assert len(cluster.events) == told
    assert cluster.plan().events == ()
