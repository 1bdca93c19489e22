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

from tests.unit.core.serving.serving_cluster import World, serving
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


def watched(*numbers: int, **spec: Any) -> World:
    return serving(*numbers, **{"monitors": [QUALITY], "capture": {"sample": 1.0}, **spec})


def measure(world: World, signal: Signal) -> None:
    world.signals["quality"] = signal
    world.settle()


def ended(world: World, evaluation: dict[str, Any] | None, phase: str = "Succeeded", **status: Any) -> None:
    """Let the runs that are at work end like this."""
    for run in world.evaluations.values():
        if run.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            run["status"] = {"phase": phase, "finishedAt": world.now.isoformat(), **status}
            run["status"] |= {"evaluation": evaluation} if evaluation is not None else {}
            run["metadata"]["resourceVersion"] += "-ended"


def end(world: World, evaluation: dict[str, Any] | None, phase: str = "Succeeded", **status: Any) -> None:
    """Let the runs that are at work end like this, and the operator hear of it."""
    ended(world, evaluation, phase, **status)
    world.settle()


def entry(world: World) -> Diagnosis:
    (found,) = world.status.diagnoses
    return found


def later(world: World, **time: float) -> None:
    world.now += timedelta(**time)
    world.settle()


def asks_for_a_run(world: World) -> list[str]:
    """Return what the TrainingJob sees that asks for a run."""
    return [one.message for one in retrain_causes.firing([ModelDeployment.model_validate(world.deployment)])]


# The run


def test_the_diagnosis_is_stored_before_its_run_is_created() -> None:
    world = watched(1, 2)
    world.signals["quality"] = FALLEN
    world.step()
    begun = entry(world)
    assert (begun.number, begun.compared_version, begun.verdict) == (2, 1, None)
    assert world.evaluations == {}
    world.step()
    assert list(world.evaluations) == [begun.run]
    assert world.condition("Recovering") == ("True", "Diagnosing")
    assert world.seen("DiagnosisStarted") == [
        f"monitor quality fires: version 2 and version 1 are evaluated on the same rows ({begun.run})"
    ]


def test_the_run_evaluates_live_and_last_good_on_the_captured_rows_of_the_monitors_window() -> None:
    world = watched(1, 2, monitors=[{**QUALITY, "minSamples": 500}])
    measure(world, FALLEN)
    (manifest,) = world.evaluations.values()
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
    world = watched(1, 2)
    world.signals["quality"] = FALLEN
    for number in range(6):
        world.step(crash_after=crash_after if number % 2 == 0 else None)
        world.kubelet()
    world.settle()
    assert len(world.evaluations) == 1


def test_one_run_is_made_for_as_long_as_the_monitor_fires() -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    end(world, MOVED)
    for _ in range(5):
        later(world, hours=1)
    assert len(world.evaluations) == 1
    assert len(world.seen("ConceptDrift")) == 1


def test_old_runs_are_deleted_and_those_at_work_are_not() -> None:
    world = watched(1, 2)
    for _ in range(6):
        measure(world, FALLEN)
        end(world, CHANCE)
        later(world, hours=1)
    assert len(world.evaluations) == 4
    assert [run["status"]["phase"] for run in world.evaluations.values() if "status" in run] == ["Succeeded"] * 3
    assert entry(world).run in world.evaluations


# The verdicts


def test_a_worse_model_goes_back_with_a_sentence_that_says_why() -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    ended(world, WORSE)
    while world.live() != 1:
        world.step()
        world.kubelet()
    measure(world, FINE)
    sentence = (
        "version 2 is worse: on 4,210 labelled rows of the last 1h brier_score is 0.241, version 1 scores 0.198"
        " (margin 0.005)"
    )
    assert [(one.number, one.by, one.reason) for one in world.status.quarantine] == [(2, "monitor quality", sentence)]
    assert entry(world).verdict == "ModelWorse"
    assert entry(world).message == f"{sentence}; rolled back"
    assert [one.number for one in world.status.rollbacks] == [2]
    assert world.seen("ModelWorse") == [f"monitor quality: {sentence}; rolled back"]
    assert asks_for_a_run(world) == []


def test_a_worse_model_goes_back_after_its_bake_too() -> None:
    world = watched(1, 2, bakeDuration="1m")
    later(world, hours=48)
    measure(world, FALLEN)
    end(world, WORSE)
    assert world.live() == 1


def test_when_the_world_moved_nothing_goes_back_and_a_run_is_asked_for_with_the_sentence() -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    assert asks_for_a_run(world) == []
    end(world, MOVED)
    assert world.live() == 2
    sentence = (
        "concept drift: on 4,210 labelled rows of the last 1h brier_score is 0.241, version 1 scores 0.243,"
        " not better than 0.241 (margin 0.005); a retraining follows"
    )
    assert (entry(world).verdict, entry(world).message) == ("ConceptDrift", sentence)
    assert asks_for_a_run(world) == [sentence]
    assert world.condition("Recovering") is None


def test_what_the_world_did_is_over_when_a_new_version_serves() -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    end(world, MOVED)
    world.add(3)
    while world.live() != 3:
        world.step()
        world.kubelet()
    assert asks_for_a_run(world) == []
    measure(world, FALLEN)
    assert (entry(world).number, entry(world).compared_version, entry(world).verdict) == (3, 2, None)
    assert len(world.evaluations) == 2


def test_nothing_is_asked_for_once_the_quality_is_back() -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    end(world, MOVED)
    measure(world, FINE)
    assert asks_for_a_run(world) == []


def test_chance_decides_nothing_and_is_tried_again_after_the_window() -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    end(world, CHANCE)
    assert (world.live(), entry(world).verdict) == (2, "Inconclusive")
    assert asks_for_a_run(world) == []
    assert world.condition("Recovering") == ("False", "Inconclusive")
    assert len(world.seen("Inconclusive")) == 1
    later(world, minutes=50)
    assert len(world.evaluations) == 1
    assert world.plan().requeue_at is not None
    later(world, minutes=10)
    assert len(world.evaluations) == 2
    end(world, WORSE)
    assert world.live() == 1


def test_a_run_that_failed_decides_nothing() -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    end(world, None, "Failed", failure={"class": "Store", "message": "connection refused"})
    assert (world.live(), entry(world).verdict) == (2, "Inconclusive")
    assert entry(world).message == f"inconclusive: run {entry(world).run} failed (Store): connection refused"


# No data


@pytest.mark.parametrize("evaluation", [WORSE, MOVED], ids=["worse", "moved"])
def test_nothing_follows_from_a_verdict_while_the_source_is_away(evaluation: dict[str, Any]) -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    measure(world, NO_DATA)
    end(world, evaluation)
    later(world, minutes=30)
    assert world.live() == 2
    assert world.status.rollbacks == []
    assert asks_for_a_run(world) == []


def test_a_verdict_counts_when_the_monitor_fires_again_within_its_window() -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    measure(world, NO_DATA)
    end(world, WORSE)
    later(world, minutes=30)
    measure(world, FALLEN)
    assert len(world.evaluations) == 1
    assert world.live() == 1


def test_a_verdict_of_long_ago_is_found_out_anew() -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    measure(world, FINE)
    end(world, WORSE)
    later(world, hours=2)
    measure(world, FALLEN)
    assert world.live() == 2
    assert entry(world).verdict is None
    assert len(world.evaluations) == 2


# What needs no run, and what cannot have one


def test_without_anything_to_go_back_to_the_world_moved() -> None:
    world = watched(1)
    measure(world, FALLEN)
    assert world.evaluations == {}
    assert asks_for_a_run(world) == [
        "concept drift: no good version before version 1 is left to roll back to; a retraining follows"
    ]


def test_a_new_server_of_the_same_model_is_nothing_to_go_back_to() -> None:
    world = watched(1)
    world.edit(server={"replicas": 2, "image": "mine:2"})
    world.settle()
    measure(world, FALLEN)
    assert entry(world).verdict == "ConceptDrift"
    assert "the last good version 1 is the same model" in entry(world).message


def test_a_last_good_version_in_quarantine_is_nothing_to_go_back_to() -> None:
    world = watched(1, 2)
    reference = world.status.last_good
    assert reference is not None
    world.deployment["status"]["quarantine"] = [
        {
            "revision": reference.revision,
            "version": "flights-v1",
            "number": 1,
            "reason": "it is worse",
            "by": "alice",
            "at": world.now.isoformat(),
        }
    ]
    measure(world, FALLEN)
    assert (entry(world).verdict, entry(world).compared_version) == ("ConceptDrift", None)


def test_without_capture_there_are_no_rows_and_it_is_told_once() -> None:
    world = watched(1, 2, capture=None)
    measure(world, FALLEN)
    for _ in range(3):
        later(world, hours=2)
    assert (entry(world).verdict, world.evaluations) == ("Inconclusive", {})
    assert world.seen("Inconclusive") == [
        "monitor quality: inconclusive: spec.capture is not set, so there are no rows to compare versions on"
    ]
    world.edit(capture={"sample": 1.0})
    world.settle()
    assert len(world.evaluations) == 1


def test_without_the_training_job_nothing_is_evaluated() -> None:
    world = watched(1, 2)
    world.job = None
    measure(world, FALLEN)
    assert entry(world).message == "inconclusive: there is no TrainingJob flights in this namespace"


def test_an_evaluation_whose_training_job_is_deleted_is_not_waited_for() -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    world.job = None
    world.evaluations.clear()
    world.settle()
    assert entry(world).verdict == "Inconclusive"
    assert world.evaluations == {}


def test_a_version_object_that_is_gone_cannot_be_evaluated() -> None:
    world = watched(1, 2)
    del world.versions[1]
    measure(world, FALLEN)
    assert entry(world).message == "inconclusive: ModelVersion flights-v1 is gone, so its model cannot be evaluated"


def test_an_diagnosis_whose_versions_are_gone_before_its_run_was_made_is_forgotten() -> None:
    world = watched(1, 2)
    world.signals["quality"] = FALLEN
    world.step()
    world.signals["quality"] = NO_DATA
    world.add(3)
    while world.live() != 3:
        world.step(crash_after=1)
        world.kubelet()
        world.evaluations.clear()
    world.settle()
    assert world.status.diagnoses == []


# Limits


def test_a_dry_run_evaluates_and_only_tells() -> None:
    world = watched(1, 2, dryRun=True)
    measure(world, FALLEN)
    end(world, WORSE)
    assert world.live() == 2
    assert world.message("DryRun").startswith(
        "version 2 would be rolled back to version 1 by monitor quality: version 2 is worse"
    )
    assert not entry(world).message.endswith("rolled back")


def test_a_dry_run_tells_of_a_world_that_moved_and_asks_for_no_run() -> None:
    world = watched(1, 2, dryRun=True)
    measure(world, FALLEN)
    end(world, MOVED)
    assert asks_for_a_run(world) == []
    assert world.message("DryRun").startswith("TrainingJob flights would start a run by monitor quality: concept drift")
    assert not entry(world).message.endswith("a retraining follows")


def test_at_the_limit_a_worse_model_goes_on_and_a_person_is_told() -> None:
    world = watched(1, 2, limits={"maxRollbacksPerDay": 0})
    measure(world, FALLEN)
    end(world, WORSE)
    assert world.live() == 2
    assert world.message("RollbacksFrozen").find("not rolled back: version 2, monitor quality: version 2 is worse") > 0


def test_a_monitor_that_is_taken_out_of_the_spec_leaves_nothing_behind() -> None:
    world = watched(1, 2)
    measure(world, FALLEN)
    end(world, MOVED)
    world.edit(monitors=None)
    world.settle()
    assert world.status.diagnoses == []
    assert asks_for_a_run(world) == []
