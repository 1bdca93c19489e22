"""What every kind shares: the base model, object metadata, conditions, durations and CEL rules.

The published schema is strict (the API server refuses or prunes what it does not know); reading is lenient
(`extra="ignore"`), so that an older operator survives objects written for a newer one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

GROUP = "steadfit.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

# Go's duration syntax, which CEL's `duration()` and every Kubernetes user knows. `1d` is not part of it.
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> timedelta:
    """Return the length of a Go duration such as `1h30m`.

    Raises
    ------
    ValueError
        If the text is not a Go duration in hours, minutes, seconds or milliseconds.
    """
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 90s, 10m or 1h30m")
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def cel(rule: str, message: str, *, field_path: str | None = None) -> dict[str, str]:
    """Return one `x-kubernetes-validations` entry: a CEL rule and the sentence its author reads."""
    entry = {"rule": rule, "message": message}
    if field_path is not None:
        entry["fieldPath"] = field_path
    return entry


def validations(*rules: dict[str, str]) -> dict[str, Any]:
    """Return the `json_schema_extra` that carries CEL rules into the CRD."""
    return {"x-kubernetes-validations": list(rules)}


def list_map(*keys: str) -> dict[str, Any]:
    """Return the `json_schema_extra` of a list whose entries are merged by `keys` under server-side apply."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


Duration = Annotated[
    str,
    Field(
        max_length=32,
        json_schema_extra=validations(
            cel(
                r"self.matches('^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$') && duration(self) > duration('0s')",
                "must be a length of time above zero in h, m, s or ms, for example 90s, 10m or 1h30m; a day is 24h",
            )
        ),
    ),
]
"""A length of time in Go's syntax, longer than zero."""

Quantity = Annotated[
    int | str,
    Field(
        union_mode="left_to_right",
        json_schema_extra={
            "maxLength": 32,
            **validations(
                cel(
                    "isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0'))",
                    "must be an amount such as 500m, 1Gi or 2",
                )
            ),
        },
    ),
]
"""A Kubernetes quantity such as `500m`, `1Gi` or `2`."""

Digest = Annotated[
    str,
    Field(
        max_length=128,
        json_schema_extra=validations(
            cel(
                "self.matches('^sha256:[0-9a-f]{64}$')",
                "must be sha256: followed by 64 lower-case hexadecimal digits",
            )
        ),
    ),
]
"""A content digest: `sha256:` and 64 lower-case hexadecimal digits."""

Label = Annotated[
    str,
    Field(
        max_length=40,
        json_schema_extra=validations(
            cel(
                "self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
                "must be lower-case letters, digits and '-', starting with a letter; it is part of names and paths",
            )
        ),
    ),
]
"""A DNS-1035 label of at most 40 characters, so that it can be part of a child's name."""

ObjectName = Annotated[
    str,
    Field(
        max_length=253,
        json_schema_extra=validations(
            cel(
                r"self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$') && !self.contains('..')",
                "must be the name of an object: lower-case letters, digits, '-' and '.'",
            )
        ),
    ),
]
"""The name of another object."""

Image = Annotated[
    str,
    Field(
        max_length=1024,
        json_schema_extra=validations(
            cel(
                r"self.matches('^[^\\s]+$')",
                "must be the reference of an image, without spaces, for example registry.example.com/team/train:1.4.0",
            )
        ),
    ),
]
"""Reference of a container image."""

LabelMap = Annotated[
    dict[str, Annotated[str, Field(max_length=63)]],
    Field(
        max_length=32,
        json_schema_extra=validations(
            cel(
                "self.all(k, size(k) <= 316 && !format.qualifiedName().validate(k).hasValue()"
                " && !format.labelValue().validate(self[k]).hasValue())",
                "must be labels as Kubernetes knows them, for example team: fraud or example.com/team: fraud",
            )
        ),
    ),
]
"""Labels by key."""

Scalar = Annotated[Any, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})]
"""A string, number or boolean. The schema cannot say so; the operator does (`Stalled`, `InvalidParams`)."""


NOT_AN_INPUT = object()
"""Marks a field that is copied into a run and whose change is no reason to train again."""

T = TypeVar("T")
NotInput = Annotated[T, NOT_AN_INPUT]
"""The type of such a field: `limits: NotInput[Limits]`."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Marks a time that lies ahead when it is written: `Annotated[datetime | None, Planned(within)]`.

    Every other time in a status says when something happened.

    Attributes
    ----------
    within
        How far ahead it is at most; None = every pass computes it anew.
    """

    within: timedelta | None = None


class Model(BaseModel):
    """Base of every part of an object: camelCase on the wire, frozen, lenient in what it reads."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        extra="ignore",
        frozen=True,
    )

    def dump(self) -> dict[str, Any]:
        """Return the JSON form as it is written to the API server: camelCase, without absent fields."""
        dumped: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return dumped


class OwnerReference(Model):
    """The owner of a child object."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class ObjectMeta(Model):
    """The part of `metadata` that decisions read."""

    name: str
    generate_name: str = ""
    namespace: str | None = None
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[OwnerReference] = []
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(Model):
    """One `metav1.Condition`."""

    type: Annotated[str, Field(max_length=316)]
    """Type of the condition, in CamelCase."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """Reason for the last transition, in CamelCase."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """What a person should know, in a sentence."""
    last_transition_time: datetime
    """When the status last changed."""
    observed_generation: int = -1
    """The generation of the spec that this condition speaks of."""


Conditions = Annotated[list[Condition], Field(max_length=32, json_schema_extra=list_map("type"))]
"""Conditions, at most one of a type."""


class Status(Model):
    """What every status has."""

    observed_generation: int = -1
    """The generation of the spec that this status speaks of; -1 before the operator has seen the object."""
    conditions: Conditions = []
    """What is true of the object now."""


class Object(Model):
    """Base of every kind."""

    api_version: str = API_VERSION
    kind: str = ""
    metadata: ObjectMeta

    @property
    def name(self) -> str:
        """The object's name."""
        return self.metadata.name

    @property
    def uid(self) -> str:
        """The object's uid."""
        return self.metadata.uid


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """One column of `kubectl get`; priority 1 shows under `-o wide` only."""

    name: str
    json_path: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a CRD says beside the schema."""

    model: type[Object]
    plural: str
    description: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    columns: tuple[PrinterColumn, ...] = ()
    rules: tuple[dict[str, str], ...] = ()
    scale: bool = False

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self.model.__name__


AGE = PrinterColumn("Age", ".metadata.creationTimestamp", "date")
READY = PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status', description="The Ready condition")
REASON = PrinterColumn("Reason", '.status.conditions[?(@.type=="Ready")].reason', description="Why")
MESSAGE = PrinterColumn(
    "Message", '.status.conditions[?(@.type=="Ready")].message', priority=1, description="In a sentence"
)


def name_rule(kind: str, why: str = "children carry it in their names") -> dict[str, str]:
    """Return the rule that keeps names DNS-1035 and short enough for whatever is named after the object."""
    return cel(
        "size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        f"the name of {kind} must be at most 40 lower-case letters, digits and '-', starting with a letter,"
        f" because {why}",
    )


IMMUTABLE = cel("self == oldSelf", "spec is immutable: create a new object instead")
