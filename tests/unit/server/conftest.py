"""What tests of a server as a process start from: a store with an artifact, and the variables that name it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server import artifacts
from tests.unit.server.s3 import S3


@pytest.fixture
def s3() -> Iterator[S3]:
    with S3() as s3:
        yield s3


@pytest.fixture
def environment(s3: S3, tmp_path: Path) -> dict[str, str]:
    digest = artifacts.put(s3, artifacts.write(tmp_path / "artifact"))
    return {"STEADFIT_ARTIFACT": artifacts.reference(s3, digest, tmp_path), "STEADFIT_RETRY_SECONDS": "0.1"}
