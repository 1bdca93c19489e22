"""What a MetricSource says of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from steadfit.api.metricsource import MetricSource
from steadfit.core.plans.metric_source import plan
from steadfit.core.types import ObservedMetricSource, SourceHealth

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def planned(health: SourceHealth, status: dict[str, Any] | None = None, generation: int = 1) -> dict[str, Any]:
    source = MetricSource.model_validate(
        {
            "metadata": {"name": "default", "uid": "u", "generation": generation},
            "spec": {"url": "http://prometheus:9090"},
            "status": status or {},
        }
    )
    return plan(ObservedMetricSource(source, health), NOW).status


def shown(status: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {one["type"]: (one["status"], one["reason"], one["message"]) for one in status["conditions"]}


@pytest.mark.parametrize(
    ("health", "ready", "beside"),
    [
        (SourceHealth(), ("False", "NotQueried", "http://prometheus:9090 was not queried yet"), "Reconciling"),
        (SourceHealth(""), ("True", "QuerySucceeded", "http://prometheus:9090 answers"), None),
        (
            SourceHealth("", warning="partial response"),
            ("True", "QuerySucceeded", "http://prometheus:9090 answers; it warns: partial response"),
            None,
        ),
        (SourceHealth("no connection", "Unreachable"), ("False", "Unreachable", "no connection"), "Reconciling"),
        (SourceHealth("link-local", "AddressRefused"), ("False", "AddressRefused", "link-local"), "Stalled"),
    ],
)
def test_readiness_follows_the_last_answer(
    health: SourceHealth, ready: tuple[str, str, str], beside: str | None
) -> None:
    conditions = shown(planned(health))
    assert conditions.pop("Ready") == ready
    assert set(conditions) == ({beside} if beside else set())


def test_a_restarted_operator_keeps_what_was_found_until_it_has_asked_itself() -> None:
    found = planned(SourceHealth("no connection"))
    assert planned(SourceHealth(), found) == found


def test_a_changed_spec_is_asked_anew() -> None:
    found = planned(SourceHealth("no connection"))
    assert shown(planned(SourceHealth(), found, generation=2))["Ready"][1] == "NotQueried"
