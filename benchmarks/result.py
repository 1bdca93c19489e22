"""Numbers of a benchmark, and the file they are written to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """One number, as a line of the report."""

    name: str
    value: float
    unit: str
    spread: str

    def __str__(self) -> str:
        """Return the line that is printed."""
        return f"{self.name:44} {self.value:10.4g} {self.unit:15} {self.spread}"


def write(path: Path, results: Iterable[Result]) -> None:
    """Write results to a file, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"results": [asdict(one) for one in results]}, indent=1) + "\n")


def read(path: Path) -> list[Result]:
    """Return the results in a file."""
    return [Result(**one) for one in json.loads(path.read_text())["results"]]
