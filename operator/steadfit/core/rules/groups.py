"""From ModelDeployments to the rules that Prometheus evaluates.

Recording rules come once for each declared window and serve all models; alerting rules come once for each monitor.
Both follow from the specs alone, so that nothing has to be told to Prometheus when a version goes live.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.monitor import Monitor

from .alerts import alerts, frozen
from .drift import drift
from .promql import Rule, duration
from .quality import quality
from .serving import serving, takes_traffic

ROLLS_BACK = frozenset({"Rollback", "Recover"})
"""Actions of monitors that may put a version back."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates one after the other.

    Attributes
    ----------
    model
        `namespace/name` of the ModelDeployment whose alerts these are; None for recording rules.
    """

    name: str
    rules: tuple[Rule, ...]
    model: str | None = None


def rule_groups(deployments: Iterable[ModelDeployment]) -> list[Group]:
    """Return all groups: recording rules, then alerts by namespace and name, then the one of the operator's own."""
    watched = sorted(
        (deployment for deployment in deployments if deployment.spec.monitors),
        key=lambda deployment: (deployment.metadata.namespace or "", deployment.name),
    )
    groups = [Group("steadfit:traffic", (takes_traffic(),))] if watched else []
    groups += [_recording(window, monitors) for window, monitors in sorted(_by_window(watched).items())]
    for deployment in watched:
        model = f"{deployment.metadata.namespace}/{deployment.name}"
        groups.append(Group(f"steadfit:{model}", tuple(alerts(deployment)), model))
    if any(monitor.action in ROLLS_BACK for deployment in watched for monitor in deployment.spec.monitors):
        groups.append(Group("steadfit:rollbacks", (frozen(),)))
    return groups


def _by_window(deployments: Iterable[ModelDeployment]) -> dict[str, list[Monitor]]:
    """Return the monitors by their windows; the one of a query is written in its expression."""
    windows = defaultdict(list)
    for deployment in deployments:
        for monitor in deployment.spec.monitors:
            if not monitor.query:
                windows[monitor.window].append(monitor)
    return windows


def _recording(window: str, monitors: Iterable[Monitor]) -> Group:
    period = duration(window)
    quantiles = [monitor.latency.quantile for monitor in monitors if monitor.latency]
    rules = (*serving(window, period, quantiles), *drift(window, period), *quality(window, period))
    return Group(f"steadfit:{window}", rules)
