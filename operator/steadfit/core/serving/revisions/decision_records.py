"""Records of decisions about pod templates, which outlive the status: a ControllerRevision for each.

A version that was rolled back or abandoned is remembered by its ModelVersion. Where the model may serve, and only its
pod template may not, the status alone would know it, and the present spec renders that template again. A record is
deleted with its entry of the status: by a Release, a Promote or a Refresh. Its data is the entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Abandoned, QuarantineEntry
from steadfit.core import names
from steadfit.core.serving.fleet import Fleet
from steadfit.core.types import Action, Create, Delete, Manifest

KIND = "ControllerRevision"
QUARANTINED = "Quarantined"
ABANDONED = "Abandoned"

Entry = QuarantineEntry | Abandoned


def recall(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return a status that was lost with the decisions of the records."""
    if status.observed_generation >= 0 or not fleet.observed.decisions:
        return status
    quarantine = {entry.revision: entry for entry in status.quarantine}
    given_up = {entry.revision: entry for entry in status.abandoned}
    for record in fleet.observed.decisions:
        entry = _entry(record)
        if isinstance(entry, QuarantineEntry):
            quarantine.setdefault(entry.revision, entry)
        elif entry is not None:
            given_up[entry.revision] = entry
    return status.model_copy(
        update={
            "quarantine": sorted(quarantine.values(), key=lambda entry: (entry.at, entry.revision)),
            "abandoned": sorted(given_up.values(), key=lambda entry: (entry.at, entry.revision)),
        }
    )


def keep(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the changes after which the records are those of the status.

    One that differs, or that a restore has brought back without its owner, is deleted first: its data and its owner
    cannot be changed.
    """
    deployment = fleet.observed.deployment
    wanted = {
        record["metadata"]["name"]: record for entry in _about_templates(status) if (record := _record(entry, fleet))
    }
    actions: list[Action] = []
    for found in fleet.observed.decisions:
        known = wanted.pop(found["metadata"]["name"], None)
        owner = names.controller_of(found)
        own = owner is not None and owner["uid"] == deployment.uid
        kept = known is not None and own and _is_same(known, found)
        if not kept and "deletionTimestamp" not in found["metadata"]:
            actions.append(Delete(found, is_record=True))
    return [*(Create(record, is_record=True) for record in wanted.values()), *actions]


def _about_templates(status: ModelDeploymentStatus) -> Iterator[Entry]:
    """Yield the entries about pod templates of versions that may serve with another one."""
    yield from (entry for entry in status.quarantine if entry.digest is None)
    through = {entry.digest for entry in status.served_versions} | ({status.live.digest} if status.live else set())
    yield from (entry for entry in status.abandoned if entry.digest in through)


def _record(entry: Entry, fleet: Fleet) -> dict[str, Any]:
    deployment = fleet.observed.deployment
    word = QUARANTINED if isinstance(entry, QuarantineEntry) else ABANDONED
    return {
        "apiVersion": "apps/v1",
        "kind": KIND,
        "metadata": {
            "name": f"{names.workload_name(deployment.name, entry.revision)}-{word.lower()}",
            "namespace": deployment.metadata.namespace,
            "labels": {
                names.MANAGED_BY: names.MANAGER,
                names.MODEL_DEPLOYMENT: deployment.name,
                names.DECISION: word,
                names.VERSION: str(entry.number),
            },
            "ownerReferences": [names.owner_reference(deployment)],
        },
        "revision": entry.number,
        "data": {"entry": entry.dump()},
    }


def _is_same(record: Manifest, found: Manifest) -> bool:
    """Return whether two records are of one decision; the status shortens the reasons of older ones."""
    one, other = ({**(item["data"].get("entry") or {}), "reason": ""} for item in (record, found))
    return one == other


def _entry(record: Manifest) -> Entry | None:
    """Return the entry in a record; None if it cannot be read."""
    kinds: dict[str, type[Entry]] = {QUARANTINED: QuarantineEntry, ABANDONED: Abandoned}
    kind = kinds.get(record["metadata"].get("labels", {}).get(names.DECISION, ""))
    if kind is None:
        return None
    try:
        return kind.model_validate(record.get("data", {}).get("entry"))
    except ValidationError:
        return None
