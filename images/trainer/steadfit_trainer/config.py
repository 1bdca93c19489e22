"""The configuration of a step: the JSON of `STEADFIT_CONFIG`, validated before the step starts."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from steadfit_artifact.store import StoreConfig

from steadfit_trainer.metrics.registry import known

Scalar = bool | int | float | str
# Names become folders of the pod; the operator checks them too.
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Column = Annotated[str, Field(min_length=1, max_length=128)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
MetricName = Annotated[str, AfterValidator(known)]


class _Model(BaseModel):
    # A newer operator may say more than this step knows.
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Run(_Model):
    """The attempt this step belongs to."""

    namespace: Name
    name: Name
    uid: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    attempt: Annotated[int, Field(ge=1)]
    training_job: Name


class Latest(_Model):
    """The newest partitions by name."""

    partitions: Annotated[int, Field(ge=1)]


class Captured(_Model):
    """Labelled rows that a ModelDeployment captured."""

    deployment: Name
    window: Annotated[str, Field(pattern=r"^([0-9]+(\.[0-9]+)?(ms|h|m|s))+$")] = "720h"


class DataSource(_Model):
    """One data set and the store it lies in.

    Attributes
    ----------
    uri : str
        Object or folder; of captured rows the place of captures.
    format : Literal['Parquet', 'CSV'], default 'Parquet'
        Of the objects; captured rows are Parquet.
    """

    name: Name
    uri: str
    format: Literal["Parquet", "CSV"] = "Parquet"
    captured: Captured | None = None
    digest: Digest | None = None
    latest: Latest | None = None
    time_column: Column | None = None
    key_column: Column | None = None
    store: StoreConfig


class Holdout(_Model):
    """How the holdout is split off."""

    by: Literal["Time", "Hash"]
    column: Column
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2


class Metric(_Model):
    """A metric to compute on the holdout."""

    name: MetricName


class Evaluation(_Model):
    """The target, the holdout and the metrics."""

    target: Column
    positive_class: str | None = None
    holdout: Holdout
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)]


class Accepted(_Model):
    """The record of the last accepted run, which new data is compared with."""

    record_uri: str
    store: StoreConfig


class VersionArtifact(_Model):
    """Digest and place of a version's files; without a place they are not available."""

    digest: Digest
    uri: str | None = None


class Version(_Model):
    """An older version.

    Attributes
    ----------
    problem : str, optional
        Why it is not available, if the operator knows that already.
    """

    version: Annotated[str, Field(max_length=253)]
    artifact: VersionArtifact
    store: StoreConfig | None = None
    problem: str | None = None


class Champion(Version):
    """The version that serves, and how its holdout was split off.

    Attributes
    ----------
    fraction : float, optional
        Absent of versions of older releases.
    """

    by: str | None = None
    column: str | None = None
    boundary: str | None = None
    fraction: float | None = None


class Evaluate(_Model):
    """What a run of purpose Evaluate compares, instead of training.

    Attributes
    ----------
    metric : MetricName
        Metric that the versions are compared by.
    min_rows : int
        Below this number of rows there is no comparison.
    max_rows : int
        At most this number of rows is used: the newest.
    until : datetime, optional
        Outcomes that came later do not count; None = the newest one ends the window.
    flush_seconds : float, default 0
        Within this time servers write the rows that they captured.
    live : Version
        The version that serves.
    last_good : Version, optional
        The one that served before; None if there is none.
    """

    metric: MetricName
    min_rows: Annotated[int, Field(ge=1)]
    max_rows: Annotated[int, Field(ge=1)]
    until: datetime | None = None
    flush_seconds: Annotated[float, Field(ge=0)] = 0.0
    live: Version
    last_good: Version | None = None


class Known(_Model):
    """A version of the same recipe, and the digest over the data that it learned from."""

    version: Annotated[str, Field(max_length=253)]
    data: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Config(_Model):
    """The whole configuration of a run's own steps."""

    run: Run
    store: StoreConfig
    data: Annotated[tuple[DataSource, ...], Field(min_length=1)]
    evaluation: Evaluation
    accepted: Accepted | None = None
    champion: Champion | None = None
    evaluate: Evaluate | None = None
    known: tuple[Known, ...] = ()
    params: dict[str, Scalar] = {}
    seed: int = 0
    # The request carries a bearer token.
    record_url: Annotated[str, Field(pattern=r"^https://")]
    lineage: dict[str, Any] = {}
