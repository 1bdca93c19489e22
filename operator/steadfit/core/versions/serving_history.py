"""Which ModelDeployments a version has served, with what share of the traffic, and how it ended.

The status of a ModelDeployment says what serves; this survives its deletion. A ModelDeployment of the same name starts
with what served last there (`core/serving/selection/served.py`), and not with a candidate that nobody has judged. A
record that no decision needs goes to the store (`quarantine_sync.py`), and leaves the status once it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion, ModelVersionStatus, ServingOutcome, ServingRecord
from steadfit.api.rollout import Abandoned, QuarantineEntry, RevisionRef, ServedVersion
from steadfit.core.text import time_text
from steadfit.core.types import Event, ObservedModelVersion

MAX_RECORDS = 16
"""Newest records that stay in the status."""
NEEDED_RECORDS = 64
"""Most records that stay where each is the last one that says that the version was let through at a ModelDeployment."""
ALL_RECORDS = 96
"""Most records of a status, with those that its store does not have yet."""
BATCH = 16
"""Records that are written at once: a pod for each would be one for almost every rollout."""


def follow(status: ModelVersionStatus, observed: ObservedModelVersion, now: datetime) -> ModelVersionStatus:
    """Return the status with the records that have room."""
    records = _records(status, observed, now)
    dropped = _dropped(records)
    return status.model_copy(update={"served": [item for item in records if item not in dropped]})


def waiting(records: Sequence[ServingRecord]) -> tuple[ServingRecord, ...]:
    """Return the records that are to be written to the store next; none before a batch is complete."""
    leaving = _leaving(records)[:BATCH]
    return tuple(leaving) if len(leaving) == BATCH else ()


def stored(status: ModelVersionStatus, written: Sequence[ServingRecord]) -> ModelVersionStatus:
    """Return the status without the records that the store has."""
    return status.model_copy(update={"served": [item for item in status.served if item not in written]})


def events(before: ModelVersionStatus, observed: ObservedModelVersion, now: datetime) -> list[Event]:
    """Return an Event for each record that this pass drops: what it says is not stored any more."""
    return [
        Event("Normal", "ServingRecordDropped", f"the record of the oldest serving makes room: {_describe(record)}")
        for record in _dropped(_records(before, observed, now))
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
            ended.append(known.model_copy(update={"ended_at": now, "outcome": outcome}))
    ended += [item.model_copy(update={"ended_at": now, "outcome": "Ended"}) for item in open_records.values()]
    return [*ended, *going_on]


def _present(deployment: ModelDeployment, version: ModelVersion, known: ServingRecord | None) -> ServingRecord | None:
    """Return the record of a version that takes traffic of a ModelDeployment; None if it takes none."""
    live, candidate = deployment.status.live, deployment.status.candidate
    if live is not None and _is_of(live, version):
        last = deployment.status.served_versions[-1:]
        # A pinned version may have been let through before: another one is the last one that was.
        through = bool(last) and _is_of(last[0], version) and not live.only_pinned
        since, share, outcome = max([live.since, *(one.at for one in last if through)]), 100, "Serving"
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


def _dropped(records: Sequence[ServingRecord]) -> list[ServingRecord]:
    """Return the records that have no room: the first of those that wait for the store, then the oldest."""
    excess = len(records) - ALL_RECORDS
    if excess <= 0:
        return []
    leaving = _leaving(records)
    return [*leaving, *(item for item in records if item not in leaving)][:excess]


def _leaving(records: Sequence[ServingRecord]) -> list[ServingRecord]:
    """Return the oldest records that no decision needs, as far as the status has more than the newest."""
    excess = len(records) - MAX_RECORDS
    if excess <= 0:
        return []
    needed: list[ServingRecord] = []
    spare: list[ServingRecord] = []
    later: set[str] = set()
    for item in reversed(records):
        last = item.let_through and item.deployment not in later
        (needed if item.ended_at is None or last else spare).append(item)
        if item.let_through:
            later.add(item.deployment)
    oldest = [item for item in reversed(needed) if item.ended_at is not None]
    beyond = max(0, len(needed) - NEEDED_RECORDS)
    return [*spare[::-1][:excess], *oldest[:beyond]]
