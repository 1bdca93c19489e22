"""Rules evaluated by Prometheus' own code: series go in, values and alerts come out."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

STEP = 30
"""Seconds between two scrapes, and two evaluations."""


def promtool(*arguments: str, cwd: Path) -> str:
    """Run promtool, which `make environment` puts beside the interpreter, and return what it said."""
    beside = Path(sys.executable).with_name("promtool")
    program = str(beside) if beside.exists() else shutil.which("promtool")
    assert program, "there is no promtool: run `make environment`, or put promtool 2.42 or newer on PATH"
    done = subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def selector(name: str, labels: Mapping[str, str]) -> str:
    """A series as promtool writes it; json's escapes are Go's within ASCII."""
    texts = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in labels.items())
    return f"{name}{{{', '.join(texts)}}}"


@dataclass
class Scene:
    """A rule file and what was scraped every 30 s."""

    directory: Path
    rules: str
    series: dict[str, list[float | None]] = field(default_factory=dict)
    _tests: list[dict[str, Any]] = field(default_factory=list)
    _alerts: list[dict[str, Any]] = field(default_factory=list)

    def scrape(self, name: str, labels: Mapping[str, str], values: Sequence[float | None]) -> None:
        """Give a series its values from the start on; None = the scrape failed."""
        self.series[selector(name, labels)] = list(values)

    def expect(self, expression: str, minutes: float, value: float | None, tolerance: float = 1e-9) -> None:
        """Expect one value of an expression, whatever its labels; None = nothing at all."""
        count = f"count({expression}) or vector(0)"
        self._ask(count, minutes, [{"labels": "{}", "value": 0 if value is None else 1}])
        if value is not None:
            assert math.isfinite(value)
            near = f"max(abs(({expression}) - ({value!r}))) <= bool {tolerance!r}"
            self._ask(near, minutes, [{"labels": "{}", "value": 1}])

    def alerts(self, name: str, minutes: float, *labels: Mapping[str, str], summary: str | None = None) -> None:
        """Expect these alerts of a name to fire, and no others."""
        firing = f'ALERTS{{alertname="{name}", alertstate="firing"}}'
        fixed = {"alertname": name, "alertstate": "firing"}
        self._ask(firing, minutes, [{"labels": selector("ALERTS", {**fixed, **one}), "value": 1} for one in labels])
        if summary is not None:
            expected = [{"exp_labels": dict(one), "exp_annotations": {"summary": summary}} for one in labels]
            self._alerts.append({"eval_time": _time(minutes), "alertname": name, "exp_alerts": expected})

    def play(self) -> None:
        """Evaluate and compare; what differs is in the assertion."""
        (self.directory / "rules.yml").write_text(self.rules)
        _check(self.rules)
        test = {
            "interval": f"{STEP}s",
            "input_series": [
                {"series": name, "values": " ".join("_" if value is None else repr(value) for value in values)}
                for name, values in self.series.items()
            ],
            "promql_expr_test": self._tests,
            "alert_rule_test": self._alerts,
        }
        file = {"rule_files": ["rules.yml"], "evaluation_interval": f"{STEP}s", "tests": [test]}
        (self.directory / "test.yml").write_text(json.dumps(file, ensure_ascii=False))
        promtool("test", "rules", "test.yml", cwd=self.directory)

    def _ask(self, expression: str, minutes: float, samples: list[dict[str, Any]]) -> None:
        self._tests.append({"expr": expression, "eval_time": _time(minutes), "exp_samples": samples})


@cache
def _check(rules: str) -> None:
    """Let promtool judge a rule file, once however often it is evaluated."""
    with TemporaryDirectory() as folder:
        Path(folder, "rules.yml").write_text(rules)
        promtool("check", "rules", "rules.yml", cwd=Path(folder))


def _time(minutes: float) -> str:
    return f"{round(minutes * 60)}s"
