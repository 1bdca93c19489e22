"""The models that are watched, and through which source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from steadfit.api.monitor import Monitor

DEFAULT_SOURCE = "default"
"""The source of every monitor that does not name one: those over the operator's own recorded series."""


@dataclass(frozen=True, slots=True)
class Live:
    """A ModelDeployment that serves, and its monitors that the operator measures."""

    namespace: str
    name: str
    version: int
    """Number of the version that is live: no other one is asked for."""
    monitors: tuple[Monitor, ...]
    namespace_labels: Mapping[str, str]


def source_of(monitor: Monitor) -> str:
    """Return the name of the MetricSource that a monitor's value comes from."""
    return monitor.query.source if monitor.query else DEFAULT_SOURCE
