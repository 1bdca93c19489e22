"""Numbers count within one TrainingJob by uid: a floor, a promotion and what is newer."""

from __future__ import annotations

from tests.unit.core.serving.canaries import STEPS
from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import digest


def live_digest(cluster: ServingCluster) -> str:
    assert cluster.status.live is not None
    return cluster.status.live.digest


def test_a_version_of_a_training_job_whose_numbers_restarted_is_rolled_out() -> None:
    cluster = serving(1, 2, 3)
    cluster.make_the_job_again()
    cluster.add(1)
    cluster.settle()
    assert live_digest(cluster) == cluster.digest(1)
    cluster.add(2)
    cluster.settle()
    assert live_digest(cluster) == cluster.digest(2)
    assert cluster.floor() == 2


def test_a_version_of_another_training_job_is_not_rolled_out_and_the_message_names_what_was_compared() -> None:
    cluster = serving(1, 2, 3)
    cluster.make_the_job_again()
    cluster.add(1, against=None)
    cluster.add(2, against=cluster.digest(1))
    cluster.settle()
    assert live_digest(cluster) == digest(3)
    assert cluster.condition("Progressing") == ("False", "ChampionChanged")
    assert "version 2 is not rolled out: it was compared with flights-v" in cluster.message("Progressing")
    assert "flights-v3 serves here" in cluster.message("Progressing")


def test_a_promotion_of_another_training_job_ends_with_the_next_version_whatever_the_numbers_of_the_one_before() -> (
    None
):
    cluster = serving(1, 2, 3)
    cluster.make_the_job_again()
    cluster.add(1, against=None)
    cluster.act("Promote", 1)
    cluster.settle()
    assert live_digest(cluster) == cluster.digest(1)
    cluster.add(2)
    cluster.settle()
    assert live_digest(cluster) == cluster.digest(2)
    assert cluster.status.promoted is None


def test_a_version_that_is_held_for_want_of_a_comparison_is_named_with_the_next_step() -> None:
    cluster = serving(1, 2, 3)
    cluster.make_the_job_again()
    cluster.add(1, "Held")
    cluster.settle()
    assert live_digest(cluster) == digest(3)
    assert cluster.condition("Progressing") == ("False", "Held")
    cluster.act("Promote", 1)
    cluster.settle()
    assert live_digest(cluster) == cluster.digest(1)
    assert cluster.condition("Progressing") == ("True", "NewestLive")


def test_a_verified_version_of_a_training_job_that_was_made_again_is_not_rolled_out_and_is_named() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    cluster.make_the_job_again(with_versions=False)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)
    assert cluster.condition("Progressing") == ("False", "TrainingJobReplaced")
    cluster.add(3)
    cluster.settle()
    assert cluster.live() == 3


def test_a_training_job_that_was_made_again_and_whose_version_serves_is_not_said_to_have_none() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    cluster.make_the_job_again(with_versions=False)
    cluster.add(3, artifact={"uri": "s3://models/3/", "digest": digest(1)})
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)
    assert cluster.condition("Progressing") == ("True", "NewestLive")


def test_without_a_live_version_one_of_an_earlier_training_job_is_better_than_none() -> None:
    cluster = ServingCluster()
    cluster.add(1, against=None)
    cluster.make_the_job_again(with_versions=False)
    cluster.settle()
    assert cluster.live() == 1


def test_the_version_floor_never_falls_within_a_training_job() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), cluster.floor()) == (2, 3)
    cluster.act("Promote", 1)
    cluster.settle()
    assert (cluster.live(), cluster.floor()) == (1, 3)
    del cluster.versions[3]
    cluster.settle()
    assert cluster.floor() == 3


def of_the_commit_before(cluster: ServingCluster) -> None:
    """Store the floor as a number alone: its uid was a field beside it, which the API server drops with the new CRD."""
    status = cluster.deployment["status"]
    cluster.deployment["status"] = {**status, "versionFloor": status["versionFloor"]["number"]}


def test_a_floor_of_the_commit_before_counts_for_the_training_job_that_there_is() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Rollback")
    cluster.settle()
    of_the_commit_before(cluster)
    cluster.deployment["status"]["quarantine"] = []
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (2, None)
    assert cluster.deployment["status"]["versionFloor"] == {"number": 3, "uid": "job-1"}


def test_a_version_that_the_commit_before_abandoned_does_not_come_back_when_the_entry_is_gone() -> None:
    cluster = serving(1, 2, strategy=STEPS)
    cluster.act("Abort")
    cluster.settle()
    of_the_commit_before(cluster)
    cluster.deployment["status"]["abandoned"] = []
    for version in cluster.versions.values():
        version["status"].pop("abandoned", None)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)


def test_what_was_decided_on_and_never_served_without_a_pin_is_not_what_a_removed_pin_goes_back_to() -> None:
    cluster = serving(1, pin={"version": 1})
    cluster.add(2)
    cluster.settle()
    cluster.deployment["status"] = {**cluster.deployment["status"], "servedVersions": [], "versionFloor": 2}
    cluster.settle()
    cluster.edit(pin=None)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)
