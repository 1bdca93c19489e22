"""What was decided about a version counts also for a ModelDeployment that is created again under the same name."""

from __future__ import annotations

from tests.unit.core.serving.serving_cluster import serving


def test_what_a_promotion_passed_over_does_not_return_when_the_deployment_is_applied_again() -> None:
    cluster = serving(1)
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.add(2)
    cluster.add(3)
    cluster.act("Unpin")
    cluster.act("Promote", 2)
    cluster.settle()
    assert (cluster.live(), cluster.floor()) == (2, 3)
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 1
    cluster.versions_notice()
    cluster.make_the_deployment_again()
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.floor()) == (1, None, 3)
