from __future__ import annotations

from typing import Any

import pytest
from steadfit.api.data import Evaluation
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import EvaluationResult, ModelVersion
from steadfit.api.record import Record
from steadfit.api.trainingrun import TrainingRunStatus
from steadfit.core.plans import artifact_store, model_version, training_run
from steadfit.core.problem import Problem
from steadfit.core.runs import version_manifest
from steadfit.core.types import Create, ObservedArtifactStore, ObservedModelVersion
from steadfit.core.versions import champion_comparison, gate

from tests.unit.core.training.builders import (
    HEX,
    NOW,
    SPEC,
    STORES,
    attempt_job,
    observed_run,
    record,
    training_job,
    version,
)
from tests.unit.core.training.builders import training_run as run_of

JSON = dict[str, Any]


def taken(number: int | None = None, **observed: Any) -> TrainingRunStatus:
    run = run_of(status={"record": record(), **({"versionNumber": number} if number else {})})
    return version_manifest.take_number(run.status, observed_run(run, **observed))


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        ({}, 1),
        ({"versions": [version(1), version(3)]}, 4),
        ({"siblings": [run_of("other", {"versionNumber": 7})]}, 8),
        ({"job": training_job({"latestVersion": {"name": "orders-v9", "number": 9}})}, 10),
        ({"orphan": True, "versions": [version(2)]}, 3),
    ],
)
def test_the_number_is_one_above_every_number_that_was_ever_taken(observed: JSON, expected: int) -> None:
    assert taken(**observed).version_number == expected


def test_the_number_is_taken_once() -> None:
    assert taken(5, versions=[version(8)]).version_number == 5


def test_a_number_that_belongs_to_another_runs_version_is_given_up() -> None:
    assert taken(5, versions=[version(5)]).version_number == 6


def test_a_version_is_named_once_it_exists() -> None:
    own = version(5, run="orders-0123456789")
    assert taken(5, versions=[own]).version == "orders-v5"
    assert taken(5).version is None


def create(status: JSON | None = None, **observed: Any) -> JSON:
    run = run_of(status={"record": record(), "versionNumber": 4, **(status or {})})
    seen = observed_run(run, **observed)
    found = version_manifest.read(run.status, seen)
    assert found is not None
    assert not isinstance(found, Problem)
    manifest = version_manifest.manifest(run.status, found, seen)
    assert manifest is not None
    return manifest


def test_a_version_holds_where_it_comes_from() -> None:
    attempt = {"number": 1, "job": "orders-0123456789-a1", "decidedAt": NOW, "imageId": "registry/shop/train@sha256:aa"}
    job = attempt_job(annotations={"steadfit.dev/pod-template-digest": "sha256:cc"})
    manifest = create({"attempts": [attempt]}, jobs=[job])
    spec = ModelVersion.model_validate(manifest).spec
    assert manifest["metadata"]["name"] == "orders-v4"
    assert "ownerReferences" not in manifest["metadata"], "a recipe that is deleted takes no model with it"
    assert manifest["metadata"]["annotations"] == {"steadfit.dev/artifact-digest": f"sha256:{HEX}"}
    assert (spec.number, spec.run.uid, spec.cause.type) == (4, "uid-of-orders-0123456789", "SpecChange")
    assert spec.artifact.digest == f"sha256:{HEX}"
    assert [file.path for file in spec.artifact.files] == ["model.onnx"]
    assert [(metric.name, metric.value) for metric in spec.evaluation.metrics] == [("roc_auc", 0.71)]
    assert (spec.evaluation.holdout_rows, spec.evaluation.by, spec.evaluation.boundary) == (
        20,
        "Time",
        "2026-01-01T00:00:00Z",
    )
    assert spec.record_uri == "s3://models/shop/orders/records/uid-of-orders-0123456789.json"
    lineage = spec.lineage
    assert (lineage.image, lineage.image_id) == ("shop/train:1", "registry/shop/train@sha256:aa")
    assert lineage.source == {"commit": "c0ffee", "dirty": False}
    assert lineage.environment["packages"] == {"numpy": "2.4"}
    assert [(data.name, data.rows, data.object_count) for data in lineage.data] == [("orders", 80, 2)]
    assert (lineage.params, lineage.seed) == ({"depth": 6}, 0)
    assert lineage.pod_template_digest == "sha256:cc"
    assert lineage.operator_version == "1.0.0"


def test_a_version_is_complete_also_when_its_job_is_gone() -> None:
    lineage = ModelVersion.model_validate(create()).spec.lineage
    assert lineage.pod_template_digest is None
    assert lineage.image == "shop/train:1"


def test_the_parent_is_the_newest_good_version() -> None:
    bad = {"reason": "r", "by": "ada", "at": NOW, "deployment": "d", "revision": "x"}
    rolled_back = version(3)
    rolled_back = rolled_back.model_copy(
        update={"status": rolled_back.status.model_validate({"phase": "Verified", "quarantine": bad})}
    )
    older = [version(1), version(2, "Rejected"), rolled_back]
    assert create(versions=older)["spec"]["parent"] == "orders-v1"
    assert "parent" not in create()["spec"]


def test_the_same_artifact_again_is_a_duplicate_of_the_first() -> None:
    same = {"artifact": record()["artifact"]}
    older = [version(1), version(2, None, **same), version(3, None, duplicateOf="orders-v2", **same)]
    assert create(versions=older)["spec"]["duplicateOf"] == "orders-v2"
    assert "duplicateOf" not in create(versions=[version(1)])["spec"]


def test_a_run_creates_its_version_from_the_stored_number_only() -> None:
    run = run_of(status={"record": record()})
    first = training_run.plan(observed_run(run), NOW)
    assert first.status["versionNumber"] == 1
    stored = run_of(status=first.status)
    (action,) = [
        action
        for action in training_run.plan(observed_run(stored), NOW).actions
        if action.manifest["kind"] == "ModelVersion"
    ]
    assert isinstance(action, Create)
    assert action.manifest["metadata"]["name"] == "orders-v1"


METRICS = [
    {"name": "roc_auc", "goal": "Maximize", "threshold": 0.6},
    {"name": "log_loss", "goal": "Minimize", "threshold": 0.5},
    {"name": "accuracy", "goal": "Maximize"},
]
EVALUATION = Evaluation.model_validate(
    {"target": "late", "holdout": {"by": "Hash", "column": "id"}, "metrics": METRICS}
)


@pytest.mark.parametrize(
    ("values", "phase", "words"),
    [
        ({"roc_auc": 0.6, "log_loss": 0.5}, "Verified", "roc_auc 0.6 meets the threshold 0.6"),
        ({"roc_auc": 0.59, "log_loss": 0.1}, "Rejected", "roc_auc 0.59 does not meet the threshold 0.6"),
        ({"roc_auc": 0.9, "log_loss": 0.51}, "Rejected", "log_loss 0.51 does not meet the threshold 0.5"),
        ({"roc_auc": 0.9}, "Rejected", "log_loss was not measured (threshold 0.5)"),
        ({}, "Rejected", "roc_auc was not measured"),
    ],
)
def test_a_version_is_verified_when_every_threshold_is_met(values: JSON, phase: str, words: str) -> None:
    measured = [{"name": name, "value": value} for name, value in values.items()]
    result = EvaluationResult.model_validate({"metrics": measured})
    judgements, compared = gate.judge(result, EVALUATION), champion_comparison.judge(result, EVALUATION)
    found = gate.verdict(judgements, compared, EVALUATION)
    assert found == phase
    assert words in gate.message(judgements, compared, found)


def test_without_thresholds_every_version_is_verified() -> None:
    asked = EVALUATION.model_copy(update={"metrics": EVALUATION.metrics[2:]})
    judgements, compared = gate.judge(EvaluationResult(), asked), champion_comparison.judge(EvaluationResult(), asked)
    assert gate.verdict(judgements, compared, asked) == "Verified"
    assert gate.message(judgements, compared, "Verified").startswith("the recipe has no thresholds; no version served")


def judged(subject: ModelVersion, *deployments: ModelDeployment, orphan: bool = False, threshold: float = 0.6) -> Any:
    metrics = [{"name": "roc_auc", "goal": "Maximize", "threshold": threshold}]
    job = training_job(evaluation={"target": "late", "holdout": {"by": "Hash", "column": "id"}, "metrics": metrics})
    plan = model_version.plan(ObservedModelVersion(subject, None if orphan else job, deployments), NOW)
    again = ModelVersion.model_validate({**subject.model_dump(by_alias=True), "status": plan.status})
    repeated = model_version.plan(ObservedModelVersion(again, None if orphan else job, deployments), NOW)
    assert (repeated.status, repeated.events) == (plan.status, ())
    return again, plan


def conditions(subject: ModelVersion) -> dict[str, str]:
    return {condition.type: condition.reason for condition in subject.status.conditions}


def test_a_good_version_is_ready_and_told_once() -> None:
    subject, plan = judged(version(1, None))
    assert subject.status.phase == "Verified"
    assert conditions(subject) == {"QuarantineStored": "NotQuarantined", "Ready": "Verified"}
    assert [event.reason for event in plan.events] == ["Verified"]


def test_an_edit_of_a_threshold_judges_again_both_ways() -> None:
    subject, _ = judged(version(1, None))
    subject, plan = judged(subject, threshold=0.8)
    assert conditions(subject) == {
        "QuarantineStored": "NotQuarantined",
        "Ready": "Rejected",
        "Stalled": "Rejected",
    }
    assert [event.reason for event in plan.events] == ["Rejected"]
    subject, _ = judged(subject, threshold=0.65)
    assert conditions(subject) == {"QuarantineStored": "NotQuarantined", "Ready": "Verified"}


def test_without_its_recipe_a_version_keeps_its_verdict() -> None:
    subject, _ = judged(version(1, None), threshold=0.8)
    subject, plan = judged(subject, orphan=True)
    assert subject.status.phase == "Rejected"
    assert subject.status.judgements[0].threshold == 0.8
    assert plan.events == ()


def test_a_version_that_was_never_judged_waits_for_its_recipe() -> None:
    subject, _ = judged(version(1, None), orphan=True)
    assert conditions(subject) == {
        "QuarantineStored": "NotQuarantined",
        "Ready": "AwaitingGate",
        "Reconciling": "AwaitingGate",
    }


def test_a_duplicate_is_ready_and_says_of_what() -> None:
    subject, _ = judged(version(2, None, duplicateOf="orders-v1"))
    assert conditions(subject) == {"QuarantineStored": "NotQuarantined", "Ready": "Duplicate"}
    assert "orders-v1" in next(one.message for one in subject.status.conditions if one.type == "Ready")


def deployment(digest: str | None, name: str = "orders") -> ModelDeployment:
    entry = {
        "revision": "abc",
        "version": "orders-v1",
        "number": 1,
        "reason": "errors rose",
        "by": "ada",
        "at": NOW,
        **({"digest": digest} if digest else {}),
    }
    return ModelDeployment.model_validate(
        {"metadata": {"name": name, "namespace": "shop"}, "spec": {}, "status": {"quarantine": [entry]}}
    )


def test_a_rolled_back_artifact_stays_in_quarantine_also_when_the_deployment_is_gone() -> None:
    digest = version(1).spec.artifact.digest
    subject, plan = judged(version(1, None), deployment(digest))
    assert subject.status.quarantine is not None
    assert (subject.status.quarantine.deployment, subject.status.quarantine.revision) == ("orders", "abc")
    assert conditions(subject)["Stalled"] == "Quarantined"
    assert "Quarantined" in [event.reason for event in plan.events]
    subject, _ = judged(subject)
    assert subject.status.quarantine is not None


@pytest.mark.parametrize("digest", [None, f"sha256:{HEX}"])
def test_a_revision_that_was_rolled_back_for_its_server_quarantines_no_artifact(digest: str | None) -> None:
    subject, _ = judged(version(1, None), deployment(digest))
    assert subject.status.quarantine is None


def test_a_version_of_files_that_had_been_rolled_back_is_made_with_what_is_known_of_it() -> None:
    past = {"deployment": "orders", "reason": "late", "by": "ada", "at": "2026-01-01T00:00:00Z", "revision": "x"}
    spec = ModelVersion.model_validate(create({"record": {**record(), "quarantined": [past]}})).spec
    assert [(item.deployment, item.reason, item.by) for item in spec.quarantined] == [("orders", "late", "ada")]
    assert ModelVersion.model_validate(create()).spec.quarantined == []


def test_a_version_of_files_that_had_served_is_made_with_their_servings_and_decides_nothing_by_them() -> None:
    past = {
        "version": "orders-v7",
        "deployment": "orders",
        "deploymentUid": "elsewhere",
        "startedAt": "2026-01-01T00:00:00Z",
        "endedAt": "2026-01-02T00:00:00Z",
        "share": 100,
        "outcome": "Replaced",
        "letThrough": True,
    }
    made = create({"record": {**record(), "served": [past]}})
    assert ModelVersion.model_validate(made).spec.dump()["served"] == [past]
    assert ModelVersion.model_validate(create()).spec.served == []
    subject, _ = judged(ModelVersion.model_validate(made))
    assert subject.status.served == []


def test_a_store_is_accepted_and_says_what_that_does_not_mean() -> None:
    plan = artifact_store.plan(ObservedArtifactStore(STORES.stores[0]), NOW)
    (ready,) = plan.status["conditions"]
    assert (ready["status"], ready["reason"]) == ("True", "Accepted")
    assert "holds no keys" in ready["message"]
    assert plan.requeue_at is None


def test_the_metrics_of_a_version_are_in_the_order_of_the_recipe_and_readable() -> None:
    metrics = [{"name": "roc_auc", "goal": "Maximize"}, {"name": "brier_score", "goal": "Minimize"}]
    run = run_of(evaluation={**SPEC["evaluation"], "metrics": metrics}, status={"versionNumber": 1})
    posted = record()
    posted["evaluation"]["metrics"] = {"brier_score": 0.20267524171, "roc_auc": 0.64259182}
    manifest = version_manifest.manifest(run.status, Record.model_validate(posted), observed_run(run))
    assert manifest is not None
    assert manifest["spec"]["evaluation"]["metrics"] == [
        {"name": "roc_auc", "value": 0.642592},
        {"name": "brier_score", "value": 0.202675},
    ]
