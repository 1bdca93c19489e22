"""The harness must be able to fail: each bug that is planted here has to be caught by what the other tests do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from steadfit.app.engine import adopt, reconcile
from steadfit.app.engine.observe import Observer
from steadfit.app.engine.plan_table import planners
from steadfit.app.engine.reconcile import Planner
from steadfit.core.plans import training_run
from steadfit.core.serving import quarantine
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.selection import eligible_versions
from steadfit.core.types import Create, Plan
from steadfit.core.versions import gate
from steadfit.kube.cache import JSONObject
from steadfit.kube.resources import JOBS, MODEL_DEPLOYMENTS, TRAINING_JOBS, TRAINING_RUNS, Resource

from . import client
from .behaviour import Training
from .client import CrashPlan
from .harness import play
from .objects import JSON, clone
from .observations import serves
from .scenarios import (
    Scenario,
    a_change_in_the_middle_of_a_run_supersedes_it,
    a_changed_recipe_is_retrained_and_traffic_moves,
    actions_retrain_pin_roll_back_and_unpin,
    first_version_serves,
    retryable_failures_are_retried,
    set_param,
    what_was_compared_with_a_version_that_is_rolled_back_meanwhile_does_not_follow_it,
)
from .simulated_cluster import Conditions, SimulatedCluster
from .store import Store
from .test_two_leaders import test_a_thawed_leader_cannot_scale_what_belongs_to_the_next_one as stale_scaling

PlanEdit = Callable[[Plan, JSONObject, datetime], Plan]


def with_edit(resource: Resource, edit: PlanEdit) -> Conditions:
    """Return conditions under which the plans of one kind are changed."""

    def table(observer: Observer) -> Mapping[Resource, Planner]:
        real = planners(observer)

        def edited(obj: JSONObject, now: datetime) -> Plan:
            return edit(real[resource](obj, now), obj, now)

        return {**real, resource: edited}

    return Conditions(plan_table=table)


def caught(scenario: Scenario, conditions: Conditions | None = None, match: str | None = None) -> None:
    with pytest.raises(AssertionError, match=match):
        play(scenario, conditions)


def test_jobs_with_random_names_are_caught() -> None:
    def conditions() -> Conditions:
        rng = Random(1)

        def edit(plan: Plan, obj: JSONObject, now: datetime) -> Plan:
            def renamed(manifest: Mapping[str, Any]) -> JSON:
                copy = clone(dict(manifest))
                copy["metadata"]["name"] += f"-{rng.randrange(10**6)}"
                return copy

            actions = tuple(
                Create(renamed(action.manifest))
                if isinstance(action, Create) and action.manifest["kind"] == JOBS.kind
                else action
                for action in plan.actions
            )
            return dataclasses.replace(plan, actions=actions)

        return with_edit(TRAINING_RUNS, edit)

    caught(a_changed_recipe_is_retrained_and_traffic_moves, conditions(), "no status says that this Job is meant to be")


def test_acting_before_the_intent_is_stored_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = reconcile.Reconciler._write_status

    async def acting_first(self: Any, obj: Any, stored: Any, plan: Plan) -> Any:
        for action in plan.actions:
            await self._act(action)
        return await real(self, obj, stored, plan)

    monkeypatch.setattr(reconcile.Reconciler, "_write_status", acting_first)
    caught(a_changed_recipe_is_retrained_and_traffic_moves, match="no status says that this Job is meant to be")


def test_moving_traffic_before_the_pods_are_ready_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fleet, "is_complete", lambda self, revision, pods=None: True)
    caught(a_changed_recipe_is_retrained_and_traffic_moves, match="was not ready at its target")


def test_forgetting_the_quarantine_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "enter", lambda status, bad, good, **_: status)
    caught(actions_retrain_pin_roll_back_and_unpin)


def test_forgetting_what_a_version_was_compared_with_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eligible_versions, "is_compared_with_live", lambda *_: True)
    caught(what_was_compared_with_a_version_that_is_rolled_back_meanwhile_does_not_follow_it)


def test_taking_a_worse_version_for_one_that_is_as_good_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def a_worse_version_is_trained(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        cluster.training = lambda run, attempt: Training(roc_auc=0.78)
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")

    monkeypatch.setattr(gate, "verdict", lambda *_: "Verified")
    caught(a_worse_version_is_trained, match="flights-v2 replaces flights-v1 and was not shown to be as good")


def test_a_job_for_a_finished_run_is_caught() -> None:
    def edit(plan: Plan, obj: JSONObject, now: datetime) -> Plan:
        if obj.get("status", {}).get("phase") != "Superseded":
            return plan
        last = obj["status"]["attempts"][-1]
        manifest = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": f"{last['job']}-again",
                "namespace": obj["metadata"]["namespace"],
                "labels": {
                    "app.kubernetes.io/managed-by": "steadfit",
                    "steadfit.dev/training-run": obj["metadata"]["name"],
                    "steadfit.dev/attempt": "9",
                },
                "ownerReferences": [
                    {
                        "apiVersion": obj["apiVersion"],
                        "kind": obj["kind"],
                        "name": obj["metadata"]["name"],
                        "uid": obj["metadata"]["uid"],
                        "controller": True,
                    }
                ],
            },
            "spec": {
                "template": {
                    "metadata": {"labels": {}},
                    "spec": {
                        "initContainers": [{"name": "fetch", "image": "a"}, {"name": "train", "image": "b"}],
                        "containers": [{"name": "publish", "image": "a"}],
                    },
                }
            },
        }
        return dataclasses.replace(plan, actions=(Create(manifest),))

    caught(
        a_change_in_the_middle_of_a_run_supersedes_it,
        with_edit(TRAINING_RUNS, edit),
        "the run is Superseded and gets a Job",
    )


def test_a_second_run_beside_the_first_is_caught() -> None:
    def edit(plan: Plan, obj: JSONObject, now: datetime) -> Plan:
        def twin(manifest: Mapping[str, Any]) -> JSON:
            copy = clone(dict(manifest))
            copy["metadata"]["name"] += "-twin"
            return copy

        twins = tuple(Create(twin(action.manifest)) for action in plan.actions if isinstance(action, Create))
        return dataclasses.replace(plan, actions=plan.actions + twins)

    caught(a_changed_recipe_is_retrained_and_traffic_moves, with_edit(TRAINING_JOBS, edit), "runs are in flight")


def test_a_status_that_is_never_the_same_is_caught() -> None:
    def edit(plan: Plan, obj: JSONObject, now: datetime) -> Plan:
        status = clone(plan.status)
        for condition in status["conditions"]:
            condition["lastTransitionTime"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        return dataclasses.replace(plan, status=status)

    caught(
        a_changed_recipe_is_retrained_and_traffic_moves,
        with_edit(TRAINING_JOBS, edit),
        "although its status did not change",
    )


def test_ready_beside_reconciling_is_caught() -> None:
    def edit(plan: Plan, obj: JSONObject, now: datetime) -> Plan:
        status = clone(plan.status)
        for condition in status["conditions"]:
            if condition["type"] == "Reconciling":
                condition["status"] = "True"
            if condition["type"] == "Ready":
                condition["status"] = "True"
        return dataclasses.replace(plan, status=status)

    caught(a_changed_recipe_is_retrained_and_traffic_moves, with_edit(MODEL_DEPLOYMENTS, edit), "FAIL0001")


def test_an_event_that_is_not_in_the_catalogue_is_caught() -> None:
    def edit(plan: Plan, obj: JSONObject, now: datetime) -> Plan:
        events = tuple(dataclasses.replace(event, type="Warning") for event in plan.events)
        return dataclasses.replace(plan, events=events)

    caught(
        first_version_serves,
        with_edit(TRAINING_JOBS, edit),
        match="the catalogue has no Warning Event RunStarted of a TrainingJob",
    )


def test_a_reason_that_is_not_in_the_catalogue_is_caught() -> None:
    def edit(plan: Plan, obj: JSONObject, now: datetime) -> Plan:
        status = clone(plan.status)
        for condition in status.get("conditions", []):
            condition["reason"] = "Nonsense"
        return dataclasses.replace(plan, status=status)

    caught(
        first_version_serves,
        with_edit(TRAINING_JOBS, edit),
        match="the catalogue has no reason Nonsense of TrainingJob/Ready",
    )


def test_a_deadline_that_lives_in_memory_is_caught() -> None:
    """Waiting is in the process, not in the status: a restarted operator retries at once."""

    def conditions() -> Conditions:
        remembered: dict[str, datetime] = {}

        def edit(plan: Plan, obj: JSONObject, now: datetime) -> Plan:
            due = plan.status.get("nextAttemptAt")
            uid = obj["metadata"]["uid"]
            if due is None:
                return plan
            remembered.setdefault(uid + due, now + timedelta(seconds=30))
            status = {key: value for key, value in plan.status.items() if key != "nextAttemptAt"}
            return dataclasses.replace(plan, status=status, requeue_at=remembered[uid + due])

        return with_edit(TRAINING_RUNS, edit)

    caught(retryable_failures_are_retried, conditions())


def test_an_intent_that_nobody_finishes_after_a_crash_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that takes over believes that what was meant to be created has been."""
    created: set[int] = set()
    real = adopt.create_or_adopt

    async def once(api: Any, cache: Any, manifest: Mapping[str, Any]) -> None:
        if manifest["kind"] == "ModelVersion":
            number = manifest["spec"]["number"]
            if number in created:
                return
            created.add(number)
        await real(api, cache, manifest)

    monkeypatch.setattr(reconcile, "create_or_adopt", once)

    def conditions() -> Conditions:
        created.clear()
        return Conditions()

    reference = play(a_changed_recipe_is_retrained_and_traffic_moves, conditions())
    number = next(
        write.number for write in reference.trace if write.verb == "create" and write.ref.kind == "ModelVersion"
    )
    bad = conditions()
    bad.crash = CrashPlan(number, "before")
    caught(a_changed_recipe_is_retrained_and_traffic_moves, bad, "version 1 serves did not come to hold")


def test_an_apply_without_fences_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Store.apply

    def unfenced(self: Store, manifest: Mapping[str, Any], manager: str, *, force: bool = True) -> JSON:
        metadata = {key: value for key, value in manifest["metadata"].items() if key not in ("uid", "resourceVersion")}
        return real(self, {**manifest, "metadata": metadata}, manager, force=force)

    monkeypatch.setattr(Store, "apply", unfenced)
    with pytest.raises(AssertionError):
        stale_scaling()


def test_an_unguarded_status_write_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's entries in a status are lost when it is written from an old state: here the record."""
    real = client.SimClient.patch_status

    async def unguarded(self: Any, manifest: Mapping[str, Any], patch: Mapping[str, Any]) -> JSON:
        stripped = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": ""}}
        return await real(self, stripped, patch)

    monkeypatch.setattr(client.SimClient, "patch_status", unguarded)
    caught(a_changed_recipe_is_retrained_and_traffic_moves, match="is written without resourceVersion")


def test_a_finished_run_that_is_planned_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "FINISHED", frozenset({"Succeeded", "Failed"}))
    caught(a_change_in_the_middle_of_a_run_supersedes_it)
