"""What the models say reaches the CRD, and what a CRD cannot say fails the build."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, WithJsonSchema
from steadfit.api.base import Model
from steadfit.api.structural import NotStructural, structural


class Leaf(Model):
    """A leaf."""

    size: int = 1
    """Its size."""
    colour: str | None = None
    """Its colour."""


class Tree(Model):
    """A tree that contains trees."""

    branches: list[Tree] = []
    """More of the same."""


class Cat(Model):
    """A cat."""

    kind: Literal["cat"]
    """Tag."""


class Dog(Model):
    """A dog."""

    kind: Literal["dog"]
    """Tag."""


def field(annotation: Any, default: Any = ...) -> dict[str, Any]:
    """The structural schema of one field of this type."""
    model = type("Holder", (BaseModel,), {"__annotations__": {"f": annotation}, "f": Field(default=default)})
    schema: dict[str, Any] = structural(model)["properties"]["f"]
    return schema


@pytest.mark.parametrize(
    ("annotation", "default", "schema"),
    [
        pytest.param(int | None, None, {"type": "integer"}, id="absent and null are the same"),
        pytest.param(
            int | str,
            "1Gi",
            {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}], "default": "1Gi"},
            id="int or string",
        ),
        pytest.param(Literal["a"], ..., {"type": "string", "enum": ["a"]}, id="a single literal is an enum"),
        pytest.param(
            Annotated[float, Field(gt=0, lt=1)],
            ...,
            {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": True},
            id="exclusive bounds are flags",
        ),
        pytest.param(
            set[int],
            ...,
            {"type": "array", "items": {"type": "integer"}, "x-kubernetes-list-type": "set"},
            id="a set",
        ),
        pytest.param(datetime, ..., {"type": "string", "format": "date-time"}, id="a time"),
        pytest.param(
            dict[str, int], ..., {"type": "object", "additionalProperties": {"type": "integer"}}, id="a map of numbers"
        ),
        pytest.param(
            dict[str, Any],
            ...,
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            id="a map of anything",
        ),
        pytest.param(Any, ..., {"x-kubernetes-preserve-unknown-fields": True}, id="anything"),
        pytest.param(
            Annotated[Any, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True, "anyOf": [{"maxItems": 1}]})],
            ...,
            {"x-kubernetes-preserve-unknown-fields": True, "anyOf": [{"maxItems": 1}]},
            id="anything within the API server's own constraints",
        ),
        pytest.param(Any, None, {"x-kubernetes-preserve-unknown-fields": True}, id="anything or nothing"),
    ],
)
def test_a_type_becomes_its_structural_form(annotation: Any, default: Any, schema: dict[str, Any]) -> None:
    assert field(annotation, default) == schema


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        pytest.param(int | float, "a union", id="union of scalars"),
        pytest.param(Leaf | Cat, "a union", id="union of models"),
        pytest.param(
            Annotated[Cat | Dog, Field(discriminator="kind")], "discriminator|oneOf", id="discriminated union"
        ),
        pytest.param(tuple[int, str], "prefixItems|tuple", id="tuple"),
        pytest.param(
            dict[Annotated[str, Field(pattern="^a")], int], "patternProperties|propertyNames", id="pattern on keys"
        ),
        pytest.param(Annotated[str, Field(pattern="^a")], None, id="a pattern in RE2 is fine"),
        pytest.param(Annotated[str, WithJsonSchema({"type": "string", "pattern": "^(?!a)b"})], "RE2", id="look-ahead"),
        pytest.param(Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^(a)\1$"})], "RE2", id="back-ref"),
        pytest.param(Literal["a", 1], "several types", id="values of several types"),
        pytest.param(list[Tree], "contains itself", id="recursion"),
    ],
)
def test_what_cannot_be_expressed_fails_and_names_the_field(annotation: Any, reason: str | None) -> None:
    if reason is None:
        field(annotation)
        return
    with pytest.raises(NotStructural, match=rf"^\$\.f.*({reason})"):
        field(annotation)


def test_a_computed_default_is_refused_because_the_api_server_could_not_fill_it_in() -> None:
    class Holder(BaseModel):
        names: list[str] = Field(default_factory=list)

    with pytest.raises(NotStructural, match=r"names: the default is computed"):
        structural(Holder)


def test_the_default_of_an_object_names_only_what_its_fields_do_not_default_to() -> None:
    class Holder(Model):
        same: Leaf = Leaf()
        other: Leaf = Leaf(size=2)

    properties = structural(Holder)["properties"]
    assert properties["same"]["default"] == {}
    assert properties["other"]["default"] == {"size": 2}


def test_the_default_of_a_list_of_objects_names_no_more_and_no_absent_fields() -> None:
    class Choice(Model):
        one: Leaf | None = None
        other: Leaf | None = None

    class Holder(Model):
        choices: list[Choice] = [Choice(one=Leaf()), Choice(other=Leaf(size=2))]

    assert structural(Holder)["properties"]["choices"]["default"] == [{"one": {}}, {"other": {"size": 2}}]


def test_fields_are_named_as_on_the_wire_also_in_defaults() -> None:
    class Inner(Model):
        max_size: int = 1

    class Holder(Model):
        inner_part: Inner = Inner(max_size=3)

    assert structural(Holder)["properties"]["innerPart"]["default"] == {"maxSize": 3}


def test_the_description_of_a_field_wins_over_the_one_of_its_type() -> None:
    class Holder(Model):
        leaf: Leaf
        """The newest leaf."""
        other: Leaf | None = None
        """Perhaps another."""

    properties = structural(Holder)["properties"]
    assert properties["leaf"]["description"] == "The newest leaf."
    assert properties["other"]["description"] == "Perhaps another."


def test_rules_of_a_type_reach_each_field_that_uses_it() -> None:
    rule = {"rule": "self != 'x'", "message": "must not be x"}
    name = Annotated[str, Field(json_schema_extra={"x-kubernetes-validations": [rule]})]
    assert field(name | None, None)["x-kubernetes-validations"] == [rule]
    assert field(list[name])["items"]["x-kubernetes-validations"] == [rule]
