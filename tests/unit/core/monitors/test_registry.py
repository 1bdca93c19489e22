"""Every kind of monitor has its module, and no monitor is taken for another kind."""

from __future__ import annotations

from typing import get_type_hints

import pytest
from steadfit.api.monitor import KINDS as API_KINDS
from steadfit.api.monitor import Monitor, MonitorKind, kinds_of
from steadfit.core.monitors.kind import Kind
from steadfit.core.monitors.registry import KINDS, complete, kind_of

FUNCTIONS = sorted(name for name in vars(Kind) if not name.startswith("_") and callable(getattr(Kind, name)))


class Humidity(MonitorKind):
    ACTIONS = ("Alert",)
    WHY = "nobody makes rain"


class WithHumidity(Monitor):
    humidity: Humidity | None = None


def test_a_kind_of_the_api_without_a_module_ends_the_operator_at_start_up() -> None:
    with pytest.raises(TypeError, match="humidity"):
        complete(KINDS, kinds_of(WithHumidity))


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
