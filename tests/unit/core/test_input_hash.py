from __future__ import annotations

from typing import Any

import pytest
from steadfit.core.input_hash import changed, input_hash

from tests.unit.core.training.builders import SPEC, training_job, training_run

EVALUATION = SPEC["evaluation"]
DATA = SPEC["data"][0]


@pytest.mark.parametrize(
    "edit",
    [
        {"image": "shop/train:2"},
        {"command": ["python"]},
        {"args": ["--fast"]},
        {"env": [{"name": "A", "value": "1"}]},
        {"params": {"depth": 7}},
        {"seed": 1},
        {"data": [{**DATA, "uri": "s3://lake/other/"}]},
        {"data": [{**DATA, "latest": {"partitions": 3}}]},
        {"resources": {"limits": {"memory": "2Gi"}}},
        {"evaluation": {**EVALUATION, "holdout": {"by": "Time", "column": "at", "fraction": 0.3}}},
        {"evaluation": {**EVALUATION, "target": "cancelled"}},
        {"evaluation": {**EVALUATION, "positiveClass": "no"}},
    ],
)
def test_a_change_of_an_input_changes_the_hash(edit: dict[str, Any]) -> None:
    assert input_hash(training_job(**edit).spec) != input_hash(training_job().spec)


@pytest.mark.parametrize(
    "edit",
    [
        {"triggers": [{"name": "weekly", "schedule": {"cron": "0 3 * * 1"}}]},
        {"evaluation": {**EVALUATION, "metrics": [{"name": "roc_auc", "goal": "Maximize", "threshold": 0.9}]}},
        {"limits": {"retries": 0}},
        {"history": {"runs": 1}},
        {"pod": {"nodeSelector": {"disk": "fast"}}},
        {"suspend": True},
        {"readyPolicy": "FirstModel"},
    ],
)
def test_an_edit_of_anything_else_trains_nothing(edit: dict[str, Any]) -> None:
    assert input_hash(training_job(**edit).spec) == input_hash(training_job().spec)


def test_the_hash_does_not_change_from_one_version_of_the_operator_to_the_next() -> None:
    # Pinned: another hash for the same spec would retrain every model at an upgrade. The pin moved twice before the
    # first release: to the fields of `RunInputs`, without a list by hand, and to the target.
    assert input_hash(training_job().spec) == "10cf7798f79516c17a68e748289f582c81a2696c826000fe3926adfb2225d514"


def test_the_order_of_named_lists_means_nothing() -> None:
    one = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert input_hash(training_job(env=one).spec) == input_hash(training_job(env=one[::-1]).spec)


def test_the_order_of_arguments_means_something() -> None:
    assert input_hash(training_job(args=["a", "b"]).spec) != input_hash(training_job(args=["b", "a"]).spec)


def test_numbers_that_json_does_not_tell_apart_are_the_same() -> None:
    assert input_hash(training_job(params={"depth": 6.0}).spec) == input_hash(training_job(params={"depth": 6}).spec)
    assert input_hash(training_job(params={"depth": "6"}).spec) != input_hash(training_job(params={"depth": 6}).spec)
    assert input_hash(training_job(params={"deep": True}).spec) != input_hash(training_job(params={"deep": 1}).spec)


def test_defaults_that_are_written_out_are_no_change() -> None:
    written = training_job(command=[], args=[], env=[], seed=0)
    assert input_hash(written.spec) == input_hash(training_job().spec)


def test_a_run_is_frozen_with_the_hash_of_its_recipe() -> None:
    assert input_hash(training_run().spec) == input_hash(training_job().spec)


@pytest.mark.parametrize(("before", "after"), [(True, 1), (False, 0), (True, 1.0), (0, False)])
def test_a_truth_value_and_its_number_are_named_as_a_change(before: Any, after: Any) -> None:
    one, other = training_job(params={"deep": before}).spec, training_job(params={"deep": after}).spec
    assert input_hash(one) != input_hash(other)
    assert changed(one, other) == ["params"]


def test_what_changed_is_named() -> None:
    assert changed(training_run().spec, training_job(seed=3, params={"depth": 2}).spec) == ["params", "seed"]
    assert changed(training_run().spec, training_job(suspend=True).spec) == []
