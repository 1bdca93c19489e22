"""A name is given again: a TrainingJob and its versions are deleted and made again below a ModelDeployment."""

from __future__ import annotations

import pytest

from tests.sim import schema
from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import digest


def live_digest(cluster: ServingCluster) -> str:
    assert cluster.status.live is not None
    return cluster.status.live.digest


@pytest.mark.parametrize("phase", ["Rejected", "Held", None])
def test_a_version_that_takes_the_name_of_what_serves_without_a_good_verdict_is_not_rolled_out(
    phase: str | None,
) -> None:
    cluster = serving(1, 2)
    cluster.make_the_job_again()
    cluster.add(2, phase)
    cluster.settle()
    assert live_digest(cluster) == digest(2)
    assert cluster.candidate() is None
    assert cluster.condition("Ready") == ("True", "Serving")
    assert cluster.condition("Serving") == ("True", "Serving"), "the verdict is that of another version"


def test_a_pin_action_does_not_pin_the_version_that_takes_the_number_later() -> None:
    cluster = serving(1, 2)
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.make_the_job_again()
    cluster.add(1)
    cluster.settle()
    assert live_digest(cluster) == digest(1)
    assert cluster.condition("Stalled") is None, "what was pinned serves"


def test_a_promotion_does_not_serve_the_version_that_takes_the_number_later() -> None:
    cluster = serving(1, 2)
    cluster.add(3, "Held")
    cluster.act("Promote", 3)
    cluster.step()
    cluster.make_the_job_again()
    cluster.add(3, "Held")
    cluster.settle()
    assert live_digest(cluster) == digest(2)
    assert (cluster.candidate(), cluster.status.promoted) == (None, None)
    cluster.add(4)
    cluster.settle()
    assert live_digest(cluster) == cluster.digest(4), "a promotion of what is gone holds nothing back"


def test_a_release_ends_no_quarantine_of_an_artifact_that_had_the_name_before() -> None:
    cluster = serving(1, 2)
    cluster.act("Quarantine", 2)
    cluster.settle()
    cluster.make_the_job_again()
    cluster.add(2, "Rejected")
    cluster.act("Release", 2)
    cluster.settle()
    assert [entry.digest for entry in cluster.status.quarantine] == [digest(2)]


def test_two_releases_of_one_name_are_of_two_artifacts_and_the_status_can_be_stored() -> None:
    cluster = serving(1, 2)
    cluster.act("Quarantine", 2)
    cluster.act("Release", 2)
    cluster.settle()
    cluster.make_the_job_again()
    cluster.add(2, "Rejected")
    cluster.act("Quarantine", 2)
    cluster.act("Release", 2)
    cluster.settle()
    assert [entry.digest for entry in cluster.status.released] == [digest(2), cluster.digest(2)]
    _, errors = schema.admit("ModelDeployment", cluster.deployment, None)
    assert errors == []


def test_a_quarantine_of_what_had_the_name_before_bars_no_other_artifact() -> None:
    cluster = serving(1, 2)
    cluster.act("Quarantine", 2)
    cluster.settle()
    cluster.make_the_job_again()
    cluster.add(2)
    cluster.act("Pin", 2)
    cluster.settle()
    assert live_digest(cluster) == cluster.digest(2)


def test_a_rollback_does_not_render_the_version_that_took_the_name_of_the_last_good_one() -> None:
    cluster = serving(1, 2)
    cluster.make_the_job_again()
    cluster.add(1, "Rejected")
    cluster.workloads = {name: item for name, item in cluster.workloads.items() if item["spec"]["replicas"]}
    back = cluster.act("Rollback")
    cluster.settle()
    assert cluster.record(back)[0] == "Rejected"
    assert live_digest(cluster) == digest(2)
