"""Every series has one name, in one place on each side, and the rules read what the servers export."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from steadfit.core.series import OperatorSeries, RecordedSeries, ServerSeries
from steadfit.prometheus import canary_queries
from steadfit_server.telemetry import metrics
from steadfit_server.telemetry.series import Series

ROOT = Path(__file__).parents[3]
SIDES = {
    ROOT / "operator/steadfit": [*ServerSeries, *RecordedSeries, *OperatorSeries],
    ROOT / "images/server/steadfit_server": [*Series],
}
_NAME = re.compile(r"\bsteadfit[_:][a-z][a-z0-9_:]*")
# Names of rule groups and of packages, which are no series.
OTHER_NAMES = {"steadfit:traffic", "steadfit:rollbacks", "steadfit_server", "steadfit_artifact"}


def literals(file: Path) -> Iterator[str]:
    """The texts of a module, without its docstrings."""
    tree = ast.parse(file.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.name)
def test_every_series_is_written_once_in_the_source(side: Path) -> None:
    found = Counter(
        name
        for file in side.rglob("*.py")
        for text in literals(file)
        for name in _NAME.findall(text)
        if name not in OTHER_NAMES
    )
    assert found == Counter(SIDES[side])


def test_the_servers_export_what_the_rules_and_queries_read() -> None:
    exported = {*Series, f"{Series.REQUEST_DURATION}_bucket"}
    assert set(ServerSeries) <= exported


def test_a_canary_counts_latencies_at_bounds_that_the_servers_have() -> None:
    assert canary_queries.BUCKETS == metrics.BUCKETS
