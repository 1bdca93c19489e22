"""The plan of an ArtifactStore: it is accepted as it is written."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.artifactstore import ArtifactStoreStatus
from steadfit.core.conditions import merge, ready
from steadfit.core.times_ahead import corrected
from steadfit.core.types import ObservedArtifactStore, Plan

_MESSAGE = (
    "accepted; the operator holds no keys and does not reach the store itself:"
    " runs and servers do, and say so where they cannot"
)


def plan(observed: ObservedArtifactStore, now: datetime) -> Plan:
    """Decide over an ArtifactStore."""
    observed = corrected(observed, now)
    store = observed.store
    generation = store.metadata.generation
    status = ArtifactStoreStatus(
        observed_generation=generation,
        conditions=merge(store.status.conditions, ready("Accepted", _MESSAGE), generation, now),
    )
    return Plan(status=status.dump())
