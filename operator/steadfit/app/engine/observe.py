"""Reads the cache for plans: one function a kind, each returns that kind's `Observed…`.

Only the cache is read, so a pass sees one consistent state. Objects with a deletionTimestamp are included: a Job that
is being deleted still exists.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar, cast

from pydantic import ValidationError

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.base import Object
from steadfit.api.metricsource import MetricSource
from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.run import Cause
from steadfit.api.trainingjob import TrainingJob
from steadfit.api.trainingrun import TrainingRun
from steadfit.core import names
from steadfit.core.monitors.evaluation import measured_monitors
from steadfit.core.serving.ownership import is_adoptable
from steadfit.core.types import (
    ObservedArtifactStore,
    ObservedMetricSource,
    ObservedModelAction,
    ObservedModelDeployment,
    ObservedModelVersion,
    ObservedTrainingJob,
    ObservedTrainingRun,
    Platform,
    PodTimes,
    Stores,
)
from steadfit.kube.cache import Cache, JSONObject
from steadfit.kube.key import Key
from steadfit.kube.resources import (
    ARTIFACT_STORES,
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    HTTP_ROUTES,
    METRIC_SOURCES,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    NAMESPACES,
    PODS,
    RUNTIMES,
    SERVICES,
    TRAINING_JOBS,
    TRAINING_RUNS,
    Resource,
)
from steadfit.prometheus.canary_trial import Trial, trial_of
from steadfit.prometheus.live import LiveModel
from steadfit.prometheus.signals import Signals

from .applied_templates import AppliedTemplates
from .indexes import (
    MODEL_DEPLOYMENT,
    actions_on,
    deployments_naming,
    deployments_of,
    earlier_versions_of,
    in_namespace,
    is_pending_action,
    owned_by,
    runs_of,
    scope_of,
    selections_of,
    training_job_of,
    versions_of,
)
from .refusals import Refusals

T = TypeVar("T", bound=Object)

MAX_PARSED = 20_000


class Observer:
    """Reads the cache for plans. Parsed objects are kept by uid and resourceVersion."""

    def __init__(
        self,
        cache: Cache,
        platform: Platform,
        signals: Signals | None = None,
        refusals: Refusals | None = None,
        pod_times: Mapping[str, PodTimes] | None = None,
        applied: AppliedTemplates | None = None,
        arrivals: Mapping[str, datetime] | None = None,
    ) -> None:
        self._cache = cache
        self._signals = signals or Signals()
        self._refusals = refusals
        self._pod_times = {} if pod_times is None else pod_times
        self._applied = applied
        self._arrivals = {} if arrivals is None else arrivals
        self.platform = platform
        self.alerts_refused_since: datetime | None = None
        """Since when senders of alerts refuse the certificate of the intake and no alert arrives."""
        self._parsed: OrderedDict[str, tuple[str, Object]] = OrderedDict()

    def training_job(self, obj: JSONObject) -> ObservedTrainingJob:
        """Observe a TrainingJob."""
        job = self._one(TrainingJob, obj)
        namespace = job.metadata.namespace
        runs = self._many(TrainingRun, runs_of(self._cache, namespace, job.name))
        return ObservedTrainingJob(
            job=job,
            runs=[run for run in runs if run.spec.training_job_ref.uid == job.uid and _trains(run)],
            versions=self._many(ModelVersion, versions_of(self._cache, namespace, job.name)),
            actions=self._actions(Key(TRAINING_JOBS, namespace, job.name)),
            stores=self._stores(namespace, job.name),
            deployments=self._many(ModelDeployment, deployments_of(self._cache, namespace, job.name)),
            refusals=self.refused(namespace, TRAINING_RUNS),
            alerts_refused_since=self.alerts_refused_since,
        )

    def training_run(self, obj: JSONObject) -> ObservedTrainingRun:
        """Observe a TrainingRun. A TrainingJob of the same name with another uid is not its owner."""
        run = self._one(TrainingRun, obj)
        namespace = run.metadata.namespace
        reference = run.spec.training_job_ref
        job = self._training_job(namespace, reference.name)
        siblings = self._many(TrainingRun, runs_of(self._cache, namespace, reference.name))
        workloads = self._workloads(run)
        return ObservedTrainingRun(
            run=run,
            job=job if job is not None and job.uid == reference.uid else None,
            # Versions are numbered by the TrainingJob's name, so runs of an earlier job of this name count too.
            siblings=[sibling for sibling in siblings if sibling.uid != run.uid and _trains(sibling)],
            versions=[
                *self._many(ModelVersion, versions_of(self._cache, namespace, reference.name)),
                *self._evaluated_of_others(run),
            ],
            workloads=workloads,
            pods=self._pods(workloads),
            stores=self._stores(namespace, reference.name),
            platform=self.platform,
            deployments=self._many(ModelDeployment, deployments_of(self._cache, namespace, reference.name)),
            refusals=self.refused(namespace, *RUNTIMES, MODEL_VERSIONS),
        )

    def model_version(self, obj: JSONObject) -> ObservedModelVersion:
        """Observe a ModelVersion."""
        version = self._one(ModelVersion, obj)
        namespace = version.metadata.namespace
        job = version.spec.training_job_ref.name
        workloads = self._workloads(version)
        return ObservedModelVersion(
            version=version,
            job=self._training_job(namespace, job),
            deployments=self._many(ModelDeployment, self._deployments_about(version)),
            workloads=workloads,
            pods=self._pods(workloads),
            stores=self._stores(namespace),
            platform=self.platform,
            refusals=self.refused(namespace, *RUNTIMES),
        )

    def model_deployment(self, obj: JSONObject) -> ObservedModelDeployment:
        """Observe a ModelDeployment."""
        deployment = self._one(ModelDeployment, obj)
        namespace = deployment.metadata.namespace
        job = deployment.training_job
        kept = self._children(CONTROLLER_REVISIONS, deployment)
        # By the label: a restore brings them back without their owner.
        decisions = (CONTROLLER_REVISIONS, MODEL_DEPLOYMENT, (namespace, deployment.name))
        workloads = self._children(DEPLOYMENTS, deployment)
        return ObservedModelDeployment(
            deployment=deployment,
            job=self._training_job(namespace, job),
            versions=self._many(ModelVersion, versions_of(self._cache, namespace, job)),
            earlier_versions=self._many(
                ModelVersion, earlier_versions_of(self._cache, obj, _digests_of([*workloads, *kept]))
            ),
            workloads=workloads,
            # The ReplicaSets between a Deployment and its pods are not watched: the label links them.
            pods=self.server_pods(namespace, deployment.name),
            service=self._cache.get(Key(SERVICES, namespace, deployment.name)),
            actions=[*self._actions(Key(MODEL_DEPLOYMENTS, namespace, deployment.name)), *self._selections(namespace)],
            stores=self._stores(namespace),
            platform=self.platform,
            signals=self._signals.of(deployment),
            compared=self._signals.comparisons.of(deployment),
            evaluations=self._evaluations(deployment),
            route=self._cache.get(Key(HTTP_ROUTES, namespace, deployment.name)),
            services=[one for one in self._children(SERVICES, deployment) if _of_a_revision(one)],
            gateway_api=not self._cache.lacks(HTTP_ROUTES),
            frozen_templates=[one for one in kept if not _is_decision(one)],
            decisions=[one for one in self._cache.by(*decisions) if _is_decision(one)],
            refusals=self.refused(namespace, CONTROLLER_REVISIONS),
            refused_deployments=self.refused(namespace, DEPLOYMENTS),
            refused_services=self.refused(namespace, SERVICES),
            route_refused=self.refused(namespace, HTTP_ROUTES).get(deployment.name, ""),
            pod_times=self._pod_times,
            arrivals=self._arrivals,
            applied_templates=self._applied.of(workloads) if self._applied is not None else {},
        )

    def model_action(self, obj: JSONObject) -> ObservedModelAction:
        """Observe a ModelAction."""
        action = self._one(ModelAction, obj)
        namespace = action.metadata.namespace
        if action.spec.target.name is None:
            return self._selection(action, scope_of(obj))
        of_job = action.spec.target.kind == TRAINING_JOBS.kind
        key = Key(TRAINING_JOBS if of_job else MODEL_DEPLOYMENTS, namespace, action.spec.target.name)
        target = self._cache.get(key)
        found: TrainingJob | ModelDeployment | None = None
        if target is not None:
            found = self._one(TrainingJob, target) if of_job else self._one(ModelDeployment, target)
        return ObservedModelAction(
            action=action,
            target=found,
            siblings=[sibling for sibling in self._actions(key) if sibling.uid != action.uid],
            causes=self._causes(namespace, key.name) if of_job else [],
        )

    def _selection(self, action: ModelAction, scope: str | None) -> ObservedModelAction:
        """Observe a ModelAction that selects its targets."""
        siblings = self._many(ModelAction, selections_of(self._cache, scope))
        return ObservedModelAction(
            action=action,
            target=None,
            siblings=[sibling for sibling in siblings if sibling.uid != action.uid],
            # One that has ended reads them no more.
            scope=self._deployments_in(scope) if action.status.phase == "Pending" else [],
        )

    def artifact_store(self, obj: JSONObject) -> ObservedArtifactStore:
        """Observe an ArtifactStore."""
        return ObservedArtifactStore(store=self._one(ArtifactStore, obj))

    def metric_source(self, obj: JSONObject) -> ObservedMetricSource:
        """Observe a MetricSource."""
        source = self._one(MetricSource, obj)
        return ObservedMetricSource(source=source, health=self._signals.health(source))

    def sources(self) -> list[MetricSource]:
        """Return all MetricSources, for the poller."""
        return self._readable(MetricSource, self._cache.all(METRIC_SOURCES))

    def model_deployments(self) -> list[ModelDeployment]:
        """Return all ModelDeployments, for the rules."""
        return self._readable(ModelDeployment, self._cache.all(MODEL_DEPLOYMENTS))

    def live_models(self) -> list[LiveModel]:
        """Return the live versions and their monitors, for the poller."""
        found = []
        for deployment in self._readable(ModelDeployment, self._cache.all(MODEL_DEPLOYMENTS)):
            live, monitors = deployment.status.live, measured_monitors(deployment)
            if live is not None and monitors:
                namespace = deployment.metadata.namespace or ""
                labels = self._namespace_labels(namespace)
                found.append(LiveModel(namespace, deployment.name, live.number, tuple(monitors), labels))
        return found

    def server_pods(self, namespace: str | None, name: str) -> list[JSONObject]:
        """Return the pods of a ModelDeployment's servers."""
        return self._cache.by(PODS, MODEL_DEPLOYMENT, (namespace, name))

    def trials(self) -> list[Trial]:
        """Return the candidates that take traffic beside a champion, for the poller."""
        found = []
        for deployment in self._readable(ModelDeployment, self._cache.all(MODEL_DEPLOYMENTS)):
            trial = trial_of(deployment, self._namespace_labels(deployment.metadata.namespace))
            if trial is not None:
                found.append(trial)
        return found

    def refused(self, namespace: str | None, *resources: Resource) -> Mapping[str, str]:
        """Return why the API server refused objects of a namespace, or the pods of Jobs, by the name of the object."""
        return self._refusals.within(namespace, resources) if self._refusals is not None else {}

    def _children(self, resource: Resource, deployment: ModelDeployment) -> list[JSONObject]:
        """Return the objects that a ModelDeployment owns, and those that it adopts."""
        place = (deployment.metadata.namespace, deployment.name)
        labelled = self._cache.by(resource, MODEL_DEPLOYMENT, place)
        adopted = (one for one in labelled if is_adoptable(deployment, one))
        return [*owned_by(self._cache, resource, deployment.uid), *adopted]

    def _training_job(self, namespace: str | None, name: str) -> TrainingJob | None:
        obj = self._cache.get(Key(TRAINING_JOBS, namespace, name))
        return self._one(TrainingJob, obj) if obj is not None else None

    def _workloads(self, owner: Object) -> list[JSONObject]:
        return [found for resource in RUNTIMES for found in owned_by(self._cache, resource, owner.uid)]

    def _pods(self, workloads: Iterable[JSONObject]) -> list[JSONObject]:
        return [pod for parent in workloads for pod in owned_by(self._cache, PODS, parent["metadata"]["uid"])]

    def _evaluations(self, deployment: ModelDeployment) -> list[TrainingRun]:
        place = (deployment.metadata.namespace, deployment.name)
        runs = self._many(TrainingRun, self._cache.by(TRAINING_RUNS, MODEL_DEPLOYMENT, place))
        return [run for run in runs if run.spec.purpose == "Evaluate"]

    def _evaluated_of_others(self, run: TrainingRun) -> list[ModelVersion]:
        """Return the versions of other TrainingJobs that a run evaluates: they served before a change of the job."""
        inputs, reference = run.spec.evaluate, run.spec.training_job_ref
        compared = [inputs.live, inputs.last_good] if inputs is not None else []
        keys = [Key(MODEL_VERSIONS, run.metadata.namespace, one.version) for one in compared if one is not None]
        found = self._many(ModelVersion, (obj for key in keys if (obj := self._cache.get(key)) is not None))
        return [version for version in found if version.spec.training_job_ref.name != reference.name]

    def _deployments_about(self, version: ModelVersion) -> list[JSONObject]:
        """Return the ModelDeployments that serve a version's TrainingJob, and others whose status names the version."""
        namespace, job = version.metadata.namespace, version.spec.training_job_ref.name
        naming = deployments_naming(self._cache, Key(MODEL_VERSIONS, namespace, version.name))
        return [
            *deployments_of(self._cache, namespace, job),
            *(one for one in naming if training_job_of(one) != job),
        ]

    def _actions(self, key: Key) -> list[ModelAction]:
        return self._many(ModelAction, actions_on(self._cache, key))

    def _selections(self, namespace: str | None) -> list[ModelAction]:
        """Return the pending ModelActions that select among the ModelDeployments of a namespace."""
        found = (*selections_of(self._cache, namespace), *selections_of(self._cache, None))
        return self._many(ModelAction, (obj for obj in found if is_pending_action(obj)))

    def _deployments_in(self, namespace: str | None) -> list[ModelDeployment]:
        """Return the readable ModelDeployments of a namespace; those of all namespaces if it is None."""
        if namespace is None:
            return self._readable(ModelDeployment, self._cache.all(MODEL_DEPLOYMENTS))
        return self._readable(ModelDeployment, in_namespace(self._cache, MODEL_DEPLOYMENTS, namespace))

    def _causes(self, namespace: str | None, job: str) -> list[Cause]:
        runs = self._many(TrainingRun, runs_of(self._cache, namespace, job))
        versions = self._many(ModelVersion, versions_of(self._cache, namespace, job))
        return [*(run.spec.cause for run in runs), *(version.spec.cause for version in versions)]

    def _stores(self, namespace: str | None, training_job: str | None = None) -> Stores:
        return Stores(
            stores=self._many(ArtifactStore, self._cache.all(ARTIFACT_STORES)),
            namespace_labels=self._namespace_labels(namespace),
            captured_in=self._captured_in(namespace, training_job) if training_job is not None else {},
        )

    def _captured_in(self, namespace: str | None, training_job: str) -> Mapping[str, str]:
        """Return the stores that the live servers of a TrainingJob's versions write to."""
        stores = {
            (version.name, version.spec.artifact.digest): version.spec.store_ref.name
            for version in self._many(ModelVersion, versions_of(self._cache, namespace, training_job))
        }
        found = {}
        for deployment in self._many(ModelDeployment, deployments_of(self._cache, namespace, training_job)):
            live = deployment.status.live
            if live is not None and (live.version, live.digest) in stores:
                found[deployment.name] = stores[live.version, live.digest]
        return found

    def _namespace_labels(self, namespace: str | None) -> Mapping[str, str]:
        obj = self._cache.get(Key(NAMESPACES, None, namespace or ""))
        return obj["metadata"].get("labels", {}) if obj is not None else {}

    def _readable(self, model: type[T], objects: Iterable[JSONObject]) -> list[T]:
        """Return the readable ones of some objects; the pass of an unreadable one reports it."""
        found = []
        for obj in objects:
            try:
                found.append(self._one(model, obj))
            except ValidationError:
                continue
        return found

    def _many(self, model: type[T], objects: Iterable[JSONObject]) -> list[T]:
        return [self._one(model, obj) for obj in objects]

    def _one(self, model: type[T], obj: JSONObject) -> T:
        uid, version = obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]
        known = self._parsed.get(uid)
        if known is not None and known[0] == version:
            return cast("T", known[1])
        parsed = model.model_validate(obj)
        self._parsed[uid] = (version, parsed)
        self._parsed.move_to_end(uid)
        if len(self._parsed) > MAX_PARSED:
            self._parsed.popitem(last=False)
        return parsed


def _is_decision(revision: JSONObject) -> bool:
    """Return whether a ControllerRevision keeps a decision, and no pod template."""
    return names.DECISION in revision["metadata"].get("labels", {})


def _digests_of(objects: Iterable[JSONObject]) -> list[str]:
    """Return the artifacts of Deployments and ControllerRevisions, by their annotations."""
    annotated = (obj["metadata"].get("annotations", {}) for obj in objects)
    return [found[names.DIGEST_ANNOTATION] for found in annotated if names.DIGEST_ANNOTATION in found]


def _of_a_revision(service: JSONObject) -> bool:
    """Return whether a Service always selects one revision, unlike the Service of the ModelDeployment's name."""
    return names.REVISION in service["metadata"].get("labels", {})


def _trains(run: TrainingRun) -> bool:
    """Return whether a run produces a version; an Evaluate run takes no turn, no number and no place in the history."""
    return run.spec.purpose == "Train"
