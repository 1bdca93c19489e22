"""A problem: why a desired state cannot be reached."""

from __future__ import annotations

from dataclasses import dataclass

from steadfit.core.reasons.catalogue import ReasonWord


@dataclass(frozen=True, slots=True)
class Problem:
    """A machine-readable reason in CamelCase, and a message for people."""

    reason: ReasonWord
    message: str
