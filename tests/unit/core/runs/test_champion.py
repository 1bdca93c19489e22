"""Which version a result is compared with, and how publish is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.trainingrun import Attempt
from steadfit.core.plans import training_run
from steadfit.core.runs import champion
from steadfit.core.runs.champion import ComparedVersion
from steadfit.core.runs.runtime import job_manifest
from steadfit.core.types import Stores
from steadfit_trainer.config import Config

from tests.unit.core.training.builders import NOW, PLATFORM, STORES, observed_run, version
from tests.unit.core.training.builders import training_run as run_of

JSON = dict[str, Any]

DIGESTS = {number: f"sha256:{number:064x}" for number in range(10)}


def ref(number: int, revision: str = "") -> JSON:
    return {
        "revision": revision or f"r{number}",
        "version": f"orders-v{number}",
        "number": number,
        "digest": DIGESTS[number],
        "templateDigest": "t",
        "since": NOW,
    }


def quarantine_entry(number: int, digest: bool = True) -> JSON:
    entry = {"revision": f"r{number}", "version": f"orders-v{number}", "number": number}
    return {**entry, **({"digest": DIGESTS[number]} if digest else {}), "reason": "worse", "by": "ada", "at": NOW}


def deployment(name: str = "orders", **status: Any) -> ModelDeployment:
    spec = {} if name == "orders" else {"trainingJobRef": {"name": "orders"}}
    return ModelDeployment.model_validate(
        {"metadata": {"name": name, "namespace": "shop"}, "spec": spec, "status": status}
    )


def quarantined(number: int, where: str = "orders") -> ModelVersion:
    raw = version(number).model_dump(by_alias=True, exclude_none=True)
    quarantine = {"reason": "worse", "by": "ada", "at": NOW, "deployment": where, "revision": "x"}
    return ModelVersion.model_validate({**raw, "status": {"phase": "Verified", "quarantine": quarantine}})


VERSIONS = [version(1), version(2), version(3)]


@pytest.mark.parametrize(
    ("versions", "deployments", "expected"),
    [
        ([], [], None),
        ([version(1, None), version(2, "Rejected"), version(3, "Held")], [], None),
        (VERSIONS, [], "orders-v3"),
        ([*VERSIONS, version(4, duplicateOf="orders-v1")], [], "orders-v4"),
        ([version(1), version(2), quarantined(3)], [], "orders-v2"),
        (VERSIONS, [deployment(live=ref(1))], "orders-v1"),
        (VERSIONS, [deployment("a", live=ref(1)), deployment(live=ref(2))], "orders-v2"),
        (VERSIONS, [deployment("b", live=ref(2)), deployment("a", live=ref(1)), deployment()], "orders-v1"),
        ([version(1, "Held"), version(2)], [deployment(live=ref(1))], "orders-v1"),
        (VERSIONS, [deployment(live=ref(2), candidate=ref(3))], "orders-v2"),
    ],
)
def test_the_champion_is_what_serves_else_what_would(
    versions: list[ModelVersion], deployments: list[ModelDeployment], expected: str | None
) -> None:
    found = champion.pick("orders", versions, deployments)
    assert (found.name if found else None) == expected


@pytest.mark.parametrize("back", [{"candidate": ref(1)}, {"lastGood": ref(1)}])
def test_while_a_rollback_is_in_flight_the_champion_is_what_it_brings_back(back: JSON) -> None:
    found = champion.pick("orders", VERSIONS, [deployment(live=ref(2), quarantine=[quarantine_entry(2)], **back)])
    assert found is not None
    assert found.name == "orders-v1"


def test_a_rolled_back_version_is_not_the_champion_though_it_still_answers_and_nothing_else_is_left() -> None:
    found = champion.pick("orders", [version(1), quarantined(2)], [deployment(live=ref(2))])
    assert found is not None
    assert found.name == "orders-v1"


def test_a_champion_whose_object_is_gone_is_still_the_champion() -> None:
    found = champion.pick("orders", [version(2)], [deployment(live=ref(1))])
    assert found == ComparedVersion("orders-v1", DIGESTS[1], None)


ATTEMPT = Attempt(number=1, job="orders-0123456789-a1", decided_at=NOW)


def job(found: ComparedVersion | None, stores: Stores = STORES) -> JSON:
    rendered = job_manifest.render(run_of(), ATTEMPT, stores, PLATFORM, found)
    assert rendered is not None
    return rendered


def config(rendered: JSON) -> JSON:
    (publish,) = rendered["spec"]["template"]["spec"]["containers"]
    env = {item["name"]: item["value"] for item in publish["env"]}
    found: JSON = json.loads(env["STEADFIT_CONFIG"].replace("$$", "$"))
    return found


HELD = {"by": "Time", "column": "at", "boundary": "2026-01-01T00:00:00Z", "fraction": 0.2}


def test_publish_is_told_what_to_compare_with_and_how_that_one_was_split() -> None:
    there = version(1, evaluation={"metrics": [], **HELD})
    found = config(job(ComparedVersion(there.name, there.spec.artifact.digest, there)))
    assert found["champion"] == {
        "version": "orders-v1",
        "artifact": {"uri": there.spec.artifact.uri, "digest": DIGESTS[1]},
        "store": found["store"],
        **HELD,
    }
    assert found["accepted"] == {"recordUri": "s3://models/records/1.json", "store": found["store"]}
    read = Config.model_validate(found)
    assert read.champion is not None
    assert (read.champion.artifact.digest, read.champion.boundary) == (DIGESTS[1], "2026-01-01T00:00:00Z")


def test_without_a_champion_publish_is_told_of_none() -> None:
    assert {"champion", "accepted"}.isdisjoint(config(job(None)))


def test_a_champion_in_another_store_brings_that_stores_keys_into_the_pod() -> None:
    there = version(1, storeRef={"name": "lake"})
    before, after = job(None), job(ComparedVersion(there.name, DIGESTS[1], version(1, storeRef={"name": "elsewhere"})))
    assert before["spec"]["template"]["spec"]["volumes"] == after["spec"]["template"]["spec"]["volumes"]
    lone = run_of(data=[{"name": "orders", "uri": "s3://models/data/", "format": "Parquet"}])
    rendered = job_manifest.render(lone, ATTEMPT, STORES, PLATFORM, ComparedVersion(there.name, DIGESTS[1], there))
    assert rendered is not None
    mounted = [mount["mountPath"] for mount in rendered["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]]
    assert "/steadfit/credentials/lake" in mounted


@pytest.mark.parametrize(
    ("there", "problem"),
    [
        (None, "no ModelVersion orders-v1 has this artifact"),
        (version(1, storeRef={"name": "gone"}), "there is no ArtifactStore gone"),
    ],
)
def test_a_champion_that_cannot_be_reached_is_named_with_the_reason_and_holds_no_run_back(
    there: ModelVersion | None, problem: str
) -> None:
    found = config(job(ComparedVersion("orders-v1", DIGESTS[1], there)))
    assert found["champion"] == {"version": "orders-v1", "artifact": {"digest": DIGESTS[1]}, "problem": problem}
    read = Config.model_validate(found)
    assert read.champion is not None
    assert read.champion.problem == problem


def creates(**observed: Any) -> list[str]:
    run = run_of(status={"attempts": [{"number": 1, "job": "orders-0123456789-a1", "decidedAt": NOW}]})
    plan = training_run.plan(observed_run(run, **observed), NOW)
    return [action.manifest["kind"] for action in plan.actions]


def test_a_run_waits_for_the_verdict_on_the_version_before_it_since_that_may_be_its_champion() -> None:
    assert creates(versions=[version(1, None)]) == []
    assert creates(versions=[version(1)]) == ["Job"]


def test_a_run_of_a_recipe_that_is_gone_does_not_wait_for_verdicts_that_nobody_gives() -> None:
    assert creates(versions=[version(1, None)], orphan=True) == ["Job"]
