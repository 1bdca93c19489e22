"""A small cluster for the serving side: the objects, the engine's rules, and kubelets that do as they are told.

`ServingCluster.step()` is one pass of the engine: it writes the status if it differs, else it carries out the actions,
each fenced as the API server would. Every action is checked against what must never happen, in
`serving_cluster_checks.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.trainingjob import TrainingJob
from steadfit.api.trainingrun import TrainingRun
from steadfit.core import names
from steadfit.core.plans import model_deployment
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.revisions import declared_template
from steadfit.core.types import (
    Action,
    Apply,
    Compared,
    Create,
    Delete,
    Event,
    ObservedModelDeployment,
    ObservedModelVersion,
    Plan,
    Platform,
    PodTimes,
    Replace,
    Signal,
    Stores,
)
from steadfit.core.versions import rollout_memory, serving_history

from tests.oracles import presence, reasons
from tests.sim.objects import clone, merge
from tests.support.reading import Reader

from . import serving_cluster_checks, serving_cluster_gateways
from .arms import ARMS, METRICS
from .serving_cluster_objects import NAMESPACE, digest, job, store, version, won

START = datetime(2026, 1, 1, tzinfo=UTC)
PLATFORM = Platform(
    trainer_image="steadfit/trainer:1",
    server_image="steadfit/server:1",
    operator_version="1.0.0",
    record_url="https://steadfit-operator.steadfit-system.svc:8443",
    ca_bundle="-----BEGIN CERTIFICATE-----",
)


class ServingCluster:
    """The objects of one ModelDeployment `flights`, by name."""

    def __init__(self, replicas: int = 2, *, drains: bool = False, **spec: Any) -> None:
        """Create a cluster; a server that does not drain leaves no pods behind when the traffic has moved."""
        self.drains = drains
        self.now = START
        self.counter = 0
        self.reader = Reader()
        self.deployment: dict[str, Any] = {
            "metadata": {
                "name": "flights",
                "namespace": NAMESPACE,
                "uid": "mdep-1",
                "generation": 1,
                "resourceVersion": "1",
                "creationTimestamp": START.isoformat(),
            },
            "spec": {"server": self._server(replicas=replicas), **spec},
            "status": {"observedGeneration": -1},
        }
        self.job: dict[str, Any] | None = job()
        self.jobs = 1
        """How many TrainingJobs have had the name."""
        self.versions: dict[int, dict[str, Any]] = {}
        self.made: dict[tuple[str, str], dict[str, Any]] = {}
        """Every version that was ever made, by its name and the digest of its artifact."""
        self.actions: dict[str, dict[str, Any]] = {}
        self.workloads: dict[str, dict[str, Any]] = {}
        self.frozen_templates: dict[str, dict[str, Any]] = {}
        self.service: dict[str, Any] | None = None
        self.route: dict[str, Any] | None = None
        self.services: dict[str, dict[str, Any]] = {}
        """The Services of single revisions, by name."""
        self.gateway_api = True
        self.gateway: Callable[[dict[str, Any]], None] = lambda route: None
        """What Gateways write into the status of the HTTPRoute."""
        self.stores = [store()]
        self.platform = PLATFORM
        self.ending: list[dict[str, Any]] = []
        """Pods on their way out."""
        self.told: set[str] = set()
        """Pods that were told to drain."""
        self.labelled: set[str] = set()
        """Pods that have the label of those that serve."""
        self.unschedulable: set[str] = set()
        """Revisions whose pods find no node unless they are ready."""
        self.refused: dict[str, str] = {}
        """Why a pod of a revision is refused, by revision."""
        self.compared: dict[str, Compared] = {}
        """What was measured of the candidate, by the metric of the analysis."""
        self._compared_of: tuple[str, object] | None = None
        self.signals: dict[str, Signal] = {}
        """What was measured, by monitor."""
        self.evaluations: dict[str, dict[str, Any]] = {}
        """The runs of purpose Evaluate, by name."""
        self.broken: set[str] = set()
        """Revisions whose pods crash."""
        self.half: set[str] = set()
        """Revisions of which one pod does not become ready."""
        self.most_ready: dict[str, int] = {}
        """How many pods become ready, of revisions of which not all do."""
        self.befallen: dict[str, dict[str, Any]] = {}
        """What befell pods after they were ready, by name: a patch of the pod, of `failing_pods`."""
        self.pod_times: dict[str, PodTimes] = {}
        """When the operator saw pods change, by their uids."""
        self.events: list[Event] = []
        self.moves: list[str] = []
        """Revisions that the Service was pointed at, in order."""

    # What people and kubelets do

    def add(self, number: int, phase: str | None = "Verified", against: str | None = "live", **spec: Any) -> None:
        """Make a version that was compared with what is live now, with the artifact of a digest, or with nothing."""
        compared = self.status.live.digest if against == "live" and self.status.live else against
        if compared not in (None, "live"):
            spec = {"evaluation": {"metrics": [{"name": "roc_auc", "value": 0.7}], "champion": won(compared)}, **spec}
        artifact = {"uri": f"s3://models/{number}/", "digest": self.digest(number)}
        made = version(number, phase, f"job-{self.jobs}", **{"artifact": artifact, **spec})
        made["metadata"]["creationTimestamp"] = self.now.isoformat()
        self.versions[number] = made
        self.made[made["metadata"]["name"], made["spec"]["artifact"]["digest"]] = made

    def digest(self, number: int) -> str:
        """Return the digest of the artifact that the present TrainingJob makes as this version."""
        return digest(number + 100 * (self.jobs - 1))

    def versions_notice(self) -> None:
        """Do what the plan of ModelVersion does: write what ModelDeployments have decided, and which one it serves."""
        deployment = self.reader.read(ModelDeployment, self.deployment)
        for number in self.versions:
            version = self.version(number)
            observed = ObservedModelVersion(version, None, [deployment])
            after = rollout_memory.follow(serving_history.follow(version.status, observed, self.now), observed).dump()
            known = {key: after.get(key, []) for key in ("served", "abandoned", "belowFloorOf")}
            self.versions[number]["status"].update(known)

    def make_the_deployment_again(self) -> None:
        """Delete the ModelDeployment with everything that it owns, and apply it again under the same name."""
        self.versions_notice()
        metadata = {**self.deployment["metadata"], "uid": f"{self.deployment['metadata']['uid']}-again"}
        self.deployment = {**self.deployment, "metadata": metadata, "status": {"observedGeneration": -1}}
        self.workloads, self.frozen_templates, self.services, self.service, self.route = {}, {}, {}, None, None
        self.compared, self.ending = {}, []
        self.versions_notice()

    def make_the_job_again(self, *, with_versions: bool = True) -> None:
        """Delete the TrainingJob, and its versions too, and apply it again under the same name."""
        self.jobs += 1
        self.job = job(f"job-{self.jobs}")
        if with_versions:
            self.versions = {}

    def judge(self, number: int, phase: str) -> None:
        self.versions[number]["status"]["phase"] = phase

    def edit(self, **spec: Any) -> None:
        """Change the spec; None takes a field away."""
        if "server" in spec:
            spec["server"] = self._server(**spec["server"])
        merged = {**self.deployment["spec"], **spec}
        self.deployment["spec"] = {key: value for key, value in merged.items() if value is not None}
        self.deployment["metadata"]["generation"] += 1

    def act(self, verb: str, number: int | None = None) -> str:
        """Create a ModelAction now and return its name."""
        name = f"action-{len(self.actions) + 1}"
        spec = {
            "verb": verb,
            "target": {"kind": "ModelDeployment", "name": "flights"},
            "reason": "it is worse",
            "requestedBy": "alice",
        }
        self.actions[name] = {
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "uid": f"uid-{name}",
                "annotations": {names.ACCEPTED_ANNOTATION: f"uid-{name}"},
                "creationTimestamp": (self.now + timedelta(microseconds=len(self.actions) + 1)).isoformat(),
            },
            "spec": spec | ({"version": number} if number is not None else {}),
            "status": {"phase": "Pending"},
        }
        return name

    def _server(self, **server: Any) -> dict[str, Any]:
        return {"drains": self.drains, **server}

    def finds(self, word: str, *metrics: str) -> None:
        """Let the analysis of the candidate find this of some metrics, or of all."""
        candidate = self.status.candidate
        if candidate is None:
            return
        if self._compared_of != (candidate.revision, candidate.analysed_since):
            self.compared = {}
        self._compared_of = (candidate.revision, candidate.analysed_since)
        for metric in metrics or METRICS:
            self.compared[metric] = ARMS[word]

    def measured(self) -> dict[str, Compared]:
        """Return what was measured of this candidate since it takes traffic."""
        candidate = self.status.candidate
        known = candidate is not None and self._compared_of == (candidate.revision, candidate.analysed_since)
        return dict(self.compared) if known else {}

    def kubelet(self) -> None:
        """Bring every Deployment's pods to where they can get; those that are not wanted end a round later."""
        before = {pod["metadata"]["name"]: pod for pod in self._running()}
        for workload in self.workloads.values():
            replicas = workload["spec"]["replicas"]
            revision = workload["metadata"]["labels"][names.REVISION]
            ready = 0 if revision in self.broken else replicas
            if revision in self.half and replicas:
                ready = replicas - 1
            ready = min(ready, self.most_ready.get(revision, ready))
            workload["status"] = {
                "observedGeneration": workload["metadata"]["generation"],
                "replicas": replicas,
                "readyReplicas": ready,
                "updatedReplicas": replicas,
            }
            if revision in self.refused:
                failure = {"type": "ReplicaFailure", "status": "True", "message": self.refused[revision]}
                workload["status"] |= {"replicas": ready, "conditions": [failure]}
            self._touch(workload)
        left = {pod["metadata"]["name"] for pod in self._running()}
        gone = [pod for name, pod in before.items() if name not in left]
        self.told -= {pod["metadata"]["name"] for pod in gone}
        self.labelled -= {pod["metadata"]["name"] for pod in gone}
        self.befallen = {name: patch for name, patch in self.befallen.items() if name in left}
        self.ending = [
            {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": self.now.isoformat()}} for pod in gone
        ]

    def pods(self) -> list[dict[str, Any]]:
        return [*self._running(), *self.ending]

    def _running(self) -> list[dict[str, Any]]:
        pods = []
        for workload in self.workloads.values():
            status, template = workload.get("status", {}), workload["spec"]["template"]
            for index in range(status.get("replicas", 0)):
                is_ready = index < status.get("readyReplicas", 0)
                crashed = {"terminated": {"exitCode": 3, "message": "the digest does not match"}}
                name = f"{workload['metadata']['name']}-{index}"
                serving = {names.SERVING: "live"} if name in self.labelled else {}
                if not is_ready and workload["metadata"]["labels"][names.REVISION] in self.unschedulable:
                    pods.append(_unscheduled(name, template["metadata"]["labels"] | serving))
                    continue
                pods.append(
                    {
                        "metadata": {
                            "name": name,
                            "namespace": NAMESPACE,
                            "uid": f"uid-{name}",
                            "labels": template["metadata"]["labels"] | serving,
                            "annotations": {names.DRAIN_ANNOTATION: "true"} if name in self.told else {},
                        },
                        "spec": {"containers": [], "volumes": clone(template["spec"]["volumes"])},
                        "status": {
                            "phase": "Running",
                            "conditions": [{"type": "Ready", "status": str(is_ready)}],
                            "containerStatuses": [
                                {
                                    "name": "server",
                                    "ready": is_ready,
                                    "state": {"running": {}},
                                    "lastState": {} if is_ready else crashed,
                                }
                            ],
                        },
                    }
                )
        return [
            merge(pod, self.befallen[name]) if (name := pod["metadata"]["name"]) in self.befallen else pod
            for pod in pods
        ]

    # What is seen

    def observe(self) -> ObservedModelDeployment:
        """Return what a watch would have brought: nothing that a plan does to it reaches the cluster."""
        read = self.reader.read
        return ObservedModelDeployment(
            deployment=read(ModelDeployment, self.deployment),
            job=read(TrainingJob, self.job) if self.job else None,
            versions=[read(ModelVersion, item) for item in self.versions.values()],
            workloads=[clone(item) for item in self.workloads.values()],
            pods=self.pods(),
            service=clone(self.service),
            actions=[read(ModelAction, item) for item in self.actions.values()],
            stores=Stores([read(ArtifactStore, item) for item in self.stores]),
            platform=self.platform,
            signals=dict(self.signals),
            compared=self.measured(),
            evaluations=[read(TrainingRun, item) for item in self.evaluations.values()],
            route=clone(self.route),
            services=[clone(item) for item in self.services.values()],
            gateway_api=self.gateway_api,
            frozen_templates=[clone(item) for item in self.frozen_templates.values() if not _is_decision(item)],
            decisions=[clone(item) for item in self.frozen_templates.values() if _is_decision(item)],
            pod_times=self.pod_times,
        )

    @property
    def status(self) -> ModelDeploymentStatus:
        return self.reader.read(ModelDeployment, self.deployment).status

    @property
    def fleet(self) -> Fleet:
        found = Fleet(self.observe())
        return found.with_declared(declared_template.known(self.status, found))

    def version(self, number: int) -> ModelVersion:
        return self.reader.read(ModelVersion, self.versions[number])

    def condition(self, kind: str) -> tuple[str, str] | None:
        """Return status and reason of a condition."""
        found = [item for item in self.status.conditions if item.type == kind]
        return (found[0].status, found[0].reason) if found else None

    def message(self, kind: str) -> str:
        return next(item.message for item in self.status.conditions if item.type == kind)

    def record(self, action: str) -> tuple[str, str]:
        """Return phase and message of an action's record."""
        found = next(item for item in self.status.actions if item.name == action)
        assert (found.reason is not None) == (found.phase == "Rejected")
        return found.phase, found.message

    def live(self) -> int | None:
        return self.status.live.number if self.status.live else None

    def floor(self) -> int | None:
        return self.status.version_floor.number if self.status.version_floor else None

    def candidate(self) -> int | None:
        return self.status.candidate.number if self.status.candidate else None

    def selected(self) -> str | None:
        """Return the revision that the Service points at; while it shares its traffic, the champion."""
        return serving_cluster_checks.champion(self.service["spec"]["selector"]) if self.service else None

    def answering(self) -> set[int]:
        """Return the numbers of the versions that have ready pods which the Service selects."""
        if self.service is None:
            return set()
        matched = serving_cluster_checks.matched_by(self.service["spec"]["selector"], self._running())
        return {int(pod["metadata"]["labels"][names.VERSION]) for pod in matched if _is_ready(pod)}

    def replicas(self) -> dict[int, int]:
        """Return the pods that are asked for, by version number; of several revisions the most."""
        found: dict[int, int] = {}
        for workload in self.workloads.values():
            number = int(workload["metadata"]["labels"][names.VERSION])
            found[number] = max(found.get(number, 0), workload["spec"]["replicas"])
        return found

    def seen(self, reason: str) -> list[str]:
        return [event.message for event in self.events if event.reason == reason]

    # What the engine does

    def plan(self) -> Plan:
        return model_deployment.plan(self.observe(), self.now)

    def step(self, crash_after: int | None = None) -> bool:
        """Make one pass; return whether anything was done. A crash ends it after so many writes."""
        self.now += timedelta(seconds=1)
        self._copy_records()
        plan = self.plan()
        if plan.status != self.deployment["status"]:
            if crash_after == 0:
                return True
            after = ModelDeploymentStatus.model_validate(plan.status)
            serving_cluster_checks.promotion(self, after)
            serving_cluster_checks.canary(self, after)
            self.deployment["status"] = plan.status
            assert reasons.violations("ModelDeployment", plan.status) == []
            assert presence.violations("ModelDeployment", plan.status) == []
            assert not [wrong for event in plan.events for wrong in reasons.event_violations("ModelDeployment", event)]
            self.events.extend(plan.events)
            return True
        serving_cluster_checks.order(plan.actions)
        done = False
        for number, action in enumerate(plan.actions):
            if crash_after is not None and number >= crash_after:
                return True
            done |= self._carry_out(action)
        return done

    def settle(self, passes: int = 60) -> None:
        """Make passes, with kubelets in between, until nothing changes any more."""
        for _ in range(passes):
            if self.route:
                self.gateway(self.route)
            did = self.step()
            before = clone([workload.get("status") for workload in self.workloads.values()]), self.ending
            self.kubelet()
            if not did and before == ([workload.get("status") for workload in self.workloads.values()], []):
                return
        raise AssertionError("the passes do not come to an end")

    def _copy_records(self) -> None:
        """Do what the plan of ModelAction does."""
        for record in self.status.actions:
            if record.name in self.actions and record.phase != "Pending":
                self.actions[record.name]["status"]["phase"] = record.phase

    def _touch(self, manifest: dict[str, Any]) -> None:
        self.counter += 1
        manifest["metadata"]["resourceVersion"] = str(self.counter)

    def _carry_out(self, action: Action) -> bool:
        manifest: dict[str, Any] = clone(dict(action.manifest))
        kind, metadata = manifest["kind"], manifest["metadata"]
        if kind == "TrainingRun":
            return self._carry_out_child(action, manifest, self.evaluations)
        if kind == "ControllerRevision":
            return self._carry_out_child(action, manifest, self.frozen_templates)
        if kind == "Pod":
            if "labels" in metadata:
                (self.labelled.add if metadata["labels"] else self.labelled.discard)(metadata["name"])
                return True
            told = metadata["annotations"].get(names.DRAIN_ANNOTATION) == "true"
            (self.told.add if told else self.told.discard)(metadata["name"])
            return True
        if kind == "HTTPRoute" or (kind == "Service" and metadata["name"] != "flights"):
            return serving_cluster_gateways.carry_out(self, action, manifest)
        existing = self.service if kind == "Service" else self.workloads.get(metadata["name"])
        if isinstance(action, Create):
            assert existing is None, f"{metadata['name']} is created although it was observed"
            self.counter += 1
            metadata |= {"uid": f"uid-{self.counter}", "generation": 1}
            self._touch(manifest)
            self._put(kind, manifest)
            return True
        assert existing is not None
        assert metadata["uid"] == existing["metadata"]["uid"]
        if isinstance(action, Delete):
            serving_cluster_checks.delete(self, existing)
            serving_cluster_gateways.deleted(self, existing)
            del self.workloads[metadata["name"]]
            return True
        assert isinstance(action, Replace if kind == "Service" else Apply)
        assert metadata["resourceVersion"] == existing["metadata"]["resourceVersion"]
        annotations = {**existing["metadata"].get("annotations", {}), **metadata.get("annotations", {})}
        existing["metadata"]["annotations"] = annotations
        if kind == "Service":
            self._put(kind, {**existing, "spec": manifest["spec"]})
        else:
            if "template" in manifest["spec"]:
                assert action.manifest["spec"].keys() == {"template"}
                existing["spec"]["template"] = manifest["spec"]["template"]
                existing["metadata"]["generation"] += 1
                self._touch(existing)
                return True
            replicas = manifest["spec"]["replicas"]
            if replicas != existing["spec"]["replicas"]:
                serving_cluster_checks.scale(self, existing, replicas)
                serving_cluster_gateways.scaled(self, existing, replicas)
                existing["spec"]["replicas"] = replicas
                existing["metadata"]["generation"] += 1
        self._touch(existing if kind != "Service" else self.service or {})
        return True

    def _carry_out_child(self, action: Action, manifest: dict[str, Any], known: dict[str, dict[str, Any]]) -> bool:
        """Create or delete a child that is never changed: a run that evaluates, or a frozen template."""
        name = manifest["metadata"]["name"]
        if isinstance(action, Create):
            assert name not in known, f"{name} is created although it was observed"
            self.counter += 1
            manifest["metadata"] |= {"uid": f"uid-{self.counter}", "creationTimestamp": self.now.isoformat()}
            self._touch(manifest)
            known[name] = manifest
            return True
        assert isinstance(action, Delete)
        assert manifest["metadata"]["uid"] == known.pop(name)["metadata"]["uid"]
        return True

    def _put(self, kind: str, manifest: dict[str, Any]) -> None:
        if kind != "Service":
            self.workloads[manifest["metadata"]["name"]] = manifest
            return
        chosen = manifest["spec"]["selector"]
        if self.service is None or self.service["spec"]["selector"] != chosen:
            serving_cluster_checks.move(self, chosen)
            self.moves.append(
                ("shared-" if names.REVISION not in chosen else "") + str(serving_cluster_checks.champion(chosen))
            )
        self.service = manifest


def _unscheduled(name: str, labels: dict[str, str]) -> dict[str, Any]:
    """Return a pod that no node has room for."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "labels": labels, "annotations": {}},
        "spec": {"containers": [], "volumes": []},
        "status": {"phase": "Pending", "conditions": [{**condition, "message": "0/3 nodes are available"}]},
    }


def _is_decision(manifest: dict[str, Any]) -> bool:
    return names.DECISION in manifest["metadata"]["labels"]


def _is_ready(pod: dict[str, Any]) -> bool:
    return any((item["type"], item["status"]) == ("Ready", "True") for item in pod["status"]["conditions"])


def serving(*numbers: int, **spec: Any) -> ServingCluster:
    """Return a cluster in which these versions were made and rolled out one after the other."""
    cluster = ServingCluster(**spec)
    cluster.settle()
    for number in numbers:
        cluster.add(number)
        cluster.settle()
    return cluster
