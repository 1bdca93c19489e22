"""A ModelDeployment that is deleted and applied again: it starts with what served last, and judges the rest anew."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.core.serving.canaries import STEPS, tried, trying
from tests.unit.core.serving.serving_cluster import ServingCluster, serving


def records(cluster: ServingCluster, number: int) -> list[tuple[str, int, bool]]:
    """Return outcome, share and whether it was let through, of each record of a version."""
    return [(item.outcome, item.share, item.let_through) for item in cluster.version(number).status.served]


def test_a_deployment_applied_again_during_a_canary_gives_the_candidate_no_more_than_its_first_step() -> None:
    cluster = trying()
    cluster.make_the_deployment_again()
    cluster.settle()
    assert (cluster.live(), tried(cluster).number, tried(cluster).phase, tried(cluster).step) == (1, 2, "Analysing", 0)
    assert cluster.answering() == {1, 2}
    cluster.finds("Fail")
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (1, None, {1})


def test_what_served_last_is_served_again_and_not_the_newest_verified_version() -> None:
    cluster = serving()
    for number in (1, 2, 3):
        cluster.add(number)
        cluster.settle()
        cluster.versions_notice()
    cluster.act("Promote", 2)
    cluster.settle()
    cluster.make_the_deployment_again()
    cluster.settle()
    assert cluster.live() == 2
    assert [entry.number for entry in cluster.status.served_versions] == [1, 3, 2]
    assert cluster.floor() == 3, "and what was decided on does not return"
    cluster.add(4)
    cluster.settle()
    assert cluster.live() == 4


def test_what_served_under_a_pin_only_is_not_served_again() -> None:
    cluster = serving(1)
    cluster.add(2, "Held")
    cluster.act("Pin", 2)
    cluster.settle()
    assert cluster.live() == 2
    cluster.versions_notice()
    assert records(cluster, 2) == [("Serving", 100, False)]
    cluster.make_the_deployment_again()
    cluster.settle()
    assert cluster.live() == 1


def test_a_version_in_quarantine_is_left_out_and_the_one_before_serves() -> None:
    cluster = serving(1, 2, 3)
    cluster.make_the_deployment_again()
    cluster.versions[3]["status"]["quarantine"] = {
        "reason": "worse", "by": "ada", "at": "2026-01-01T00:00:00Z", "deployment": "flights", "revision": "x",
    }  # fmt: skip
    cluster.settle()
    assert cluster.live() == 2


def test_a_deployment_of_another_name_comes_up_on_the_newest_verified_version() -> None:
    cluster = serving(1)
    cluster.versions_notice()
    for item in cluster.versions[1]["status"]["served"]:
        item["deployment"] = "elsewhere"
    cluster.add(2)
    cluster.make_the_deployment_again()
    cluster.versions[1]["status"]["served"] = [
        {**item, "deployment": "elsewhere"} for item in cluster.versions[1]["status"]["served"]
    ]
    cluster.settle()
    assert cluster.live() == 2


def test_a_version_records_its_share_and_how_it_ended() -> None:
    cluster = trying()
    cluster.versions_notice()
    assert (records(cluster, 1), records(cluster, 2)) == ([("Serving", 100, True)], [("Candidate", 33, False)])
    cluster.finds("Fail")
    cluster.settle()
    cluster.versions_notice()
    assert records(cluster, 2) == [("RolledBack", 33, False)]
    cluster.add(3)
    cluster.settle()
    cluster.versions_notice()
    cluster.act("Abort")
    cluster.settle()
    cluster.versions_notice()
    assert records(cluster, 3) == [("Abandoned", 33, False)]
    cluster.edit(strategy={"blueGreen": {}})
    cluster.add(4)
    cluster.settle()
    cluster.versions_notice()
    assert (records(cluster, 1), records(cluster, 4)) == ([("Replaced", 100, True)], [("Serving", 100, True)])
    first = cluster.version(1).status.served[0]
    assert first.ended_at is not None
    cluster.make_the_deployment_again()
    assert records(cluster, 4) == [("Ended", 100, True)]


def test_a_full_list_of_records_keeps_the_one_that_says_a_version_was_let_through() -> None:
    cluster = serving(1, strategy=STEPS)
    cluster.versions_notice()
    before = cluster.versions[1]["status"]["served"][0]
    ended = {**before, "endedAt": cluster.now.isoformat(), "outcome": "Ended"}
    tries = [{**ended, "letThrough": False, "deploymentUid": f"other-{index}"} for index in range(95)]
    cluster.versions[1]["status"]["served"] = [{**ended, "deployment": "elsewhere"}, *tries]
    cluster.now += timedelta(hours=1)
    cluster.versions_notice()
    kept = cluster.version(1).status.served
    assert len(kept) == 96
    assert (kept[0].deployment, kept[0].let_through) == ("elsewhere", True)
    assert [item.deployment_uid for item in kept[1:3]] == ["other-1", "other-2"]
    assert kept[-1].ended_at is None
