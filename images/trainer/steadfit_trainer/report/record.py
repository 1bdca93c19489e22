"""The record of a run: complete for the store, and reduced for the operator to the size of an object's status."""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from steadfit_artifact.digest import Manifest
from steadfit_artifact.quarantine import Entry
from steadfit_artifact.servings import Serving

from steadfit_trainer.config import Config

# The operator refuses larger bodies.
MAX_BYTES = 16 * 1024
_OBJECTS = 8
_QUARANTINES = 8
_SERVINGS = 8
_REASON = 256


def complete(
    config: Config,
    uri: str,
    manifest: Manifest,
    resolved: dict[str, Any],
    metrics: dict[str, float],
    signature: list[dict[str, Any]],
    environment: dict[str, Any],
    reported: dict[str, Any],
    parity: dict[str, Any],
    champion: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the complete record of a run's result. It has no times: the same result gives the same record.

    Parameters
    ----------
    config : Config
        Configuration of the run.
    uri : str
        URI of the artifact.
    manifest : Manifest
        Manifest of the artifact.
    resolved : dict[str, Any]
        What fetch read and how it split the rows.
    metrics : dict[str, float]
        Metrics on the holdout.
    signature : list[dict[str, Any]]
        The model's inputs.
    environment : dict[str, Any]
        `environment.json` of the training container; its `source` becomes that of the record.
    reported : dict[str, Any]
        `metrics.json` of the training container.
    parity : dict[str, Any]
        Difference between the formats; empty if there is only one.
    champion : dict[str, Any], optional
        Comparison with the version that serves; None if none serves.
    """
    held = resolved["holdout"]
    evaluation = {
        "metrics": metrics,
        "holdoutRows": held["rows"],
        "holdoutDigest": held["digest"],
        "by": held["by"],
        "column": held["column"],
        "fraction": config.evaluation.holdout.fraction,
    }
    if "boundary" in held:
        evaluation["boundary"] = held["boundary"]
    if champion is not None:
        evaluation["champion"] = champion
    source = environment.get("source")
    return {
        "schemaVersion": 1,
        "run": config.run.model_dump(mode="json", by_alias=True),
        "artifact": {
            "uri": uri,
            "digest": manifest.digest,
            "size": manifest.size,
            "files": [entry.document() for entry in manifest.files],
        },
        "data": resolved["data"],
        "profile": resolved["profile"],
        "evaluation": evaluation,
        "signature": signature,
        "environment": {key: value for key, value in environment.items() if key != "source"},
        "source": source_of(source if isinstance(source, dict) else {}),
        "params": config.params,
        "seed": config.seed,
        "parity": parity,
        "reported": reported,
        "lineage": config.lineage,
        "declared": config.evaluation.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def quarantined(record: dict[str, Any], past: Mapping[str, Entry]) -> dict[str, Any]:
    """Return the record with the ModelDeployments that rolled the same files back, from the quarantine note."""
    if not past:
        return record
    entries = [{"deployment": name, **entry.model_dump(mode="json", by_alias=True)} for name, entry in past.items()]
    return {**record, "quarantined": sorted(entries, key=lambda entry: (entry["at"], entry["deployment"]))}


def served(record: dict[str, Any], past: Sequence[Serving]) -> dict[str, Any]:
    """Return the record with the last servings of the same files that lie beside the artifact, in their order."""
    if not past:
        return record
    return {**record, "served": [one.model_dump(mode="json", by_alias=True) for one in past[-_SERVINGS:]]}


def dump(record: dict[str, Any]) -> bytes:
    """Return a record as JSON; equal records are equal bytes."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def source_of(source: dict[str, Any]) -> dict[str, Any]:
    """Return commit, dirty flag and URL of the training code, those that are well-formed."""
    found: dict[str, Any] = {
        key: source[key][:512] for key in ("commit", "url") if isinstance(source.get(key), str) and source[key]
    }
    if isinstance(source.get("dirty"), bool):
        found["dirty"] = source["dirty"]
    return found


def posted(record: dict[str, Any]) -> dict[str, Any]:
    """Return the part of the record for the operator, at most MAX_BYTES as JSON.

    The store's record keeps what is removed here; the largest and least used parts are removed first.
    """
    short = copy.deepcopy(
        {key: record[key] for key in record if key not in ("reported", "lineage", "declared", "profile")}
    )
    for each in short["data"]:
        each.pop("droppedRows", None)
    if "quarantined" in short:
        # The note itself still protects the others: their servers read it.
        short["quarantined"] = [
            {**each, "reason": each["reason"][:_REASON], "by": each["by"][:_REASON]}
            for each in short["quarantined"][:_QUARANTINES]
        ]
    cuts = (_few_objects, _no_objects, _no_packages, _no_categories, _no_environment, _no_signature)
    for cut in cuts:
        if len(dump(short)) <= MAX_BYTES:
            break
        cut(short)
    return short


def _few_objects(record: dict[str, Any]) -> None:
    for each in record["data"]:
        each["objects"] = each["objects"][:_OBJECTS]


def _no_objects(record: dict[str, Any]) -> None:
    for each in record["data"]:
        each["objects"] = []


def _no_packages(record: dict[str, Any]) -> None:
    record["environment"].pop("packages", None)


def _no_categories(record: dict[str, Any]) -> None:
    for feature in record["signature"]:
        feature.pop("categories", None)


def _no_environment(record: dict[str, Any]) -> None:
    record["environment"] = {}


def _no_signature(record: dict[str, Any]) -> None:
    record["signature"] = []
