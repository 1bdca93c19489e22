"""The recording rule for the versions that take traffic, for all models at once."""

from __future__ import annotations

from steadfit.core.promql import MODEL, Rule, record
from steadfit.core.series import RecordedSeries, ServerSeries


def takes_traffic() -> Rule:
    """Return the rule: a version takes traffic while it runs a pod that does not drain.

    A version that is kept as a warm standby has draining pods only.
    """
    drained = f"min by ({MODEL}) ({ServerSeries.DRAINING}) == 1"
    return record(
        RecordedSeries.TAKES_TRAFFIC, f"max by ({MODEL}) ({ServerSeries.MODEL_INFO}) unless on ({MODEL}) {drained}"
    )
