"""The Job controller and the nodes that run training pods, by the script of each attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from obstore.store import MemoryStore
from steadfit.app.refusal import Refusal
from steadfit.core import names
from steadfit.kube.client import NotFound
from steadfit_artifact.store import Store as ArtifactStore
from steadfit_trainer.steps.quarantine import QuarantineConfig, write_note

from . import podstatus
from .behaviour import Training
from .loop import SimLoop, time_text
from .objects import JSON, Ref, stable_uid
from .pod import MANAGER, Pod, PodEnded
from .publish import Intake, compared, configuration, evaluation_of, known_version, record_of
from .store import Change, Store

Script = Callable[[Mapping[str, Any], int], Training]
"""Says what happens to an attempt, given its run."""


class TrainingNodes:
    """Makes a pod of every Job and lets it walk through fetch, train and publish."""

    def __init__(self, loop: SimLoop, store: Store, script: Script) -> None:
        self._loop = loop
        self._store = store
        self._script = script
        self._intake = Intake(store)
        self.bucket = MemoryStore()
        """What the Jobs write that keep quarantines and servings."""
        self.bucket_is_away = False
        self._tasks: set[asyncio.Task[None]] = set()
        store.listeners.append(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change.ref.kind == "Job" and change.type == "ADDED":
            task = self._loop.create_task(self._work(change.ref, change.new["metadata"]["uid"]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, job: Ref, uid: str) -> None:
        try:
            of_a_run = names.TRAINING_RUN in self._job(job, uid)["metadata"]["labels"]
            await (self._attempt(job, uid) if of_a_run else self._note(job, uid))
        except (PodEnded, NotFound):
            return

    async def _attempt(self, job_ref: Ref, uid: str) -> None:
        # Drawn from the name, so that what a pod does depends on nothing that a crash of the operator changes.
        rng = Random(job_ref.name)
        job = self._job(job_ref, uid)
        labels = job["metadata"]["labels"]
        run_ref = Ref("steadfit.dev/v1alpha1", "TrainingRun", job_ref.namespace, labels[names.TRAINING_RUN])
        script = self._script(self._store.get(run_ref), int(labels[names.ATTEMPT]))
        await asyncio.sleep(rng.uniform(0.1, 0.5))
        self._job(job_ref, uid)
        self._store.set_status(
            job_ref, {"startTime": time_text(self._loop), "active": 1, "ready": 0, "terminating": 0}, "job-controller"
        )
        if script.outcome == "NoPod":
            return
        if script.refusal:
            await self._refuse(job_ref, uid, script)
        pod = Pod(self._loop, self._store, self._create_pod(job), rng)
        try:
            failed = await self._walk(pod, script, run_ref)
        except PodEnded:
            failed = "the pod is gone"
        await asyncio.sleep(rng.uniform(0.1, 0.5))
        self._job(job_ref, uid)
        self._store.set_status(job_ref, self._ended(job_ref, failed), "job-controller")

    async def _refuse(self, job_ref: Ref, uid: str, script: Training) -> None:
        """Let the Job controller fail to create the pod: it tries again after growing pauses, each with an Event."""
        waited, pause = 0.0, 10.0
        while waited < script.refused_seconds:
            pod = f"{job_ref.name}-{stable_uid(uid, waited)[:5]}"
            self._store.create(
                _failed_create(job_ref, uid, pod, script.refusal, time_text(self._loop)), "job-controller"
            )
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(360.0, 2 * pause)
            self._job(job_ref, uid)

    async def _walk(self, pod: Pod, script: Training, run: Ref) -> str | None:
        """Walk through the pod's life; return why it failed."""
        outcome = script.outcome
        await pod.sleep(0.1, 1.0)
        if outcome == "Unschedulable":
            pod.put(podstatus.unscheduled(time_text(self._loop), "0/2 nodes are available: 2 Insufficient cpu."))
            await pod.forever()
        pod.bind()
        pod.show()
        await pod.run("fetch", 1, 3)
        if outcome in ("FetchData", "FetchStore"):
            code = 10 if outcome == "FetchData" else 11
            return pod.fail("fetch", code, "Error", "no object under s3://lake/flights/ has the declared digest")
        known = known_version(configuration(pod.live()), self._store.get(run), script)
        if known is not None:
            return pod.fail("fetch", 13, "Error", f"Known: {known}")
        pod.finish("fetch")
        if self._store.get(run)["spec"].get("purpose") == "Evaluate":
            return await self._evaluate(pod, script, run)
        if outcome == "ImageNameInvalid":
            pod.wait_for(
                "train", "InvalidImageName", 'Failed to apply default image tag "Bad": invalid reference format'
            )
            await pod.forever()
        for _ in range({"ImageMissing": 1000, "ImageLate": 1}.get(outcome, 0)):
            why = "failed to pull and unpack image: not found"
            pod.wait_for("train", "ErrImagePull", why)
            await pod.sleep(5, 15)
            backing_off = f'Back-off pulling image "{pod.image("train")}": ErrImagePull: {why}'
            pod.wait_for("train", "ImagePullBackOff", backing_off)
            await pod.sleep(20, 60)
        await pod.run("train", script.seconds, script.seconds * 1.2)
        match outcome:
            case "TrainFails":
                return pod.fail("train", 1, "Error", "ValueError: could not convert string to float: 'late'")
            case "TrainOutOfMemory":
                return pod.fail("train", 137, "OOMKilled")
            case "TrainHangs":
                await pod.forever()
            case "Evicted":
                return pod.evict()
            case "PodGone":
                self._store.purge(pod.ref, MANAGER)
                raise PodEnded
        pod.finish("train")
        await pod.run("publish", 1, 2)
        if outcome in ("PublishStore", "PublishUnreadable"):
            code = 11 if outcome == "PublishStore" else 12
            return pod.fail("publish", code, "Error", "cannot write s3://models/: connection refused")
        comparison = compared(configuration(pod.live()), script, self._store, str(run.namespace))
        record = record_of(self._store.get(run), int(pod.labels[names.ATTEMPT]), script, comparison)
        while True:
            try:
                if await self._intake.post(pod.live(), run, record):
                    break
            except Refusal as refusal:
                if refusal.status not in (401, 409, 429):
                    return pod.fail("publish", 12, "Error", refusal.sentence)
            await pod.sleep(1, 3)
        pod.finish("publish")
        return None

    async def _evaluate(self, pod: Pod, script: Training, run: Ref) -> str | None:
        """Walk through the one step that follows fetch in a run that trains nothing."""
        await pod.run("evaluate", script.seconds, script.seconds * 1.2)
        if script.outcome == "Evicted":
            return pod.evict()
        if script.outcome == "PublishStore":
            return pod.fail("evaluate", 11, "Error", "cannot read s3://models/: connection refused")
        found = evaluation_of(self._store.get(run), int(pod.labels[names.ATTEMPT]), script)
        while True:
            try:
                if await self._intake.post_evaluation(pod.live(), run, found):
                    break
            except Refusal as refusal:
                if refusal.status not in (401, 409, 429):
                    return pod.fail("evaluate", 12, "Error", refusal.sentence)
            await pod.sleep(1, 3)
        pod.finish("evaluate")
        return None

    async def _note(self, job_ref: Ref, uid: str) -> None:
        """Let a Job write down a quarantine, or servings, as the real step does."""
        rng = Random(job_ref.name)
        await asyncio.sleep(rng.uniform(2, 5))
        job = self._job(job_ref, uid)
        self._store.set_status(job_ref, {"startTime": time_text(self._loop)}, "job-controller")
        if not self.bucket_is_away:
            config = QuarantineConfig.model_validate(configuration(job["spec"]["template"]))
            write_note(config, lambda told: ArtifactStore(told.uri_prefix, self.bucket))
        failed = "cannot write s3://models/: connection refused" if self.bucket_is_away else None
        self._store.set_status(job_ref, self._ended(job_ref, failed), "job-controller")

    def _create_pod(self, job: JSON) -> JSON:
        template = job["spec"]["template"]
        suffix = stable_uid(job["metadata"]["uid"], "pod")[:5]
        return self._store.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    **template["metadata"],
                    "name": f"{job['metadata']['name']}-{suffix}",
                    "namespace": job["metadata"]["namespace"],
                    "ownerReferences": [
                        {
                            "apiVersion": "batch/v1",
                            "kind": "Job",
                            "name": job["metadata"]["name"],
                            "uid": job["metadata"]["uid"],
                            "controller": True,
                            "blockOwnerDeletion": True,
                        }
                    ],
                },
                "spec": template["spec"],
            },
            "job-controller",
        )

    def _job(self, ref: Ref, uid: str) -> JSON:
        job = self._store.get(ref)
        if job["metadata"]["uid"] != uid or "deletionTimestamp" in job["metadata"]:
            raise PodEnded
        return job

    def _ended(self, ref: Ref, failed: str | None) -> JSON:
        now = time_text(self._loop)
        begun = self._store.get(ref)["status"]["startTime"]
        base: JSON = {"startTime": begun, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {}}
        if failed is None:
            types, reason, message = ("SuccessCriteriaMet", "Complete"), "CompletionsReached", "Reached expected number"
            base |= {"succeeded": 1, "completionTime": now}
        else:
            types, reason = ("FailureTarget", "Failed"), "BackoffLimitExceeded"
            message = "Job has reached the specified backoff limit"
            base |= {"failed": 1}
        base["conditions"] = [podstatus.condition(type_, True, now, reason, message) for type_ in types]
        return base


def _failed_create(job: Ref, uid: str, pod: str, refusal: str, at: str) -> JSON:
    """Return the Event of a pod that could not be created, as events.k8s.io/v1 shows one of the Job controller."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{pod}.failed", "namespace": job.namespace},
        "type": "Warning",
        "reason": "FailedCreate",
        "note": f'Error creating: pods "{pod}" is forbidden: {refusal}',
        "regarding": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job.name,
            "namespace": job.namespace,
            "uid": uid,
        },
        "deprecatedSource": {"component": "job-controller"},
        "deprecatedLastTimestamp": at,
    }
