"""Margins: what a field may hold, and what it comes to."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from steadfit.api.data import ChampionComparison
from steadfit.api.kinds import DEFINITIONS
from steadfit.api.margin import Margin
from steadfit.api.strategy import ErrorRateComparison, LatencyComparison, QualityComparison
from steadfit.api.structural import structural

AMOUNTS = st.floats(0, 999, allow_nan=False).map(lambda amount: round(amount, 6))
REFERENCES = st.floats(-1e9, 1e9, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "margin"),
    [
        (0.005, Margin(0.005)),
        (0, Margin(0.0)),
        (250, Margin(250.0)),
        ("5%", Margin(5.0, relative=True)),
        ("0%", Margin(0.0, relative=True)),
        ("12.5%", Margin(12.5, relative=True)),
        ("200%", Margin(200.0, relative=True)),
        ("0.000001%", Margin(1e-06, relative=True)),
    ],
)
def test_a_margin_is_a_number_or_a_percentage(value: object, margin: Margin) -> None:
    read = ChampionComparison.model_validate({"margin": value})
    assert read.margin == margin
    assert read.dump() == {"margin": value}


@pytest.mark.parametrize(
    "value",
    [
        -0.1,
        "-5%",
        "5",
        "5 %",
        "5%%",
        "%",
        "",
        "five%",
        "1000%",
        "1e2%",
        ".5%",
        "5%\n",
        True,
        None,
        [],
        {},
        float("nan"),
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match=r"is no margin: a number such as 0\.005, or a percentage such as 5%"):
        ChampionComparison.model_validate({"margin": value})


def test_the_defaults_are_what_they_were() -> None:
    assert ChampionComparison().dump() == {"margin": 0.005}
    assert ErrorRateComparison().dump() == {}
    assert LatencyComparison().dump() == {"max": "250ms", "margin": 0.05}
    assert QualityComparison(metric="mae").dump() == {"metric": "mae", "margin": 0.02}


@given(AMOUNTS, REFERENCES)
def test_a_percentage_is_that_part_of_the_references_size(amount: float, reference: float) -> None:
    margin = Margin.parse(f"{amount:.6f}%")
    assert margin.of(reference) == pytest.approx(amount * abs(reference) / 100)
    assert margin.of(reference) == margin.of(-reference) >= 0


@given(AMOUNTS, REFERENCES)
def test_a_number_is_the_same_whatever_the_reference(amount: float, reference: float) -> None:
    assert Margin.parse(amount).of(reference) == amount


@given(AMOUNTS)
def test_a_percentage_of_nothing_is_nothing(amount: float) -> None:
    assert Margin(amount, relative=True).of(0) == 0


@given(AMOUNTS, st.booleans())
def test_what_is_written_reads_the_same(amount: float, relative: bool) -> None:
    margin = Margin(amount, relative)
    assert Margin.parse(margin.written()) == margin


def test_a_message_names_what_was_asked_and_what_it_comes_to() -> None:
    assert Margin.parse(0.005).text(0.7) == "0.005"
    assert Margin.parse("5%").text(0.7) == "5% = 0.035"
    assert Margin.parse("2.5%").text(-4000) == "2.5% = 100"


def published(model: Any) -> dict[str, Any]:
    field: dict[str, Any] = structural(model)["properties"]["margin"]
    return field


def test_the_schema_of_a_margin_has_no_type_and_bounds_each_type_by_itself() -> None:
    schema = published(ChampionComparison)
    assert "type" not in schema
    assert schema["x-kubernetes-preserve-unknown-fields"] is True
    assert (schema["minimum"], schema["default"]) == (0, 0.005)
    (neither,) = schema["allOf"]
    # No list and no object is both empty and not empty; a boolean is excluded by name.
    assert neither["minItems"] > neither["maxItems"]
    assert neither["minProperties"] > neither["maxProperties"]
    assert neither["not"] == {"enum": [True, False]}


@pytest.mark.parametrize(
    ("model", "bounds"),
    [
        (ChampionComparison, {"minimum": 0}),
        (ErrorRateComparison, {"minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": True}),
        (LatencyComparison, {"minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": True}),
        (QualityComparison, {"minimum": 0, "exclusiveMinimum": True}),
    ],
)
def test_numbers_are_bounded_by_what_is_compared(model: Any, bounds: dict[str, Any]) -> None:
    assert {key: value for key, value in published(model).items() if "imum" in key.lower()} == bounds


@given(st.text(alphabet="0123456789.%- e", max_size=8))
def test_the_api_server_admits_the_texts_that_the_operator_reads(text: str) -> None:
    admitted = re.search(published(ChampionComparison)["pattern"], text) is not None
    try:
        Margin.parse(text)
    except ValueError:
        assert not admitted
    else:
        assert admitted


def admits(model: Any, text: str) -> bool:
    schema = published(model)
    patterns = [part["pattern"] for part in (schema, *schema["allOf"]) if "pattern" in part]
    return all(re.search(pattern, text) for pattern in patterns)


@pytest.mark.parametrize("model", [ErrorRateComparison, LatencyComparison, QualityComparison])
@given(st.text(alphabet="0123456789.%", max_size=8) | st.sampled_from(["0%", "00%", "0.0%", "000.000000%"]))
def test_a_percentage_of_zero_is_refused_where_a_number_must_be_above_zero(model: Any, text: str) -> None:
    try:
        above_zero = Margin.parse(text).amount > 0
    except ValueError:
        above_zero = False
    assert admits(model, text) == above_zero


def test_a_percentage_of_zero_is_admitted_where_a_number_may_be_zero() -> None:
    assert admits(ChampionComparison, "0%")


def test_no_rule_reads_a_margin_which_cel_cannot_see() -> None:
    def rules(schema: dict[str, Any]) -> list[str]:
        own = [rule["rule"] for rule in schema.get("x-kubernetes-validations", ())]
        below = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
        return own + [rule for child in below for rule in rules(child)]

    for definition in DEFINITIONS:
        assert not [rule for rule in rules(structural(definition.model)) if "margin" in rule.lower()]
