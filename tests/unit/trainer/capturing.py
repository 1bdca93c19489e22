"""Captured rows as servers leave them in the store."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from steadfit_artifact import captures
from steadfit_artifact.captures import OUTCOMES, REQUESTS, CapturedRequest, part_path

from tests.unit.trainer.run_pod import LAKE, RunPod, as_parquet

PLACE = "s3://lake/ns/_captures/flights/"
NINE = datetime(2026, 1, 31, 9, tzinfo=UTC)


def recorded(window: str = "720h", **more: Any) -> dict[str, Any]:
    shape = {"name": "live", "uri": PLACE, "store": LAKE, "captured": {"deployment": "flights", "window": window}}
    return shape | more


def put_requests(
    pod: RunPod, *requests: CapturedRequest, version: str = "7", part: str = "pod-1", at: datetime | None = None
) -> None:
    moment = at.timestamp() if at else requests[0].at
    path = part_path(REQUESTS, moment, version, part)
    pod.store().put(PLACE + path, as_parquet(captures.request_table(requests)))


def put_outcomes(
    pod: RunPod, *outcomes: tuple[str, int, datetime, str], version: str = "7", part: str = "pod-1"
) -> None:
    rows = [(prediction_id, row, at.timestamp(), text) for prediction_id, row, at, text in outcomes]
    path = part_path(OUTCOMES, rows[0][2], version, part)
    pod.store().put(PLACE + path, as_parquet(captures.outcome_table(rows)))


def request(prediction_id: str, at: datetime, rows: int = 1, **columns: Any) -> CapturedRequest:
    given = {name: np.array(values) for name, values in columns.items()} or {"wind": np.arange(rows) / 2}
    count = len(next(iter(given.values())))
    return CapturedRequest(prediction_id, at.timestamp(), given, np.ones(count, np.int64), None)
