"""A run of purpose Evaluate as recovery makes it, and what a kubelet and the intake then do with it."""

from __future__ import annotations

from typing import Any

from steadfit.api.trainingrun import TrainingRun
from steadfit.core.input_hash import input_hash

from .builders import JSON, training_run, version, waits
from .training_cluster import TrainingCluster

NAME = "orders-eeeeeeeeee"
LIVE = {"version": "orders-v2", "number": 2, "digest": f"sha256:{2:064x}"}
LAST_GOOD = {"version": "orders-v1", "number": 1, "digest": f"sha256:{1:064x}"}
INPUTS: JSON = {
    "deployment": "orders",
    "metric": "brier_score",
    "margin": 0.005,
    "live": LIVE,
    "lastGood": LAST_GOOD,
    "until": "2026-01-31T09:00:00Z",
    "flushInterval": "60s",
    "minRows": 200,
    "maxRows": 20000,
}
DATA = [{"name": "captured", "captured": {"deployment": "orders", "window": "1h"}}]
OUTCOME: JSON = {
    "rows": 4210, "live": 0.241, "lastGood": 0.198, "difference": 0.043, "lower": 0.03, "upper": 0.056, "reason": "",
}  # fmt: skip


def evaluation_run(status: JSON | None = None, **spec: Any) -> TrainingRun:
    given = {"purpose": "Evaluate", "evaluate": INPUTS, "data": DATA, "inputHash": "h", "image": "steadfit/trainer:1"}
    return training_run(NAME, status, **{**given, **spec})


class Evaluating(TrainingCluster):
    """A cluster with two versions, in which one evaluation was asked for."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(**spec)
        for number in (1, 2):
            obj = version(number).model_dump(mode="json", by_alias=True, exclude_none=True)
            self._add("ModelVersion", {**obj, "metadata": {"name": f"orders-v{number}"}})

    def evaluate(self) -> None:
        job = self.objects["TrainingJob", "orders"]
        run = evaluation_run()
        spec = run.spec.model_copy(update={"input_hash": input_hash(run.spec)}).dump()
        owner = {"apiVersion": "v", "kind": "TrainingJob", "name": "orders", "uid": job["metadata"]["uid"]}
        spec["trainingJobRef"]["uid"] = job["metadata"]["uid"]
        self._add("TrainingRun", {"metadata": {"name": NAME, "ownerReferences": [owner]}, "spec": spec})

    @property
    def evaluation(self) -> TrainingRun:
        return TrainingRun.model_validate(self.objects["TrainingRun", NAME])

    def evaluation_pod(self, fetch: JSON, evaluate: JSON | None = None, phase: str = "Pending", **status: Any) -> None:
        """Give the newest Job of the evaluation its pod, or the pod a new status."""
        name = self.evaluation.status.attempts[-1].job
        job = self.objects["Job", name]
        if ("Pod", f"{name}-pod") not in self.objects:
            owner = {"kind": "Job", "name": name, "uid": job["metadata"]["uid"], "controller": True}
            spec = job["spec"]["template"]["spec"]
            self._add("Pod", {"metadata": {"name": f"{name}-pod", "ownerReferences": [owner]}, "spec": spec})
        self.objects["Pod", f"{name}-pod"]["status"] = {
            "phase": phase,
            "initContainerStatuses": [{"name": "fetch", **fetch}],
            "containerStatuses": [{"name": "evaluate", **(evaluate or waits())}],
            **status,
        }

    def end_evaluation(self, condition: JSON) -> None:
        at = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        job = self.objects["Job", self.evaluation.status.attempts[-1].job]
        job["status"] = {"conditions": [{**condition, "lastTransitionTime": at}]}

    def post_outcome(self, **changes: Any) -> None:
        self.objects["TrainingRun", NAME]["status"]["evaluation"] = {**OUTCOME, **changes}
