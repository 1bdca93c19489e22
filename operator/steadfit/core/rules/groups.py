"""The groups of rules that Prometheus evaluates, from the ModelDeployments.

Each declared window has one group of recording rules for all models; each ModelDeployment has one group of alerts.
Both follow from the specs alone, so that a change of the live version changes no rule. The exception is a monitor whose
level is relative to the gate's score of the live version.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.monitor import Monitor
from steadfit.core.monitors.kind import Recorded
from steadfit.core.monitors.registry import KINDS, measurement
from steadfit.core.promql import Rule, duration

from .alerts import alerts, frozen
from .traffic import takes_traffic

ROLLS_BACK = frozenset({"Rollback", "Recover"})
"""Actions of monitors that may roll a version back."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates one after the other.

    Attributes
    ----------
    model
        `namespace/name` of the ModelDeployment whose alerts these are; None for all other rules.
    """

    name: str
    rules: tuple[Rule, ...]
    model: str | None = None


def rule_groups(deployments: Iterable[ModelDeployment]) -> list[Group]:
    """Return all groups: recording rules, then alerts by namespace and name, then the alert for frozen rollbacks."""
    monitored = sorted(
        (deployment for deployment in deployments if deployment.spec.monitors),
        key=lambda deployment: (deployment.metadata.namespace or "", deployment.name),
    )
    groups = [Group("steadfit:traffic", (takes_traffic(),))] if monitored else []
    groups += [_recording(window, monitors) for window, monitors in sorted(_by_window(monitored).items())]
    for deployment in monitored:
        model = f"{deployment.metadata.namespace}/{deployment.name}"
        groups.append(Group(f"steadfit:{model}", tuple(alerts(deployment)), model))
    if any(monitor.action in ROLLS_BACK for deployment in monitored for monitor in deployment.spec.monitors):
        groups.append(Group("steadfit:rollbacks", (frozen(),)))
    return groups


def _by_window(deployments: Iterable[ModelDeployment]) -> dict[str, list[Monitor]]:
    """Return the monitors over recorded series by their windows; an expression contains its own window."""
    windows = defaultdict(list)
    for deployment in deployments:
        for monitor in deployment.spec.monitors:
            if isinstance(measurement(monitor), Recorded):
                windows[monitor.window].append(monitor)
    return windows


def _recording(window: str, monitors: Sequence[Monitor]) -> Group:
    """Return the recording rules of all kinds over one window; a rule that several kinds need stands once."""
    period = duration(window)
    rules: list[Rule] = []
    for field, kind in KINDS.items():
        specs = [monitor.kind_spec for monitor in monitors if monitor.kind == field]
        rules += [rule for rule in kind.recording_rules(specs, window, period) if rule not in rules]
    return Group(f"steadfit:{window}", tuple(rules))
