"""The Deployment controller and the nodes that run server pods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from steadfit.kube.client import APIError

from . import podstatus
from .behaviour import Serving
from .loop import SimLoop, time_text
from .objects import JSON, Ref, ref_of, stable_uid
from .store import Change, Store

MANAGER = "deployment-controller"
CONTAINER = "server"

Script = Callable[[Mapping[str, Any]], Serving]
"""Says how the pods of a Deployment fare."""


class ServingNodes:
    """Keeps the pods of every Deployment, and Deployment statuses that tell of them."""

    def __init__(self, loop: SimLoop, store: Store, script: Script) -> None:
        self._loop = loop
        self._store = store
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()
        self._made: dict[str, int] = {}
        self._dirty: set[Ref] = set()
        store.listeners.append(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change.ref.kind == "Deployment" and change.type != "DELETED":
            spec_changed = (
                change.old is None or change.old["metadata"]["generation"] != change.new["metadata"]["generation"]
            )
            if spec_changed:
                self._soon(change.ref)
        elif change.ref.kind == "Pod":
            owner = next(iter(change.new["metadata"].get("ownerReferences", ())), None)
            if owner is not None and owner["kind"] == "ReplicaSet":
                deployment = owner["name"].rpartition("-")[0]
                self._soon(Ref("apps/v1", "Deployment", change.ref.namespace, deployment))
            started_to_go = (
                change.type == "MODIFIED" and "deletionTimestamp" not in (change.old or change.new)["metadata"]
            )
            if started_to_go and "deletionTimestamp" in change.new["metadata"]:
                self._spawn(self._end(change.ref, change.new["metadata"]["uid"]))

    def _soon(self, ref: Ref) -> None:
        if ref not in self._dirty:
            self._dirty.add(ref)
            self._loop.call_later(0.1, self._sync, ref)

    def _sync(self, ref: Ref) -> None:
        self._dirty.discard(ref)
        deployment = self._store.find(ref)
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            return
        replica_set = self._replica_set(deployment)
        uid = replica_set["metadata"]["uid"]
        pods = [
            pod
            for pod in self._store.peek("Pod", ref.namespace)
            if pod["metadata"].get("ownerReferences", [{}])[0].get("uid") == uid
            and "deletionTimestamp" not in pod["metadata"]
            and pod.get("status", {}).get("phase") != "Failed"
        ]
        wanted = deployment["spec"]["replicas"]
        others = [
            pod for pod in self._of_other_templates(deployment, uid) if "deletionTimestamp" not in pod["metadata"]
        ]
        if len(pods) >= wanted and all(_is_ready(pod) for pod in pods):
            for pod in others:
                self._store.delete(ref_of(pod), MANAGER)
            others = []
        for _ in range(wanted - len(pods)):
            self._spawn(self._serve(ref_of(self._create_pod(deployment, replica_set)), self._script(deployment)))
        for pod in sorted(pods, key=_is_ready)[: max(0, len(pods) - wanted)]:
            self._store.delete(ref_of(pod), MANAGER)
        if wanted != len(pods):
            # The pods' own news bring the status.
            self._soon(ref)
            return
        self._tell(ref, deployment, len(pods), [*pods, *others])

    def _of_other_templates(self, deployment: JSON, uid: str) -> list[Mapping[str, Any]]:
        """Return the pods of the Deployment's other ReplicaSets."""
        metadata = deployment["metadata"]
        sets = {
            one["metadata"]["uid"]
            for one in self._store.peek("ReplicaSet", metadata["namespace"])
            if one["metadata"]["ownerReferences"][0]["uid"] == metadata["uid"] and one["metadata"]["uid"] != uid
        }
        return [
            pod
            for pod in self._store.peek("Pod", metadata["namespace"])
            if pod["metadata"].get("ownerReferences", [{}])[0].get("uid") in sets
        ]

    def _tell(self, ref: Ref, deployment: JSON, updated: int, pods: Sequence[Mapping[str, Any]]) -> None:
        wanted, present, ready = deployment["spec"]["replicas"], len(pods), sum(_is_ready(pod) for pod in pods)
        status: JSON = {"observedGeneration": deployment["metadata"]["generation"]}
        if present:
            status |= {"replicas": present, "updatedReplicas": updated}
        if ready:
            status |= {"readyReplicas": ready, "availableReplicas": ready}
        if present - ready:
            status["unavailableReplicas"] = present - ready
        available = ready >= wanted
        old = {one["type"]: one for one in deployment.get("status", {}).get("conditions", [])}
        now = time_text(self._loop)
        status["conditions"] = []
        for type_, holds, reason in (
            ("Available", available, "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable"),
            ("Progressing", True, "NewReplicaSetAvailable" if available else "ReplicaSetUpdated"),
        ):
            value = "True" if holds else "False"
            same = type_ in old and old[type_]["status"] == value
            since = old[type_]["lastTransitionTime"] if same else now
            status["conditions"].append(
                {"type": type_, "status": value, "reason": reason, "message": "", "lastTransitionTime": since}
            )
        self._store.set_status(ref, status, MANAGER)

    def _replica_set(self, deployment: JSON) -> JSON:
        metadata = deployment["metadata"]
        template_hash = stable_uid(deployment["spec"]["template"])[:8]
        ref = Ref("apps/v1", "ReplicaSet", metadata["namespace"], f"{metadata['name']}-{template_hash}")
        found = self._store.find(ref)
        if found is not None:
            return found
        return self._store.create(
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": ref.name,
                    "namespace": ref.namespace,
                    "labels": {
                        **deployment["spec"]["template"]["metadata"]["labels"],
                        "pod-template-hash": template_hash,
                    },
                    "ownerReferences": [_reference(deployment)],
                },
                "spec": {"template": deployment["spec"]["template"]},
            },
            MANAGER,
        )

    def _create_pod(self, deployment: JSON, replica_set: JSON) -> JSON:
        template, metadata = deployment["spec"]["template"], replica_set["metadata"]
        number = self._made[metadata["uid"]] = self._made.get(metadata["uid"], 0) + 1
        return self._store.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    **template["metadata"],
                    "name": f"{metadata['name']}-{stable_uid(metadata['uid'], number)[:5]}",
                    "namespace": metadata["namespace"],
                    "labels": metadata["labels"],
                    "ownerReferences": [_reference(replica_set)],
                },
                "spec": {**template["spec"], "nodeName": "worker"},
            },
            MANAGER,
        )

    async def _serve(self, ref: Ref, script: Serving) -> None:
        """Walk a server pod from pending to ready, or to where its script says it stays."""
        rng = Random(ref.name)
        await asyncio.sleep(rng.uniform(0.2, 1.0))
        pod = self._store.find(ref)
        if pod is None:
            return
        container = next(one for one in pod["spec"]["containers"] if one["name"] == CONTAINER)
        name, image, begun = container["name"], container["image"], time_text(self._loop)

        def show(state: JSON, *, ready: bool = False, restarts: int = 0, last: JSON | None = None) -> bool:
            one = podstatus.container(name, image, state, restarts=restarts, last=last)
            one["ready"] = ready
            phase = "Running" if "running" in state or restarts else "Pending"
            status = podstatus.status(phase, begun, [], [one], ready=ready)
            if phase == "Running":
                status["podIP"] = _address(ref)
            try:
                self._store.set_status(ref, status, "kubelet")
            except APIError:
                return False
            return True

        show(podstatus.waiting("ContainerCreating"))
        await asyncio.sleep(rng.uniform(0.2, 1.0))
        if script.outcome == "ImageMissing":
            show(podstatus.waiting("ErrImagePull", "not found"))
            return
        started = podstatus.running(time_text(self._loop))
        if not show(started):
            return
        await asyncio.sleep(script.seconds * rng.uniform(0.8, 1.2))
        if script.outcome == "Ready":
            show(started, ready=True)
        restarts = 0
        while script.outcome == "Crashes":
            restarts += 1
            ended = podstatus.terminated(begun, time_text(self._loop), 1, "Error", "digest mismatch in model.onnx")
            if not show(podstatus.waiting("CrashLoopBackOff", "back-off"), restarts=restarts, last=ended):
                return
            await asyncio.sleep(min(300.0, 10.0 * 2**restarts))

    async def _end(self, ref: Ref, uid: str) -> None:
        """Drain a pod and take it away."""
        await asyncio.sleep(Random(ref.name).uniform(1, 4))
        pod = self._store.find(ref)
        if pod is not None and pod["metadata"]["uid"] == uid:
            self._store.purge(ref, "kubelet")

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _address(ref: Ref) -> str:
    number = int(stable_uid(ref.namespace, ref.name)[:6], 16)
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def _reference(owner: JSON) -> JSON:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
