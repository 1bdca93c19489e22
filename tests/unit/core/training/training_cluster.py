"""A small cluster for the training side: the objects, the engine's rules, a kubelet and an intake that do as told.

`settle()` makes passes over every object until none has anything left to do. A pass writes the status if it differs,
else carries out the actions, as the engine does. What must never happen is checked at every pass.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.trainingjob import TrainingJob
from steadfit.api.trainingrun import TrainingRun
from steadfit.core import names
from steadfit.core.plans import model_version, training_job, training_run
from steadfit.core.types import (
    Action,
    Apply,
    Create,
    Delete,
    Event,
    ObservedModelVersion,
    ObservedTrainingJob,
    ObservedTrainingRun,
    Plan,
    Stores,
)

from tests.oracles import reasons
from tests.oracles import status as oracle
from tests.sim.objects import clone
from tests.support.reading import Reader

from .builders import (
    COMPLETE,
    FAILED,
    LAKE,
    NAMESPACE,
    NOW,
    PLATFORM,
    SPEC,
    STORE,
    alert,
    ended,
    record,
    running,
    waits,
)

JSON = dict[str, Any]
FINISHED = ("Succeeded", "Failed", "Superseded", "Cancelled", "Skipped")


class TrainingCluster:
    """One namespace with one TrainingJob."""

    def __init__(self, **spec: Any) -> None:
        self.now = NOW
        self.stores: list[JSON] = [clone(STORE), clone(LAKE)]
        self.objects: dict[tuple[str, str], JSON] = {}
        self.events: list[tuple[str, str, str]] = []
        self.requeue: dict[tuple[str, str], datetime | None] = {}
        self.made = 0
        self.platform = PLATFORM
        self.refusals: dict[str, str] = {}
        self.reader = Reader()
        self._add("TrainingJob", {"metadata": {"name": "orders"}, "spec": {**clone(SPEC), **spec}})

    # What people do.

    def edit(self, **spec: Any) -> None:
        job = self.objects["TrainingJob", "orders"]
        job["spec"].update(spec)
        job["metadata"]["generation"] += 1

    def retrain(self, name: str) -> None:
        self._act_on_job("Retrain", name)

    def cancel(self, name: str) -> None:
        self._act_on_job("Cancel", name)

    def _act_on_job(self, verb: str, name: str) -> None:
        spec = {
            "verb": verb,
            "target": {"kind": "TrainingJob", "name": "orders"},
            "reason": "the labels were corrected",
            "requestedBy": "ada",
        }
        self._add("ModelAction", {"metadata": {"name": name}, "spec": spec})
        metadata = self.objects["ModelAction", name]["metadata"]
        created = (self.now + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata.update(annotations={names.ACCEPTED_ANNOTATION: metadata["uid"]}, creationTimestamp=created)

    def tell(self, fingerprint: str = "3f2a9c1b44d05e77", status: str = "firing", **changes: Any) -> None:
        """Let the intake keep an alert that it was told now."""
        now = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        alerts = self.objects["TrainingJob", "orders"]["status"].setdefault("alerts", [])
        known = next((entry for entry in alerts if entry["fingerprint"] == fingerprint), None)
        told = alert(
            fingerprint, status, **{"startsAt": known["startsAt"] if known else now, "receivedAt": now, **changes}
        )
        if known is None:
            alerts.append(told)
        else:
            known.update(told)

    def serve(self, name: str = "orders", **status: Any) -> JSON:
        """Let a ModelDeployment stand, with this in its status."""
        if ("ModelDeployment", name) not in self.objects:
            monitors = [{"name": "drift", "drift": {"max": 0.2}, "action": "Retrain"}]
            spec = {"trainingJobRef": {"name": "orders"}, "monitors": monitors}
            self._add("ModelDeployment", {"metadata": {"name": name}, "spec": spec})
        deployment = self.objects["ModelDeployment", name]
        deployment["status"] = {**deployment["status"], **status}
        return deployment

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)

    # What the cluster does.

    def pod(
        self,
        fetch: JSON | None = None,
        train: JSON | None = None,
        publish: JSON | None = None,
        *,
        phase: str = "Pending",
        **status: Any,
    ) -> JSON:
        """Give the newest Job its pod, or the pod a new status."""
        job = self.newest("Job")
        name = f"{job['metadata']['name']}-pod"
        if ("Pod", name) not in self.objects:
            owner = {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"], "controller": True}
            spec = clone(job["spec"]["template"]["spec"])
            self._add("Pod", {"metadata": {"name": name, "ownerReferences": [owner]}, "spec": spec})
        pod = self.objects["Pod", name]
        init = [{"name": step, **state} for step, state in (("fetch", fetch), ("train", train)) if state]
        pod["status"] = {"phase": phase, "initContainerStatuses": init, **status}
        if init:
            pod["status"]["containerStatuses"] = [{"name": "publish", **(publish or waits())}]
        return pod

    def train_runs(self) -> None:
        self.pod(ended(0), running(seconds=0))
        self._stamp()

    def end_job(self, condition: JSON) -> None:
        ended_at = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.newest("Job")["status"] = {"conditions": [{**condition, "lastTransitionTime": ended_at}]}

    def fail(self, code: int = 1, message: str = "boom", step: str = "train") -> None:
        """Let the newest pod end with an exit code."""
        states = {"fetch": ended(0), "train": ended(0), "publish": waits()}
        for name in ("fetch", "train", "publish"):
            if name == step:
                states[name] = ended(code, message)
                break
        if step == "fetch":
            states["train"] = waits()
        self.pod(*states.values(), phase="Failed")
        self.end_job(FAILED)

    def post(self, digest: str | None = None, **changes: Any) -> None:
        """Let publish post the record of the newest run."""
        run = self.newest("TrainingRun")
        number = len(run["status"]["attempts"])
        posted = record(run=TrainingRun.model_validate(run), **changes)
        posted["run"]["attempt"] = number
        digest = digest or f"{self.made:064x}"
        posted["artifact"]["digest"] = f"sha256:{digest}"
        posted["artifact"]["uri"] = f"s3://models/{NAMESPACE}/orders/artifacts/sha256/{digest}/"
        run["status"]["record"] = posted

    def publish(self, **changes: Any) -> None:
        """Let publish post and end well."""
        self.pod(ended(0), ended(0), running(seconds=0), phase="Running")
        self.settle()
        self.post(**changes)
        self.settle()
        self.pod(ended(0), ended(0), ended(0), phase="Succeeded")
        self.end_job(COMPLETE)
        self.settle()

    def run_well(self, **changes: Any) -> None:
        """Let the newest run go from its Job to its version."""
        self.settle()
        self.train_runs()
        self.settle()
        self.publish(**changes)

    def remove(self, kind: str, name: str) -> None:
        """Delete an object with all that it owns."""
        uid = self.objects.pop((kind, name))["metadata"]["uid"]
        for key, obj in list(self.objects.items()):
            if any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences", [])) and key in self.objects:
                self.remove(*key)

    # What the engine does.

    def settle(self) -> None:
        """Make passes until nothing changes any more."""
        for _ in range(40):
            busy = [key for key in list(self.objects) if key[0] in PLANS and self.step(*key)]
            if not busy:
                return
        raise AssertionError("the plans find no rest")

    def run_until_due(self) -> None:
        """Let time go on to the next time that a plan asked for."""
        due = [at for at in self.requeue.values() if at is not None]
        assert due, "nothing is due"
        self.now = max(self.now, min(due))
        self.settle()

    def step(self, kind: str, name: str) -> bool:
        """Make one pass; return whether anything was written or done."""
        obj = self.objects.get((kind, name))
        if obj is None:
            return False
        plan = PLANS[kind](self, obj)
        self.requeue[kind, name] = plan.requeue_at
        if plan.status != obj.get("status", {}):
            before = clone(obj)
            obj["status"] = clone(plan.status)
            self._note(obj, before, plan.events)
            again = PLANS[kind](self, obj)
            assert again.status == plan.status, "a plan must rest on its own status"
            assert again.events == (), "an event is told once"
            return True
        done = [action for action in plan.actions if self._act(action)]
        return bool(done)

    def _act(self, action: Action) -> bool:
        manifest = clone(dict(action.manifest))
        key = manifest["kind"], manifest["metadata"]["name"]
        match action:
            case Create():
                if key in self.objects or key[1] in self.refusals:
                    return False
                self._may_create(manifest)
                self._add(manifest["kind"], manifest)
            case Delete():
                if key not in self.objects or self.objects[key]["metadata"]["uid"] != manifest["metadata"]["uid"]:
                    return False
                self.remove(*key)
            case Apply():
                assert key[0] == "Pod", f"training applies nothing else: {action}"
                pod = self.objects[key]["metadata"]
                assert pod["uid"] == manifest["metadata"]["uid"]
                pod["annotations"] |= manifest["metadata"]["annotations"]
        return True

    def _may_create(self, manifest: JSON) -> None:
        if manifest["kind"] == "TrainingRun":
            going = [run for run in self.trainings() if run.status.phase not in FINISHED]
            assert not going, "one run in flight"
        if manifest["kind"] == "Job":
            (owner,) = manifest["metadata"]["ownerReferences"]
            run = self.objects["TrainingRun", owner["name"]]
            assert run["status"]["phase"] not in FINISHED, "a finished run never gets a Job"
            assert run["status"]["attempts"][-1]["job"] == manifest["metadata"]["name"], "an intent comes first"

    def _note(self, obj: JSON, before: JSON, events: tuple[Event, ...]) -> None:
        assert oracle.violations(obj, before) == []
        assert not [wrong for event in events for wrong in reasons.event_violations(obj["kind"], event)]
        self.events += [(obj["kind"], event.reason, event.message) for event in events]

    def _add(self, kind: str, obj: JSON) -> None:
        self.made += 1
        metadata = obj["metadata"]
        defaults = {
            "namespace": NAMESPACE,
            "uid": f"uid-{self.made}",
            "generation": 1,
            "creationTimestamp": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        obj.setdefault("apiVersion", "steadfit.dev/v1alpha1")
        obj.update(kind=kind, metadata={**defaults, **metadata})
        obj.setdefault("status", {"observedGeneration": -1} if kind in PLANS else {})
        self.objects[kind, metadata["name"]] = obj

    def _stamp(self) -> None:
        """Let the step that runs have started now."""
        pod = self.newest("Pod")
        for status in pod["status"]["initContainerStatuses"]:
            if "running" in status["state"]:
                status["state"]["running"]["startedAt"] = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    # What there is.

    def every(self, kind: str) -> list[JSON]:
        return [obj for (found, _), obj in self.objects.items() if found == kind]

    def newest(self, kind: str) -> JSON:
        return self.every(kind)[-1]

    @property
    def job(self) -> TrainingJob:
        return self.reader.read(TrainingJob, self.objects["TrainingJob", "orders"])

    @property
    def run(self) -> TrainingRun:
        return self.reader.read(TrainingRun, self.newest("TrainingRun"))

    def runs(self) -> list[TrainingRun]:
        return [self.reader.read(TrainingRun, obj) for obj in self.every("TrainingRun")]

    def trainings(self) -> list[TrainingRun]:
        """Return the runs that the plans of others see: those that evaluate are left out where they are observed."""
        return [run for run in self.runs() if run.spec.purpose == "Train"]

    def versions(self) -> list[ModelVersion]:
        return [self.reader.read(ModelVersion, obj) for obj in self.every("ModelVersion")]

    def condition(self, kind: str, name: str, condition_type: str = "Ready") -> tuple[str, str, str]:
        conditions = self.objects[kind, name]["status"]["conditions"]
        found = next(item for item in conditions if item["type"] == condition_type)
        return found["status"], found["reason"], found["message"]

    def reasons(self, kind: str) -> list[str]:
        return [reason for found, reason, _ in self.events if found == kind]

    def known_stores(self) -> Stores:
        return Stores([self.reader.read(ArtifactStore, store) for store in self.stores])


def _plan_job(cluster: TrainingCluster, obj: JSON) -> Plan:
    actions = [cluster.reader.read(ModelAction, item) for item in cluster.every("ModelAction")]
    job = cluster.reader.read(TrainingJob, obj)
    deployments = [cluster.reader.read(ModelDeployment, item) for item in cluster.every("ModelDeployment")]
    return training_job.plan(
        ObservedTrainingJob(
            job,
            cluster.trainings(),
            cluster.versions(),
            actions,
            cluster.known_stores(),
            deployments,
            cluster.refusals,
        ),
        cluster.now,
    )


def _plan_run(cluster: TrainingCluster, obj: JSON) -> Plan:
    run = cluster.reader.read(TrainingRun, obj)
    job = cluster.objects.get(("TrainingJob", "orders"))
    if job is not None and job["metadata"]["uid"] != run.spec.training_job_ref.uid:
        job = None
    jobs = [item for item in cluster.every("Job") if item["metadata"]["ownerReferences"][0]["uid"] == run.uid]
    uids = {item["metadata"]["uid"] for item in jobs}
    return training_run.plan(
        ObservedTrainingRun(
            run=run,
            job=cluster.reader.read(TrainingJob, job) if job else None,
            siblings=[item for item in cluster.trainings() if item.uid != run.uid],
            versions=cluster.versions(),
            workloads=jobs,
            pods=[item for item in cluster.every("Pod") if item["metadata"]["ownerReferences"][0]["uid"] in uids],
            stores=cluster.known_stores(),
            platform=cluster.platform,
            refusals=cluster.refusals,
        ),
        cluster.now,
    )


def _plan_version(cluster: TrainingCluster, obj: JSON) -> Plan:
    job = cluster.objects.get(("TrainingJob", "orders"))
    observed = ObservedModelVersion(
        cluster.reader.read(ModelVersion, obj), cluster.reader.read(TrainingJob, job) if job else None, []
    )
    return model_version.plan(observed, cluster.now)


PLANS: dict[str, Callable[[TrainingCluster, JSON], Plan]] = {
    "TrainingJob": _plan_job,
    "TrainingRun": _plan_run,
    "ModelVersion": _plan_version,
}
