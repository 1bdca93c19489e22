"""Recovery of a quarantine that no status in the cluster has, from the server that refused to load the artifact.

After every status was lost, the quarantine note beside the artifact is left, and only pods read it. Without this
recovery the candidate would restart for ever, and no good version would replace it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, QuarantineEntry
from steadfit.core.serving.fleet import Fleet
from steadfit.core.text import cut, read_time

_REFUSAL = "Quarantined: "
"""Start of a server's termination message when the note names its ModelDeployment."""
_PARTS = re.compile(r"Quarantined: .*? at (\S+) by (.*?) and takes no traffic until Release: (.*)", re.DOTALL)


def learn(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with the candidate in quarantine if its server reports that it was rolled back here.

    A released version is not quarantined again: its note is being deleted, and the server restarts until it is gone.
    """
    candidate = status.candidate
    if candidate is None or any(item.digest == candidate.digest for item in status.released):
        return status
    refusal = next((message for pod in fleet.pods(candidate.revision) if (message := _refusal(pod))), None)
    if refusal is None:
        return status
    others = [entry for entry in status.quarantine if entry.revision != candidate.revision]
    entry = _entry(refusal, candidate, now)
    return status.model_copy(update={"quarantine": [*others, entry], "candidate": None})


def _refusal(pod: Any) -> str | None:
    """Return the termination message of a server that refused its artifact; None without one."""
    for container in pod.get("status", {}).get("containerStatuses", []):
        if container.get("ready"):
            continue
        for state in (container.get("state", {}), container.get("lastState", {})):
            message = str(state.get("terminated", {}).get("message", ""))
            if message.startswith(_REFUSAL):
                return message
    return None


def _entry(refusal: str, candidate: Candidate, now: datetime) -> QuarantineEntry:
    """Return the quarantine entry with the reason, author and time in the note."""
    parts = _PARTS.match(refusal)
    at, by, reason = parts.groups() if parts else ("", "the note beside its artifact", refusal)
    return QuarantineEntry(
        revision=candidate.revision,
        version=candidate.version,
        number=candidate.number,
        digest=candidate.digest,
        artifact=candidate.digest,
        reason=cut(reason.strip()),
        by=by,
        at=read_time(at) or now,
    )
