"""Which fields of a recipe are inputs follows from the models, for every field that they have or will have."""

from __future__ import annotations

import copy
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from steadfit.api.base import NOT_AN_INPUT, Model
from steadfit.api.run import Cause
from steadfit.api.runinputs import RunInputs
from steadfit.api.structural import structural
from steadfit.api.trainingjob import ActiveRun, TrainingJob, TrainingJobSpec
from steadfit.api.trainingrun import TrainingRunSpec
from steadfit.core.input_hash import changed, input_hash
from steadfit.core.training import run_manifest

from tests.unit.core.schema_values import Schema, filled, values

SCHEMA = structural(TrainingJobSpec)
EVERY_FIELD = filled(SCHEMA)


class SpecField(NamedTuple):
    """A field of TrainingJob.spec or below: its path on the wire, with `[]` for the entry of a list, and its schema."""

    path: tuple[str, ...]
    schema: Schema
    required: bool
    is_input: bool

    def edit(self, value: Any) -> TrainingJobSpec:
        """Return a spec that has every field, and this one with a value; None = without it."""
        spec = copy.deepcopy(EVERY_FIELD)
        *parents, name = self.path
        parent = spec
        for step in parents:
            parent = parent[0] if step == "[]" else parent[step]
        parent[name] = value
        if value is None:
            del parent[name]
        return TrainingJobSpec.model_validate(spec)


def fields(model: type[Model], schema: Schema, path: tuple[str, ...], is_input: bool) -> Iterator[SpecField]:
    for name, info in model.model_fields.items():
        wire = info.alias or name
        declared = (
            model is not TrainingJobSpec or name in RunInputs.model_fields
        ) and NOT_AN_INPUT not in info.metadata
        field = SpecField((*path, wire), schema["properties"][wire], info.is_required(), is_input and declared)
        yield field
        below = nested(info.annotation)
        if below is not None and field.schema["type"] == "array":
            yield from fields(below, field.schema["items"], (*field.path, "[]"), field.is_input)
        elif below is not None:
            yield from fields(below, field.schema, field.path, field.is_input)


def nested(annotation: Any) -> type[Model] | None:
    """Return the model of a field's value or of its entries."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return next((found for found in map(nested, get_args(annotation)) if found is not None), None)


FIELDS = list(fields(TrainingJobSpec, SCHEMA, (), is_input=True))
OPTIONAL = [field for field in FIELDS if not field.required]
# A model has no value of its own: its fields are looked at one by one.
INPUT_NAMES = {info.alias or name for name, info in RunInputs.model_fields.items()}
# A part below a field that is no input is none either; of a list the entries stand between.
SEEN = {(path, field.is_input) for field in FIELDS for path in (field.path, (*field.path, "[]"))}
PLAIN = [field for field in FIELDS if "properties" not in field.schema]


def each(chosen: list[SpecField]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("field", chosen, ids=lambda field: ".".join(field.path))


def job(spec: TrainingJobSpec) -> TrainingJob:
    metadata = {"name": "orders", "namespace": "shop", "uid": "job-uid"}
    return TrainingJob.model_validate({"metadata": metadata, "spec": spec})


def run_of(spec: TrainingJobSpec) -> TrainingRunSpec:
    cause = Cause(type="SpecChange", key="k")
    active = ActiveRun(name="orders-1", cause=cause, input_hash=input_hash(spec))
    return TrainingRunSpec.model_validate(run_manifest.render(job(spec), active)["spec"])


@each(PLAIN)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_another_value_of_an_input_and_of_nothing_else_is_another_hash(field: SpecField, data: st.DataObject) -> None:
    specs = values(field.schema).map(field.edit)
    before, after = data.draw(specs), data.draw(specs)
    assume(before != after)
    assert (input_hash(before) != input_hash(after)) == field.is_input
    # Of `evaluation` only a part is an input, so the part is named.
    named = ".".join(field.path[:2]) if field.path[0] == "evaluation" else field.path[0]
    assert changed(before, after) == ([named] if field.is_input else [])


def test_what_is_no_input_gives_the_training_container_neither_other_rows_nor_other_parameters() -> None:
    # A list by hand: the mark alone can be wrong. These say where a run runs, how long it may take, and how its result
    # is judged; whatever decides about the rows, the model or its artifact is an input.
    marked = [field for field in FIELDS if field.path[0] in INPUT_NAMES and not field.is_input]
    outermost = {".".join(field.path) for field in marked if (field.path[:-1], False) not in SEEN}
    assert outermost == {
        "pod",
        "storeRef",
        "limits",
        "evaluation.metrics",
        "evaluation.champion",
        "evaluation.bootstrap",
    }


@each(OPTIONAL)
def test_an_input_that_is_left_out_is_another_hash(field: SpecField) -> None:
    before, after = TrainingJobSpec.model_validate(EVERY_FIELD), field.edit(None)
    assert before != after
    assert (input_hash(before) != input_hash(after)) == field.is_input


@pytest.mark.parametrize("name", RunInputs.model_fields)
def test_every_field_of_the_run_inputs_reaches_the_run(name: str) -> None:
    spec = TrainingJobSpec.model_validate(EVERY_FIELD)
    assert getattr(spec, name) != RunInputs.model_fields[name].get_default()
    assert getattr(run_of(spec), name) == getattr(spec, name)


def test_a_run_has_the_hash_of_the_recipe_that_it_was_made_from() -> None:
    spec = TrainingJobSpec.model_validate(EVERY_FIELD)
    assert run_of(spec).input_hash == input_hash(run_of(spec)) == input_hash(spec)


def test_a_field_that_is_added_to_the_run_inputs_reaches_hash_and_run_without_another_edit() -> None:
    # In a process of its own: the field has to be there before the specs are defined.
    added = """
        from steadfit.api import runinputs

        class RunInputs(runinputs.RunInputs):
            tomorrow: str = ""

        runinputs.RunInputs = RunInputs
        from tests.unit.core.test_run_inputs import EVERY_FIELD, TrainingJobSpec, changed, run_of

        assert EVERY_FIELD["tomorrow"] == "other"
        before, after = (TrainingJobSpec.model_validate({**EVERY_FIELD, "tomorrow": day}) for day in ("", "rain"))
        assert changed(before, after) == ["tomorrow"]
        assert run_of(after).tomorrow == "rain"
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(added)], check=True, timeout=120)
