"""The plan of a ModelDeployment: which revision serves, which comes up, and which is rolled back or deleted.

A pass goes through five blocks, recall, decide, move, conclude, report. Each changes the status
that the one before it returns. Recall, decide and conclude are tables: a policy names those of its table that it has to
come after; all others may change places, which `test_order_of_policies.py` checks. docs/architecture.md says what
belongs into which block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.monitors import evaluation as monitor_evaluation
from steadfit.core.monitors import relative
from steadfit.core.monitors.evaluation import MonitorResult
from steadfit.core.serving import adoption, status_bounds
from steadfit.core.serving.actions import dispatch
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.recovery import automatic_rollback, diagnosis
from steadfit.core.serving.revisions import (
    admitted_template,
    declared_template,
    frozen_template,
    inputs_recovery,
    quarantine_recovery,
    status_recovery,
    template_repair,
)
from steadfit.core.serving.rollout import canary, found_worse, progress_deadline, rollout, scaling
from steadfit.core.serving.selection import abandoned, decision_records, desired_revision, served, version_floor
from steadfit.core.serving.selection.desired_revision import DesiredRevision
from steadfit.core.serving.stability import instability, pod_failures
from steadfit.core.serving.status import conditions as serving_conditions
from steadfit.core.serving.status.events import events
from steadfit.core.serving.traffic import (
    drain,
    http_route,
    service,
    service_target,
    serving_label,
    traffic_repair,
    warm_standby,
)
from steadfit.core.status_texts import ONE_EACH, shortened
from steadfit.core.times_ahead import corrected
from steadfit.core.types import Action, ObservedModelDeployment, Plan


def plan(observed: ObservedModelDeployment, now: datetime) -> Plan:
    """Return the plan of a ModelDeployment."""
    observed = corrected(observed, now)
    fleet, status = Fleet(observed), observed.deployment.status
    status = through(RECALL, status, fleet, now)
    # After recall: what a revision's pods have to be is told by the digests in the status.
    fleet = fleet.with_declared(declared_template.known(status, fleet))
    status = admitted_template.learn(status, fleet)
    fleet = fleet.with_admitted(admitted_template.values(status))
    # After recall: people and monitors decide about the revision that serves, which a lost status does not name.
    status = through(DECIDE, status, fleet, now)
    # After recall and decide: a pin, a promotion and a quarantine of this pass say which revision should serve.
    status, desired = move(status, fleet, now)
    # After recall, decide and move: it ends the actions and bounds the lists that these have changed.
    status = through(CONCLUDE, status, fleet, now)
    # After all of them: no policy reads in this pass what a report writes.
    status, results = _report(status, desired, fleet, now)
    return Plan(
        status=status.dump(),
        actions=tuple(_actions(status, fleet, now)),
        events=events(observed.deployment.status, status, fleet),
        requeue_at=min(_dues(status, desired, results, fleet, now), default=None),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """A policy of a block.

    Attributes
    ----------
    after
        Names of the policies of the block that it has to come after.
    """

    name: str
    policy: Callable[[ModelDeploymentStatus, Fleet, datetime], ModelDeploymentStatus]
    after: Sequence[str] = ()


RECALL = (
    Step("served", lambda status, fleet, _: served.recall(status, fleet)),
    # A version that was let through is not recalled as abandoned.
    Step("abandoned", lambda status, fleet, _: abandoned.recall(status, fleet), after=["served"]),
    Step("version_floor", lambda status, fleet, _: version_floor.recall(status, fleet)),
    # The records add to what the versions know.
    Step(
        "decision_records",
        lambda status, fleet, _: decision_records.recall(status, fleet),
        after=["served", "abandoned", "version_floor"],
    ),
    # What was rolled back goes back to what was let through.
    Step(
        "status_recovery",
        lambda status, fleet, _: status_recovery.live(status, fleet),
        after=["served", "decision_records"],
    ),
    # The live revision that is found may lack its inputs and its declared template too.
    Step("inputs_recovery", lambda status, fleet, _: inputs_recovery.recall(status, fleet), after=["status_recovery"]),
    Step(
        "declared_template", lambda status, fleet, _: declared_template.recall(status, fleet), after=["status_recovery"]
    ),
    Step("quarantine_recovery", quarantine_recovery.learn),
)
"""They add to the status what it lacks: it was lost, or an earlier operator has written it."""


def _roll_back(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status after what the monitors' values of its live version bring about."""
    return automatic_rollback.act(status, _measured(status, fleet, now), fleet, now)


DECIDE = (
    Step("dispatch", dispatch.carry_out),
    Step("pod_failures", pod_failures.record),
    # A person decides first, and servers that ended in this pass count.
    Step("automatic_rollback", _roll_back, after=["dispatch", "pod_failures"]),
    # What a person promotes stays, and a rollback has dropped the candidate.
    Step("found_worse", found_worse.end, after=["dispatch", "automatic_rollback"]),
)
"""What people ask for, and what measurements show."""


def _repair_traffic(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with the repairs of what someone else has changed of the writes that it asks for."""
    return traffic_repair.decide(
        status, fleet, now, lambda one: [*service_target.point(one, fleet), *http_route.point(one, fleet, now)]
    )


CONCLUDE = (
    Step("dispatch", dispatch.settle),
    Step("version_floor", lambda status, fleet, _: version_floor.store(status, fleet)),
    # The floor keeps the decisions that a full list drops.
    Step("status_bounds", lambda status, fleet, _: status_bounds.keep(status, fleet), after=["version_floor"]),
    Step("template_repair", template_repair.decide),
    Step("warm_standby", warm_standby.release),
    Step("traffic_repair", _repair_traffic),
)
"""What ends or begins by the move, within its bounds."""


def through(block: Sequence[Step], status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status after every policy of a block."""
    for step in block:
        status = step.policy(status, fleet, now)
    return status


def move(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> tuple[ModelDeploymentStatus, DesiredRevision]:
    """Return the status after the next move towards the revision that should serve, and that revision."""
    desired = desired_revision.choose(status, fleet, now)
    return rollout.advance(status, desired, fleet, now), desired


def _report(
    status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet, now: datetime
) -> tuple[ModelDeploymentStatus, Sequence[MonitorResult]]:
    """Return the status with what people and autoscalers read, and the results of the monitors."""
    deployment, signals = fleet.observed.deployment, fleet.observed.signals
    live = fleet.version_of(status.live) if status.live else None
    scores = relative.live_scores(deployment, status, live)
    status = _with_scale(status, fleet).model_copy(update={"live_scores": scores})
    # Measured again: the values of a version say nothing about one that has just replaced it.
    results = _measured(status, fleet, now)
    measured = [*results, *monitor_evaluation.evaluate_alerts(deployment, status, signals, now)]
    status = status.model_copy(
        update={
            "monitors": shortened([result.state for result in results], ONE_EACH),
            "observed_generation": deployment.metadata.generation,
        }
    )
    # After everything else: the conditions describe it.
    conditions = serving_conditions.conditions(status, desired, fleet, measured, now)
    return status.model_copy(update={"conditions": conditions}), results


def _actions(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Iterator[Action]:
    """Yield the actions. One that fails ends the pass, so what matters most comes first."""
    if adopting := adoption.adopt(fleet):
        # It changes the objects that the other actions are about: those follow in the next pass.
        yield from adopting
        return
    pointing = traffic_repair.allowed(service_target.point(status, fleet), status)
    yield from pointing
    yield from traffic_repair.allowed(http_route.point(status, fleet, now), status)
    pointed = service_target.after(pointing, fleet)
    # In the pass that moves the traffic, and before what its clients need not wait for.
    yield from drain.annotate(pointed)
    yield from template_repair.repair(status, fleet)
    yield from scaling.keep(status, fleet, now)
    yield from serving_label.keep(status, pointed)
    # After what starts pods and moves traffic: only then is anything without use.
    yield from scaling.retire(status, fleet, now)
    yield from frozen_template.retire(status, fleet)
    yield from diagnosis.runs(status, fleet, now)
    # Last: these only keep records. What was decided is in no other place; a template is in its Deployment too.
    yield from decision_records.keep(status, fleet)
    yield from frozen_template.keep(status, fleet)


def _dues(
    status: ModelDeploymentStatus,
    desired: DesiredRevision,
    results: Sequence[MonitorResult],
    fleet: Fleet,
    now: datetime,
) -> Iterator[datetime]:
    """Yield the times at which a decision may change although no object does."""
    dues = (
        serving_conditions.job_deadline(status, fleet, now),
        canary.due(status, fleet, now),
        progress_deadline.due(status, fleet, now),
        warm_standby.ends(status, fleet, now),
        template_repair.due(status),
        traffic_repair.due(status),
        *(result.due for result in results),
        *automatic_rollback.changes_at(status, fleet, now),
        *instability.changes_at(status, desired, fleet, now),
    )
    yield from (due for due in dues if due)


def _measured(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Sequence[MonitorResult]:
    """Return the results of the monitors for the live version of this status."""
    return monitor_evaluation.evaluate_all(fleet.observed.deployment, status, fleet.observed.signals, now)


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
