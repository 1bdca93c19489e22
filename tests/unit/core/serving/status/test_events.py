"""One Event for each transition, and none while nothing changes."""

from __future__ import annotations

from tests.unit.core.serving.serving_cluster import serving


def test_a_rollout_tells_when_it_starts_and_when_traffic_moves() -> None:
    world = serving(1)
    world.add(2)
    world.settle()
    first, second = world.moves
    assert world.seen("RolloutStarted") == [
        f"version 1 (revision {first}) comes up",
        f"version 2 (revision {second}) comes up beside version 1",
    ]
    assert world.seen("TrafficSwitched") == [
        f"traffic moves to version 1 (revision {first})",
        f"traffic moves to version 2 (revision {second})",
    ]
    assert world.seen("RolloutCancelled") == []


def test_a_rollback_tells_what_is_barred_and_where_traffic_goes() -> None:
    world = serving(1, 2)
    world.act("Rollback")
    world.settle()
    good, bad = world.moves[:2]
    assert world.seen("Quarantined") == [
        f"version 2 (revision {bad}) is in quarantine by alice (action-1): it is worse"
    ]
    assert world.seen("RolledBack") == [f"traffic moves back from version 2 to version 1 (revision {good})"]
    assert len(world.seen("TrafficSwitched")) == 2


def test_pins_tell_who_set_them_and_when_they_are_lifted() -> None:
    world = serving(1, 2)
    world.act("Pin", 1)
    world.settle()
    world.act("Unpin")
    world.settle()
    assert world.seen("Pinned") == ["version 1 is pinned by alice until Unpin"]
    assert world.seen("Unpinned") == ["version 1 is not pinned any more"]


def test_a_refused_action_tells_why() -> None:
    world = serving(1)
    world.act("Pin", 9)
    world.settle()
    assert world.seen("ActionRejected") == ["Pin by alice (action-1): there is no version 9 of TrainingJob flights"]


def test_a_failing_candidate_tells_once_what_its_pods_say() -> None:
    world = serving(1)
    world.add(2)
    world.step()
    assert world.status.candidate is not None
    revision = world.status.candidate.revision
    world.broken.add(revision)
    world.settle()
    assert len(world.seen("CandidateFailing")) == 1
    world.broken.clear()
    world.half.add(revision)
    world.settle()
    assert world.seen("CandidateFailing") == [
        f"version 2 (revision {revision}) does not come up:"
        " the server ended with exit code 3: the digest does not match"
    ]


def test_a_stall_tells_once_why() -> None:
    world = serving(1)
    world.edit(pin={"version": 9})
    world.settle()
    world.edit(pin={"version": 9}, server={"replicas": 1})
    world.settle()
    assert world.seen("VersionNotFound") == ["there is no version 9 of TrainingJob flights"]


def test_nothing_is_told_while_nothing_changes() -> None:
    world = serving(1, 2)
    told = len(world.events)
    for _ in range(5):
        world.step()
    assert len(world.events) == told
    assert world.plan().events == ()
