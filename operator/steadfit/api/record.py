"""Record: what publish posts when a run has produced a result.

It comes from a pod, so it is checked twice: at the intake, and again when a ModelVersion is made of it. What passes
here fits a ModelVersion. The complete record (every object, the lineage) lies in the store beside the artifact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from .base import Model
from .modelversion import ChampionResult, DataRecord, File, PastQuarantine, PastServing

_DIGEST = r"^sha256:[0-9a-f]{64}$"
_NESTING = 16


def _clean(value: Any, depth: int = 0) -> Any:
    """Return free JSON without nulls; the API server drops them, and what is stored must equal what was posted."""
    if depth > _NESTING:
        raise ValueError(f"must not be nested deeper than {_NESTING} levels")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must not contain NaN or infinite numbers")
    if isinstance(value, dict):
        return {key: _clean(item, depth + 1) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    return value


def _unique(items: Sequence[DataSetRecord]) -> Sequence[DataSetRecord]:
    if len({item.name for item in items}) < len(items):
        raise ValueError("must not have two entries of one name")
    return items


def _one_each(items: list[PastQuarantine]) -> list[PastQuarantine]:
    if len({item.deployment for item in items}) < len(items):
        raise ValueError("must not have two entries of one ModelDeployment")
    return items


RecordDigest = Annotated[str, Field(pattern=_DIGEST)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
FreeJSON = Annotated[dict[str, Any], BeforeValidator(_clean)]
Scalars = Annotated[dict[str, str | int | float | bool], BeforeValidator(_clean), Field(max_length=128)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class RecordRun(Model):
    """The attempt of a run that speaks."""

    namespace: str
    """Namespace of the TrainingRun."""
    name: str
    """Name of the TrainingRun."""
    uid: str
    """Uid of the TrainingRun."""
    attempt: Annotated[int, Field(ge=1)]
    """Number of the attempt."""
    training_job: str
    """Name of the TrainingJob."""


class RecordFile(File):
    """One file of the artifact."""

    size: Count
    """Size in bytes."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of its bytes, in hexadecimal."""


class RecordObject(RecordFile):
    """One object of a data set."""

    path: Annotated[str, Field(max_length=1024)]
    """Key of the object below the data source's URI."""


class RecordArtifact(Model):
    """The files of the result."""

    uri: Annotated[str, Field(max_length=2048, pattern=r"^s3://")]
    """Where they lie: …/artifacts/sha256/<hex>/, below the store's prefix."""
    digest: RecordDigest
    """SHA-256 of their canonical manifest."""
    size: Count
    """Bytes in all files."""
    files: Annotated[list[RecordFile], Field(min_length=1, max_length=64)]
    """The files."""

    @model_validator(mode="after")
    def _addressed_by_content(self) -> RecordArtifact:
        suffix = f"/artifacts/sha256/{self.digest.removeprefix('sha256:')}/"
        if not self.uri.endswith(suffix):
            raise ValueError(f"the artifact's uri must end with {suffix}")
        return self


class DataSetRecord(DataRecord):
    """One data set as it was read, with as many of its objects as fit."""

    name: Annotated[str, Field(max_length=40)]
    """Name of the data source."""
    uri: Annotated[str, Field(max_length=1024)]
    """Where it was read."""
    digest: RecordDigest
    """Digest over path, size and SHA-256 of every object."""
    rows: Count
    """Rows that were trained on."""
    holdout_rows: Count
    """Rows that were held out."""
    object_count: Count
    """Objects that were read; the store's record lists them all."""
    objects: list[RecordObject] = []
    """The first objects."""


class RecordChampion(ChampionResult):
    """How the result compares with the champion."""

    digest: RecordDigest
    """Digest of the champion's artifact."""
    value: Number | None = None
    """The champion's value."""
    difference: Number | None = None
    """How much better the result is."""
    lower: Number | None = None
    """Lower end of the 95 % interval of the difference."""
    upper: Number | None = None
    """Upper end of it."""
    rows: Count = 0
    """Rows that both were judged by."""


class RecordEvaluation(Model):
    """What was measured on the holdout."""

    metrics: Annotated[
        dict[Annotated[str, Field(max_length=64)], Number], BeforeValidator(_clean), Field(max_length=16)
    ]
    """Values by the metric's name; one that could not be computed is left out."""
    holdout_rows: Count
    """Rows in the holdout."""
    holdout_digest: RecordDigest | None = None
    """Digest of the holdout's rows."""
    by: str
    """How it was split off: Time or Hash."""
    column: str
    """Column it was split by."""
    boundary: Annotated[str, Field(max_length=128, coerce_numbers_to_str=True)] | None = None
    """Smallest value of the holdout, for a split by time."""
    fraction: Number | None = None
    """Share of the rows that was held out."""
    champion: RecordChampion | None = None
    """How the result compares with the champion; absent when there was none."""


class RecordFeature(Model):
    """One input of the model."""

    name: str
    """Name of the feature."""
    datatype: str
    """Datatype of the Open Inference Protocol."""
    categories: list[str] | None = None
    """Known values, for BYTES."""


class RecordSource(Model):
    """The training code."""

    commit: str | None = None
    """Commit."""
    dirty: bool | None = None
    """Whether it had changes that were not committed."""
    url: str | None = None
    """Where the repository is."""


class Record(Model):
    """What publish posts: the artifact, the data it comes from, and how it did on the holdout."""

    schema_version: Literal[1]
    """Version of this format."""
    run: RecordRun
    """Who speaks."""
    artifact: RecordArtifact
    """The result."""
    data: Annotated[list[DataSetRecord], Field(max_length=16), AfterValidator(_unique)]
    """What it was trained on."""
    evaluation: RecordEvaluation
    """How it did."""
    signature: list[RecordFeature] = []
    """The model's inputs, in order."""
    environment: FreeJSON = {}
    """Interpreter and packages of the training container."""
    source: RecordSource = RecordSource()
    """The training code."""
    params: Scalars = {}
    """Parameters."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of all randomness."""
    parity: FreeJSON = {}
    """How far the formats of the model agree with each other."""
    quarantined: Annotated[list[PastQuarantine], Field(max_length=16), AfterValidator(_one_each)] | None = None
    """What lay beside the artifact: the ModelDeployments that had rolled these very files back. Absent when nothing
    did, so that a record of a time before this field equals the same one posted again."""
    served: Annotated[list[PastServing], Field(max_length=16)] | None = None
    """What lay beside the artifact: the last servings of these very files that have no room in a status. Absent when
    there were none."""
