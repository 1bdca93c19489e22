"""Which pods are read."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.tallies.pods import MOST_PODS, pods_of

from .servers import CANDIDATE, CHAMPION, pod, trial


def names(*pods: dict[str, Any]) -> list[str]:
    return [each.name for each in pods_of(trial(), pods)]


def test_the_pods_of_both_arms_are_read_ready_or_not() -> None:
    ready = pod("c1", CHAMPION, status={"conditions": [{"type": "Ready", "status": "True"}]})
    found = pods_of(trial(), [ready, pod("b1", CANDIDATE)])
    assert [(each.name, each.revision, each.address, each.port) for each in found] == [
        ("c1", CHAMPION, "127.0.0.1", 9090),
        ("b1", CANDIDATE, "127.0.0.1", 9090),
    ]


@pytest.mark.parametrize(
    "other",
    [
        pod("x", "another-revision"),
        pod("x", CANDIDATE, status={"phase": "Pending"}),
        pod("x", CANDIDATE, status={"phase": "Succeeded"}),
        pod("x", CANDIDATE, status={"podIP": ""}),
        pod("x", CANDIDATE, metadata={"ownerReferences": []}),
        pod(
            "x", CANDIDATE, metadata={"ownerReferences": [{"kind": "Job", "name": "j", "uid": "u", "controller": True}]}
        ),
        pod(
            "x",
            CANDIDATE,
            metadata={
                "ownerReferences": [{"kind": "ReplicaSet", "name": "other-bbb-5d8f", "uid": "u", "controller": True}]
            },
        ),
        pod("x", CANDIDATE, metadata={"labels": {}}),
        pod("x", CANDIDATE, spec={"containers": [{"ports": []}]}),
    ],
)
def test_a_pod_that_our_replica_sets_do_not_own_or_that_does_not_run_is_not_read(other: dict[str, Any]) -> None:
    assert names(pod("b1", CANDIDATE), other) == ["b1"]


def test_a_large_arm_is_read_in_part() -> None:
    found = names(*(pod(f"c{number}", CHAMPION) for number in range(500)), pod("b1", CANDIDATE))
    assert len(found) == MOST_PODS + 1
    assert "b1" in found
