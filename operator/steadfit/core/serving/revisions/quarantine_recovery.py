"""A quarantine that nobody in the cluster remembers is learned again from the server that refused its artifact.

The note beside the artifact is all that is left after every status was lost, and only pods read it. Without this the
candidate would be tried for ever, and what is good would not take its place.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, QuarantineEntry
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import MAX_ENTRIES
from steadfit.core.text import cut, read_time

_REFUSAL = "Quarantined: "
"""How a server begins its last words when the note names its ModelDeployment."""
_PARTS = re.compile(r"Quarantined: .*? at (\S+) by (.*?) and takes no traffic until Release: (.*)", re.DOTALL)


def learn(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with the candidate in quarantine if its own server says that it was rolled back here.

    What was released is not: its note is being taken away, and its server will be started again until it is gone.
    """
    candidate = status.candidate
    if candidate is None or any(item.digest == candidate.digest for item in status.released):
        return status
    said = next((words for pod in fleet.pods(candidate.revision) if (words := _refused(pod))), None)
    if said is None:
        return status
    others = [entry for entry in status.quarantine if entry.revision != candidate.revision]
    entry = _entry(said, candidate, now)
    return status.model_copy(update={"quarantine": [*others, entry][-MAX_ENTRIES:], "candidate": None})


def _refused(pod: Any) -> str | None:
    """Return the last words of a server that refused its artifact."""
    for container in pod.get("status", {}).get("containerStatuses", []):
        if container.get("ready"):
            continue
        for state in (container.get("state", {}), container.get("lastState", {})):
            said = str(state.get("terminated", {}).get("message", ""))
            if said.startswith(_REFUSAL):
                return said
    return None


def _entry(said: str, candidate: Candidate, now: datetime) -> QuarantineEntry:
    """Return the entry as the note has it: the same reason, author and time as when it was decided."""
    parts = _PARTS.match(said)
    at, by, reason = parts.groups() if parts else ("", "the note beside its artifact", said)
    return QuarantineEntry(
        revision=candidate.revision,
        version=candidate.version,
        number=candidate.number,
        digest=candidate.digest,
        reason=cut(reason.strip()),
        by=by,
        at=read_time(at) or now,
    )
