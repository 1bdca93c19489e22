"""The copies that are forked at the writes of one play are what `hit` plays from the beginning."""

from __future__ import annotations

import hashlib

from .branching import Target, failures_of_hits
from .harness import Outcome, hit
from .scenarios import a_changed_recipe_is_retrained_and_traffic_moves as story
from .simulated_cluster import SimulatedCluster

TARGETS: tuple[Target, ...] = (
    (2, "before"),
    (2, "after"),
    (17, "frozen"),
    (31, "before"),
    (31, "frozen"),
    (44, "after"),
)


def fingerprint(outcome: Outcome) -> str:
    """Return a digest of all that a play has brought about."""
    writes = [(str(write), write.at_once, write.manifest) for write in outcome.trace]
    told = (dict(outcome.objects), dict(outcome.summary), writes, outcome.states, outcome.crashes)
    return hashlib.sha256(repr(told).encode()).hexdigest()


def test_a_copy_ends_as_the_whole_play_that_is_hit_at_the_same_write() -> None:
    expected = [(target, fingerprint(hit(story, *target))) for target in TARGETS]
    assert failures_of_hits(story, TARGETS, fingerprint) == expected


def test_a_write_that_never_comes_is_a_failure() -> None:
    targets: tuple[Target, ...] = ((3, "after"), (100_000, "before"))
    assert failures_of_hits(story, targets) == [(targets[1], "nothing happened: the trace is not the reference's")]


async def _fails_after_a_crash(cluster: SimulatedCluster) -> None:
    await story(cluster)
    if cluster.crashes and cluster.conditions.crash.interruption == "frozen":
        raise RuntimeError("a bug of the story")
    assert not cluster.crashes, "the operator was hit"


def test_what_fails_in_a_copy_is_told_with_its_target() -> None:
    targets: tuple[Target, ...] = ((3, "frozen"), (3, "after"), (9, "before"))
    (first, bug), *others = failures_of_hits(_fails_after_a_crash, targets)
    assert first == targets[0]
    assert "a bug of the story" in bug
    assert [target for target, _ in others] == list(targets[1:])
    assert all("the operator was hit" in sentence for _, sentence in others)
