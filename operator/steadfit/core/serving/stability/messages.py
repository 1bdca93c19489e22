"""Messages about the failures of a revision's servers. They stay the same until another failure comes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from steadfit.api.rollout import PodFailure, RevisionRef
from steadfit.core.text import time_text

_MINUTE = 60
_OUT_OF_MEMORY = "OOMKilled"


def reason(own: Sequence[PodFailure], others: Sequence[PodFailure], champion: RevisionRef | None) -> str:
    """Return what has failed, beside what, and what a person does about it: the pods may be gone by then."""
    last = own[-1]
    what = "last " + (last.reason if last.exit_code is None else f"{last.reason} (exit code {last.exit_code})")
    said = f" with: {last.message}" if last.message else ""
    beside = f"; version {champion.number} had {_counts(others) or 'none'}" if champion else ""
    return f"unstable: {_counts(own)} of {_pods(own)}{_span(own)}, {what}{said}{beside}; {_next_step(last)}"


def hold(
    reason: str, last: PodFailure, ends: datetime | None, fails_at: int | None, champion: RevisionRef | None
) -> str:
    """Return how long a candidate is held, and by how many failures it is rolled back; None: more than are kept.

    Its pods stay meanwhile, and so do their logs.
    """
    until = f"until {time_text(ends)}" if ends else "until its pods are ready"
    then = f"at {fails_at} within an hour"
    if fails_at is None and champion:
        then = f"once its pods fail four times as often as those of version {champion.number}"
    previous = "" if last.exit_code is None else "--previous "
    read = "" if last.reason == _OUT_OF_MEMORY else f"; until then read `kubectl logs {previous}{last.pod}`"
    return f"{reason}; it is held {until}, and rolled back {then}{read}"


def _counts(failures: Sequence[PodFailure]) -> str:
    exits = sum(one.exit_code is not None for one in failures)
    losses = len(failures) - exits
    parts = [f"{exits} restart{'s' * (exits != 1)}"] if exits else []
    parts += [f"{losses} loss{'es' * (losses != 1)} of readiness"] if losses else []
    return " and ".join(parts)


def _pods(failures: Sequence[PodFailure]) -> str:
    pods = len({one.pod for one in failures})
    return f"{pods} pod{'s' * (pods != 1)}"


def _span(failures: Sequence[PodFailure]) -> str:
    if len(failures) == 1:
        return ""
    seconds = (failures[-1].at - failures[0].at).total_seconds()
    return f" in {max(1, math.ceil(seconds / _MINUTE))} min"


def _next_step(last: PodFailure) -> str:
    if last.reason == _OUT_OF_MEMORY:
        return "raise spec.server.resources.limits.memory"
    return "correct spec.server or the model"
