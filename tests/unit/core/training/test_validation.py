from __future__ import annotations

from typing import Any

import pytest
from steadfit.api.artifactstore import ArtifactStore
from steadfit.core.training.validation import problem
from steadfit.core.types import Stores

from .builders import LAKE, SPEC, STORE, STORES, training_job

DATA = SPEC["data"][0]


def found(stores: Stores = STORES, **spec: Any) -> tuple[str, str]:
    wrong = problem(training_job(**spec), stores)
    return (wrong.reason, wrong.message) if wrong else ("", "")


def test_a_recipe_that_can_be_followed_is_no_problem() -> None:
    assert found() == ("", "")
    assert found(params={"a": "x", "b": 1, "c": 0.5, "d": True}) == ("", "")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"grid": {"depth": 3}}, "spec.params.grid must be a string, a number or a boolean, not an object"),
        ({"depths": [1, 2]}, "spec.params.depths must be a string, a number or a boolean, not a list"),
        ({"none": None}, "not null"),
    ],
)
def test_params_that_are_not_scalars_are_named(params: dict[str, Any], words: str) -> None:
    reason, message = found(params=params)
    assert reason == "InvalidParams"
    assert words in message


def test_inputs_that_cannot_travel_to_the_pod_are_refused_before_a_pod_cannot_start() -> None:
    reason, message = found(params={"blob": "x" * 60_000})
    assert reason == "InputsTooLarge"
    assert "put long parameters into a file" in message


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"storeRef": {"name": "other"}}, "spec.storeRef: there is no ArtifactStore other"),
        ({"data": [{**DATA, "uri": "s3://sea/x"}]}, "spec.data[orders]: no ArtifactStore has a prefix of s3://sea/x"),
    ],
)
def test_a_store_that_is_not_there_is_named(spec: dict[str, Any], words: str) -> None:
    reason, message = found(**spec)
    assert reason == "StoreNotUsable"
    assert words in message


@pytest.mark.parametrize("closed", [STORE, LAKE])
def test_a_store_that_this_namespace_may_not_use_is_named(closed: dict[str, Any]) -> None:
    narrowed = {**closed, "spec": {**closed["spec"], "allowedNamespaces": {"matchLabels": {"team": "a"}}}}
    others = [store for store in (STORE, LAKE) if store is not closed]
    stores = Stores([ArtifactStore.model_validate(store) for store in (narrowed, *others)], {"team": "b"})
    reason, message = found(stores)
    assert reason == "StoreNotUsable"
    assert "not allowed in this namespace" in message


def test_a_schedule_that_never_comes_is_named() -> None:
    reason, message = found(triggers=[{"name": "weekly", "schedule": {"cron": "0 0 31 2 *"}}])
    assert reason == "InvalidSchedule"
    assert message.startswith("spec.triggers[weekly]: the cron line '0 0 31 2 *' has no time")
