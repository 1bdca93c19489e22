"""Worlds in which a verb meets a candidate, and what it comes to by itself."""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.problem import Problem
from steadfit.core.serving.actions import dispatch
from steadfit.core.serving.revisions.revision import render

from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import digest


def with_candidate(phase: str = "Analysing", **fields: object) -> ServingCluster:
    """Return a cluster in which version 1 serves and version 2 is the candidate of a canary."""
    cluster = serving(1)
    cluster.add(2)
    live = cluster.status.live
    assert live is not None
    cluster.deployment["status"]["candidate"] = {
        "revision": "c2c2c2c2c2",
        "version": "flights-v2",
        "number": 2,
        "digest": digest(2),
        "templateDigest": live.template_digest,
        "since": "2026-01-01T00:00:00Z",
        "phase": phase,
        "championRevision": live.revision,
        "step": 0,
        **fields,
    }
    return cluster


def carried_out(cluster: ServingCluster) -> ModelDeploymentStatus:
    """Return the status after the verbs alone, whatever the rest of the plan makes of it."""
    return dispatch.carry_out(cluster.status, cluster.fleet, cluster.now)


def outcome(status: ModelDeploymentStatus) -> tuple[str, str]:
    """Return phase and message of the newest record."""
    return status.actions[-1].phase, status.actions[-1].message


def revision_of_version(cluster: ServingCluster, number: int) -> str:
    """Return the revision that a version would be served as."""
    rendering = render(cluster.version(number), cluster.fleet)
    assert not isinstance(rendering, Problem)
    return rendering.revision
