"""Which ModelDeployments a version has served, with what share of the traffic, and how it ended.

The status of a ModelDeployment says what serves; this survives its deletion. A ModelDeployment of the same name starts
with what served last there (`core/serving/selection/served.py`), and not with a candidate that nobody has judged. A
record that has no room is an Event and a line of the operator's log.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion, ModelVersionStatus, ServingOutcome, ServingRecord
from steadfit.api.rollout import Abandoned, QuarantineEntry, RevisionRef, ServedVersion
from steadfit.core.text import time_text
from steadfit.core.types import Event, ObservedModelVersion

MAX_RECORDS = 16
MOST_RECORDS = 64
"""Most records where each is the last one that says that the version was let through at a ModelDeployment."""


def follow(status: ModelVersionStatus, observed: ObservedModelVersion, now: datetime) -> ModelVersionStatus:
    """Return the status with the records that have room."""
    return status.model_copy(update={"served": _bounded(_records(status, observed, now))})


def events(before: ModelVersionStatus, observed: ObservedModelVersion, now: datetime) -> list[Event]:
    """Return an Event for each record that this pass drops: what it says is not stored any more."""
    records = _records(before, observed, now)
    if len(records) <= MAX_RECORDS:
        return []
    kept = _bounded(records)
    return [
        Event("Normal", "ServingRecordDropped", f"the record of the oldest serving makes room: {_describe(record)}")
        for record in records
        if record not in kept
    ]


def _describe(record: ServingRecord) -> str:
    end = f"to {time_text(record.ended_at)}" if record.ended_at else "on"
    through = "let through" if record.let_through else "not let through"
    return (
        f"ModelDeployment {record.deployment} (uid {record.deployment_uid}) from {time_text(record.started_at)} {end},"
        f" {record.outcome}, {through}"
    )


def _records(status: ModelVersionStatus, observed: ObservedModelVersion, now: datetime) -> list[ServingRecord]:
    """Return a record for each ModelDeployment that the version takes traffic of, or took."""
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
    return [*ended, *going_on]


def _present(deployment: ModelDeployment, version: ModelVersion, known: ServingRecord | None) -> ServingRecord | None:
    """Return the record of a version that takes traffic of a ModelDeployment; None if it takes none."""
    live, candidate = deployment.status.live, deployment.status.candidate
    if live is not None and _is_of(live, version):
        through = any(_is_of(entry, version) for entry in deployment.status.served_versions)
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
    """Return the newest records, and of each ModelDeployment the last one that says it was let through there."""
    kept = list(records)
    while len(kept) > MAX_RECORDS:
        expendable = next((item for item in kept if _is_expendable(item, kept)), None)
        if expendable is None and len(kept) <= MOST_RECORDS:
            break
        kept.remove(expendable or next((item for item in kept if item.ended_at), kept[0]))
    return kept


def _is_expendable(record: ServingRecord, records: list[ServingRecord]) -> bool:
    if record.ended_at is None:
        return False
    later = records[records.index(record) + 1 :]
    return not record.let_through or any(item.let_through and item.deployment == record.deployment for item in later)
