"""Going back reaches any good version that was let through, the last one first: one policy, whoever asks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.core.serving.rollout import progress_deadline
from steadfit.core.serving.selection import served
from steadfit.core.status_texts import ONE_EACH

from tests.unit.core.serving.canaries import STEPS, champion
from tests.unit.core.serving.recovery.test_automatic_rollback import BAD, ERRORS, GOOD
from tests.unit.core.serving.recovery.test_diagnosis import CHANCE, FALLEN, FINE, MOVED, QUALITY, WORSE, end, entry
from tests.unit.core.serving.serving_cluster import ServingCluster, serving


def watched(*numbers: int, **spec: Any) -> ServingCluster:
    return serving(*numbers, **{"monitors": [QUALITY], "capture": {"sample": 1.0}, **spec})


def measure(cluster: ServingCluster, signal: Any, name: str = "quality") -> None:
    cluster.signals[name] = signal
    cluster.settle()


def quarantined(cluster: ServingCluster) -> list[int]:
    return [one.number for one in cluster.status.quarantine]


# Recover


def test_recover_compares_with_the_version_before_a_last_good_one_that_is_barred() -> None:
    cluster = watched(1, 2, 3)
    cluster.judge(2, "Rejected")
    measure(cluster, FALLEN)
    assert (entry(cluster).compared_number, entry(cluster).verdict) == (1, None)
    end(cluster, WORSE)
    assert (cluster.live(), quarantined(cluster)) == (1, [3])


def test_recover_goes_on_to_an_older_version_after_a_rollback() -> None:
    cluster = watched(1, 2, 3)
    measure(cluster, FALLEN)
    end(cluster, WORSE)
    assert cluster.live() == 2
    measure(cluster, FALLEN)
    assert (entry(cluster).number, entry(cluster).compared_number) == (2, 1)
    end(cluster, WORSE)
    assert (cluster.live(), quarantined(cluster)) == (1, [3, 2])


def test_recover_goes_back_to_the_newest_version_that_is_better_and_not_to_one_that_is_not() -> None:
    cluster = watched(1, 2, 3)
    measure(cluster, FALLEN)
    end(cluster, MOVED)
    assert (entry(cluster).compared_number, entry(cluster).verdict) == (1, None)
    end(cluster, WORSE)
    assert (cluster.live(), quarantined(cluster)) == (1, [3])


def test_recover_evaluates_three_versions_at_most_before_it_blames_the_data() -> None:
    cluster = watched(1, 2, 3, 4, 5, 6)
    measure(cluster, FALLEN)
    compared = []
    while entry(cluster).verdict is None:
        compared.append(entry(cluster).compared_number)
        end(cluster, MOVED)
    assert (compared, entry(cluster).verdict) == ([5, 4, 3], "ConceptDrift")
    assert "no evaluation has found versions 5 and 4 better" in entry(cluster).message
    for _ in range(3):
        cluster.now += timedelta(hours=1)
        cluster.settle()
    assert (len(cluster.seen("ConceptDrift")), cluster.live()) == (1, 6)


def test_recover_goes_past_a_version_that_cannot_be_evaluated() -> None:
    cluster = watched(1, 2, 3)
    measure(cluster, FALLEN)
    end(cluster, None, "Failed", failure={"class": "Store", "message": "the artifact is gone"})
    assert entry(cluster).compared_number == 1
    end(cluster, WORSE)
    assert cluster.live() == 1


@pytest.mark.parametrize("letter", ["x", "é", "<"])
def test_a_long_message_leaves_room_for_what_was_evaluated_before(letter: str) -> None:
    cluster = watched(1, 2, 3)
    measure(cluster, FALLEN)
    end(cluster, MOVED)
    end(cluster, None, "Failed", failure={"class": "Store", "message": letter * 2000})
    assert entry(cluster).message.endswith(f"{letter}…; no evaluation has found version 2 better")


def test_more_diagnoses_than_keep_long_texts_are_made_once() -> None:
    monitors = [{**QUALITY, "name": f"quality-{number}"} for number in range(ONE_EACH + 1)]
    cluster = watched(1, 2, 3, monitors=monitors)
    for number in (1, 2):
        cluster.act("Quarantine", number)
    cluster.signals = {monitor["name"]: FALLEN for monitor in monitors}
    cluster.settle()
    decided = [one.decided_at for one in cluster.status.diagnoses]
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    assert [one.decided_at for one in cluster.status.diagnoses] == decided


def test_recover_waits_for_more_rows_before_it_goes_past_a_version_that_may_be_better() -> None:
    cluster = watched(1, 2, 3)
    measure(cluster, FALLEN)
    end(cluster, CHANCE)
    assert (entry(cluster).compared_number, entry(cluster).verdict) == (2, "Inconclusive")


def test_a_comparison_does_not_go_on_after_the_quality_is_back() -> None:
    cluster = watched(1, 2, 3)
    measure(cluster, FALLEN)
    measure(cluster, FINE)
    end(cluster, MOVED)
    assert len(cluster.evaluations) == 1


def test_a_diagnosis_says_why_each_better_version_is_barred() -> None:
    cluster = watched(1, 2, 3)
    cluster.judge(1, "Rejected")
    cluster.act("Quarantine", 2)
    cluster.settle()
    measure(cluster, FALLEN)
    assert entry(cluster).message == (
        "concept drift: no good version that served before version 3 is left to roll back to (version 2 is in"
        " quarantine; version 1 was rejected by its gate); a retraining follows"
    )


# Monitors of action Rollback


def test_a_monitor_goes_on_to_an_older_version_that_is_good() -> None:
    cluster = serving(1, 2, 3, monitors=[ERRORS])
    measure(cluster, BAD, "errors")
    assert (cluster.live(), quarantined(cluster)) == (1, [3, 2])


def test_a_version_that_has_baked_is_not_rolled_back_after_it_came_back() -> None:
    cluster = serving(1, 2, monitors=[ERRORS], bakeDuration="10m")
    cluster.now += timedelta(minutes=10)
    cluster.settle()
    cluster.add(3)
    cluster.settle()
    measure(cluster, BAD, "errors")
    assert (cluster.live(), quarantined(cluster)) == (2, [3])
    measure(cluster, GOOD, "errors")
    assert cluster.live() == 2


# The pod template


def image(cluster: ServingCluster, name: str) -> None:
    cluster.edit(server={"replicas": 2, "image": name})


def abandoned_template() -> ServingCluster:
    """Return a cluster in which version 2 with the present server was abandoned, as it never became ready."""
    cluster = serving(1, 2)
    image(cluster, "server:b")
    cluster.step()
    assert cluster.status.candidate is not None
    cluster.broken.add(cluster.status.candidate.revision)
    cluster.settle()
    cluster.now += timedelta(hours=1)
    cluster.settle()
    assert [one.by for one in cluster.status.abandoned] == [progress_deadline.BY]
    image(cluster, "server:c")
    cluster.add(3)
    cluster.settle()
    image(cluster, "server:b")
    cluster.add(4)
    cluster.settle()
    assert cluster.live() == 4
    cluster.act("Quarantine", 3)
    cluster.settle()
    return cluster


def test_nothing_goes_back_to_a_pod_template_that_never_became_ready() -> None:
    cluster = abandoned_template()
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)


def test_a_person_may_go_back_to_a_pod_template_that_was_abandoned() -> None:
    cluster = abandoned_template()
    cluster.broken.clear()
    cluster.act("Rollback", 2)
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.status.abandoned == []


def test_nothing_goes_back_to_a_pod_template_that_someone_else_changes_again_and_again() -> None:
    cluster = serving(1, 2, 3)
    good = cluster.status.last_good
    assert good is not None
    cluster.deployment["status"]["templateRepairs"] = [
        {"revision": good.revision, "field": "spec.containers", "at": cluster.now.isoformat(), "count": 4}
    ]
    cluster.act("Rollback")
    cluster.step()
    assert cluster.candidate() == 1


def test_a_pod_template_that_only_a_pin_has_served_gives_way_when_the_pin_ends() -> None:
    cluster = serving(1, strategy=STEPS)
    judged = champion(cluster)
    cluster.edit(pin={"version": 1})
    image(cluster, "server:b")
    cluster.settle()
    pinned = champion(cluster)
    assert pinned != judged
    cluster.edit(pin=None)
    cluster.settle()
    assert champion(cluster) == judged
    assert cluster.status.candidate is not None
    assert cluster.status.candidate.revision == pinned
    assert cluster.status.candidate.champion_revision == judged, "a canary judges it beside what was let through"


def test_nothing_goes_back_to_a_pod_template_that_only_a_pin_has_served() -> None:
    cluster = serving(1, strategy=STEPS)
    cluster.edit(pin={"version": 1})
    image(cluster, "server:b")
    cluster.settle()
    pinned = champion(cluster)
    cluster.add(2)
    cluster.edit(pin={"version": 2})
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    assert champion(cluster) != pinned


# The replacement


def test_a_replacement_whose_pods_never_become_ready_gives_way_to_an_older_version() -> None:
    cluster = serving(1, 2, 3)
    good = cluster.status.last_good
    assert good is not None
    cluster.broken.add(good.revision)
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.candidate() == 2
    cluster.now += timedelta(hours=1)
    cluster.settle()
    assert (cluster.live(), cluster.status.abandoned) == (1, [])
    assert [message.split()[1] for message in cluster.seen("CandidateAbandoned")] == ["2"]


def test_the_versions_remember_what_was_let_through_after_the_list_is_full() -> None:
    cluster = serving(*range(1, served.MAX_ENTRIES + 3))
    cluster.versions_notice()
    for version in range(2, served.MAX_ENTRIES + 2):
        cluster.judge(version, "Rejected")
    cluster.versions[1]["status"]["served"] = [
        {
            "deployment": "flights",
            "deploymentUid": "mdep-1",
            "startedAt": "2026-01-01T00:00:00Z",
            "endedAt": "2026-01-02T00:00:00Z",
            "share": 0,
            "outcome": "Replaced",
            "letThrough": True,
        }
    ]
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 1


@pytest.mark.parametrize("verb", ["Rollback", "Quarantine"])
def test_a_rejected_action_says_why_each_better_version_is_barred(verb: str) -> None:
    cluster = serving(1, 2)
    cluster.judge(1, "Rejected")
    done = cluster.act(verb, 2 if verb == "Quarantine" else None)
    cluster.settle()
    assert cluster.record(done)[0] == "Rejected"
    assert "(version 1 was rejected by its gate)" in cluster.record(done)[1]


def test_two_actions_at_once_go_back_past_what_the_second_one_bars() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Rollback")
    cluster.act("Quarantine", 2)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)


def test_without_replicas_an_older_version_takes_over_with_them() -> None:
    cluster = serving(1, 2, 3)
    cluster.edit(server={"replicas": 0})
    cluster.judge(2, "Rejected")
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.candidate() == 1
    cluster.edit(server={"replicas": 2})
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})
