"""ArtifactStore: where artifacts, records and data lie, and who may use it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import (
    AGE,
    READY,
    REASON,
    Definition,
    LabelMap,
    Model,
    Object,
    ObjectName,
    PrinterColumn,
    Status,
    cel,
    name_rule,
    validations,
)
from .data import StoreURI


class CABundle(Model):
    """A Secret of the run's namespace that holds a CA bundle."""

    name: ObjectName
    """Name of the Secret."""
    key: Annotated[
        str,
        Field(
            max_length=253,
            json_schema_extra=validations(
                cel(
                    "self.matches('^[-._a-zA-Z0-9]+$') && !self.startsWith('..') && self != '.'",
                    "must be a key of a Secret: letters, digits, '-', '_' and '.'",
                )
            ),
        ),
    ] = "ca.crt"
    """Key in the Secret."""


class S3(Model):
    """How an S3 endpoint is reached."""

    endpoint: (
        Annotated[
            str,
            Field(
                max_length=1024,
                json_schema_extra=validations(
                    cel("isURL(self) && self.matches('^https?://')", "must be an http:// or https:// URL")
                ),
            ),
        ]
        | None
    ) = None
    """URL of the endpoint; Amazon's own when absent. Plain http is for networks you trust."""
    region: Annotated[str, Field(min_length=1, max_length=64)] = "us-east-1"
    """Region that requests are signed for."""
    force_path_style: bool = False
    """Put the bucket into the path instead of the host name."""
    ca_bundle_secret: CABundle | None = None
    """CA bundle the endpoint's certificate is checked with."""


class LabelSelectorRequirement(Model):
    """One requirement of a label selector, as Kubernetes defines it."""

    key: Annotated[str, Field(max_length=316)]
    """Label key."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the values are compared."""
    values: Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=64)] = []
    """Values for In and NotIn."""

    model_config = {
        "json_schema_extra": validations(
            cel(
                "(self.operator in ['In', 'NotIn']) == (size(self.values) > 0)",
                "In and NotIn need values; Exists and DoesNotExist take none",
            )
        )
    }


class LabelSelector(Model):
    """A label selector, as Kubernetes defines it; the empty one selects everything."""

    match_labels: LabelMap = {}
    """Labels that must be there with these values."""
    match_expressions: Annotated[list[LabelSelectorRequirement], Field(max_length=32)] = []
    """Further requirements."""


class ArtifactStoreSpec(Model):
    """Where things lie, and who may use it."""

    uri_prefix: StoreURI
    """Everything below this prefix belongs to the store. Results go to <prefix>/<namespace>/<trainingjob>/."""
    s3: S3 = S3()
    """How the endpoint is reached."""
    credentials_secret_name: ObjectName
    """Secret in the namespace of the run with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""
    allowed_namespaces: LabelSelector = LabelSelector()
    """Namespaces that may use the store; all of them when empty."""


class ArtifactStoreStatus(Status):
    """Whether the store is accepted."""


class ArtifactStore(Object):
    """Where artifacts, records and data lie, and which namespaces may use it."""

    spec: ArtifactStoreSpec
    status: ArtifactStoreStatus = ArtifactStoreStatus()


DEFINITION = Definition(
    model=ArtifactStore,
    plural="artifactstores",
    description="Where artifacts, records and data lie, and which namespaces may use it.",
    short_names=("astore",),
    namespaced=False,
    rules=(name_rule("an ArtifactStore", "pods carry it in the names of volumes"),),
    columns=(
        READY,
        REASON,
        PrinterColumn("Prefix", ".spec.uriPrefix"),
        PrinterColumn("Endpoint", ".spec.s3.endpoint"),
        AGE,
    ),
)
