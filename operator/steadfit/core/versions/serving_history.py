"""Which ModelDeployments a version has served, with what share of the traffic, and how it ended.

The status of a ModelDeployment says what serves; this survives its deletion. A ModelDeployment of the same name starts
with what served last there (`core/serving/selection/served.py`), and not with a candidate that nobody has judged.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion, ModelVersionStatus, ServingOutcome, ServingRecord
from steadfit.api.rollout import Abandoned, QuarantineEntry, RevisionRef, ServedVersion
from steadfit.core.types import ObservedModelVersion

MAX_RECORDS = 16


def follow(status: ModelVersionStatus, observed: ObservedModelVersion, now: datetime) -> ModelVersionStatus:
    """Return the status with a record for each ModelDeployment that the version takes traffic of, or took."""
    open_records = {item.deployment_uid: item for item in status.served if item.ended_at is None}
    ended = [item for item in status.served if item.ended_at is not None]
    going_on = []
    for deployment in observed.deployments:
        known = open_records.pop(deployment.uid, None)
        record = _present(deployment, observed.version, known)
        if record is not None:
            going_on.append(record)
        elif known is not None:
            outcome = _outcome(deployment, observed.version)
            ended.append(known.model_copy(update={"ended_at": now, "share": 0, "outcome": outcome}))
    ended += [
        item.model_copy(update={"ended_at": now, "share": 0, "outcome": "Ended"}) for item in open_records.values()
    ]
    return status.model_copy(update={"served": _bounded([*ended, *going_on])})


def _present(deployment: ModelDeployment, version: ModelVersion, known: ServingRecord | None) -> ServingRecord | None:
    """Return the record of a version that takes traffic of a ModelDeployment; None if it takes none."""
    live, candidate = deployment.status.live, deployment.status.candidate
    if live is not None and _is_of(live, version):
        through = any(_is_of(entry, version) for entry in deployment.status.served)
        since, share, outcome = live.since, 100, "Serving"
    elif candidate is not None and candidate.analysed_since is not None and _is_of(candidate, version):
        through, since, share, outcome = False, candidate.analysed_since, candidate.actual_weight or 0, "Candidate"
    else:
        return None
    return ServingRecord(
        deployment=deployment.name,
        deployment_uid=deployment.uid,
        started_at=known.started_at if known else since,
        share=share,
        outcome=outcome,
        let_through=through or (known is not None and known.let_through),
    )


def _outcome(deployment: ModelDeployment, version: ModelVersion) -> ServingOutcome:
    """Return how the version stopped to take traffic of a ModelDeployment."""
    if any(_is_of(entry, version) for entry in deployment.status.quarantine):
        return "RolledBack"
    if any(_is_of(entry, version) for entry in deployment.status.abandoned):
        return "Abandoned"
    return "Replaced"


def _is_of(entry: RevisionRef | ServedVersion | Abandoned | QuarantineEntry, version: ModelVersion) -> bool:
    digest = entry.artifact if isinstance(entry, QuarantineEntry) else entry.digest
    return (entry.version, digest) == (version.name, version.spec.artifact.digest)


def _bounded(records: list[ServingRecord]) -> list[ServingRecord]:
    """Return at most the newest records, and of each ModelDeployment the one that says it was let through there."""
    kept = list(records)
    while len(kept) > MAX_RECORDS:
        kept.remove(next((item for item in kept if _is_expendable(item, kept)), kept[0]))
    return kept


def _is_expendable(record: ServingRecord, records: list[ServingRecord]) -> bool:
    if record.ended_at is None:
        return False
    later = records[records.index(record) + 1 :]
    return not record.let_through or any(item.let_through and item.deployment == record.deployment for item in later)
