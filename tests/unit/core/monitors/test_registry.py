"""Every kind of monitor has its module, and no monitor is taken for another kind."""

from __future__ import annotations

from typing import Annotated, get_type_hints

import pytest
from pydantic import Field
from steadfit.api.base import Model
from steadfit.api.monitor import KINDS as API_KINDS
from steadfit.api.monitor import Monitor, MonitorKind, kinds_of
from steadfit.core.monitors.kind import Kind
from steadfit.core.monitors.kinds import error_rate
from steadfit.core.monitors.registry import KINDS, RECOVER_KINDS, complete, kind_of, recover_metric, recoverable

FUNCTIONS = sorted(name for name in vars(Kind) if not name.startswith("_") and callable(getattr(Kind, name)))


class Humidity(MonitorKind):
    ACTIONS = ("Alert",)
    ACTIONS_NOTE = "nobody makes rain"


class WithHumidity(Monitor):
    humidity: Humidity | None = None


def test_a_kind_of_the_api_without_a_module_ends_the_operator_at_start_up() -> None:
    with pytest.raises(TypeError, match="humidity"):
        complete(KINDS, kinds_of(WithHumidity))


class InAnotherType(Monitor):
    humidity: Annotated[Humidity, Field(description="x")] | None = None


class InAList(Monitor):
    humidity: list[Humidity] | None = None


class Always(Monitor):
    humidity: Humidity = Humidity()


class NoKind(Monitor):
    humidity: Model | None = None


@pytest.mark.parametrize("monitor", [InAnotherType, InAList, Always, NoKind])
def test_a_kind_that_is_declared_in_an_unusual_way_ends_the_operator_at_start_up(monitor: type[Monitor]) -> None:
    with pytest.raises(TypeError, match="the kind humidity of a monitor is declared as <MonitorKind>"):
        kinds_of(monitor)


def test_a_module_without_a_field_of_the_api_ends_the_operator_at_start_up() -> None:
    with pytest.raises(TypeError, match="latency"):
        complete(KINDS, API_KINDS.keys() - {"latency"})


def test_a_new_kind_of_the_api_is_part_of_its_cel_rules() -> None:
    rules = WithHumidity.model_json_schema()["x-kubernetes-validations"]
    assert "has(self.humidity)" in rules[0]["rule"]
    assert rules[0]["message"].endswith("query or humidity")
    assert rules[-1]["rule"] == "!has(self.humidity) || self.action in ['Alert']"


def test_a_monitor_without_a_kind_is_refused_and_not_taken_for_a_query() -> None:
    with pytest.raises(ValueError, match="monitor m has no kind"):
        kind_of(Monitor(name="m"))


@pytest.mark.parametrize("field", KINDS)
def test_the_functions_of_a_kind_take_its_model_of_the_api(field: str) -> None:
    for name in FUNCTIONS:
        hints = get_type_hints(getattr(KINDS[field], name))
        first = next(iter(hints.values()))
        assert API_KINDS[field] in (first, *getattr(first, "__args__", ())), name


class RecoveringHumidity(MonitorKind):
    ACTIONS = ("Alert", "Recover")
    ACTIONS_NOTE = "nobody makes rain"


def test_a_kind_that_allows_recover_without_a_metric_for_it_ends_the_operator_at_start_up() -> None:
    with pytest.raises(TypeError, match="humidity allows Recover, and its module has no function recover_metric"):
        recoverable({**KINDS, "humidity": error_rate}, {**API_KINDS, "humidity": RecoveringHumidity})


def test_a_recover_monitor_of_quality_scores_the_versions_by_its_own_metric() -> None:
    monitor = Monitor.model_validate({"name": "m", "quality": {"metric": "mae", "max": 3}, "action": "Recover"})
    assert recover_metric(monitor) == "mae"


@pytest.mark.parametrize("field", RECOVER_KINDS)
def test_the_recover_metric_of_a_kind_takes_its_model_of_the_api(field: str) -> None:
    hints = get_type_hints(RECOVER_KINDS[field].recover_metric)
    assert list(hints.values()) == [API_KINDS[field], str]


def test_the_description_of_min_samples_names_the_default_of_each_kind() -> None:
    text = Monitor.model_json_schema()["properties"]["minSamples"]["description"]
    defaults = text.split(": ")[1].split(" when absent")[0]
    described = {
        name: int(part.rsplit(" ", 1)[1])
        for part in defaults.split(", ")
        for name in part.rsplit(" ", 1)[0].split(" and ")
    }
    others = described.pop("others")
    assert {field: described.pop(field, others) for field in KINDS} == {
        field: kind.MIN_SAMPLES for field, kind in KINDS.items()
    }
    assert not described, "the description names kinds that do not exist"
