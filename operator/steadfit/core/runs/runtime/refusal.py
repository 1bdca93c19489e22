"""Why the API server refuses to create the pod of a Job, or the Job: quota, policy, a ServiceAccount that is missing.

The status of such a Job stays empty. The cause is only in Events of the Job controller, one for each of its attempts,
each with the name of a pod that never existed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from steadfit.core.text import log_tail
from steadfit.core.types import Manifest

from . import job as jobs

REASON = "FailedCreate"
"""Reason of those Events."""
FIELD_SELECTOR = f"reason={REASON},regarding.kind={jobs.KIND}"
"""Selects them among all Events of a cluster."""
# The attempt's own name changes with every try, and what remains says why.
_PREFIX = re.compile(r'^(\(combined from similar events\): )?(Error creating: )?([\w.]+ "[^"]*" is forbidden: )?')


def lacks_pod(job: Manifest, pods: Sequence[Manifest]) -> bool:
    """Return whether a Job should have a pod and has none."""
    return not (pods or jobs.is_over(job) or jobs.is_suspended(job) or jobs.is_deleted(job))


def cause(message: str) -> str:
    """Return why an object was refused, without the name of the object, which changes while the cause does not."""
    return log_tail(_PREFIX.sub("", message))


def is_temporary(message: str) -> bool:
    """Return whether a refusal ends by itself: a full quota has room again once other pods end."""
    return "exceeded quota: " in message


def time_of(event: Manifest) -> str:
    """Return when an Event happened last; those of the Job controller have the fields of core/v1."""
    series: dict[str, Any] = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("deprecatedLastTimestamp"), event.get("eventTime"))
    return max(str(time or "") for time in (*times, event["metadata"].get("creationTimestamp")))
