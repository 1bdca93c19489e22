"""The verdict of a diagnosis, number by number, and its messages."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.api.margin import Margin
from steadfit.api.trainingrun import TrainingRun
from steadfit.core.serving.recovery.diagnosis_verdict import of_run

from tests.unit.core.serving.serving_cluster_objects import digest

METRIC = "brier_score"


def run(evaluation: dict[str, Any] | None = None, phase: str = "Succeeded", **status: Any) -> TrainingRun:
    """Return a run that compared version 5 with version 4 by the Brier score with a margin of 0.005."""
    evaluate = {
        "deployment": "flights",
        "metric": METRIC,
        "margin": 0.005,
        "live": {"version": "flights-v5", "number": 5, "digest": digest(5)},
        "lastGood": {"version": "flights-v4", "number": 4, "digest": digest(4)},
    }
    found = {"evaluation": evaluation} if evaluation is not None else {}
    return TrainingRun.model_validate(
        {
            "metadata": {"name": "flights-e1", "namespace": "shop", "uid": "run-1"},
            "spec": {
                "trainingJobRef": {"name": "flights", "uid": "job-1"},
                "purpose": "Evaluate",
                "evaluate": evaluate,
                "cause": {"type": "Monitor", "key": "flights/quality@2026-01-01T00:00:00Z"},
                "inputHash": "h",
                "image": "trainer:1",
                "data": [{"name": "captured", "captured": {"deployment": "flights", "window": "1h"}}],
                "evaluation": {
                    "target": "late",
                    "holdout": {"by": "Hash", "column": "id"},
                    "metrics": [{"name": METRIC, "goal": "Minimize"}],
                },
            },
            "status": {"phase": phase, **found, **status},
        }
    )


def outcome(difference: float, lower: float, live: float = 0.241) -> dict[str, Any]:
    good = live - difference
    upper = 2 * difference - lower
    return {
        "rows": 4210,
        "live": live,
        "lastGood": good,
        "difference": difference,
        "lower": lower,
        "upper": upper,
    }


@pytest.mark.parametrize(
    ("difference", "lower", "verdict"),
    [
        (0.043, 0.031, "ModelWorse"),
        (0.005, 0.001, "ModelWorse"),
        (0.005, 0.0, "Inconclusive"),
        (0.043, -0.002, "Inconclusive"),
        (0.0049, 0.004, "ConceptDrift"),
        (0.0049, -0.01, "ConceptDrift"),
        (0.0, 0.0, "ConceptDrift"),
        (-0.002, -0.004, "ConceptDrift"),
        (-0.05, -0.06, "ConceptDrift"),
    ],
)
def test_the_last_good_version_is_better_by_the_margin_and_not_by_chance_or_the_world_moved(
    difference: float, lower: float, verdict: str
) -> None:
    found = of_run(run(outcome(difference, lower)))
    assert found is not None
    assert found[0] == verdict


def test_without_a_margin_two_equal_versions_are_no_reason_to_go_back() -> None:
    equal = run(outcome(0.0, 0.0))
    assert equal.spec.evaluate is not None
    inputs = equal.spec.evaluate.model_copy(update={"margin": Margin(0.0)})
    found = of_run(equal.model_copy(update={"spec": equal.spec.model_copy(update={"evaluate": inputs})}))
    assert found is not None
    assert found[0] == "ConceptDrift"


@pytest.mark.parametrize(
    ("percentage", "verdict", "margin"),
    [("10%", "ModelWorse", "10% = 0.0241"), ("20%", "ConceptDrift", "20% = 0.0482")],
)
def test_a_relative_margin_is_taken_of_the_value_of_what_serves(percentage: str, verdict: str, margin: str) -> None:
    better = run(outcome(0.043, 0.031))
    assert better.spec.evaluate is not None
    inputs = better.spec.evaluate.model_copy(update={"margin": Margin.parse(percentage)})
    found = of_run(better.model_copy(update={"spec": better.spec.model_copy(update={"evaluate": inputs})}))
    assert found is not None
    assert found[0] == verdict
    assert found[1].endswith(f"(margin {margin})")


def test_the_sentence_names_when_the_outcomes_of_the_rows_came_and_how_old_they_were() -> None:
    # It said "of the last 1h", whenever that hour was.
    ends = {"firstOutcomeAt": "2026-01-31T08:00:03Z", "lastOutcomeAt": "2026-01-31T08:59:57Z"}
    for finished, age in (("2026-01-31T09:01:00Z", "63 s"), ("2026-01-31T09:20:00Z", "20 min")):
        found = of_run(run({**outcome(0.043, 0.031), **ends}, finishedAt=finished))
        assert found is not None
        assert found[1].startswith(
            "version 5 is worse: on 4,210 labelled rows whose outcomes came from 2026-01-31T08:00:03Z to"
            f" 2026-01-31T08:59:57Z, {age} before the end of the run, brier_score is 0.241, version 4 scores 0.198"
        )


@pytest.mark.parametrize(
    ("difference", "lower", "sentence"),
    [
        (
            0.043,
            0.031,
            "version 5 is worse: on 4,210 labelled rows brier_score is 0.241, version 4 scores 0.198 (margin 0.005)",
        ),
        (
            -0.002,
            -0.004,
            "concept drift: on 4,210 labelled rows brier_score is 0.241, version 4 scores 0.243,"
            " not better than 0.241 (margin 0.005)",
        ),
        (
            0.003,
            0.001,
            "concept drift: on 4,210 labelled rows brier_score is 0.241, version 4 scores 0.238,"
            " not better beyond the margin (margin 0.005)",
        ),
        (
            0.011,
            -0.02,
            "inconclusive: on 4,210 labelled rows brier_score is 0.241, version 4 scores 0.23, which"
            " may be chance (the 95 % interval of the difference begins at -0.02)",
        ),
    ],
)
def test_the_sentence_names_rows_both_scores_and_the_margin(difference: float, lower: float, sentence: str) -> None:
    found = of_run(run(outcome(difference, lower)))
    assert found is not None
    assert found[1] == sentence


@pytest.mark.parametrize(
    ("ended", "sentence"),
    [
        (run({"rows": 12, "reason": "12 labelled rows, and 200 are needed"}), "12 labelled rows, and 200 are needed"),
        (run(), "run flights-e1 has no comparison"),
        (run({"rows": 4210, "live": 0.2}), "run flights-e1 has no comparison"),
        (run({**outcome(0.043, 0.03), "lower": None}), "run flights-e1 has no comparison"),
        (
            run(phase="Failed", failure={"class": "Store", "message": "s3://models/: connection refused"}),
            "run flights-e1 failed (Store): s3://models/: connection refused",
        ),
        (run(phase="Superseded"), "run flights-e1 was superseded"),
    ],
    ids=["too few rows", "no outcome", "one score", "no interval", "failed", "superseded"],
)
def test_what_brings_no_comparison_decides_nothing(ended: TrainingRun, sentence: str) -> None:
    assert of_run(ended) == ("Inconclusive", f"inconclusive: {sentence}")


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_run_that_is_at_work_says_nothing_yet(phase: str) -> None:
    assert of_run(run(phase=phase)) is None
