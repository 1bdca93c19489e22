"""How often a pod template that someone else changes is put right, and what the status says meanwhile."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.types import Apply

from tests.sim.objects import clone
from tests.unit.core.serving.serving_cluster import START, ServingCluster, serving

MINUTE = timedelta(minutes=1)
DAY = 24 * 60


class Contest:
    """Version 1, its Deployment, and someone who wants another image in it."""

    def __init__(self) -> None:
        self.cluster: ServingCluster = serving(1)
        (self.found,) = self.cluster.workloads.values()
        self.ours = clone(self.found["spec"]["template"])
        self.theirs = clone(self.ours)
        self.theirs["spec"]["containers"][0]["image"] = "registry.example.com/mallory/server:1"
        self.refused = False
        """Whether a policy changes what the operator applies back before it is stored."""
        self.repairs: list[int] = []
        """The minutes at which the template was applied."""
        self.told: list[tuple[str, str] | None] = []
        """The condition Stalled after each pass."""
        self.minute = 0

    def change(self) -> None:
        self._store(self.theirs)

    def put_back(self) -> None:
        self._store(self.ours)

    def insist(self, minutes: int) -> None:
        """Change the template whenever it is ours: each minute, and after three minutes each ten."""
        for _ in range(min(minutes, 3)):
            self.change()
            self.wait(1)
        for _ in range(3, minutes, 10):
            self.change()
            self.wait(10, step=10)

    def wait(self, minutes: int, step: int = 1) -> None:
        """Let the operator make a pass each minute, or each `step` of them."""
        for _ in range(0, minutes, step):
            self.minute += step
            self.cluster.now += step * MINUTE
            plan = self.cluster.plan()
            if plan.status != self.cluster.deployment["status"]:
                self.cluster.deployment["status"] = plan.status
                plan = self.cluster.plan()
            for action in plan.actions:
                if isinstance(action, Apply) and "template" in action.manifest["spec"]:
                    self.repairs.append(self.minute)
                    if not self.refused:
                        self.put_back()
            self.told.append(self.cluster.condition("Stalled"))

    @property
    def ready(self) -> tuple[str, str] | None:
        return self.cluster.condition("Ready")

    def _store(self, template: dict[str, Any]) -> None:
        if self.found["spec"]["template"] != template:
            self.found["spec"]["template"] = clone(template)
            self.found["metadata"]["generation"] += 1
        status = self.found["status"]
        status |= {
            "observedGeneration": self.found["metadata"]["generation"],
            "updatedReplicas": status["replicas"],
        }


CONTESTED = ("True", "TemplateContested")


def test_whoever_insists_is_put_right_three_times_and_then_ever_more_rarely() -> None:
    contest = Contest()
    contest.insist(2 * DAY)
    pauses = [later - earlier for earlier, later in pairwise(contest.repairs)]
    assert pauses == [1, 1, 10, 20, 40, 80, 160, 320, *[360] * (len(pauses) - 8)]
    assert len(contest.repairs) == 15
    assert set(contest.told[3:]) == {CONTESTED}


def test_a_policy_that_refuses_every_repair_ends_them_as_well() -> None:
    contest = Contest()
    contest.change()
    contest.refused = True
    contest.wait(80)
    assert contest.repairs == [1, 2, 3, 13, 33, 73]
    assert set(contest.told[3:]) == {CONTESTED}


def test_a_contested_template_is_ready_after_an_hour_without_a_change() -> None:
    contest = Contest()
    contest.insist(20)
    contest.put_back()
    contest.wait(1)
    contest.wait(50, step=10)
    assert contest.ready == ("False", "TemplateContested")
    assert "this ends at 01:24:" in contest.cluster.message("Ready")
    contest.wait(10, step=10)
    assert contest.ready == ("True", "Serving")
    assert contest.cluster.status.template_repairs == []


def test_an_hour_begins_anew_with_each_change_that_is_left() -> None:
    contest = Contest()
    contest.insist(323)
    before = len(contest.repairs)
    for _ in range(2):
        contest.put_back()
        contest.wait(50, step=10)
        contest.change()
        contest.wait(5, step=5)
    assert set(contest.told[3:]) == {CONTESTED}
    assert len(contest.repairs) == before


@pytest.mark.parametrize("interval", [70, 400])
def test_a_change_now_and_then_is_put_right_at_once(interval: int) -> None:
    contest = Contest()
    for _ in range(6):
        contest.change()
        contest.wait(1)
        assert contest.found["spec"]["template"] == contest.ours
        contest.wait(interval, step=10)
    assert CONTESTED not in contest.told


def test_the_status_has_one_entry_a_revision() -> None:
    contest = Contest()
    contest.insist(100)
    (entry,) = contest.cluster.status.template_repairs
    assert entry.count == len(contest.repairs)


def test_repairs_of_an_older_operator_count() -> None:
    contest = Contest()
    revision = contest.cluster.selected()
    stored = [
        {"revision": revision, "generation": 2 + turn, "field": "template.spec", "at": START.isoformat()}
        for turn in range(3)
    ]
    contest.cluster.deployment["status"]["templateRepairs"] = ModelDeploymentStatus.model_validate(
        {"templateRepairs": stored}
    ).dump()["templateRepairs"]
    contest.change()
    contest.wait(1)
    assert contest.repairs == []
    assert contest.told == [CONTESTED]
