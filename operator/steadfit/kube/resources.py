"""The resources that the operator reads or writes, by group, version and plural."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steadfit.api.base import GROUP, VERSION


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API server."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """Plural and group, as in the messages of the API server: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of the collection, or of one object and its subresource."""
        parts = [f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"]
        if self.namespaced and namespace is not None:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts.extend(part for part in (name, subresource) if part is not None)
        return "/".join(parts)


TRAINING_JOBS = Resource(GROUP, VERSION, "trainingjobs", "TrainingJob")
TRAINING_RUNS = Resource(GROUP, VERSION, "trainingruns", "TrainingRun")
MODEL_VERSIONS = Resource(GROUP, VERSION, "modelversions", "ModelVersion")
MODEL_DEPLOYMENTS = Resource(GROUP, VERSION, "modeldeployments", "ModelDeployment")
MODEL_ACTIONS = Resource(GROUP, VERSION, "modelactions", "ModelAction")
ARTIFACT_STORES = Resource(GROUP, VERSION, "artifactstores", "ArtifactStore", namespaced=False)
METRIC_SOURCES = Resource(GROUP, VERSION, "metricsources", "MetricSource", namespaced=False)
JOBS = Resource("batch", "v1", "jobs", "Job")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
CONTROLLER_REVISIONS = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
PODS = Resource("", "v1", "pods", "Pod")
SERVICES = Resource("", "v1", "services", "Service")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
PROMETHEUS_RULES = Resource("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule")
HTTP_ROUTES = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)
SUBJECT_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)

OWN = (
    TRAINING_JOBS,
    TRAINING_RUNS,
    MODEL_VERSIONS,
    MODEL_DEPLOYMENTS,
    MODEL_ACTIONS,
    ARTIFACT_STORES,
    METRIC_SOURCES,
)
"""Our kinds, watched whole."""
RUNTIMES = (JOBS,)
"""Kinds that the pods of runs and quarantines are run by: what core/runs/runtime renders."""
CHILDREN = (*RUNTIMES, DEPLOYMENTS, CONTROLLER_REVISIONS, PODS, SERVICES)
"""Kinds that are watched only where labelled `app.kubernetes.io/managed-by=steadfit`."""
OPTIONAL = (HTTP_ROUTES,)
"""Kinds that a cluster may lack or get later. Watched whole: an object of another owner may have the name of ours."""
WATCHED = (*OWN, *CHILDREN, *OPTIONAL, NAMESPACES)
"""Everything in the cache."""

_BY_KIND = {
    (resource.api_version, resource.kind): resource
    for resource in (
        *WATCHED,
        SECRETS,
        CONFIG_MAPS,
        PROMETHEUS_RULES,
        EVENTS,
        LEASES,
        TOKEN_REVIEWS,
        SUBJECT_ACCESS_REVIEWS,
        SELF_SUBJECT_ACCESS_REVIEWS,
    )
}


def resource_of(manifest: Mapping[str, Any]) -> Resource:
    """Return the resource of an object by its `apiVersion` and `kind`."""
    return _BY_KIND[manifest["apiVersion"], manifest["kind"]]
