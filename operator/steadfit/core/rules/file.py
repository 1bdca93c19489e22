"""The rule file, and the groups that it leaves out when it would not fit into one object.

The API server stores objects of about 1 MiB. Recording rules and the alerts of most models matter more than those of a
few models with very many monitors: the largest groups are left out first, of equal ones the last by name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from steadfit.core.promql import seconds

from .groups import Group

MAX_BYTES = 900_000


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The rule file that is published.

    Attributes
    ----------
    refused
        The models whose alerts do not fit, as `namespace/name`.
    """

    groups: tuple[Group, ...]
    interval: str
    refused: tuple[str, ...] = ()

    @property
    def rules(self) -> int:
        """The number of rules."""
        return sum(len(group.rules) for group in self.groups)

    @property
    def text(self) -> str:
        """The file: YAML written as JSON, a rule a line. It is ASCII, so its length is its size."""
        if not self.groups:
            return '{"groups": []}\n'
        return '{"groups": [\n' + ",\n".join(_text(group, self.interval) for group in self.groups) + "\n]}\n"

    @property
    def spec(self) -> dict[str, Any]:
        """The spec of a PrometheusRule with the same rules."""
        return {"groups": [{**_head(group, self.interval), "rules": list(group.rules)} for group in self.groups]}


def rule_file(groups: Sequence[Group], interval_seconds: float, limit: int = MAX_BYTES) -> RuleFile:
    """Return the file of at most `limit` bytes."""
    interval = seconds(interval_seconds)
    sizes = {group.name: len(_text(group, interval)) + 2 for group in groups}
    excess = len(RuleFile(tuple(groups), interval).text) - limit
    refused: set[str] = set()
    by_name = sorted((group for group in groups if group.model is not None), key=lambda group: group.name, reverse=True)
    for group in sorted(by_name, key=lambda group: sizes[group.name], reverse=True):
        if excess <= 0:
            break
        refused.add(group.name)
        excess -= sizes[group.name]
    kept = tuple(group for group in groups if group.name not in refused)
    return RuleFile(kept, interval, tuple(sorted(group.model or "" for group in groups if group.name in refused)))


def _head(group: Group, interval: str) -> dict[str, Any]:
    return {"name": group.name, "interval": interval}


def _text(group: Group, interval: str) -> str:
    head = json.dumps(_head(group, interval))[:-1]
    return head + ', "rules": [\n' + ",\n".join(json.dumps(rule) for rule in group.rules) + "\n]}"
