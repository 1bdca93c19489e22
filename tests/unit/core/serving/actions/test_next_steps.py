"""What the results of actions tell a person to do next: it is possible, and it is not done already."""

from __future__ import annotations

from tests.unit.core.serving.actions.test_quarantine_and_release import forget
from tests.unit.core.serving.serving_cluster import ServingCluster, serving


def test_at_zero_replicas_nobody_is_told_to_set_zero_replicas() -> None:
    cluster = serving(1)
    cluster.edit(server={"replicas": 0})
    cluster.settle()
    halt = cluster.act("Quarantine", 1)
    cluster.settle()
    phase, message = cluster.record(halt)
    assert phase == "Rejected"
    assert message.endswith("train another version; nothing answers meanwhile, as spec.server.replicas is 0")


def test_a_rollback_that_waits_for_replicas_says_so_and_the_named_step_ends_it() -> None:
    cluster = serving(1, 2, 3)
    cluster.edit(server={"replicas": 0})
    cluster.settle()
    back = cluster.act("Rollback", 1)
    cluster.settle()
    assert cluster.record(back) == (
        "Pending",
        "version 1 comes once there are pods, and spec.server.replicas is 0; raise spec.server.replicas, or Release"
        " version 3 to keep it",
    )
    cluster.edit(server={"replicas": 2})
    cluster.settle()
    assert cluster.record(back) == ("Succeeded", "version 1 serves")


def test_a_rollback_that_waits_for_replicas_is_ended_by_the_release_that_it_names() -> None:
    cluster = serving(1, 2, 3)
    cluster.edit(server={"replicas": 0})
    cluster.settle()
    back = cluster.act("Rollback", 1)
    cluster.settle()
    cluster.act("Release", 3)
    cluster.settle()
    assert (cluster.live(), cluster.record(back)[0]) == (3, "Rejected")


def test_a_first_version_that_is_released_comes_up_by_itself_and_no_promote_is_named() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.step()
    assert (cluster.live(), cluster.candidate()) == (None, 1)
    cluster.act("Quarantine", 1)
    cluster.settle()
    assert cluster.seen("CanaryFailed") == [], "it took no traffic, so it is not rolled back"
    released = cluster.act("Release", 1)
    cluster.settle()
    forget(cluster, 1)
    cluster.settle()
    assert (cluster.live(), cluster.record(released)) == (
        1,
        ("Succeeded", "version 1 is released; it comes up, as no version is live"),
    )


def test_an_unpin_says_what_follows() -> None:
    cluster = serving(1)
    cluster.add(2, "Held")
    cluster.settle()
    cluster.act("Pin", 2)
    cluster.settle()
    unpin = cluster.act("Unpin")
    cluster.settle()
    assert (cluster.live(), cluster.record(unpin)[1]) == (
        1,
        "the pin is removed: version 2 was served by the pin alone, and gives way to the last one that was let through",
    )
