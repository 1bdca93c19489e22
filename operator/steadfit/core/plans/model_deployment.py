"""The plan of a ModelDeployment: what serves, what comes up, what is put away."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.monitors import evaluation as monitor
from steadfit.core.serving.actions import dispatch as verbs
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.recovery import automatic_rollback as recovery
from steadfit.core.serving.recovery import diagnosis as attribution
from steadfit.core.serving.revisions import quarantine_recovery as quarantine_learned
from steadfit.core.serving.revisions import status_recovery as found_again
from steadfit.core.serving.rollout import canary, rollout, scaling
from steadfit.core.serving.selection import desired_revision as target
from steadfit.core.serving.status import conditions as serving_readiness
from steadfit.core.serving.status.events import events
from steadfit.core.serving.traffic import drain, service
from steadfit.core.serving.traffic import http_route as route
from steadfit.core.serving.traffic import warm_standby as warm
from steadfit.core.types import ObservedModelDeployment, Plan


def plan(observed: ObservedModelDeployment, now: datetime) -> Plan:
    """Decide over a ModelDeployment."""
    fleet = Fleet(observed)
    deployment = observed.deployment

    status = quarantine_learned.learn(found_again.live(deployment.status, fleet), fleet, now)
    status = verbs.carry_out(status, fleet, now)
    status = recovery.act(status, monitor.watch(deployment, status, observed.signals, now), fleet, now)
    wished = target.choose(status, fleet, now)
    status = rollout.advance(status, wished, fleet, now)
    status = verbs.settle(status, fleet, now)
    status = _shown(status, fleet)
    # Anew: what was measured of a version says nothing of one that has just taken its place.
    watched = monitor.watch(deployment, status, observed.signals, now)
    measured = [*watched, *monitor.alerting(deployment, observed.signals, now)]
    status = status.model_copy(update={"monitors": [one.state for one in watched]})
    status = status.model_copy(
        update={
            "observed_generation": deployment.metadata.generation,
            "conditions": serving_readiness.conditions(status, wished, fleet, measured, now),
        }
    )
    dues = (
        serving_readiness.job_awaited_until(status, fleet, now),
        canary.due(status, fleet, now),
        warm.ends(status, fleet, now),
        *(one.due for one in watched),
        *recovery.changes_at(status, fleet, now),
    )

    return Plan(
        status=status.dump(),
        actions=(
            *service.point(status, fleet),
            *route.point(status, fleet, now),
            *scaling.keep(status, fleet, now),
            *scaling.retire(status, fleet, now),
            *drain.keep(fleet),
            *attribution.runs(status, fleet),
        ),
        events=events(deployment.status, status, fleet),
        requeue_at=min((due for due in dues if due), default=None),
    )


def _shown(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with what autoscalers and people read: they see the live revision's pods and no others."""
    deployment, live = fleet.observed.deployment, status.live
    # A selector is never empty, or autoscalers report it as invalid; no revision is called "none".
    chosen = service.selector(deployment, live.revision if live else "none")
    return status.model_copy(
        update={
            "replicas": fleet.ready(live.revision) if live else 0,
            "selector": ",".join(f"{key}={value}" for key, value in sorted(chosen.items())),
            "url": service.url(deployment) if live else None,
        }
    )
