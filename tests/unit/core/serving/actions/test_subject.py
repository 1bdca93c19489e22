"""An action without a version is about what was live, or the candidate, when it was created."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.support import effort
from tests.unit.core.serving.canaries import STEPS
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

from .action_clusters import carried_out, outcome, with_candidate

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def asked_before(cluster: ServingCluster, verb: str, number: int | None = None, *, by: timedelta = MINUTE) -> str:
    """Create an action some time ago, as while no operator was there."""
    name = cluster.act(verb, number)
    cluster.actions[name]["metadata"]["creationTimestamp"] = (cluster.now - by).isoformat()
    return name


def quarantined(cluster: ServingCluster) -> list[int]:
    return [entry.number for entry in cluster.status.quarantine]


@pytest.mark.parametrize("number", [None, 2])
def test_two_people_who_roll_back_one_fault_roll_back_one_version(number: int | None) -> None:
    cluster = serving(1, 2, 3)
    first = cluster.act("Rollback")
    second = cluster.act("Rollback", number)
    mark = cluster.actions[second]["metadata"].pop("annotations")
    cluster.settle()
    cluster.actions[second]["metadata"]["annotations"] = mark
    cluster.settle()
    assert (cluster.live(), quarantined(cluster)) == (2, [3])
    assert cluster.record(first) == ("Succeeded", "version 2 serves")
    phase, message = cluster.record(second)
    assert phase == "Succeeded"
    assert message.startswith("version 3 (revision ")
    assert "is in quarantine already, by alice (action-1); version 2 (revision " in message


def test_a_rollback_after_the_monitors_or_a_quarantine_rolls_nothing_further_back() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Quarantine", 3)
    cluster.settle()
    late = cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), quarantined(cluster)) == (2, [3])
    assert cluster.record(late)[0] == "Succeeded"


def test_what_replaced_a_rolled_back_version_can_be_rolled_back_once_somebody_can_have_judged_it() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Rollback")
    cluster.settle()
    cluster.now += 11 * SECOND
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), quarantined(cluster)) == (1, [3, 2])


def test_a_rollback_of_what_served_while_no_operator_ran_does_not_hit_what_went_live_since() -> None:
    cluster = serving(1, 2)
    cluster.now += 2 * MINUTE
    cluster.add(3)
    cluster.settle()
    late = asked_before(cluster, "Rollback")
    cluster.settle()
    assert (cluster.live(), quarantined(cluster)) == (3, [])
    phase, message = cluster.record(late)
    assert (phase, cluster.status.actions[-1].reason) == ("Rejected", "VersionReplaced")
    assert message.startswith("version 3 (revision ")
    assert ", version 2 (revision " in message
    assert message.endswith(
        " served; to roll back version 3, create another Rollback; a Quarantine of version 2 bars it"
    )


def test_a_rollback_of_a_version_that_is_not_recorded_any_more_says_so() -> None:
    cluster = serving(1, 2)
    cluster.now += 2 * MINUTE
    cluster.add(3)
    cluster.settle()
    del cluster.deployment["status"]["replaced"]
    late = asked_before(cluster, "Rollback")
    cluster.settle()
    assert quarantined(cluster) == []
    assert "another one served, which is not recorded any more" in cluster.record(late)[1]


def test_a_rollback_in_the_second_in_which_a_version_went_live_is_about_it() -> None:
    """A script waits until it serves, and the time of creation has no fraction."""
    cluster = serving(1, 2)
    cluster.add(3)
    while cluster.live() != 3:
        cluster.step()
        cluster.kubelet()
    live = cluster.status.live
    assert live is not None
    name = cluster.act("Rollback")
    cluster.deployment["status"]["live"]["since"] = (live.since + SECOND / 2).isoformat()
    cluster.actions[name]["metadata"]["creationTimestamp"] = live.since.replace(microsecond=0).isoformat()
    cluster.settle()
    assert (cluster.live(), quarantined(cluster)) == (2, [3])


@pytest.mark.parametrize("verb", ["Abort", "Promote"])
def test_a_verb_for_the_candidate_does_not_hit_the_one_that_has_superseded_it(verb: str) -> None:
    cluster = serving(1, strategy=STEPS)
    cluster.add(2)
    cluster.settle()
    cluster.now += 2 * MINUTE
    cluster.add(3)
    cluster.settle()
    assert cluster.candidate() == 3
    before = cluster.status.candidate
    late = asked_before(cluster, verb)
    cluster.settle()
    assert cluster.status.candidate == before
    phase, message = cluster.record(late)
    assert (phase, cluster.status.actions[-1].reason) == ("Rejected", "CandidateReplaced")
    assert message.startswith("version 3 (revision ")
    assert message.endswith(f"and meant the rollout of version 2; create another {verb} for version 3")


def test_two_people_who_abort_one_candidate_both_succeed_and_no_other_one_ends() -> None:
    cluster = serving(1, strategy=STEPS)
    cluster.add(2)
    cluster.settle()
    cluster.act("Abort")
    second = cluster.act("Abort")
    cluster.settle()
    assert cluster.record(second) == (
        "Succeeded",
        "version 2 was abandoned already, by alice (action-1); version 1 serves",
    )
    assert len(cluster.status.abandoned) == 1


def test_an_abort_of_what_has_gone_live_names_it_and_the_rollback() -> None:
    cluster = with_candidate()
    del cluster.deployment["status"]["candidate"]
    asked_before(cluster, "Abort", by=cluster.now - cluster.status.live.since + SECOND)  # type: ignore[union-attr]
    phase, message = outcome(carried_out(cluster))
    assert phase == "Rejected"
    assert message.startswith("there is no candidate to abort: version 1 serves since ")
    assert message.endswith("; a Rollback replaces it")


OPS = st.lists(st.sampled_from(["train", "ask", "ask", "pass", "rest", "settle", "minute"]), min_size=4, max_size=14)


@settings(max_examples=effort.cases(60))
@given(OPS)
def test_a_rollback_quarantines_what_served_when_it_was_created_or_nothing(ops: list[str]) -> None:
    """The operator makes passes only where the sequence says so: between them it is away."""
    cluster, meant, number = serving(1, 2, 3), {}, 3
    for op in ops:
        if op == "train":
            number += 1
            cluster.add(number)
        elif op == "ask":
            meant[f"alice ({cluster.act('Rollback')})"] = cluster.live()
        elif op == "pass":
            cluster.step()
            cluster.kubelet()
        elif op == "settle":
            cluster.settle()
        else:
            cluster.now += 2 * SECOND if op == "rest" else MINUTE
    cluster.settle()
    done = {entry.by: entry.number for entry in cluster.status.quarantine}
    assert done.items() <= meant.items()
    assert len({*done.values()}) == len(done)
    assert {record.phase for record in cluster.status.actions} <= {"Succeeded", "Rejected"}
    event(f"{len(done)} of {len(meant)} rolled back")
