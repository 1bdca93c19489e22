"""The real kstatus, a Go module, as the judge of the Python port."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.tools.local_cluster import cache as up_cache
from tests.tools.local_cluster import tools
from tests.tools.local_cluster.settings import Settings

from .kstatus import Result

MODULE = Path(__file__).parent / "kstatus_go"


@cache
def binary() -> Path:
    """Return the program, built once for its sources and pins into the cache that the cluster's tools share."""
    settings = Settings.from_environment()
    go = tools.go(settings)
    sources = [path.read_bytes() for path in sorted(MODULE.iterdir())]

    def build(directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [go, "build", "-trimpath", "-o", str(directory / "kstatus"), "."],
            cwd=MODULE,
            env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"},
            check=True,
            timeout=600,
        )

    return up_cache.Cache(settings.cache).directory("tools", "kstatus", up_cache.key(*sources), build) / "kstatus"


def compute(objects: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Return what kstatus makes of each object."""
    done = subprocess.run(
        [str(binary())], input=json.dumps(list(objects)), capture_output=True, text=True, check=True, timeout=120
    )
    return [Result(one["status"], one["message"]) for one in json.loads(done.stdout)]
