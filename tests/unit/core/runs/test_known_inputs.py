"""Which versions a run need not train again, and that the trainer computes the digest of their data alike."""

from __future__ import annotations

import json

from steadfit.api.modelversion import DataRecord, ModelVersion
from steadfit.api.trainingrun import TrainingRun
from steadfit.core.runs import known_inputs
from steadfit.core.runs.champion import ComparedVersion
from steadfit_trainer.data.objects import digest_of

from tests.unit.core.training.builders import training_run, version


def known(run: TrainingRun, versions: list[ModelVersion], champion: ModelVersion | None = None) -> list[str]:
    compared = ComparedVersion(champion.name, champion.spec.artifact.digest, champion) if champion else None
    return [name for name, _ in known_inputs.candidates(run, versions, compared)]


def of_recipe(number: int, input_hash: str) -> ModelVersion:
    found = version(number)
    lineage = found.spec.lineage.model_copy(update={"input_hash": input_hash})
    return found.model_copy(update={"spec": found.spec.model_copy(update={"lineage": lineage})})


def caused_by(cause: str) -> TrainingRun:
    run = training_run()
    spec = run.spec
    changed = spec.cause.model_copy(update={"type": cause})
    return run.model_copy(update={"spec": spec.model_copy(update={"cause": changed, "input_hash": "mine"})})


def test_versions_of_the_recipe_are_known_newest_first() -> None:
    versions = [of_recipe(1, "mine"), of_recipe(2, "mine")]
    assert known(caused_by("Alert"), versions) == [versions[1].name, versions[0].name]


def test_a_person_who_retrains_wants_a_training() -> None:
    assert known(caused_by("Action"), [of_recipe(1, "mine")]) == []


def test_a_version_that_another_recipe_followed_is_known_only_while_it_serves() -> None:
    old, new = of_recipe(1, "mine"), of_recipe(2, "other")
    assert known(caused_by("SpecChange"), [old, new], new) == []
    assert known(caused_by("SpecChange"), [old, new], old) == [old.name]


def test_data_that_a_serving_version_followed_are_trained_again_so_that_a_mended_feed_brings_back_its_model() -> None:
    good, bad = of_recipe(1, "mine"), of_recipe(2, "mine")
    assert known(caused_by("Schedule"), [good, bad], bad) == [bad.name]
    assert known(caused_by("Schedule"), [good, bad], good) == [bad.name, good.name], "a rejected one is known"


def test_operator_and_trainer_compute_the_same_digest_in_any_order() -> None:
    sources = [("rows", "sha256:" + "a" * 64), ("live", "sha256:" + "b" * 64)]
    records = [DataRecord(name=name, uri="s3://lake/", digest=digest) for name, digest in sources]
    assert known_inputs.digest(records) == digest_of(sources) == digest_of(sources[::-1])


def test_the_prefix_is_that_of_the_trainers_message() -> None:
    from steadfit_trainer.failures import InputsKnown

    assert InputsKnown.exit_code == known_inputs.EXIT_CODE
    assert json.dumps(f"{InputsKnown.failure_class}: x") == '"Known: x"'
