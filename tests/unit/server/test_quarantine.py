"""What was rolled back takes no traffic though no status knows of it any more: the note lies with the artifact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.server.processes import serving
from tests.unit.server.s3 import S3

NOTE = "/bucket/prefix/artifacts/quarantine.json"
ENTRY = {"reason": "errors rose", "by": "monitor errors", "at": "2026-01-01T00:00:00Z", "revision": "0a1b2c3d4e"}


def test_a_server_of_the_deployment_that_rolled_it_back_ends_with_the_reason_and_is_never_ready(
    tmp_path: Path, s3: S3, environment: dict[str, str]
) -> None:
    s3.objects[NOTE] = json.dumps({"schemaVersion": 1, "deployments": {"flights": ENTRY}}).encode()
    with serving(tmp_path, "steadfit_server", **environment) as server:
        assert server.exit_code() == 1
    assert server.termination_log.read_text() == (
        "Quarantined: this version was rolled back from ModelDeployment flights at 2026-01-01T00:00:00Z by monitor"
        " errors and takes no traffic until Release: errors rose"
    )
    assert "ready" not in [line["message"] for line in server.log_lines()]


@pytest.mark.parametrize("deployments", [{}, {"shadow": ENTRY}], ids=["released", "rolled back elsewhere"])
def test_a_note_about_nobody_or_another_deployment_is_no_hindrance(
    tmp_path: Path, s3: S3, environment: dict[str, str], deployments: dict[str, object]
) -> None:
    s3.objects[NOTE] = json.dumps({"schemaVersion": 1, "deployments": deployments}).encode()
    with serving(tmp_path, "steadfit_server", **environment) as server:
        server.wait_ready()
