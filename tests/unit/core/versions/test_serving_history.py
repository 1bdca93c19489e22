"""What a version remembers of the ModelDeployments that it served, and what becomes of a record without room."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.trainingjob import TrainingJob
from steadfit.core.plans import model_version
from steadfit.core.types import ObservedModelVersion, Plan

from tests.oracles import reasons
from tests.unit.core.serving.serving_cluster import START
from tests.unit.core.serving.serving_cluster_objects import NAMESPACE, digest, job, version


class Scene:
    """One ModelVersion and the ModelDeployments that it serves, or has served."""

    def __init__(self) -> None:
        self.now = START
        self.version = version(2, None)
        self.version["status"] = {"observedGeneration": -1}
        self.deployments: dict[str, dict[str, Any]] = {}

    def serve(self, name: str, uid: str, *, pinned: bool = False) -> None:
        """Let the version take all of the traffic of a ModelDeployment."""
        ref = {"revision": "abc", "version": "flights-v2", "number": 2, "digest": digest(2)}
        live = {**ref, "templateDigest": digest(9), "since": self.now.isoformat()}
        served = {"version": "flights-v2", "number": 2, "digest": digest(2), "at": self.now.isoformat()}
        self.deployments[name] = {
            "metadata": {"name": name, "namespace": NAMESPACE, "uid": uid},
            "spec": {},
            "status": {"live": live, "servedVersions": [] if pinned else [served]},
        }

    def step(self) -> Plan:
        """Make a pass of the version's plan, and store its status."""
        self.now += timedelta(minutes=1)
        plan = model_version.plan(
            ObservedModelVersion(
                ModelVersion.model_validate(self.version),
                TrainingJob.model_validate(job()),
                [ModelDeployment.model_validate(item) for item in self.deployments.values()],
            ),
            self.now,
        )
        self.version["status"] = plan.status
        assert not [wrong for event in plan.events for wrong in reasons.event_violations("ModelVersion", event)]
        return plan

    def names(self) -> list[str]:
        return [item["deployment"] for item in self.version["status"]["served"]]


def test_a_version_that_served_many_deployments_forgets_none_that_it_was_let_through_at() -> None:
    scene = Scene()
    for number in range(40):
        scene.serve(f"flights-{number}", f"uid-{number}")
        scene.step()
    scene.deployments.clear()
    scene.step()
    assert sorted(scene.names()) == sorted(f"flights-{number}" for number in range(40))


def test_a_record_that_no_store_takes_stays_in_an_event_and_a_line_of_the_log_with_all_that_it_says() -> None:
    scene = Scene()
    said = []
    for number in range(97):
        scene.serve("flights", f"uid-{number}")
        said += [event.message for event in scene.step().events if event.reason == "ServingRecordDropped"]
        del scene.deployments["flights"]
        said += [event.message for event in scene.step().events if event.reason == "ServingRecordDropped"]
    assert len(scene.names()) == 96
    assert said == [
        "the record of the oldest serving makes room: ModelDeployment flights (uid uid-0) from 2026-01-01T00:00:00Z to"
        " 2026-01-01T00:02:00Z, Ended, let through"
    ]


def test_no_more_than_96_records_are_kept_whatever_they_say() -> None:
    scene = Scene()
    said = []
    for number in range(98):
        scene.serve(f"flights-{number}", f"uid-{number}")
        said += [event.message for event in scene.step().events if event.reason == "ServingRecordDropped"]
        scene.deployments.clear()
    scene.step()
    assert len(scene.names()) == 96
    assert scene.names()[-1] == "flights-97"
    assert [message.split(" (uid")[0].split()[-1] for message in said] == ["flights-0", "flights-1"]
