"""Alertmanager's webhook message, version 4.

Types are strict and required fields must be there, because a message must not be acted on in part. Unknown fields are
ignored: Alertmanager adds some from time to time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from steadfit.app.refusal import Refusal
from steadfit.core.training.triggers.alert_matching import ReceivedAlert

MAX_FINGERPRINT = 64


class _Message(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", strict=True, frozen=True)


class PostedAlert(_Message):
    """One alert."""

    status: Literal["firing", "resolved"]
    labels: Annotated[dict[str, str], Field(min_length=1)]
    starts_at: AwareDatetime
    fingerprint: Annotated[str, Field(min_length=1, max_length=MAX_FINGERPRINT)]

    @field_validator("starts_at")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        try:
            return value.astimezone(UTC).replace(microsecond=0)
        except OverflowError as error:
            raise ValueError("is out of range") from error


class Webhook(_Message):
    """The message."""

    version: Literal["4"]
    truncated_alerts: Annotated[int, Field(ge=0)] = 0
    """Number of alerts that Alertmanager omitted because of the receiver's `max_alerts`."""
    alerts: list[PostedAlert]


def parse(body: bytes) -> Webhook:
    """Return the message.

    Raises
    ------
    Refusal
        400, with the first error.
    """
    try:
        return Webhook.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise Refusal(400, f"the alerts are not JSON: {first['msg']}") from error
        where = ".".join(str(part) for part in first["loc"]) or "the message"
        raise Refusal(400, f"this is no webhook message of Alertmanager: {where}: {first['msg']}") from error


def received(message: Webhook, now: datetime) -> list[ReceivedAlert]:
    """Return the alerts of a message received at `now`; of several with one fingerprint, the last.

    An alert that says it begins in the future, as the clock of its sender is ahead, begins now.
    """
    alerts = {
        alert.fingerprint: ReceivedAlert(alert.fingerprint, alert.status, alert.labels, min(alert.starts_at, now), now)
        for alert in message.alerts
    }
    return list(alerts.values())
