"""Look-up of the revision that serves a version: an existing one is reused, otherwise a new one is rendered."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined

from . import pod_inputs, refresh
from .revision import as_ref, render


def desired_inputs(ref: RevisionRef) -> str | None:
    """Return the digest of the inputs for which this revision was chosen; None if it is not known."""
    return ref.asked_inputs_digest or ref.inputs_digest


def reuse_revision(ref: RevisionRef, desired: str | None, now: datetime) -> RevisionRef:
    """Return an older revision, with the digest of the present inputs if its own ones are others."""
    return ref.model_copy(
        update={"asked_inputs_digest": desired if desired != ref.inputs_digest else None, "since": now}
    )


def revision_of(
    version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet, now: datetime
) -> RevisionRef | Problem:
    """Return the revision that serves a version, or why there is none.

    The live revision and the candidate stay until the inputs are neither those of their pods nor those for which they
    were chosen, also for a duplicate of their version. An upgrade of the operator changes no inputs.
    One whose template nothing proves is not reused; the live one keeps its pods, and a candidate without store too.
    The last good revision is reused unless the inputs have changed since. A template that was rolled back is not used
    again: an older revision of the version serves then. A Refresh asks for the present template of the live version.
    """

    def stays(ref: RevisionRef) -> bool:
        return ref == live or (ref == status.candidate and desired is None)

    def serves(ref: RevisionRef | None) -> bool:
        return (
            ref is not None
            and ref.digest == version.spec.artifact.digest
            and (fleet.is_kept(ref.revision) or (stays(ref) and fleet.has_deployment(ref.revision)))
            and not is_quarantined(ref, status, fleet)
        )

    def of_version(ref: RevisionRef | None) -> bool:
        return ref is not None and ref.version == version.name and serves(ref)

    live, last_good = status.live, status.last_good
    store = pod_inputs.store_of(version, fleet)
    desired = None if isinstance(store, Problem) else pod_inputs.digest(fleet.observed.deployment, store)
    refreshed = refresh.of_digest(version.spec.artifact.digest, status) is not None
    for ref in (None if refreshed else live, status.candidate):
        if ref and serves(ref) and desired in (None, desired_inputs(ref)):
            return ref
        if ref and serves(ref) and desired == ref.inputs_digest:
            return reuse_revision(ref, desired, ref.since)
    if last_good and live and not refreshed and of_version(last_good) and desired in (None, desired_inputs(live)):
        return reuse_revision(last_good, desired_inputs(live), now)
    rendering = render(version, fleet)
    if isinstance(rendering, Problem):
        return rendering
    new = as_ref(version, rendering, now)
    if not is_quarantined(new, status, fleet):
        return new
    for ref, fits in ((live, serves), (last_good, of_version)):
        if ref and fits(ref):
            return reuse_revision(ref, new.inputs_digest, now)
    return Problem(
        "RevisionQuarantined",
        f"version {new.number} with the current spec.server is revision {new.revision}, which was rolled back;"
        " change spec.server or wait for a newer version",
    )
