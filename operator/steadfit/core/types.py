"""What goes into a decision and what comes out of it.

`plan(observed, now) -> Plan` is pure. The engine writes `Plan.status` first; it carries out `Plan.actions` only in a
pass whose status is already the stored one, so an effect always follows from an intent that survived a crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.metricsource import MetricSource
from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.trainingjob import TrainingJob
from steadfit.api.trainingrun import TrainingRun

Manifest = Mapping[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True, slots=True)
class Create:
    """Create a child. Its name is deterministic: an existing one of the same owner is adopted, any other refused."""

    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply with force.

    `metadata.uid` in the manifest fences it against another object of the name, `metadata.resourceVersion` against any
    change since.
    """

    manifest: Manifest
    field_manager: str = "steadfit"


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object, if it still is the one that was observed (uid precondition)."""

    manifest: Manifest


Action = Create | Apply | Delete


@dataclass(frozen=True, slots=True)
class Event:
    """One Kubernetes Event on the object; emitted only if the status write it belongs to succeeded."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The outcome of one pass over one object.

    Attributes
    ----------
    status
        The whole wished status as JSON; written when it differs from the stored one.
    actions
        What to do, in order, once `status` is the stored one. The first failure ends the pass; it is retried.
    events
        What to tell, if `status` was written in this pass.
    requeue_at
        When to look again although nothing may have happened; None = only when something happens.
    """

    status: dict[str, Any]
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Platform:
    """What the installation gives to every rendered pod."""

    trainer_image: str
    server_image: str
    operator_version: str
    record_url: str
    """Base URL of the intake, for example `https://steadfit-operator.steadfit-system.svc:8443`."""
    ca_bundle: str
    """PEM of the CA that signed the intake's certificate."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The ArtifactStores, and the labels of the namespace that asks for them."""

    stores: Sequence[ArtifactStore] = ()
    namespace_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signal:
    """What a MetricSource said of one monitor, last.

    Attributes
    ----------
    value
        The monitored value over the window; None = no data.
    samples
        How many samples it was taken from; None where that is not known (a query).
    reason
        Why there is no value, in a sentence; empty when there is one.
    code
        The same for tools, in CamelCase.
    """

    value: float | None = None
    samples: float | None = None
    reason: str = ""
    code: str = "NoData"


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a comparison, over the time since the candidate takes traffic.

    Attributes
    ----------
    count
        Requests or outcomes.
    mean
        Their mean: a share, or a mean error.
    variance
        Variance of that mean. Requests of one client are not independent, so it is larger than the binomial one.
    """

    count: float
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Compared:
    """What a MetricSource said of one metric of the analysis, last.

    Attributes
    ----------
    query
        The expression that the candidate's value was asked by.
    candidate, champion
        The two arms; None = no data. A query has neither.
    value
        The answer to a query; None = no data.
    reason
        Why there is no data, in a sentence; empty when there is.
    code
        The same for tools, in CamelCase.
    difference
        The candidate's mean less the champion's, slice of time by slice of time, so that what befalls both at once
        counts for neither; None = that of the two means.
    """

    query: str = ""
    candidate: Arm | None = None
    champion: Arm | None = None
    value: float | None = None
    reason: str = ""
    code: str = "NoData"
    difference: float | None = None


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How a MetricSource answered last.

    Attributes
    ----------
    problem
        None before the first answer; empty when it was well; else what is wrong, in a sentence.
    code
        What is wrong, for tools, in CamelCase.
    warning
        What the source itself warned of beside a good answer.
    """

    problem: str | None = None
    code: str = "Unreachable"
    warning: str = ""


@dataclass(frozen=True, slots=True)
class ObservedTrainingJob:
    """All that decides over a TrainingJob."""

    job: TrainingJob
    runs: Sequence[TrainingRun]
    versions: Sequence[ModelVersion]
    actions: Sequence[ModelAction]
    stores: Stores
    deployments: Sequence[ModelDeployment] = ()
    """The ModelDeployments that serve this TrainingJob's versions."""


@dataclass(frozen=True, slots=True)
class ObservedTrainingRun:
    """All that decides over a TrainingRun."""

    run: TrainingRun
    job: TrainingJob | None
    siblings: Sequence[TrainingRun]
    """The other runs of the same TrainingJob."""
    versions: Sequence[ModelVersion]
    jobs: Sequence[Manifest]
    """The batch/v1 Jobs that this run owns."""
    pods: Sequence[Manifest]
    """The pods of those Jobs."""
    stores: Stores
    platform: Platform
    deployments: Sequence[ModelDeployment] = ()
    """The ModelDeployments that serve this TrainingJob's versions."""


@dataclass(frozen=True, slots=True)
class ObservedModelVersion:
    """All that decides over a ModelVersion."""

    version: ModelVersion
    job: TrainingJob | None
    deployments: Sequence[ModelDeployment]
    """The ModelDeployments that serve this TrainingJob's versions."""
    jobs: Sequence[Manifest] = ()
    """The batch/v1 Jobs that it owns."""
    pods: Sequence[Manifest] = ()
    """The pods of those Jobs."""
    stores: Stores = field(default_factory=Stores)
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class ObservedModelDeployment:
    """All that decides over a ModelDeployment."""

    deployment: ModelDeployment
    job: TrainingJob | None
    versions: Sequence[ModelVersion]
    workloads: Sequence[Manifest]
    """The apps/v1 Deployments that it owns, one a revision."""
    pods: Sequence[Manifest]
    """The pods of those Deployments."""
    service: Manifest | None
    """The v1 Service of the same name, whoever owns it."""
    actions: Sequence[ModelAction]
    stores: Stores
    platform: Platform
    signals: Mapping[str, Signal] = field(default_factory=dict)
    """What was last measured, by the monitor's name; a monitor that is missing was not measured yet."""
    compared: Mapping[str, Compared] = field(default_factory=dict)
    """What was last measured of the candidate beside the champion, by the name of the analysis's metric."""
    evaluations: Sequence[TrainingRun] = ()
    """The runs of purpose Evaluate that were started for it."""
    route: Manifest | None = None
    """The HTTPRoute of the same name, whoever owns it."""
    services: Sequence[Manifest] = ()
    """The v1 Services that it owns beside its own: one a revision, for the HTTPRoute."""
    gateway_api: bool = True
    """Whether the cluster knows HTTPRoutes at all."""


@dataclass(frozen=True, slots=True)
class ObservedModelAction:
    """All that decides over a ModelAction."""

    action: ModelAction
    target: TrainingJob | ModelDeployment | None
    siblings: Sequence[ModelAction]
    """The other actions on the same target."""


@dataclass(frozen=True, slots=True)
class ObservedArtifactStore:
    """All that decides over an ArtifactStore."""

    store: ArtifactStore


@dataclass(frozen=True, slots=True)
class ObservedMetricSource:
    """All that decides over a MetricSource."""

    source: MetricSource
    health: SourceHealth = SourceHealth()
