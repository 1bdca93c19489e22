"""MetricSource: where metrics come from, and who may ask."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .artifactstore import LabelSelector
from .base import (
    AGE,
    MESSAGE,
    READY,
    REASON,
    Definition,
    Duration,
    Model,
    Object,
    ObjectName,
    PrinterColumn,
    Status,
    cel,
    name_rule,
    validations,
)


class Tenancy(Model):
    """How the expressions of users are kept to their own namespace."""

    mode: Literal["Trusted", "Proxied"] = "Trusted"
    """Trusted: expressions of query monitors are sent as they are. Proxied: the source is a proxy that enforces a
    namespace label, for example prom-label-proxy; the namespace is sent as a parameter."""
    parameter: Annotated[
        str,
        Field(
            max_length=64,
            json_schema_extra=validations(
                cel(
                    "self.matches('^[a-zA-Z_][a-zA-Z0-9_]*$')",
                    "must be the name of a URL parameter: letters, digits, '_'",
                )
            ),
        ),
    ] = "namespace"
    """Name of the parameter that the proxy reads the namespace from."""


class MetricSourceSpec(Model):
    """Where metrics come from, and who may ask."""

    url: Annotated[
        str,
        Field(
            max_length=1024,
            json_schema_extra=validations(
                cel("isURL(self) && self.matches('^https?://')", "must be an http:// or https:// URL"),
                cel("!self.contains('@')", "must not contain credentials: name a Secret in credentialsSecretName"),
            ),
        ),
    ]
    """Base URL of the Prometheus API, for example http://prometheus.monitoring.svc:9090. Redirects are not followed,
    and link-local addresses are refused after the name was resolved."""
    credentials_secret_name: ObjectName | None = None
    """Secret in the operator's namespace with `token`, or with `username` and `password`."""
    timeout: Duration = "5s"
    """Longest time that one query may take."""
    max_response_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 1048576
    """Largest answer that is read."""
    max_concurrent: Annotated[int, Field(ge=1, le=64)] = 4
    """How many queries may be under way at once."""
    interval: Duration = "15s"
    """Time between two looks; one grouped query each for every metric."""
    allowed_namespaces: LabelSelector = LabelSelector()
    """Namespaces that may use the source; all of them when empty."""
    tenancy: Tenancy = Tenancy()
    """How the expressions of users are kept to their own namespace."""


class MetricSourceStatus(Status):
    """Whether the source is accepted and answers."""


class MetricSource(Object):
    """Where metrics come from, and which namespaces may use it."""

    spec: MetricSourceSpec
    status: MetricSourceStatus = MetricSourceStatus()


DEFINITION = Definition(
    model=MetricSource,
    plural="metricsources",
    description="Where metrics come from, and which namespaces may use it.",
    short_names=("msrc",),
    namespaced=False,
    rules=(name_rule("a MetricSource", "ModelDeployments name it"),),
    columns=(
        READY,
        REASON,
        PrinterColumn("URL", ".spec.url"),
        MESSAGE,
        AGE,
    ),
)
