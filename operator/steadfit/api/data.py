"""Data sources and evaluation: the data of a run, and the metrics and rules that its result must pass."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Digest, Duration, Label, Model, NotInput, cel, list_map, validations
from .margin import Margin, margin_schema
from .metrics import MAXIMIZED, METRICS, MINIMIZED, Goal, OneOf, words

Column = Annotated[str, Field(min_length=1, max_length=128)]
"""Name of a column."""

StoreURI = Annotated[
    str,
    Field(
        max_length=1024,
        json_schema_extra=validations(
            cel(
                "self.matches('^s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](/.*)?$')",
                "must be an s3:// URI with a bucket, for example s3://lake/flights/; other schemes are not supported",
            ),
            cel("!self.contains('/../') && !self.endsWith('/..')", "must not contain '..' as a path segment"),
        ),
    ),
]
"""Where something lies in an object store."""


class Latest(Model):
    """The newest partitions by name (Hive style); there is no clock in it."""

    partitions: Annotated[int, Field(ge=1, le=1000)]
    """How many of the newest partitions are read."""


class Captured(Model):
    """Requests that a ModelDeployment captured and whose outcome was posted back: labelled rows of the live model."""

    deployment: Label
    """Name of the ModelDeployment, in the same namespace and with the same store."""
    window: Duration = "720h"
    """How far back rows are read, counted from the newest captured one; there is no clock in it."""


class DataSource(Model):
    """One data set, resolved once per run and recorded object by object."""

    name: Label
    """Name of the data set; the training container finds it under /steadfit/data/<name>/."""
    uri: StoreURI | None = None
    """Object or prefix to read. The ArtifactStore with the longest matching prefix says how."""
    format: Literal["Parquet", "CSV"] | None = None
    """Format of the objects below uri."""
    captured: Captured | None = None
    """Read the labelled rows that a ModelDeployment captured instead: its inputs, and the outcome under the name of
    evaluation.target, with the request's time as column `captured_at`."""
    digest: Digest | None = None
    """What the data must be: the run fails with class Data when it is not."""
    latest: Latest | None = None
    """Read only the newest partitions under the prefix."""
    time_column: Column | None = None
    """Column that says when a row was observed."""
    key_column: Column | None = None
    """Column that identifies a row."""

    model_config = {
        "json_schema_extra": validations(
            cel("has(self.uri) != has(self.captured)", "set uri or captured: exactly one of them"),
            cel("has(self.uri) == has(self.format)", "a uri needs its format, Parquet or CSV; captured rows have none"),
            cel("!(has(self.digest) && has(self.latest))", "set digest or latest, not both"),
            cel(
                "!has(self.captured) || !(has(self.digest) || has(self.latest))",
                "digest and latest are for a uri; captured rows are chosen by captured.window",
            ),
        )
    }


DataSources = Annotated[list[DataSource], Field(min_length=1, max_length=16, json_schema_extra=list_map("name"))]
"""Data sources, at most one of a name."""


class Holdout(Model):
    """The rows no version was trained on, split off by Steadfit before the user's container starts."""

    by: Literal["Time", "Hash"]
    """Time: the newest rows by the column. Hash: a stable hash of the column's value."""
    column: Column
    """Column to split by."""
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the rows that is held out."""


class Metric(Model):
    """A metric of a version, computed by Steadfit on the holdout."""

    name: Annotated[str, OneOf(tuple(METRICS))]
    """Metric, as scikit-learn defines it."""
    goal: Goal
    """Which direction is better."""
    threshold: float | None = None
    """A version whose value is worse than this is Rejected."""

    model_config = {
        "json_schema_extra": validations(
            cel(
                f"(self.name in {list(MAXIMIZED)}) == (self.goal == 'Maximize')",
                f"{words(MAXIMIZED)} are better when larger (goal: Maximize); {words(MINIMIZED)} are better when"
                " smaller (goal: Minimize)",
            )
        )
    }


class ChampionComparison(Model):
    """Comparison of a version with the one that serves: paired, on the same holdout rows, by the first metric."""

    margin: Annotated[Margin, margin_schema(minimum=0)] = Margin(0.005)
    """How much worse a version may be: a number in the metric's unit, or a percentage of the absolute value
    of the version that serves, such as `5%`. It passes when the 95 % interval of the difference lies above -margin
    (non-inferiority)."""


class Evaluation(Model):
    """How a version is judged."""

    target: Column
    """Column that the model predicts."""
    positive_class: Annotated[str, Field(max_length=128)] | None = None
    """Label of the positive class in a binary classification; the greater label when absent."""
    holdout: Holdout
    """How the holdout is split off."""
    metrics: NotInput[Annotated[list[Metric], Field(min_length=1, max_length=8, json_schema_extra=list_map("name"))]]
    """What is computed on the holdout; the first metric is the main one."""
    champion: NotInput[ChampionComparison] = ChampionComparison()
    """How it is compared with the version that serves."""
    bootstrap: NotInput[Literal["Thresholds", "Manual"]] = "Thresholds"
    """The first model has nothing to be compared with. Thresholds: it serves when it passes them. Manual: it is held
    until it is pinned or promoted."""
