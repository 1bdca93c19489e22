"""The typed settings of a pod that users may set. There is no free pod template: CEL cannot see into one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import LabelMap, Model, ObjectName, Quantity, cel, list_map, validations

Resources = Annotated[dict[str, Quantity], Field(max_length=16)]
"""Amounts by resource name."""


class ResourceRequirements(Model):
    """Requests and limits of a container, as Kubernetes defines them."""

    requests: Resources = {}
    """What is reserved for the container."""
    limits: Resources = {}
    """What the container may not exceed."""

    # The defaults belong to the field that holds these: with defaults for each part, limits of 512Mi alone would
    # meet a default request of 1Gi, and no pod could ever start.
    model_config = {
        "json_schema_extra": validations(
            cel(
                "!has(self.requests) || !has(self.limits) || self.requests.all(k, !(k in self.limits)"
                " || !quantity(string(self.requests[k])).isGreaterThan(quantity(string(self.limits[k]))))",
                "requests must not exceed limits",
            )
        )
    }


class EnvVar(Model):
    """One environment variable."""

    name: Annotated[
        str,
        Field(
            max_length=256,
            json_schema_extra=validations(
                cel(
                    "self.matches('^[-._a-zA-Z][-._a-zA-Z0-9]*$')",
                    "must be the name of an environment variable: letters, digits, '_', '-' and '.',"
                    " not starting with a digit",
                )
            ),
        ),
    ]
    """Name of the variable."""
    value: Annotated[str, Field(max_length=32768)] = ""
    """Value of the variable, as it is; nothing is expanded."""


EnvVars = Annotated[
    list[EnvVar],
    Field(
        max_length=64,
        json_schema_extra={
            **list_map("name"),
            **validations(
                cel(
                    "self.all(e, !e.name.startsWith('STEADFIT_'))",
                    "names that start with STEADFIT_ are set by Steadfit",
                )
            ),
        },
    ),
]
"""Environment variables, at most one of a name."""


class Toleration(Model):
    """A taint the pod tolerates, as Kubernetes defines it."""

    key: Annotated[str, Field(max_length=316)] | None = None
    """Taint key; absent with operator Exists means every taint."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """How the value is compared."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Taint value for Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect to tolerate; absent means every effect."""
    toleration_seconds: int | None = None
    """How long a NoExecute taint is tolerated, in seconds."""

    model_config = {
        "json_schema_extra": validations(
            cel("self.operator == 'Equal' || !has(self.value)", "a toleration with operator Exists takes no value"),
            cel("has(self.key) || self.operator == 'Exists'", "a toleration without a key needs operator Exists"),
            cel(
                "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "tolerationSeconds needs effect NoExecute",
            ),
        )
    }


class LocalObjectReference(Model):
    """The name of an object in the same namespace."""

    name: ObjectName
    """Name of the object."""


class PodSettings(Model):
    """Where and as whom a pod runs."""

    labels: LabelMap = {}
    """Extra labels of the pod."""
    node_selector: LabelMap = {}
    """Labels a node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = []
    """Taints the pod tolerates."""
    service_account_name: ObjectName | None = None
    """Service account of the pod. Its API token is never mounted into the user's container."""
    priority_class_name: ObjectName | None = None
    """Priority class of the pod."""
    image_pull_secrets: Annotated[list[LocalObjectReference], Field(max_length=8)] = []
    """Pull secrets for image registries, in this namespace."""

    model_config = {
        "json_schema_extra": validations(
            cel(
                "!has(self.labels) || self.labels.all(k,"
                " !k.startsWith('steadfit.dev/') && !k.startsWith('app.kubernetes.io/'))",
                "labels under steadfit.dev/ and app.kubernetes.io/ are set by Steadfit",
            )
        )
    }
