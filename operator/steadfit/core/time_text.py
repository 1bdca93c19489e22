"""A time as people and Kubernetes read it."""

from __future__ import annotations

from datetime import UTC, datetime


def time_text(at: datetime) -> str:
    """Return a time in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
