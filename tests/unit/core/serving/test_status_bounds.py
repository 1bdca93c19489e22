"""No list of the status forgets a decision because it is full: each one at its bound, and one entry further."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from steadfit.api.rollout import RevisionRef
from steadfit.api.runinputs import Limits
from steadfit.api.strategy import RolloutLimits
from steadfit.core.serving import status_bounds
from steadfit.core.serving.recovery import rollback_limit
from steadfit.core.serving.revisions.lookup import revision_of
from steadfit.core.serving.selection import served
from steadfit.core.training.limits import automatic_runs

from tests.support import effort
from tests.unit.core.serving.canaries import STEPS
from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import digest

AT = "2026-01-01T00:00:00Z"


def test_no_abandoned_candidate_returns_after_the_list_is_full() -> None:
    cluster = serving(1, strategy=STEPS)
    for number in range(2, 2 + status_bounds.MAX_ABANDONED + 4):
        cluster.add(number)
        cluster.settle()
        assert cluster.candidate() == number
        cluster.act("Abort")
        cluster.settle()
        assert (cluster.live(), cluster.candidate()) == (1, None)
    assert len(cluster.status.abandoned) == status_bounds.MAX_ABANDONED
    assert cluster.condition("Progressing") == ("False", "CandidateAbandoned")
    assert cluster.message("Progressing").endswith("a Promote of version 21 serves it")
    cluster.act("Promote", 2)
    cluster.settle()
    assert cluster.live() == 2, "a person may serve what the list has dropped"


def test_without_a_live_version_an_abort_that_would_forget_another_one_is_rejected() -> None:
    cluster = ServingCluster(replicas=1)
    for number in range(1, 2 + status_bounds.MAX_ABANDONED):
        cluster.add(number, against=None)
    cluster.step()
    names = []
    for _ in range(1 + status_bounds.MAX_ABANDONED):
        names.append(cluster.act("Abort"))
        cluster.step()
    assert [cluster.record(name)[0] for name in names] == ["Succeeded"] * status_bounds.MAX_ABANDONED + ["Rejected"]
    assert "Quarantine version 1 instead" in cluster.record(names[-1])[1]
    assert cluster.candidate() == 1


def test_a_pod_template_that_was_abandoned_can_be_promoted_after_the_list_is_full() -> None:
    cluster = serving(1, strategy=STEPS)
    cluster.edit(server={"replicas": 2, "image": "server:new"})
    cluster.settle()
    cluster.act("Abort")
    cluster.settle()
    cluster.deployment["status"]["abandoned"] = [
        {"revision": f"r{index}", "version": f"gone-{index}", "number": 1, "reason": "", "by": "ada", "at": AT}
        for index in range(status_bounds.MAX_ABANDONED)
    ]
    cluster.settle()
    assert (cluster.candidate(), cluster.condition("Progressing")) == (None, ("False", "OlderPodTemplate"))
    name = cluster.act("Promote", 1)
    cluster.settle()
    assert cluster.record(name)[0] == "Succeeded"


def given_up(cluster: ServingCluster, number: int) -> dict[str, Any]:
    """Return the entry of the pod template that the present spec asks for of a version."""
    ref = revision_of(cluster.version(number), cluster.status, cluster.fleet, cluster.now)
    assert isinstance(ref, RevisionRef)
    entry = {"version": ref.version, "number": number, "digest": ref.digest, "inputsDigest": ref.inputs_digest}
    return {**entry, "revision": ref.revision, "reason": "", "by": "progressDeadline", "at": AT}


def remembered(*numbers: int) -> ServingCluster:
    """Return a cluster in which these versions served, and their ModelVersions know it."""
    cluster = ServingCluster()
    for number in numbers:
        cluster.add(number)
        cluster.settle()
        cluster.versions_notice()
    return cluster


def test_what_a_rollback_passes_over_stays_after_the_list_of_abandoned_ones_is_full() -> None:
    cluster = remembered(*range(1, 4 + served.MAX_ENTRIES))
    entry = given_up(cluster, 2)
    assert 2 not in [one.number for one in cluster.status.served_versions]
    others = [
        {
            "revision": f"r{index}",
            "version": f"gone-{index}",
            "number": 1,
            "digest": digest(900),
            "reason": "",
            "by": "ada",
            "at": AT,
        }
        for index in range(status_bounds.MAX_ABANDONED - 1)
    ]
    cluster.deployment["status"]["abandoned"] = [entry, *others]
    cluster.add(30)
    cluster.step()
    assert cluster.candidate() == 30
    cluster.act("Abort")
    cluster.settle()
    kept = [one.revision for one in cluster.status.abandoned]
    assert kept[:2] == [entry["revision"], others[1]["revision"]]


def test_a_rollback_ends_before_it_would_drop_an_abandoned_pod_template() -> None:
    numbers = range(1, 5 + status_bounds.MAX_ABANDONED)
    cluster = remembered(*numbers)
    barred = numbers[-2 : -2 - status_bounds.MAX_ABANDONED : -1]
    cluster.deployment["status"]["abandoned"] = [given_up(cluster, number) for number in barred]
    name = cluster.act("Rollback")
    cluster.settle()
    phase, message = cluster.record(name)
    assert (phase, cluster.live(), cluster.candidate()) == ("Rejected", numbers[-1], None)
    assert "and 13 more" in message
    name = cluster.act("Rollback", 1)
    cluster.settle()
    assert (cluster.record(name)[0], cluster.live()) == ("Succeeded", 1)


def quarantined(index: int, **entry: Any) -> dict[str, Any]:
    return {
        "revision": f"old-{index}",
        "version": f"gone-{index}",
        "number": 1,
        "digest": digest(1000 + index),
        "artifact": digest(1000 + index),
        "reason": "worse",
        "by": "ada",
        "at": AT,
        **entry,
    }


def test_a_version_stays_in_quarantine_after_the_list_is_full() -> None:
    cluster = serving(1, 2)
    cluster.act("Quarantine", 2)
    cluster.settle()
    (entry,) = cluster.deployment["status"]["quarantine"]
    others = [quarantined(index) for index in range(status_bounds.MAX_QUARANTINE - 1)]
    for other in others[:3]:
        cluster.add(90 + others.index(other), artifact={"uri": "s3://models/x/", "digest": other["digest"]})
    cluster.deployment["status"]["quarantine"] = [entry, *others]
    cluster.add(3)
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    kept = cluster.deployment["status"]["quarantine"]
    assert len(kept) == status_bounds.MAX_QUARANTINE
    assert entry in kept, "no ModelVersion remembers it yet"
    assert others[3] not in kept, "no ModelVersion has that artifact any more"
    name = cluster.act("Promote", 2)
    cluster.settle()
    assert cluster.record(name)[0] == "Rejected"


def test_a_quarantine_that_the_spec_asks_for_stays_in_a_full_list_and_counts() -> None:
    cluster = serving(1, 2)
    cluster.act("Quarantine", 2)
    cluster.settle()
    (entry,) = cluster.deployment["status"]["quarantine"]
    cluster.versions[2]["status"]["quarantine"] = {
        **{key: entry[key] for key in ("reason", "by", "at", "revision")},
        "deployment": "flights",
    }
    others = [quarantined(index) for index in range(status_bounds.MAX_QUARANTINE - 1)]
    cluster.deployment["status"]["quarantine"] = [entry, *others]
    cluster.add(3)
    cluster.settle()
    cluster.act("Quarantine", 3)
    cluster.settle()
    kept = cluster.deployment["status"]["quarantine"]
    assert len(kept) == status_bounds.MAX_QUARANTINE
    assert [one["revision"] for one in kept if one["revision"] == entry["revision"]] == [entry["revision"]]
    name = cluster.act("Promote", 2)
    cluster.settle()
    assert cluster.record(name)[0] == "Rejected"
    assert cluster.live() == 1


def test_a_released_version_is_dropped_only_once_its_note_is_deleted() -> None:
    cluster = serving(1, 2)
    cluster.act("Quarantine", 2)
    cluster.settle()
    name = cluster.act("Release", 2)
    cluster.settle()
    (entry,) = cluster.deployment["status"]["released"]
    others = [
        {"version": f"gone-{index}", "number": 1, "digest": digest(1000 + index), "action": "a", "by": "ada", "at": AT}
        for index in range(status_bounds.MAX_RELEASED - 1)
    ]
    cluster.deployment["status"]["released"] = [entry, *others]
    cluster.add(3, "Rejected")
    cluster.act("Quarantine", 3)
    cluster.act("Release", 3)
    cluster.settle()
    kept = cluster.deployment["status"]["released"]
    assert (len(kept), kept[0], kept[1]) == (status_bounds.MAX_RELEASED, entry, others[1])
    assert cluster.record(name)[0] == "Pending"


def test_a_release_that_would_drop_one_whose_note_is_not_deleted_is_rejected() -> None:
    cluster = serving(1)
    numbers = range(2, 3 + status_bounds.MAX_RELEASED)
    for number in numbers:
        cluster.add(number, "Rejected")
        cluster.act("Quarantine", number)
        name = cluster.act("Release", number)
        cluster.settle()
    assert [entry.number for entry in cluster.status.released] == list(numbers)[:-1]
    assert cluster.record(name)[0] == "Rejected"
    assert cluster.record(name)[1].endswith(f"Release version {numbers[-1]} after that")


def test_a_quarantine_that_a_rollback_would_pass_over_is_dropped_before_any_other() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Quarantine", 2)
    cluster.settle()
    entries = [quarantined(index) for index in range(4, 4 + status_bounds.MAX_QUARANTINE)]
    for index, other in enumerate(entries):
        cluster.add(50 + index, "Rejected", artifact={"uri": "s3://models/x/", "digest": other["digest"]})
    cluster.deployment["status"]["quarantine"] += entries[:-1]
    cluster.settle()
    cluster.act("Quarantine", 49 + len(entries))
    cluster.settle()
    assert len(cluster.status.quarantine) == status_bounds.MAX_QUARANTINE
    assert 2 in [entry.number for entry in cluster.status.quarantine], "version 2 served, and would serve again"


def test_a_removed_pin_goes_back_to_what_served_last_after_the_list_is_full() -> None:
    numbers = range(1, 3 + served.MAX_ENTRIES)
    cluster = serving(*numbers)
    assert len(cluster.status.served_versions) == served.MAX_ENTRIES
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == numbers[-1]


def test_lists_that_limits_bound_are_as_long_as_the_limits() -> None:
    def most(model: type[Limits | RolloutLimits], name: str) -> int:
        return next(int(item.le) for item in model.model_fields[name].metadata if hasattr(item, "le"))

    assert most(RolloutLimits, "max_rollbacks_per_day") <= rollback_limit.MAX_ENTRIES
    assert most(Limits, "max_runs_per_day") + most(Limits, "break_after") <= automatic_runs.MOST + 4


@settings(max_examples=effort.cases(8), deadline=None)
@given(st.lists(st.sampled_from(["Abort", "Fail", "Promote", "newer"]), min_size=5, max_size=18))
def test_without_a_persons_word_a_version_number_is_tried_once(steps: list[str]) -> None:
    """Whatever ends candidates, in whatever order: a candidate is newer than every one that was tried before."""
    cluster = serving(1, replicas=1, strategy=STEPS)
    floor = 0
    tried: list[int] = [1]
    number = 1
    for step in steps:
        if step == "newer" or cluster.candidate() is None:
            number += 1
            cluster.add(number)
            cluster.settle()
        candidate = cluster.candidate()
        assert candidate is not None
        assert candidate == tried[-1] or candidate > max(tried)
        tried.append(candidate)
        if step == "Fail":
            cluster.finds("Fail")
        elif step != "newer":
            cluster.act(step)
        cluster.settle()
        again = cluster.candidate()
        assert again is None or again >= max(tried)
        reached = cluster.floor()
        assert reached is not None
        assert reached >= floor
        floor = reached
