"""Records of the decisions in a status, which outlive every status: a ControllerRevision for each.

The versions and their store remember decisions about versions too, but a restored namespace has no status at all, and
no version knows a pin. A record exists as long as its entry of the status does; its data is the entry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Abandoned, Override, Promoted, QuarantineEntry, ServedVersion, VersionFloor
from steadfit.core import names
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.revisions.revision import render
from steadfit.core.types import Action, Create, Delete, Manifest

from . import served, version_floor

KIND = "ControllerRevision"
Entry = QuarantineEntry | Abandoned | ServedVersion | Override | Promoted | VersionFloor

WORDS: Mapping[type[Entry], str] = {
    QuarantineEntry: "Quarantined",
    Abandoned: "Abandoned",
    ServedVersion: "LetThrough",
    Override: "Pinned",
    Promoted: "Promoted",
    VersionFloor: "Floor",
}
"""The label `steadfit.dev/decision` of a record, by what it has."""
_KINDS = {word: kind for kind, word in WORDS.items()}


def recall(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return a status that was lost with the decisions of the records.

    Another one has those that had no room, and of which the spec asks for the pod template.
    """
    if status.observed_generation >= 0:
        return _with_asked_for(status, fleet) if status.further_decisions else status
    if not _records(fleet):
        return status
    found: dict[type[Entry], list[Any]] = defaultdict(list)
    for record in _records(fleet):
        entry = _entry(record)
        if entry is not None:
            found[type(entry)].append(entry)
    quarantine = {entry.revision: entry for entry in [*found[QuarantineEntry], *status.quarantine]}
    given_up = {entry.revision: entry for entry in [*status.abandoned, *found[Abandoned]]}
    return status.model_copy(
        update={
            "quarantine": sorted(quarantine.values(), key=lambda entry: (entry.at, entry.revision)),
            "abandoned": sorted(given_up.values(), key=lambda entry: (entry.at, entry.revision)),
            "served_versions": served.merged(status.served_versions, found[ServedVersion]),
            "override": _last(found[Override]),
            "promoted": _last(found[Promoted]),
            "version_floor": _highest([*found[VersionFloor], status.version_floor], status, fleet),
        }
    )


def keep(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the changes after which the records are those of the status.

    One that differs, or that a restore has brought back without its owner, is deleted first: its data and its owner
    cannot be changed.
    """
    deployment = fleet.observed.deployment
    wanted = {
        record["metadata"]["name"]: record for entry in _entries(status, fleet) for record in [_record(entry, fleet)]
    }
    actions: list[Action] = []
    for found in fleet.observed.decisions:
        known = wanted.pop(found["metadata"]["name"], None)
        owner = names.controller_of(found)
        if not _is_read(found, fleet):
            # It goes with its owner, and has the name until then.
            continue
        own = owner is not None and owner["uid"] == deployment.uid
        if known is None and _raw(found).get("revision") in status.further_decisions:
            continue
        kept = known is not None and own and _is_same(known, found)
        if not kept and "deletionTimestamp" not in found["metadata"]:
            actions.append(Delete(found, is_record=True))
    return [*(Create(record, is_record=True) for record in wanted.values()), *actions]


def _records(fleet: Fleet) -> list[Manifest]:
    """Return the records of this ModelDeployment."""
    return [record for record in fleet.observed.decisions if _is_read(record, fleet)]


def _is_read(record: Manifest, fleet: Fleet) -> bool:
    """Return whether a ModelDeployment, or nothing, owns a record; not one that was deleted, and had its name."""
    owner = names.controller_of(record)
    return owner is None or owner["uid"] == fleet.observed.deployment.uid


def revisions_of(artifact: str, fleet: Fleet) -> set[str]:
    """Return the revisions of an artifact that a record tells of."""
    raw = (_raw(record) for record in _records(fleet))
    return {
        str(one["revision"])
        for one in raw
        if "revision" in one and artifact in (one.get("artifact"), one.get("digest"))
    }


def _with_asked_for(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with the decisions beyond its lists about what the spec asks for now."""
    further = set(status.further_decisions)
    records = [record for record in _records(fleet) if _raw(record).get("revision") in further]
    asked: dict[str, set[str | None]] = {}
    for name in {str(_raw(record).get("version")) for record in records}:
        found = (render(version, fleet) for version in fleet.known_versions.named(name))
        present = [one for one in found if not isinstance(one, Problem)]
        asked[name] = {*(one.revision for one in present), *(one.inputs_digest for one in present)}
    quarantine, given_up = [*status.quarantine], [*status.abandoned]
    for record in records:
        raw = _raw(record)
        if asked[str(raw.get("version"))].isdisjoint({str(raw["revision"]), raw.get("inputsDigest", "")}):
            continue
        entry = _entry(record)
        if isinstance(entry, QuarantineEntry) and all(one.revision != entry.revision for one in quarantine):
            quarantine.append(entry)
        if isinstance(entry, Abandoned) and all(one.revision != entry.revision for one in given_up):
            given_up.append(entry)
    return status.model_copy(
        update={
            "quarantine": sorted(quarantine, key=lambda entry: (entry.at, entry.revision)),
            "abandoned": sorted(given_up, key=lambda entry: (entry.at, entry.revision)),
        }
    )


def _raw(record: Manifest) -> Mapping[str, Any]:
    """Return the entry in a record as it is stored."""
    found: Mapping[str, Any] = record.get("data", {}).get("entry") or {}
    return found


def _entries(status: ModelDeploymentStatus, fleet: Fleet) -> Iterator[Entry]:
    """Yield the decisions of a status."""
    yield from status.quarantine
    yield from status.abandoned
    yield from status.served_versions
    yield from (one for one in (status.override, status.promoted) if one is not None)
    floor = status.version_floor
    # Most floors follow from the other decisions: a record of each would be written anew with every version.
    if (
        floor is not None
        and version_floor.current(status.model_copy(update={"version_floor": None}), fleet) < floor.number
    ):
        yield floor


def _last(entries: Iterable[Override | Promoted]) -> Override | Promoted | None:
    """Return the newest of the records of which one is in force; a crash leaves the one before it too."""
    return max(entries, key=lambda entry: entry.at, default=None)


def _highest(floors: Iterable[VersionFloor | None], status: ModelDeploymentStatus, fleet: Fleet) -> VersionFloor | None:
    """Return the highest floor, of the present TrainingJob if there is one."""
    uid = version_floor.training_job_uid(status, fleet)
    known = (floor for floor in floors if floor is not None)
    return max(known, key=lambda floor: (floor.uid in (None, uid), floor.number), default=None)


def _record(entry: Entry, fleet: Fleet) -> dict[str, Any]:
    deployment, word = fleet.observed.deployment, WORDS[type(entry)]
    return {
        "apiVersion": "apps/v1",
        "kind": KIND,
        "metadata": {
            "name": f"{names.workload_name(deployment.name, _key(entry))}-{word.lower()}",
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


def _key(entry: Entry) -> str:
    """Return the revision of an entry, or else a hash of what it is about and who asked, without its time."""
    if isinstance(entry, QuarantineEntry | Abandoned):
        return entry.revision
    return names.short_hash(*(str(value) for field, value in entry.dump().items() if field != "at"))


def _is_same(record: Manifest, found: Manifest) -> bool:
    """Return whether two records are of one decision; the status shortens the reasons of older ones."""
    one, other = ({**(item["data"].get("entry") or {}), "reason": ""} for item in (record, found))
    return one == other


def _entry(record: Manifest) -> Entry | None:
    """Return the entry in a record; None if it cannot be read."""
    kind = _KINDS.get(record["metadata"].get("labels", {}).get(names.DECISION, ""))
    if kind is None:
        return None
    try:
        return kind.model_validate(record.get("data", {}).get("entry"))
    except ValidationError:
        return None
