"""The models that serve and have monitors, and the MetricSource of each monitor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from steadfit.api.monitor import Monitor
from steadfit.core.monitors.kind import Expression, Recorded
from steadfit.core.monitors.registry import measurement

DEFAULT_SOURCE = "default"
"""The MetricSource of every monitor over the operator's own recorded series."""


@dataclass(frozen=True, slots=True)
class LiveModel:
    """A ModelDeployment that serves, and its monitors that the operator measures."""

    namespace: str
    name: str
    version: int
    """Number of the live version; no other version is measured."""
    monitors: tuple[Monitor, ...]
    namespace_labels: Mapping[str, str]


def source_of(monitor: Monitor) -> str:
    """Return the name of the MetricSource that a monitor's value comes from."""
    source = measurement(monitor)
    match source:
        case Recorded():
            return DEFAULT_SOURCE
        case Expression():
            return source.source
        case _:
            assert_never(source)
