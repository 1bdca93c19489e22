"""A policy of a ModelDeployment's plan names the policies that it has to come after; others may change places.

Two policies of one block are carried out in both orders. Where the result differs, the later one names the earlier
one: each such pair has a case here, and none other shows while everything happens to a ModelDeployment that can. The
same holds for the blocks that decide; the report describes what they have decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import combinations

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Abandoned
from steadfit.core import names
from steadfit.core.plans.model_deployment import CONCLUDE, DECIDE, RECALL, Step, move, through
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.revisions import declared_template
from steadfit.core.serving.selection import decision_records
from steadfit.core.times_ahead import corrected
from steadfit.core.types import Plan, Signal

from tests.support import effort
from tests.unit.core.serving import failing_pods
from tests.unit.core.serving.rollout.test_canary_properties import STRATEGIES, Canaries
from tests.unit.core.serving.serving_cluster import START, ServingCluster, serving

Pair = tuple[str, str, str]
"""A block, and two of its policies in their order."""
MONITOR = {"name": "errors", "window": "5m", "action": "Rollback", "errorRate": {"max": 0.05}}
GOOD, BAD = Signal(0.0, 1000), Signal(0.5, 1000)
BLOCKS = {"recall": RECALL, "decide": DECIDE, "conclude": CONCLUDE}
STEPS: dict[str, Sequence[Step]] = {
    "plan": [
        Step("recall", partial(through, RECALL)),
        Step("decide", partial(through, DECIDE), after=["recall"]),
        Step("move", lambda status, fleet, now: move(status, fleet, now)[0], after=["recall", "decide"]),
        Step("conclude", partial(through, CONCLUDE), after=["recall", "decide", "move"]),
    ],
    **BLOCKS,
}
NAMED: set[Pair] = {(block, earlier, step.name) for block in STEPS for step in STEPS[block] for earlier in step.after}


class Everything(Canaries):
    """What happens to a ModelDeployment, with what Canaries do not have: monitors, and lost objects."""

    @initialize(replicas=st.integers(min_value=0, max_value=3), drains=st.booleans())
    def start(self, replicas: int, drains: bool) -> None:
        self.cluster = ServingCluster(replicas=replicas, drains=drains, strategy=STRATEGIES[0], monitors=[MONITOR])
        for number in (1, 2):
            self.cluster.add(number)
            self.cluster.settle()

    @rule(signal=st.sampled_from([GOOD, BAD]))
    def the_monitor_measures(self, signal: Signal) -> None:
        self.cluster.signals["errors"] = signal

    @rule()
    def the_deployment_is_made_again(self) -> None:
        self.cluster.make_the_deployment_again()

    @rule(verb=st.sampled_from(["Quarantine", "Release", "Promote"]), number=st.integers(min_value=1, max_value=8))
    def a_person_decides_over_a_version(self, verb: str, number: int) -> None:
        self.cluster.act(verb, number)

    def planning_again_comes_to_rest(self) -> None:
        """Check nothing: other tests do."""

    no_candidate_waits_without_an_end = planning_again_comes_to_rest
    autoscalers_always_have_a_selector = planning_again_comes_to_rest
    warm_pods_leave_room_to_what_serves = planning_again_comes_to_rest
    teardown = planning_again_comes_to_rest


def different(block: str, status: ModelDeploymentStatus, fleet: Fleet, now: datetime, known: set[Pair]) -> set[Pair]:
    """Return the pairs of policies of which the order matters to a status."""
    alone = [step.policy(status, fleet, now) for step in STEPS[block]]
    changes = [after is not status and after != status for after in alone]
    found = set()
    for (i, first), (j, second) in combinations(enumerate(STEPS[block]), 2):
        pair = (block, first.name, second.name)
        if pair in known or not (changes[i] or changes[j]):
            continue
        if second.policy(alone[i], fleet, now) != first.policy(alone[j], fleet, now):
            found.add(pair)
    return found


def made_again() -> ServingCluster:
    """Return a ModelDeployment without a status, of which a version was let through, and abandoned with other pods."""
    cluster = serving(1)
    cluster.make_the_deployment_again()
    at = {"reason": "slow", "by": "ada", "at": "2026-01-01T00:00:00Z"}
    cluster.versions[1]["status"]["abandoned"] = [{"deployment": "flights", "revision": "other", **at}]
    return cluster


def upgraded() -> ServingCluster:
    """Return a ModelDeployment that has lost its status, and whose objects an earlier operator has made."""
    cluster = serving(1)
    cluster.deployment["status"] = {"observedGeneration": -1}
    for one in (*cluster.workloads.values(), *cluster.frozen_templates.values()):
        for annotation in (names.INPUTS_ANNOTATION, names.DECLARED_ANNOTATION):
            one["metadata"].get("annotations", {}).pop(annotation, None)
    return cluster


def rolled_back_twice() -> ServingCluster:
    """Return a ModelDeployment of which a monitor and a person roll back the same version."""
    cluster = serving(1, 2, monitors=[MONITOR])
    cluster.signals["errors"] = BAD
    cluster.act("Rollback")
    return cluster


def unstable() -> ServingCluster:
    """Return a ModelDeployment of which three servers of the live version have just ended."""
    cluster = serving(1, 2, replicas=3)
    for index in range(3):
        failing_pods.end(cluster, 2, index=index)
    cluster.now += timedelta(seconds=1)
    return cluster


def worse(*, verb: str | None = None, signal: Signal | None = None) -> ServingCluster:
    """Return a ModelDeployment with a candidate that was found worse before the spec lost its canary."""
    cluster = serving(1, 2, monitors=[MONITOR])
    cluster.edit(strategy=STRATEGIES[0], dryRun=True)
    cluster.add(3)
    cluster.settle()
    cluster.finds("Fail")
    cluster.settle()
    cluster.edit(strategy=None, dryRun=None)
    if verb:
        cluster.act(verb)
    cluster.signals |= {"errors": signal} if signal else {}
    return cluster


def lost(verb: str | None = None) -> ServingCluster:
    """Return a ModelDeployment that has lost its status; its versions know that they served, and of no floor."""
    cluster = serving(1, 2)
    cluster.versions_notice()
    for version in cluster.versions.values():
        del version["status"]["belowFloorOf"]
    cluster.deployment["status"] = {"observedGeneration": -1}
    if verb:
        cluster.act(verb)
    return cluster


def decided_over_a_template(verb: str) -> ServingCluster:
    """Return a ModelDeployment that has lost its status after its changed server was rolled back or aborted."""
    cluster = serving(1)
    cluster.edit(server={**cluster.deployment["spec"]["server"], "image": "server:bad"})
    cluster.step() if verb == "Abort" else cluster.settle()
    cluster.act(verb)
    cluster.settle()
    cluster.versions_notice()
    cluster.deployment["status"] = {"observedGeneration": -1}
    return cluster


def recorded(*, word: str, entry: dict[str, object] | None = None) -> ServingCluster:
    """Return a ModelDeployment of two versions that has lost its status, and has one record, of this word."""
    cluster = serving(1, 2)
    cluster.versions_notice()
    cluster.deployment["status"] = {"observedGeneration": -1}
    known = [name for name, one in cluster.frozen_templates.items() if names.DECISION in one["metadata"]["labels"]]
    one = cluster.frozen_templates[known[0]]
    one["metadata"]["labels"][names.DECISION] = word
    one["data"] = {"entry": entry} if entry else one["data"]
    for name in known[1:]:
        del cluster.frozen_templates[name]
    return cluster


def rolling_back() -> tuple[Fleet, ModelDeploymentStatus]:
    """Return a status that was lost while a changed server was rolled back, with what its record of that knows."""
    cluster = serving(1)
    cluster.edit(server={**cluster.deployment["spec"]["server"], "image": "server:bad"})
    cluster.settle()
    cluster.broken.add(cluster.moves[0])
    cluster.kubelet()
    cluster.act("Rollback")
    for _ in range(4):
        cluster.step()
    cluster.versions_notice()
    cluster.deployment["status"] = {"observedGeneration": -1}
    fleet, status = at_work(cluster)
    # The record of a version that was let through is not there, as after a crash.
    return fleet, decision_records.recall(status, fleet).model_copy(update={"served_versions": []})


def ready() -> ServingCluster:
    """Return a ModelDeployment whose candidate has all of its pods."""
    cluster = serving(1)
    cluster.add(2)
    while cluster.candidate() is None or cluster.status.live is None or cluster.replicas().get(2, 0) == 0:
        cluster.step()
    cluster.kubelet()
    return cluster


def at_work(cluster: ServingCluster) -> tuple[Fleet, ModelDeploymentStatus]:
    """Return what a plan begins with."""
    observed = corrected(cluster.observe(), cluster.now)
    fleet, status = Fleet(observed), observed.deployment.status
    return fleet.with_declared(declared_template.known(status, fleet)), status


def full() -> tuple[Fleet, ModelDeploymentStatus]:
    """Return a status whose oldest abandoned version has the highest number, and no room for another one."""
    cluster = serving(1)
    cluster.add(9, "Rejected")
    fleet, status = at_work(cluster)
    oldest = Abandoned(
        revision="old", version="flights-v9", number=9, digest=cluster.digest(9), reason="slow", by="ada", at=START
    )
    gone = {"version": "gone", "number": 1, "digest": None}
    others = [oldest.model_copy(update={"revision": f"r{index}", **gone}) for index in range(16)]
    return fleet, status.model_copy(update={"abandoned": [oldest, *others]})


PROOFS: dict[Pair, Callable[[], ServingCluster | tuple[Fleet, ModelDeploymentStatus]]] = {
    ("plan", "recall", "decide"): lambda: lost("Rollback"),
    ("plan", "recall", "move"): lost,
    ("plan", "recall", "conclude"): lost,
    ("plan", "decide", "move"): rolled_back_twice,
    ("plan", "decide", "conclude"): rolled_back_twice,
    ("plan", "move", "conclude"): ready,
    ("recall", "served", "abandoned"): made_again,
    ("recall", "served", "decision_records"): lambda: recorded(word="LetThrough"),
    ("recall", "version_floor", "decision_records"): lambda: recorded(
        word="Floor", entry={"number": 9, "uid": "job-1"}
    ),
    ("recall", "abandoned", "decision_records"): lambda: decided_over_a_template("Abort"),
    ("recall", "decision_records", "status_recovery"): lambda: decided_over_a_template("Rollback"),
    ("recall", "served", "status_recovery"): rolling_back,
    ("recall", "status_recovery", "inputs_recovery"): upgraded,
    ("recall", "status_recovery", "declared_template"): upgraded,
    ("decide", "dispatch", "automatic_rollback"): rolled_back_twice,
    ("decide", "pod_failures", "automatic_rollback"): unstable,
    ("decide", "dispatch", "found_worse"): lambda: worse(verb="Promote"),
    ("decide", "automatic_rollback", "found_worse"): lambda: worse(signal=BAD),
    ("conclude", "version_floor", "status_bounds"): full,
}
"""Where each order matters."""


@pytest.mark.parametrize("pair", PROOFS, ids=".".join)
def test_a_policy_comes_after_one_that_it_follows_from(pair: Pair) -> None:
    proof = PROOFS[pair]()
    fleet, status = at_work(proof) if isinstance(proof, ServingCluster) else proof
    now = proof.now if isinstance(proof, ServingCluster) else START
    assert pair in different(pair[0], status, fleet, now, set())


def test_every_order_that_the_plan_names_is_kept_and_proven() -> None:
    for block in BLOCKS.values():
        order = [step.name for step in block]
        assert all(order.index(earlier) < order.index(step.name) for step in block for earlier in step.after)
    assert set(PROOFS) == NAMED


def test_policies_that_name_no_other_may_change_places_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found: set[Pair] = set()
    original: Callable[[ServingCluster], Plan] = ServingCluster.plan

    def plan(cluster: ServingCluster) -> Plan:
        fleet, status = at_work(cluster)
        found.update(different("plan", status, fleet, cluster.now, found))
        for step in STEPS["plan"]:
            if step.name in BLOCKS:
                found.update(different(step.name, status, fleet, cluster.now, found))
            status = step.policy(status, fleet, cluster.now)
        return original(cluster)

    monkeypatch.setattr(ServingCluster, "plan", plan)
    run_state_machine_as_test(
        Everything,
        settings=settings(
            max_examples=effort.cases(20),
            stateful_step_count=40,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
        ),
    )
    assert found <= NAMED
    assert ("plan", "move", "conclude") in found
