"""A fall in quality is put down to the model or to the world, once for each time that it comes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.rollout import Diagnosis
from steadfit.api.trainingrun import TrainingRun
from steadfit.core import names
from steadfit.core.serving.recovery import retrain_causes
from steadfit.core.types import Signal

from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import digest

QUALITY: dict[str, Any] = {
    "name": "quality",
    "quality": {"metric": "brier_score", "max": 0.22},
    "window": "1h",
    "action": "Recover",
}
FALLEN = Signal(0.241, 4000)
FINE = Signal(0.19, 4000)
NO_DATA = Signal(reason="MetricSource default: it cannot be reached", code="Unreachable")
WORSE = {"rows": 4210, "live": 0.241, "lastGood": 0.198, "difference": 0.043, "lower": 0.03, "upper": 0.056}
MOVED = {"rows": 4210, "live": 0.241, "lastGood": 0.243, "difference": -0.002, "lower": -0.01, "upper": 0.006}
CHANCE = {"rows": 210, "live": 0.241, "lastGood": 0.22, "difference": 0.021, "lower": -0.01, "upper": 0.052}


def watched(*numbers: int, **spec: Any) -> ServingCluster:
    return serving(*numbers, **{"monitors": [QUALITY], "capture": {"sample": 1.0}, **spec})


def measure(cluster: ServingCluster, signal: Signal) -> None:
    cluster.signals["quality"] = signal
    cluster.settle()


def ended(cluster: ServingCluster, evaluation: dict[str, Any] | None, phase: str = "Succeeded", **status: Any) -> None:
    """Let the runs that are at work end like this."""
    for run in cluster.evaluations.values():
        if run.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            run["status"] = {"phase": phase, "finishedAt": cluster.now.isoformat(), **status}
            run["status"] |= {"evaluation": evaluation} if evaluation is not None else {}
            run["metadata"]["resourceVersion"] += "-ended"


def end(cluster: ServingCluster, evaluation: dict[str, Any] | None, phase: str = "Succeeded", **status: Any) -> None:
    """Let the runs that are at work end like this, and the operator hear of it."""
    ended(cluster, evaluation, phase, **status)
    cluster.settle()


def entry(cluster: ServingCluster) -> Diagnosis:
    (found,) = cluster.status.diagnoses
    return found


def later(cluster: ServingCluster, **time: float) -> None:
    cluster.now += timedelta(**time)
    cluster.settle()


def asks_for_a_run(cluster: ServingCluster) -> list[str]:
    """Return what the TrainingJob sees that asks for a run."""
    return [one.message for one in retrain_causes.firing([ModelDeployment.model_validate(cluster.deployment)])]


# The run


def test_the_diagnosis_is_stored_before_its_run_is_created() -> None:
    cluster = watched(1, 2)
    cluster.signals["quality"] = FALLEN
    cluster.step()
    begun = entry(cluster)
    assert (begun.number, begun.compared_number, begun.verdict) == (2, 1, None)
    assert cluster.evaluations == {}
    cluster.step()
    assert list(cluster.evaluations) == [begun.run]
    assert cluster.condition("Recovering") == ("True", "Diagnosing")
    assert cluster.seen("DiagnosisStarted") == [
        f"monitor quality fires: version 2 and version 1 are evaluated on the same rows ({begun.run})"
    ]


def test_the_run_evaluates_live_and_last_good_on_the_captured_rows_of_the_monitors_window() -> None:
    cluster = watched(1, 2, monitors=[{**QUALITY, "minSamples": 500}])
    measure(cluster, FALLEN)
    (manifest,) = cluster.evaluations.values()
    run = TrainingRun.model_validate(manifest)
    inputs = run.spec.evaluate
    assert inputs is not None
    assert (inputs.live.version, inputs.live.digest) == ("flights-v2", digest(2))
    assert inputs.last_good is not None
    assert (inputs.last_good.version, inputs.last_good.digest) == ("flights-v1", digest(1))
    assert (inputs.deployment, inputs.metric, inputs.min_rows) == ("flights", "brier_score", 500)
    assert inputs.margin.written() == 0.005
    assert [source.captured.window for source in run.spec.data if source.captured] == ["1h"]
    assert (run.spec.purpose, run.spec.cause.type, run.spec.cause.monitor) == ("Evaluate", "Monitor", "flights/quality")
    assert run.metadata.labels[names.MODEL_DEPLOYMENT] == "flights"
    assert run.metadata.labels[names.TRAINING_JOB] == "flights"
    assert [owner.kind for owner in run.metadata.owner_references] == ["TrainingJob"]
    assert not [*run.spec.command, *run.spec.args, *run.spec.env]


@pytest.mark.parametrize("crash_after", range(3))
def test_one_run_is_made_though_the_operator_dies_at_any_write(crash_after: int) -> None:
    cluster = watched(1, 2)
    cluster.signals["quality"] = FALLEN
    for number in range(6):
        cluster.step(crash_after=crash_after if number % 2 == 0 else None)
        cluster.kubelet()
    cluster.settle()
    assert len(cluster.evaluations) == 1


def test_one_run_is_made_for_as_long_as_the_monitor_fires() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    end(cluster, MOVED)
    for _ in range(5):
        later(cluster, hours=1)
    assert len(cluster.evaluations) == 1
    assert len(cluster.seen("ConceptDrift")) == 1


def test_old_runs_are_deleted_and_those_at_work_are_not() -> None:
    cluster = watched(1, 2)
    for _ in range(6):
        measure(cluster, FALLEN)
        end(cluster, CHANCE)
        later(cluster, hours=1)
    assert len(cluster.evaluations) == 4
    assert [run["status"]["phase"] for run in cluster.evaluations.values() if "status" in run] == ["Succeeded"] * 3
    assert entry(cluster).run in cluster.evaluations


# The verdicts


def test_a_worse_model_goes_back_with_a_sentence_that_says_why() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    ended(cluster, WORSE)
    while cluster.live() != 1:
        cluster.step()
        cluster.kubelet()
    measure(cluster, FINE)
    sentence = "version 2 is worse: on 4,210 labelled rows brier_score is 0.241, version 1 scores 0.198 (margin 0.005)"
    assert [(one.number, one.by, one.reason) for one in cluster.status.quarantine] == [(2, "monitor quality", sentence)]
    assert entry(cluster).verdict == "ModelWorse"
    assert entry(cluster).message == f"{sentence}; rolled back"
    assert [one.number for one in cluster.status.rollbacks] == [2]
    assert cluster.seen("ModelWorse") == [f"monitor quality: {sentence}; rolled back"]
    assert asks_for_a_run(cluster) == []


def test_the_run_judges_the_window_that_ends_when_the_monitor_fired() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    fired = entry(cluster)
    (run,) = cluster.evaluations.values()
    spec = TrainingRun.model_validate(run).spec
    assert spec.evaluate is not None
    assert spec.evaluate.until == fired.decided_at == fired.since
    assert spec.evaluate.flush_interval == "60s"
    (source,) = spec.data
    assert source.captured is not None
    assert source.captured.window == "1h"


def test_a_worse_model_goes_back_after_its_bake_too() -> None:
    cluster = watched(1, 2, bakeDuration="1m")
    later(cluster, hours=48)
    measure(cluster, FALLEN)
    end(cluster, WORSE)
    assert cluster.live() == 1


def test_when_the_world_moved_nothing_goes_back_and_a_run_is_asked_for_with_the_sentence() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    assert asks_for_a_run(cluster) == []
    end(cluster, MOVED)
    assert cluster.live() == 2
    sentence = (
        "concept drift: on 4,210 labelled rows brier_score is 0.241, version 1 scores 0.243,"
        " not better than 0.241 (margin 0.005); a retraining follows"
    )
    assert (entry(cluster).verdict, entry(cluster).message) == ("ConceptDrift", sentence)
    assert asks_for_a_run(cluster) == [sentence]
    assert cluster.condition("Recovering") is None


def test_what_the_world_did_is_over_when_a_new_version_serves() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    end(cluster, MOVED)
    cluster.add(3)
    while cluster.live() != 3:
        cluster.step()
        cluster.kubelet()
    assert asks_for_a_run(cluster) == []
    measure(cluster, FALLEN)
    assert (entry(cluster).number, entry(cluster).compared_number, entry(cluster).verdict) == (3, 2, None)
    assert len(cluster.evaluations) == 2


def test_nothing_is_asked_for_once_the_quality_is_back() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    end(cluster, MOVED)
    measure(cluster, FINE)
    assert asks_for_a_run(cluster) == []


def test_chance_decides_nothing_and_is_tried_again_after_the_window() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    end(cluster, CHANCE)
    assert (cluster.live(), entry(cluster).verdict) == (2, "Inconclusive")
    assert asks_for_a_run(cluster) == []
    assert cluster.condition("RecoveryStalled") == ("True", "Inconclusive")
    assert len(cluster.seen("Inconclusive")) == 1
    later(cluster, minutes=50)
    assert len(cluster.evaluations) == 1
    assert cluster.plan().requeue_at is not None
    later(cluster, minutes=10)
    assert len(cluster.evaluations) == 2
    end(cluster, WORSE)
    assert cluster.live() == 1


def test_a_run_that_failed_decides_nothing() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    end(cluster, None, "Failed", failure={"class": "Store", "message": "connection refused"})
    assert (cluster.live(), entry(cluster).verdict) == (2, "Inconclusive")
    assert entry(cluster).message == f"inconclusive: run {entry(cluster).run} failed (Store): connection refused"


# No data


@pytest.mark.parametrize("evaluation", [WORSE, MOVED], ids=["worse", "moved"])
def test_nothing_follows_from_a_verdict_while_the_source_is_away(evaluation: dict[str, Any]) -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    measure(cluster, NO_DATA)
    end(cluster, evaluation)
    later(cluster, minutes=30)
    assert cluster.live() == 2
    assert cluster.status.rollbacks == []
    assert asks_for_a_run(cluster) == []


def test_a_verdict_counts_when_the_monitor_fires_again_within_its_window() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    measure(cluster, NO_DATA)
    end(cluster, WORSE)
    later(cluster, minutes=30)
    measure(cluster, FALLEN)
    assert len(cluster.evaluations) == 1
    assert cluster.live() == 1


def test_a_verdict_of_long_ago_is_found_out_anew() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    measure(cluster, FINE)
    end(cluster, WORSE)
    later(cluster, hours=2)
    measure(cluster, FALLEN)
    assert cluster.live() == 2
    assert entry(cluster).verdict is None
    assert len(cluster.evaluations) == 2


# What needs no run, and what cannot have one


def test_without_anything_to_go_back_to_the_world_moved() -> None:
    cluster = watched(1)
    measure(cluster, FALLEN)
    assert cluster.evaluations == {}
    assert asks_for_a_run(cluster) == [
        "concept drift: no good version that served before version 1 is left to roll back to; a retraining follows"
    ]


def test_a_new_server_of_the_same_model_is_nothing_to_go_back_to() -> None:
    cluster = watched(1)
    cluster.edit(server={"replicas": 2, "image": "mine:2"})
    cluster.settle()
    measure(cluster, FALLEN)
    assert entry(cluster).verdict == "ConceptDrift"
    assert "(version 1 with its older pod template is the same model)" in entry(cluster).message


def test_a_last_good_version_in_quarantine_is_nothing_to_go_back_to() -> None:
    cluster = watched(1, 2)
    reference = cluster.status.last_good
    assert reference is not None
    cluster.deployment["status"]["quarantine"] = [
        {
            "revision": reference.revision,
            "version": "flights-v1",
            "number": 1,
            "reason": "it is worse",
            "by": "alice",
            "at": cluster.now.isoformat(),
        }
    ]
    measure(cluster, FALLEN)
    assert (entry(cluster).verdict, entry(cluster).compared_number) == ("ConceptDrift", None)


def test_without_capture_there_are_no_rows_and_it_is_told_once() -> None:
    cluster = watched(1, 2, capture=None)
    measure(cluster, FALLEN)
    for _ in range(3):
        later(cluster, hours=2)
    assert (entry(cluster).verdict, cluster.evaluations) == ("Inconclusive", {})
    assert cluster.seen("Inconclusive") == [
        "monitor quality: inconclusive: spec.capture is not set, so there are no rows to compare versions on"
    ]
    cluster.edit(capture={"sample": 1.0})
    cluster.settle()
    assert len(cluster.evaluations) == 1


def test_without_the_training_job_nothing_is_evaluated() -> None:
    cluster = watched(1, 2)
    cluster.job = None
    measure(cluster, FALLEN)
    assert entry(cluster).message == "inconclusive: there is no TrainingJob flights in this namespace"


def test_an_evaluation_whose_training_job_is_deleted_is_not_waited_for() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    cluster.job = None
    cluster.evaluations.clear()
    cluster.settle()
    assert entry(cluster).verdict == "Inconclusive"
    assert cluster.evaluations == {}


def test_a_version_object_that_is_gone_cannot_be_evaluated() -> None:
    cluster = watched(1, 2)
    del cluster.versions[2]
    measure(cluster, FALLEN)
    assert entry(cluster).message == "inconclusive: ModelVersion flights-v2 is gone, so its model cannot be evaluated"


def test_a_version_that_may_not_come_back_is_not_compared() -> None:
    cluster = watched(1, 2)
    cluster.judge(1, "Rejected")
    measure(cluster, FALLEN)
    assert "no good version that served before version 2 is left to roll back to" in entry(cluster).message
    assert cluster.evaluations == {}


def test_a_diagnosis_whose_versions_are_gone_before_its_run_was_made_is_forgotten() -> None:
    cluster = watched(1, 2)
    cluster.signals["quality"] = FALLEN
    cluster.step()
    cluster.signals["quality"] = NO_DATA
    cluster.add(3)
    while cluster.live() != 3:
        cluster.step(crash_after=1)
        cluster.kubelet()
        cluster.evaluations.clear()
    cluster.settle()
    assert cluster.status.diagnoses == []


# Limits


def test_a_dry_run_evaluates_and_only_tells() -> None:
    cluster = watched(1, 2, dryRun=True)
    measure(cluster, FALLEN)
    end(cluster, WORSE)
    assert cluster.live() == 2
    assert cluster.message("DryRun").startswith(
        "version 2 would be rolled back to version 1 by monitor quality: version 2 is worse"
    )
    assert not entry(cluster).message.endswith("rolled back")


def test_a_dry_run_tells_of_a_world_that_moved_and_asks_for_no_run() -> None:
    cluster = watched(1, 2, dryRun=True)
    measure(cluster, FALLEN)
    end(cluster, MOVED)
    assert asks_for_a_run(cluster) == []
    assert cluster.message("DryRun").startswith(
        "TrainingJob flights would start a run by monitor quality: concept drift"
    )
    assert not entry(cluster).message.endswith("a retraining follows")


def test_at_the_limit_a_worse_model_goes_on_and_a_person_is_told() -> None:
    cluster = watched(1, 2, limits={"maxRollbacksPerDay": 0})
    measure(cluster, FALLEN)
    end(cluster, WORSE)
    assert cluster.live() == 2
    assert (
        cluster.message("RollbacksFrozen").find("not rolled back: version 2, monitor quality: version 2 is worse") > 0
    )


def test_a_monitor_that_is_taken_out_of_the_spec_leaves_nothing_behind() -> None:
    cluster = watched(1, 2)
    measure(cluster, FALLEN)
    end(cluster, MOVED)
    cluster.edit(monitors=None)
    cluster.settle()
    assert cluster.status.diagnoses == []
    assert asks_for_a_run(cluster) == []
