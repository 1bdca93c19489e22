"""The plan of a ModelDeployment: which revision serves, which comes up, and which is rolled back or deleted."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.monitors import evaluation as monitor_evaluation
from steadfit.core.monitors import relative
from steadfit.core.serving import status_bounds
from steadfit.core.serving.actions import dispatch
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.recovery import automatic_rollback, diagnosis
from steadfit.core.serving.revisions import (
    frozen_template,
    inputs_recovery,
    quarantine_recovery,
    status_recovery,
    template_repair,
)
from steadfit.core.serving.rollout import canary, found_worse, progress_deadline, rollout, scaling
from steadfit.core.serving.selection import abandoned, desired_revision, served, version_floor
from steadfit.core.serving.stability import instability, pod_failures
from steadfit.core.serving.status import conditions as serving_conditions
from steadfit.core.serving.status.events import events
from steadfit.core.serving.traffic import drain, http_route, service, service_target, serving_label, warm_standby
from steadfit.core.times_ahead import corrected
from steadfit.core.types import ObservedModelDeployment, Plan


def plan(observed: ObservedModelDeployment, now: datetime) -> Plan:
    """Return the plan of a ModelDeployment."""
    observed = corrected(observed, now)
    fleet = Fleet(observed)
    deployment = observed.deployment

    status = abandoned.recall(served.recall(deployment.status, fleet), fleet)
    status = status_recovery.live(version_floor.recall(status, fleet), fleet)
    status = inputs_recovery.recall(status, fleet)
    status = quarantine_recovery.learn(status, fleet, now)
    status = pod_failures.record(dispatch.carry_out(status, fleet, now), fleet, now)
    status = automatic_rollback.act(
        status, monitor_evaluation.evaluate_all(deployment, status, observed.signals, now), fleet, now
    )
    status = found_worse.end(status, fleet, now)
    desired = desired_revision.choose(status, fleet, now)
    status = rollout.advance(status, desired, fleet, now)
    status = status_bounds.keep(version_floor.store(dispatch.settle(status, fleet, now), fleet), fleet)
    status = warm_standby.release(template_repair.decide(status, fleet, now), fleet, now)
    status = _with_scale(status, fleet)
    live = fleet.version_of(status.live) if status.live else None
    status = status.model_copy(update={"live_scores": relative.live_scores(deployment, status, live)})
    # Again: the values of a version say nothing about one that has just replaced it.
    results = monitor_evaluation.evaluate_all(deployment, status, observed.signals, now)
    measured = [*results, *monitor_evaluation.evaluate_alerts(deployment, status, observed.signals, now)]
    status = status.model_copy(update={"monitors": [result.state for result in results]})
    status = status.model_copy(
        update={
            "observed_generation": deployment.metadata.generation,
            "conditions": serving_conditions.conditions(status, desired, fleet, measured, now),
        }
    )
    dues = (
        serving_conditions.job_deadline(status, fleet, now),
        canary.due(status, fleet, now),
        progress_deadline.due(status, fleet, now),
        warm_standby.ends(status, fleet, now),
        template_repair.due(status),
        *(result.due for result in results),
        *automatic_rollback.changes_at(status, fleet, now),
        *instability.changes_at(status, desired, fleet, now),
    )

    pointing = service_target.point(status, fleet)
    pointed = service_target.after(pointing, fleet)
    return Plan(
        status=status.dump(),
        actions=(
            *pointing,
            *http_route.point(status, fleet, now),
            # In the pass that moves the traffic, and before what its clients need not wait for.
            *drain.annotate(pointed),
            *template_repair.repair(status, fleet),
            *scaling.keep(status, fleet, now),
            # A refused action ends the pass: what keeps books comes after what starts pods.
            *frozen_template.keep(status, fleet),
            *serving_label.keep(status, pointed),
            *scaling.retire(status, fleet, now),
            *frozen_template.retire(status, fleet),
            *diagnosis.runs(status, fleet, now),
        ),
        events=events(deployment.status, status, fleet),
        requeue_at=min((due for due in dues if due), default=None),
    )


def _with_scale(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with URL and scale subresource, which count the pods of the live revision only."""
    deployment, live = fleet.observed.deployment, status.live
    # An empty selector is invalid for autoscalers; no revision is named "none".
    selector = service.selector(deployment, live.revision if live else "none")
    return status.model_copy(
        update={
            "replicas": fleet.ready_pods(live.revision) if live else 0,
            "selector": ",".join(f"{key}={value}" for key, value in sorted(selector.items())),
            "url": service.url(deployment) if live else None,
        }
    )
