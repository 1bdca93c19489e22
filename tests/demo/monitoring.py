"""What Prometheus and Alertmanager say, asked as anybody would ask them."""

from __future__ import annotations

import json
import math
import os
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Alert = dict[str, Any]
TRIES = 3


@dataclass(frozen=True)
class Monitoring:
    """The cluster's Prometheus and Alertmanager, as this machine reaches them.

    Attributes
    ----------
    seen
        Every alert that was asked for, by fingerprint, as it was told last.
    """

    prometheus: str
    alertmanager: str
    seen: dict[str, Alert] = field(default_factory=dict)

    @classmethod
    def from_environment(cls) -> Monitoring:
        """Connect with what `make -s env` exports."""
        return cls(os.environ["STEADFIT_PROMETHEUS_URL"], os.environ["STEADFIT_ALERTMANAGER_URL"])

    def value(self, series: str, **labels: str) -> float | None:
        """Return the value of one series, None while there is none (or several, or not a number)."""
        return only_value(self._ask(selector(series, **labels)))

    def alerts(self, **labels: str) -> list[Alert]:
        """Return the active alerts with these labels, and remember them."""
        filters = [f'{name}="{value}"' for name, value in labels.items()]
        alerts: list[Alert] = _get(f"{self.alertmanager}/api/v2/alerts", filter=filters, active="true")
        self.seen.update({each["fingerprint"]: each for each in alerts})
        return alerts

    def _ask(self, expression: str) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = _get(f"{self.prometheus}/api/v1/query", query=expression)["data"]["result"]
        return result

    def write(self, path: Path) -> None:
        """Write the alerts that were seen, as Alertmanager told them."""
        path.write_text(json.dumps(list(self.seen.values()), indent=1))


def selector(series: str, **labels: str) -> str:
    """Return a series by its labels in PromQL."""
    return "%s{%s}" % (series, ",".join(f'{name}="{value}"' for name, value in labels.items()))  # noqa: UP031


def only_value(result: list[dict[str, Any]]) -> float | None:
    """Return the value of a vector of one, None for anything else."""
    if len(result) != 1:
        return None
    value = float(result[0]["value"][1])
    return value if math.isfinite(value) else None


def _get(url: str, **query: Any) -> Any:
    """Ask, and ask again: a busy machine may let one question in a hundred wait too long."""
    asked = f"{url}?{urllib.parse.urlencode(query, doseq=True)}"
    for _ in range(TRIES - 1):
        try:
            return _once(asked)
        except OSError:
            time.sleep(1)
    return _once(asked)


def _once(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)
