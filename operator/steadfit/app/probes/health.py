"""Liveness and readiness of the process.

Liveness fails only if the API server answers and the watches still do not deliver changes: then a restart helps. While
the API server does not answer, a restart would only make things worse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

ANSWER_SECONDS = 60.0
"""The API server counts as answering if it did so within this time."""
RESYNC_INTERVALS = 3.0
"""A leader whose full lists fail for this many intervals, while the API server answers, is broken."""


@dataclass(frozen=True, slots=True)
class Vital:
    """The facts that liveness depends on."""

    answer_age_seconds: float | None
    """Time since the API server last answered; None = never."""
    leading: bool
    stale_watches: Sequence[str]
    resync_age_seconds: float
    resync_interval_seconds: float
    missing_rights: Sequence[str] = ()
    """What the operator's role lacks: lists that a leader waits for before it works, and the watch of Events."""


def problem(vital: Vital) -> str | None:
    """Return why the process should be restarted, in a sentence; None if it should not."""
    if vital.answer_age_seconds is None or vital.answer_age_seconds > ANSWER_SECONDS:
        return None
    if not vital.leading:
        return None
    if vital.stale_watches:
        return f"the watches of {', '.join(vital.stale_watches)} do not deliver changes that the lists show"
    if vital.resync_age_seconds > RESYNC_INTERVALS * vital.resync_interval_seconds:
        return f"no full list has succeeded for {vital.resync_age_seconds:.0f} s although the API server answers"
    return None


class Health:
    """The two probes."""

    def __init__(self, vital: Callable[[], Vital]) -> None:
        self._vital = vital
        self.ready = False
        """Set once the intake listens."""

    def liveness(self) -> tuple[int, str]:
        """Return HTTP status and text of /healthz."""
        reason = problem(self._vital())
        return (200, "ok") if reason is None else (503, reason)

    def readiness(self) -> tuple[int, str]:
        """Return HTTP status and text of /readyz."""
        if not self.ready:
            return 503, "the intake is not listening yet"
        missing = self._vital().missing_rights
        if not missing:
            return 200, "ok"
        return 503, f"the role of the operator lacks {', '.join(missing)}: apply the roles of this release"
