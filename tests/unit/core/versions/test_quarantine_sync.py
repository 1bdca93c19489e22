"""A quarantine outlives its ModelDeployment's status in the version's, and the cluster beside the artifact."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.trainingjob import TrainingJob
from steadfit.core import names
from steadfit.core.plans import model_version
from steadfit.core.serving import quarantine
from steadfit.core.types import Create, Delete, Event, ObservedModelVersion, Plan, Stores

from tests.oracles import status as oracle
from tests.unit.core.serving.serving_cluster import PLATFORM, START
from tests.unit.core.serving.serving_cluster_objects import NAMESPACE, digest, job, store, version

JSON = dict[str, Any]
COMPLETE = {"type": "Complete", "status": "True"}
FAILED = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "the limit is reached"}


def entry(at: datetime = START, **changes: Any) -> JSON:
    return {
        "revision": "abc",
        "version": "flights-v2",
        "number": 2,
        "digest": digest(2),
        "reason": "errors rose",
        "by": "ada",
        "at": at.isoformat(),
        **changes,
    }


def released(at: datetime) -> JSON:
    return {
        "version": "flights-v2",
        "number": 2,
        "digest": digest(2),
        "action": "let-it",
        "by": "ada",
        "at": at.isoformat(),
    }


class Scene:
    """One ModelVersion, its ModelDeployments, and the Job that writes beside its artifact."""

    def __init__(self, **spec: Any) -> None:
        self.now = START + timedelta(days=1)
        self.version = version(2, None, **spec)
        self.version["metadata"]["generation"] = 1
        self.version["status"] = {"observedGeneration": -1}
        self.deployments: dict[str, JSON] = {}
        self.stores = [store()]
        self.jobs: dict[str, JSON] = {}
        self.pods: list[JSON] = []
        self.refusals: dict[str, str] = {}
        self.events: list[Event] = []
        self.made: list[JSON] = []
        """Every Job there ever was."""
        self.requeue: datetime | None = None

    def deploy(self, name: str = "flights", **status: Any) -> None:
        self.deployments[name] = {
            "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"},
            "spec": {"trainingJobRef": {"name": "flights"}},
            "status": status,
        }

    def plan(self) -> Plan:
        observed = ObservedModelVersion(
            ModelVersion.model_validate(self.version),
            TrainingJob.model_validate(job()),
            [ModelDeployment.model_validate(item) for item in self.deployments.values()],
            list(self.jobs.values()),
            self.pods,
            Stores([ArtifactStore.model_validate(item) for item in self.stores]),
            PLATFORM,
            self.refusals,
        )
        return model_version.plan(observed, self.now)

    def step(self) -> bool:
        """Make one pass, as the engine does; return whether anything was done."""
        plan = self.plan()
        self.requeue = plan.requeue_at
        if plan.status != self.version["status"]:
            before = json.loads(json.dumps(self.version))
            self.version["status"] = plan.status
            shown = {"apiVersion": "steadfit.dev/v1alpha1", "kind": "ModelVersion", **self.version}
            assert oracle.violations(shown, before) == []
            self.events.extend(plan.events)
            again = self.plan()
            assert (again.status, again.events) == (plan.status, ())
            return True
        for action in plan.actions:
            manifest = json.loads(json.dumps(action.manifest))
            name = manifest["metadata"]["name"]
            if isinstance(action, Create):
                assert name not in self.jobs
                self.made.append(manifest)
                manifest["metadata"]["uid"] = f"job-{len(self.made)}"
                manifest["metadata"]["namespace"] = NAMESPACE
                self.jobs[name] = manifest
            else:
                assert isinstance(action, Delete)
                assert self.jobs.pop(name)["metadata"]["uid"] == manifest["metadata"]["uid"]
                self.pods = []
        return bool(plan.actions)

    def settle(self) -> None:
        for _ in range(20):
            if not self.step():
                return
        raise AssertionError("the plan finds no rest")

    def end(self, condition: JSON = COMPLETE, said: str = "") -> None:
        """Let the Job end, and the plan see it."""
        (running,) = self.jobs.values()
        running["status"] = {"conditions": [condition]}
        terminated = {"exitCode": 0 if condition is COMPLETE else 11, "message": said}
        self.pods = [{"status": {"containerStatuses": [{"name": "quarantine", "state": {"terminated": terminated}}]}}]
        self.settle()

    @property
    def status(self) -> Any:
        return ModelVersion.model_validate(self.version).status

    def condition(self, kind: str) -> tuple[str, str, str] | None:
        found = next((item for item in self.status.conditions if item.type == kind), None)
        return (found.status, found.reason, found.message) if found else None

    def knows(self) -> list[tuple[str, bool]]:
        """Return who keeps the version from traffic, and whether the store knows."""
        subject = ModelVersion.model_validate(self.version)
        return [(item.deployment, item.stored) for item in quarantine.quarantines_of(subject.status)]


def config(manifest: JSON) -> JSON:
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    (variable,) = container["env"]
    assert variable["name"] == "STEADFIT_CONFIG"
    found: JSON = json.loads(variable["value"].replace("$$", "$"))
    return found


def quarantined(*names_: str) -> Scene:
    """Return a scene in which the store knows that these ModelDeployments keep the version from traffic."""
    scene = Scene()
    for name in names_ or ("flights",):
        scene.deploy(name, quarantine=[entry()])
    scene.settle()
    scene.end()
    assert all(stored for _, stored in scene.knows())
    return scene


def test_a_quarantine_is_written_beside_the_artifact_by_a_job() -> None:
    scene = Scene()
    scene.deploy(quarantine=[entry()])
    scene.settle()
    assert scene.knows() == [("flights", False)]
    (made,) = scene.made
    assert made["metadata"]["name"] == "flights-v2-quarantine"
    assert made["metadata"]["ownerReferences"][0]["uid"] == "version-2"
    told = config(made)
    assert (told["uri"], told["store"]["uriPrefix"]) == ("s3://models/2/", "s3://models")
    assert told["put"] == {
        "flights": {"reason": "errors rose", "by": "ada", "at": "2026-01-01T00:00:00Z", "revision": "abc"}
    }
    assert told["take"] == {}
    scene.end()
    assert scene.knows() == [("flights", True)]
    assert scene.jobs == {}, "what is done is put away"
    assert len(scene.made) == 1


def test_nothing_is_written_before_the_status_remembers_it() -> None:
    scene = Scene()
    scene.deploy(quarantine=[entry()])
    scene.step()
    assert scene.made == []
    assert scene.knows() == [("flights", False)]


def test_the_pod_that_writes_is_restricted_and_holds_the_stores_keys_alone() -> None:
    scene = Scene()
    scene.deploy(quarantine=[entry()])
    scene.settle()
    template = scene.made[0]["spec"]["template"]
    spec, (container,) = template["spec"], template["spec"]["containers"]
    assert (container["image"], container["args"]) == (PLATFORM.trainer_image, ["quarantine"])
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["automountServiceAccountToken"] is False
    secrets = [volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume]
    assert secrets == ["store-credentials"]
    assert names.TRAINING_RUN not in template["metadata"]["labels"], "it is no attempt of a run"


@pytest.mark.parametrize("missing", ["digest", "other"])
def test_what_was_rolled_back_for_its_server_is_not_written(missing: str) -> None:
    scene = Scene()
    scene.deploy(quarantine=[entry(digest=None if missing == "digest" else digest(1))])
    scene.settle()
    assert (scene.knows(), scene.made) == ([], [])


def test_a_quarantine_outlives_the_status_of_its_deployment_and_the_deployment() -> None:
    scene = quarantined()
    scene.deploy()
    scene.settle()
    assert scene.knows() == [("flights", True)]
    scene.deployments.clear()
    scene.settle()
    assert scene.knows() == [("flights", True)]


def test_two_deployments_are_both_remembered_and_written() -> None:
    scene = quarantined()
    scene.deploy("shadow", quarantine=[entry(START + timedelta(hours=1))])
    scene.settle()
    assert set(config(scene.made[-1])["put"]) == {"shadow"}
    scene.end()
    assert scene.knows() == [("flights", True), ("shadow", True)]
    scene.deploy("flights", released=[released(START + timedelta(hours=2))])
    scene.settle()
    scene.end()
    assert scene.knows() == [("shadow", True)]


def test_a_release_takes_the_note_away_and_then_the_version_forgets() -> None:
    scene = quarantined()
    at = START + timedelta(hours=1)
    scene.deploy(released=[released(at)])
    scene.settle()
    assert scene.knows() == [("flights", True)], "not forgotten before the store has"
    assert config(scene.made[-1])["take"] == {"flights": "2026-01-01T01:00:00Z"}
    assert config(scene.made[-1])["put"] == {}
    scene.end()
    assert scene.knows() == []
    assert [(item.deployment, item.at) for item in scene.status.releases] == [("flights", at)]
    assert "Released" in [event.reason for event in scene.events]
    assert len(scene.made) == 2


def test_a_release_takes_the_note_away_also_when_nobody_in_the_cluster_remembers() -> None:
    scene = Scene()
    scene.deploy(released=[released(START)])
    scene.settle()
    assert set(config(scene.made[0])["take"]) == {"flights"}
    scene.end()
    assert [item.deployment for item in scene.status.releases] == ["flights"]
    assert len(scene.made) == 1


def test_the_releases_of_twenty_deployments_are_written_once() -> None:
    scene = Scene()
    for number in range(20):
        scene.deploy(f"flights-{number}", released=[released(START)])
    scene.settle()
    scene.end()
    scene.settle()
    assert len(scene.status.releases) == 20
    assert len(scene.made) == 1, "what a list forgets is written again, without end"


def test_a_version_that_is_rolled_back_again_after_its_release_is_in_quarantine_again() -> None:
    scene = quarantined()
    scene.deploy(released=[released(START + timedelta(hours=1))])
    scene.settle()
    scene.end()
    again = entry(START + timedelta(hours=2), reason="errors rose again")
    scene.deploy(released=[released(START + timedelta(hours=1))], quarantine=[again])
    scene.settle()
    scene.end()
    assert scene.knows() == [("flights", True)]
    assert scene.status.quarantine.reason == "errors rose again"


def test_a_quarantine_between_a_release_and_its_job_is_written_and_not_taken_away() -> None:
    scene = quarantined()
    scene.deploy(
        released=[released(START + timedelta(hours=1))], quarantine=[entry(START + timedelta(hours=2), reason="again")]
    )
    scene.settle()
    told = config(scene.made[-1])
    assert (told["put"]["flights"]["reason"], told["take"]) == ("again", {})


def test_a_job_that_still_runs_is_never_overtaken() -> None:
    scene = Scene()
    scene.deploy(quarantine=[entry()])
    scene.settle()
    scene.deploy(released=[released(START + timedelta(hours=1))])
    scene.settle()
    assert len(scene.made) == 1
    scene.end()
    assert len(scene.made) == 2
    assert set(config(scene.made[1])["take"]) == {"flights"}
    scene.end()
    assert scene.knows() == []


def test_a_job_that_failed_is_told_and_tried_again_with_growing_pauses() -> None:
    scene = Scene()
    scene.deploy(quarantine=[entry()])
    scene.settle()
    pauses = []
    for attempt in range(1, 10):
        assert len(scene.made) == attempt
        scene.end(FAILED, "Store: The store refuses access to s3://models/2/quarantine.json.")
        assert scene.jobs == {}
        assert scene.requeue is not None
        pauses.append((scene.requeue - scene.now).total_seconds())
        scene.now = scene.requeue - timedelta(seconds=1)
        scene.settle()
        assert len(scene.made) == attempt, "not before its time"
        scene.now += timedelta(seconds=1)
        scene.settle()
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    stored = scene.condition("QuarantineStored")
    assert stored is not None
    assert stored[:2] == ("False", "WriteFailed")
    assert "would not outlive this cluster: Store: The store refuses access" in stored[2]
    assert [event.reason for event in scene.events].count("QuarantineNotStored") == 1, "told once, not at each try"
    scene.end()
    stored = scene.condition("QuarantineStored")
    assert stored is not None
    assert stored[:2] == ("True", "Stored")
    assert scene.status.note_failure is None
    assert scene.knows() == [("flights", True)]


def test_a_pod_that_could_not_start_is_told_in_the_jobs_words() -> None:
    scene = Scene()
    scene.deploy(quarantine=[entry()])
    scene.settle()
    scene.end({**FAILED, "reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline"})
    stored = scene.condition("QuarantineStored")
    assert stored is not None
    assert "Job was active longer than specified deadline" in stored[2]


def test_a_refused_pod_is_told_in_the_words_of_admission() -> None:
    scene = Scene()
    scene.deploy(quarantine=[entry()])
    scene.settle()
    scene.refusals = {"flights-v2-quarantine": "no PriorityClass with name gpu was found"}
    scene.end({**FAILED, "reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline"})
    stored = scene.condition("QuarantineStored")
    assert stored is not None
    assert "its pod is refused: no PriorityClass with name gpu was found" in stored[2]


def test_without_its_store_nothing_is_written_and_the_version_says_so() -> None:
    scene = Scene()
    scene.stores = []
    scene.deploy(quarantine=[entry()])
    scene.settle()
    assert scene.made == []
    stored = scene.condition("QuarantineStored")
    assert stored is not None
    assert stored[1] == "StoreNotUsable"
    assert "there is no ArtifactStore default" in stored[2]
    scene.stores = [store()]
    scene.settle()
    assert len(scene.made) == 1


PAST = {
    "deployment": "flights",
    "reason": "errors rose",
    "by": "ada",
    "at": START.isoformat(),
    "revision": "abc",
}


def test_a_version_of_files_that_had_been_rolled_back_is_born_in_quarantine() -> None:
    scene = Scene(quarantined=[PAST])
    scene.step()
    assert scene.status.phase == "Verified"
    assert scene.knows() == [("flights", True)], "in the same write as its verdict, so that it is never rolled out"
    scene.settle()
    assert scene.made == []
    assert scene.condition("Stalled") is not None


def test_what_it_was_born_with_counts_until_it_is_released() -> None:
    scene = Scene(quarantined=[PAST])
    scene.settle()
    scene.deploy(released=[released(START + timedelta(hours=1))])
    scene.settle()
    scene.end()
    scene.deploy()
    scene.settle()
    assert scene.knows() == []


def test_a_version_that_lost_its_status_knows_again_from_its_deployment() -> None:
    scene = quarantined()
    scene.version["status"] = {"observedGeneration": -1}
    scene.settle()
    scene.end()
    assert scene.knows() == [("flights", True)]


@pytest.mark.parametrize("passes", range(6))
@pytest.mark.parametrize("release", [False, True])
def test_whichever_write_the_operator_crashes_before_the_store_learns_it_once(release: bool, passes: int) -> None:
    scene = Scene()
    scene.deploy(quarantine=[entry()])
    if release:
        scene = quarantined()
        scene.deploy(released=[released(START + timedelta(hours=1))])
    before = len(scene.made)
    for _ in range(passes):
        scene.step()
        for made in scene.jobs.values():
            made["status"] = {"conditions": [COMPLETE]}
    # A pass whose writes are lost.
    scene.plan()
    for _ in range(3):
        scene.settle()
        for made in scene.jobs.values():
            made["status"] = {"conditions": [COMPLETE]}
    assert scene.knows() == ([] if release else [("flights", True)])
    assert (len(scene.made) - before, scene.jobs) == (1, {})


def past(count: int) -> list[JSON]:
    return [
        {
            "deployment": "shadow",
            "deploymentUid": f"uid-{number}",
            "startedAt": (START + timedelta(minutes=number)).isoformat(),
            "endedAt": (START + timedelta(minutes=number, seconds=1)).isoformat(),
            "share": 25,
            "outcome": "Abandoned",
        }
        for number in range(count)
    ]


def test_servings_are_written_in_batches_and_stay_in_the_status_until_then() -> None:
    scene = Scene()
    scene.version["status"]["served"] = past(31)
    scene.settle()
    assert scene.made == [], "fifteen are no batch"
    scene.version["status"]["served"] = past(50)
    scene.settle()
    first = config(scene.made[0])["served"]
    assert [one["deploymentUid"] for one in first] == [f"uid-{number}" for number in range(16)]
    assert {one["version"] for one in first} == {"flights-v2"}
    assert len(scene.status.served) == 50
    scene.end()
    assert len(scene.status.served) == 34
    scene.end()
    assert (len(scene.status.served), len(scene.made), scene.jobs) == (18, 2, {})


def test_a_quarantine_waits_for_no_servings_that_cannot_be_written() -> None:
    scene = Scene()
    scene.version["status"]["served"] = past(40)
    scene.settle()
    for _ in range(5):
        scene.end(FAILED, "servings.json can't be read")
        assert scene.status.note_failure.of == "Servings"
        scene.now += timedelta(hours=1)
        scene.settle()
    scene.end(FAILED, "servings.json can't be read")
    assert "ServingsNotStored" in {event.reason for event in scene.events}
    assert "QuarantineNotStored" not in {event.reason for event in scene.events}
    scene.deploy(quarantine=[entry()])
    scene.settle()
    assert set(config(scene.made[-1])["put"]) == {"flights"}, "at once, whatever the pause"
    scene.end()
    assert scene.knows() == [("flights", True)]
    assert len(scene.status.served) == 40
    assert "served" in config(scene.made[-1])


def test_a_quarantine_waits_for_no_servings_that_are_not_written_yet() -> None:
    scene = Scene()
    scene.version["status"]["served"] = past(40)
    scene.settle()
    assert "served" in config(scene.made[-1])
    scene.deploy(quarantine=[entry()])
    scene.settle()
    assert set(config(scene.made[-1])["put"]) == {"flights"}, "while the Job for servings waits in a queue"
    assert len(scene.jobs) == 1
    scene.end()
    assert scene.knows() == [("flights", True)]
    assert "served" in config(scene.made[-1]), "they are written afterwards"
    scene.deploy(released=[released(START + timedelta(hours=1))])
    scene.settle()
    assert set(config(scene.made[-1])["take"]) == {"flights"}
    scene.end()
    scene.end()
    assert (len(scene.status.served), scene.knows()) == (24, [])
