"""A run's pod as decisions read it: its steps in their order, and disruptions by the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from steadfit.core.types import Manifest

FETCH = "fetch"
TRAIN = "train"
PUBLISH = "publish"
EVALUATE = "evaluate"
STEPS = (FETCH, TRAIN, PUBLISH)
EVALUATION_STEPS = (FETCH, EVALUATE)


@dataclass(frozen=True, slots=True)
class Step:
    """One container.

    Attributes
    ----------
    started_at, finished_at
        None before it has started, or ended.
    exit_code
        None before it has ended.
    reason, message
        What the kubelet reports of its state, waiting or ended; the message of an ended container is its own.
    """

    name: str
    image: str
    image_id: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""

    @property
    def waiting(self) -> bool:
        """Whether it has not started."""
        return self.started_at is None and self.exit_code is None

    @property
    def failed(self) -> bool:
        """Whether it ended with an exit code other than 0."""
        return self.exit_code is not None and self.exit_code != 0


@dataclass(frozen=True, slots=True)
class RunPod:
    """The pod.

    Attributes
    ----------
    steps
        By name, in the order in which they run.
    scheduled_at, unschedulable
        When it was scheduled; the scheduler's message while it cannot be.
    sandboxed
        Whether its volumes and network are ready; None if the kubelet does not report it.
    secrets
        Secrets that it mounts, by name.
    disrupted_at, disruption
        When and why the cluster ended it (a drained or lost node, an eviction, a deletion).
    """

    name: str
    created_at: datetime
    phase: str
    reason: str
    message: str
    steps: Mapping[str, Step]
    scheduled_at: datetime | None
    unschedulable: str | None
    sandboxed: bool | None
    secrets: tuple[str, ...]
    disrupted_at: datetime | None
    disruption: str

    @property
    def next_step(self) -> Step | None:
        """The step that is to start next, while none runs."""
        for step in self.steps.values():
            if step.waiting:
                return step
            if step.exit_code != 0:
                return None
        return None

    @property
    def main_step(self) -> Step:
        """The step that runTimeout limits: train, or evaluate."""
        return self.steps.get(TRAIN) or self.steps[EVALUATE]

    @property
    def next_step_since(self) -> datetime:
        """Since when the next step could have started: when the step before it ended."""
        ends = [step.finished_at for step in self.steps.values() if step.finished_at is not None]
        return max(ends, default=self.created_at)

    @property
    def is_ending(self) -> bool:
        """Whether the pod has ended, or ends because a step failed. It is then kept for its log."""
        return self.phase in ("Succeeded", "Failed") or any(step.failed for step in self.steps.values())


def parse(pod: Manifest) -> RunPod:
    """Return the view of a pod."""
    metadata, spec, status = pod["metadata"], pod.get("spec", {}), pod.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    at, why = _disruption(metadata, conditions)
    scheduled = conditions.get("PodScheduled", {})
    sandboxed = conditions.get("PodReadyToStartContainers", {}).get("status")
    return RunPod(
        name=metadata["name"],
        created_at=_time(metadata["creationTimestamp"]),
        phase=status.get("phase", "Pending"),
        reason=status.get("reason", ""),
        message=status.get("message", "").strip(),
        steps=_steps(spec, status),
        scheduled_at=_optional(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "True" else None,
        unschedulable=scheduled.get("message", "") if scheduled.get("status") == "False" else None,
        sandboxed=None if sandboxed is None else sandboxed == "True",
        secrets=tuple(
            volume["secret"]["secretName"]
            for volume in spec.get("volumes", [])
            if "secretName" in volume.get("secret", {})
        ),
        disrupted_at=at,
        disruption=why,
    )


def _disruption(
    metadata: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Any]]
) -> tuple[datetime | None, str]:
    target = conditions.get("DisruptionTarget", {})
    if target.get("status") == "True":
        why = ": ".join(part for part in (target.get("reason"), target.get("message")) if part)
        return _time(target["lastTransitionTime"]), f"the pod was disrupted: {why}"
    if "deletionTimestamp" in metadata:
        # The timestamp is the end of the grace period, which began when the deletion was requested.
        grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds", 0))
        return _time(metadata["deletionTimestamp"]) - grace, "the pod was deleted"
    return None, ""


def _steps(spec: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Step]:
    containers = [*spec.get("initContainers", []), *spec.get("containers", [])]
    images = {container["name"]: container.get("image", "") for container in containers}
    reported = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    by_name = {item["name"]: item for item in reported}
    steps = EVALUATION_STEPS if EVALUATE in images else STEPS
    return {name: _step(name, images.get(name, ""), by_name.get(name, {})) for name in steps}


def _step(name: str, image: str, status: Mapping[str, Any]) -> Step:
    state = status.get("state", {})
    image_id = status.get("imageID") or None
    if ended := state.get("terminated"):
        return Step(
            name,
            image,
            image_id,
            started_at=_optional(ended.get("startedAt")),
            finished_at=_optional(ended.get("finishedAt")),
            exit_code=ended.get("exitCode", 0),
            reason=ended.get("reason", ""),
            message=ended.get("message", ""),
        )
    if running := state.get("running"):
        return Step(name, image, image_id, started_at=_time(running["startedAt"]))
    waiting = state.get("waiting", {})
    return Step(name, image, image_id, reason=waiting.get("reason", ""), message=waiting.get("message", ""))


def _optional(text: str | None) -> datetime | None:
    """Return a time, or None: also for the year 1970, which the kubelet reports of a container that never started."""
    time = _time(text) if text else None
    return None if time is None or time.year == 1970 else time


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
