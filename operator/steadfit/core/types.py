"""Inputs and outputs of a plan: what was observed, and the status, actions and events that follow.

`plan(observed, now) -> Plan` is pure. The engine writes `Plan.status` first. It runs `Plan.actions` only in a pass
whose status equals the stored one, so every change in the cluster follows from a decision that survives a crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.base import API_VERSION, Object
from steadfit.api.metricsource import MetricSource
from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.run import Cause
from steadfit.api.trainingjob import TrainingJob
from steadfit.api.trainingrun import TrainingRun
from steadfit.core.reasons.catalogue import ReasonWord
from steadfit.core.reasons.metrics import NoDataReason

Manifest = Mapping[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True, slots=True)
class Create:
    """Create a child object.

    Its name is deterministic. An existing object of the same owner is adopted, one of another owner is an error.

    Attributes
    ----------
    is_record
        Whether nothing follows from it in the cluster: if it is refused, the actions after it are carried out.
    """

    manifest: Manifest
    is_record: bool = False


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply with force.

    With `metadata.uid` in the manifest it fails if another object has taken the name, with `metadata.resourceVersion`
    if the object has changed.
    """

    manifest: Manifest
    field_manager: str = "steadfit"


@dataclass(frozen=True, slots=True)
class Replace:
    """Give the observed object this spec and no other field, whoever has set it; its metadata keep what others add.

    A server-side apply removes only what the same manager has applied before. It fails if the object has changed.
    """

    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object, with the observed uid as precondition; `is_record` as in Create."""

    manifest: Manifest
    is_record: bool = False


@dataclass(frozen=True, slots=True)
class Adopt:
    """Give the observed object these owners and labels; the other labels stay. It fails if the object has changed."""

    manifest: Manifest


Action = Create | Apply | Replace | Adopt | Delete


def reference(kind: str, obj: Object) -> Manifest:
    """Return the manifest that names one of our objects, with the uid that fences its deletion."""
    metadata = {"name": obj.name, "namespace": obj.metadata.namespace, "uid": obj.uid}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata}


@dataclass(frozen=True, slots=True)
class Event:
    """One Kubernetes Event on the object, emitted only after its status write has succeeded."""

    type: Literal["Normal", "Warning"]
    reason: ReasonWord
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The result of one reconcile of one object.

    Attributes
    ----------
    status
        The whole desired status as JSON. It is written when it differs from the stored one.
    actions
        Changes in the cluster, in order, made once `status` is stored. The first failure ends the pass, which is
        retried; the refusal of a record does not.
    events
        Events to emit if `status` was written in this pass.
    requeue_at
        When to reconcile again without any change in the cluster; None = only after a change.
    marks
        Annotations to write before `status`, because they follow from no decision. The pass ends with them.
    """

    status: dict[str, Any]
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_at: datetime | None = None
    marks: tuple[Apply, ...] = ()


@dataclass(frozen=True, slots=True)
class Platform:
    """Settings of the installation that every rendered pod gets."""

    trainer_image: str
    server_image: str
    operator_version: str
    record_url: str
    """Base URL of the operator's results endpoint, for example `https://steadfit-operator.steadfit-system.svc:8443`."""
    ca_bundle: str
    """PEM of the CA that signed that endpoint's certificate."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The ArtifactStores, the labels of the namespace that uses them, and where its servers write.

    Attributes
    ----------
    captured_in
        Name of the store that the live servers of a ModelDeployment write captured rows to, by the deployment's name.
    """

    stores: Sequence[ArtifactStore] = ()
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    captured_in: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signal:
    """The latest measurement for one monitor.

    Attributes
    ----------
    value
        The monitored value over the window; None = no data.
    samples
        Number of samples behind the value; None where it is not known (a query).
    bound
        End of the 95 % interval of the value on the good side; None = the value alone decides.
    reason
        Why there is no value, in a sentence; empty when there is one.
    code
        The same as a machine-readable reason in CamelCase.
    """

    value: float | None = None
    samples: float | None = None
    bound: float | None = None
    reason: str = ""
    code: NoDataReason = "NotMeasured"


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of a comparison, candidate or champion, over the time since the candidate takes traffic.

    Attributes
    ----------
    count
        Number of requests or outcomes.
    mean
        Their mean: a share, or a mean error.
    variance
        Variance of that mean. It is larger than the binomial one, as requests of one client are not independent.
    """

    count: float
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class SequentialResult:
    """Result of the test of a harm: by how much the candidate's mean is worse than the champion's.

    Attributes
    ----------
    verdict
        Fail: there is a harm. Pass: it is smaller than the margin. Inconclusive: neither is shown.
    ratio
        Logarithm of the likelihood ratio against no difference.
    upper
        Upper end of the harm's confidence sequence.
    """

    verdict: Literal["Pass", "Fail", "Inconclusive"]
    ratio: float
    upper: float


@dataclass(frozen=True, slots=True)
class Compared:
    """The latest measurement for one metric of the analysis.

    Attributes
    ----------
    query
        PromQL expression of the candidate's value.
    candidate, champion
        The two arms; None = no data. A query has neither.
    value
        Result of a query; None = no data.
    reason
        Why there is no data, in a sentence; empty when there is.
    code
        The same as a machine-readable reason in CamelCase.
    difference
        The candidate's mean minus the champion's, stratified by time slice, so that a disturbance of both arms cancels
        out; None = the difference of the two means.
    in_step
        Number of requests or outcomes of the candidate since its present step began; None = not known.
    result
        Result of the test of the servers' own counts by connection; None = a comparison from a MetricSource.
    fallback
        Why a comparison is from a MetricSource although it could be by connection, in a part of a sentence.
    """

    query: str = ""
    candidate: Arm | None = None
    champion: Arm | None = None
    value: float | None = None
    reason: str = ""
    code: NoDataReason = "NotMeasured"
    difference: float | None = None
    in_step: float | None = None
    result: SequentialResult | None = None
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """Health of a MetricSource after its latest answer.

    Attributes
    ----------
    problem
        What is wrong, in a sentence; empty when nothing is; None before the first answer.
    code
        The same as a machine-readable reason in CamelCase.
    warning
        Warning that the source sent with a good answer.
    """

    problem: str | None = None
    code: NoDataReason = "Unreachable"
    warning: str = ""


@dataclass(frozen=True, slots=True)
class ObservedTrainingJob:
    """Everything the plan of a TrainingJob reads."""

    job: TrainingJob
    runs: Sequence[TrainingRun]
    versions: Sequence[ModelVersion]
    actions: Sequence[ModelAction]
    stores: Stores
    deployments: Sequence[ModelDeployment] = ()
    """The ModelDeployments that serve this TrainingJob's versions."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Why the API server refused TrainingRuns of the namespace, by their names."""
    alerts_refused_since: datetime | None = None
    """Since when senders of alerts refuse the certificate of the operator's endpoint and no alert arrives."""


@dataclass(frozen=True, slots=True)
class ObservedTrainingRun:
    """Everything the plan of a TrainingRun reads."""

    run: TrainingRun
    job: TrainingJob | None
    siblings: Sequence[TrainingRun]
    """The other runs of the same TrainingJob."""
    versions: Sequence[ModelVersion]
    workloads: Sequence[Manifest]
    """What its attempts run as: objects of core/runs/runtime that it owns."""
    pods: Sequence[Manifest]
    """The pods of those."""
    stores: Stores
    platform: Platform
    deployments: Sequence[ModelDeployment] = ()
    """The ModelDeployments that serve this TrainingJob's versions."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Why the API server refused workloads, their pods, or versions of the namespace, by the name of the object."""


@dataclass(frozen=True, slots=True)
class ObservedModelVersion:
    """Everything the plan of a ModelVersion reads."""

    version: ModelVersion
    job: TrainingJob | None
    deployments: Sequence[ModelDeployment]
    """The ModelDeployments that serve this TrainingJob's versions."""
    workloads: Sequence[Manifest] = ()
    """What writes its quarantines: objects of core/runs/runtime that it owns."""
    pods: Sequence[Manifest] = ()
    """The pods of those."""
    stores: Stores = field(default_factory=Stores)
    platform: Platform | None = None
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Why the API server refused workloads of the namespace, or their pods, by the name of the workload."""


@dataclass(frozen=True, slots=True)
class PodTimes:
    """When the operator saw a pod, by its own clock. The times in the pod's status are by the clock of its node."""

    first_seen: datetime
    exit_seen: datetime | None = None
    """When it saw the last exit of the server come; None if the pod showed it when it was first seen."""
    readiness_seen: datetime | None = None
    """When it saw the readiness change; None as above."""


@dataclass(frozen=True, slots=True)
class ObservedModelDeployment:
    """Everything the plan of a ModelDeployment reads."""

    deployment: ModelDeployment
    job: TrainingJob | None
    versions: Sequence[ModelVersion]
    """The versions of the TrainingJob that the spec names: a number means one of them."""
    workloads: Sequence[Manifest]
    """The apps/v1 Deployments that it owns, one per revision."""
    pods: Sequence[Manifest]
    """The pods of those Deployments."""
    service: Manifest | None
    """The v1 Service of the same name, whatever its owner."""
    actions: Sequence[ModelAction]
    stores: Stores
    platform: Platform
    signals: Mapping[str, Signal] = field(default_factory=dict)
    """Latest measurements by monitor name; a monitor without an entry was not measured yet."""
    compared: Mapping[str, Compared] = field(default_factory=dict)
    """Latest comparisons of candidate and champion by the name of the analysis metric."""
    evaluations: Sequence[TrainingRun] = ()
    """The TrainingRuns of purpose Evaluate that were started for it."""
    route: Manifest | None = None
    """The HTTPRoute of the same name, whatever its owner."""
    services: Sequence[Manifest] = ()
    """The v1 Services per revision that it owns, for the HTTPRoute."""
    gateway_api: bool = True
    """Whether the cluster has the Gateway API."""
    frozen_templates: Sequence[Manifest] = ()
    """The apps/v1 ControllerRevisions that it owns, one per revision."""
    decisions: Sequence[Manifest] = ()
    """The apps/v1 ControllerRevisions that keep decisions by its name, also those without an owner or with that of an
    earlier one."""
    earlier_versions: Sequence[ModelVersion] = ()
    """The versions of other TrainingJobs that it decided about: they served before its trainingJobRef was changed."""
    refused_deployments: Mapping[str, str] = field(default_factory=dict)
    """Why the API server refused Deployments of the namespace, by their names."""
    refused_services: Mapping[str, str] = field(default_factory=dict)
    """Why the API server refused Services of the namespace, by their names."""
    route_refused: str = ""
    """Why the API server refused the HTTPRoute; empty if it did not."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Why the API server refused ControllerRevisions of the namespace, by their names."""
    pod_times: Mapping[str, PodTimes] = field(default_factory=dict)
    """When the operator saw the pods change, by their uids."""
    arrivals: Mapping[str, datetime] = field(default_factory=dict)
    """When ModelActions arrived by the operator's clock, by their uids; none of those that waited for an operator."""
    applied_templates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the API server made of the last pod template that this operator applied, by the uid of the Deployment."""


@dataclass(frozen=True, slots=True)
class ObservedModelAction:
    """Everything the plan of a ModelAction reads."""

    action: ModelAction
    target: TrainingJob | ModelDeployment | None
    siblings: Sequence[ModelAction]
    """The other actions on the same target."""
    causes: Sequence[Cause] = ()
    """The causes of the target's runs and versions."""
    scope: Sequence[ModelDeployment] = ()
    """Without a target: the ModelDeployments among which a pending action selects."""


@dataclass(frozen=True, slots=True)
class ObservedArtifactStore:
    """Everything the plan of an ArtifactStore reads."""

    store: ArtifactStore


@dataclass(frozen=True, slots=True)
class ObservedMetricSource:
    """Everything the plan of a MetricSource reads."""

    source: MetricSource
    health: SourceHealth = SourceHealth()
