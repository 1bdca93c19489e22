"""The condition MetricsAvailable after a restart, while nothing is measured yet."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from steadfit.api.base import Condition
from steadfit.api.monitor import MonitorState
from steadfit.core.monitors.condition import conditions
from steadfit.core.monitors.evaluation import MonitorResult

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("NoSeries", "NoSeries"), ("Rejected", "NotMeasured"), ("OfAnotherOperator", "NotMeasured")],
)
def test_after_a_restart_only_a_stored_reason_of_this_condition_is_shown(stored: str, shown: str) -> None:
    before = Condition(type="MetricsAvailable", status="False", reason=stored, last_transition_time=NOW)
    (found,) = conditions([MonitorResult(MonitorState(name="auc", phase="NoData", since=NOW))], [before])
    assert found.reason == shown
