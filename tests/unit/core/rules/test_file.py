"""What is published: one set of recording rules a window, one alert a monitor, never more than an object can hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from steadfit.core.promql import duration, number, one_of, string
from steadfit.core.rules.file import RuleFile, rule_file
from steadfit.core.rules.groups import rule_groups

from tests.support.promtool import promtool
from tests.unit.core.rules.rising_counters import deployment, drift

ERRORS = {"name": "errors", "errorRate": {"max": 0.1}}


def published(*deployments: Any, limit: int = 900_000) -> RuleFile:
    return rule_file(rule_groups(deployments), 30, limit)


def test_without_monitors_the_file_is_valid_and_empty(tmp_path: Path) -> None:
    text = published(deployment()).text
    assert yaml.safe_load(text) == {"groups": []}
    (tmp_path / "rules.yml").write_text(text)
    promtool("check", "rules", "rules.yml", cwd=tmp_path)


def test_recording_rules_come_once_for_each_window_however_many_models_declare_it() -> None:
    file = published(
        deployment(ERRORS, name="a"), deployment(ERRORS, drift(window="1h"), name="b"), deployment(name="c")
    )
    names = [group.name for group in file.groups]
    assert names == ["steadfit:traffic", "steadfit:10m", "steadfit:1h", "steadfit:ns/a", "steadfit:ns/b"]


def test_the_window_of_a_query_is_in_its_expression_so_it_declares_none() -> None:
    file = published(deployment({"name": "q", "query": {"promQL": "vector(1)", "max": 1}}))
    assert [group.name for group in file.groups] == ["steadfit:traffic", "steadfit:ns/flights"]


def test_the_expression_of_a_query_monitor_is_never_part_of_a_rule() -> None:
    text = published(deployment({"name": "q", "query": {"promQL": 'sum(secret{namespace="other"}', "max": 1}})).text
    assert "secret" not in text


def test_the_text_is_the_spec_in_yaml_and_the_order_of_objects_does_not_change_it() -> None:
    one, two = deployment(ERRORS, drift(features=["é", "x"]), name="a"), deployment(ERRORS, name="b")
    file = published(one, two)
    assert yaml.safe_load(file.text) == file.spec
    assert file.text.isascii()
    assert published(two, one).text == file.text
    assert {group["interval"] for group in file.spec["groups"]} == {"30s"}


@pytest.mark.parametrize("kept", [["a", "b", "large"], ["a", "b"], ["a"], []])
def test_what_does_not_fit_is_left_out_by_model_the_largest_first_and_of_equals_the_last(kept: list[str]) -> None:
    large = [{**ERRORS, "name": f"errors-{number}"} for number in range(5)]
    models = {
        "a": deployment(ERRORS, name="a"),
        "b": deployment(ERRORS, name="b"),
        "large": deployment(*large, name="large"),
    }
    groups = rule_groups(models.values())
    wanted = [group for group in groups if group.model is None or group.model.removeprefix("ns/") in kept]
    room = len(rule_file(wanted, 30).text)
    file = rule_file(groups, 30, room)
    assert file.groups == tuple(wanted)
    assert list(file.refused) == [f"ns/{name}" for name in models if name not in kept]
    if kept:
        assert rule_file(groups, 30, room - 1).groups != file.groups


def test_eight_hundred_alerts_fit() -> None:
    assert not published(*(deployment(ERRORS, name=f"model-{n:04}") for n in range(800))).refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1h", "3600s"), ("1h30m", "5400s"), ("30m1h", "5400s"), ("1.5h", "5400s"), ("90s", "90s"), ("1500ms", "1500ms")],
)
def test_durations_are_written_as_promql_reads_them(text: str, expected: str) -> None:
    assert duration(text) == expected


def test_a_window_below_a_millisecond_is_not_zero_which_prometheus_refuses() -> None:
    assert duration("0.01ms") == "1ms"


@pytest.mark.parametrize(
    ("value", "text"), [(0.99, "0.99"), (500.0, "500"), (1e-07, "1e-07"), (-0.25, "-0.25"), (0.2 - 0.02, "0.18")]
)
def test_numbers_are_written_as_people_write_them(value: float, text: str) -> None:
    assert number(value) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_ends_a_string_or_leaves_ascii(text: str) -> None:
    literal = string(text)
    assert literal.isascii()
    assert literal.isprintable()
    inner = literal[1:-1].replace("\\\\", "").replace('\\"', "")
    assert '"' not in inner


def test_several_values_are_alternatives_that_mean_nothing_but_themselves() -> None:
    assert one_of(["a"]) == '="a"'
    assert one_of(["a.b", "c|d"]) == '=~"a\\\\.b|c\\\\|d"'


@pytest.mark.parametrize("name", ["\x00\x7f\u0085\u2028\ufeff", 'x"} or vector(1) #', "\\", "\U0001f6eb", "a\nb"])
def test_prometheus_reads_a_file_with_a_feature_of_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "rules.yml").write_text(
        published(deployment(drift(features=[name, "y"]), drift("d", features=[name]))).text
    )
    promtool("check", "rules", "rules.yml", cwd=tmp_path)


def test_a_feature_that_is_no_text_takes_no_rules_with_it(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(published(deployment(drift(features=[1, {"a": None}]))).text)
    promtool("check", "rules", "rules.yml", cwd=tmp_path)
