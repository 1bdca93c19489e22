from __future__ import annotations

import re
from pathlib import Path

import steadfit

OPERATOR = Path(steadfit.__file__).parent
KNOWS_JOBS = (OPERATOR / "core/runs/runtime", OPERATOR / "kube/resources.py")
JOB = re.compile(r"""["']Job["']|\bJOBS\b|batch/v1""")


def test_only_the_runtime_knows_that_an_attempt_is_a_job() -> None:
    elsewhere = [
        f"{path.relative_to(OPERATOR)}:{number}: {line.strip()}"
        for path in sorted(OPERATOR.rglob("*.py"))
        if not any(path.is_relative_to(place) for place in KNOWS_JOBS)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if JOB.search(line)
    ]
    assert elsewhere == []
