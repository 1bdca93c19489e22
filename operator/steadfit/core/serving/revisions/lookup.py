"""Look-up of the revision that serves a version: an existing one is reused, otherwise a new one is rendered."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined

from .revision import as_ref, render


def desired_template(ref: RevisionRef) -> str:
    """Return the digest of the template that the spec rendered to when this revision was chosen."""
    return ref.asked_template_digest or ref.template_digest


def reuse_revision(ref: RevisionRef, desired: str, now: datetime) -> RevisionRef:
    """Return an older revision, with the digest of the template that the spec renders to if that is another one."""
    return ref.model_copy(
        update={"asked_template_digest": desired if desired != ref.template_digest else None, "since": now}
    )


def revision_of(
    version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet, now: datetime
) -> RevisionRef | Problem:
    """Return the revision that serves a version, or why there is none.

    The live revision and the candidate stay until the spec renders to another template than when they were chosen, also
    for a duplicate of their version.
    The last good revision is reused unless the spec has changed since. A template that was rolled back is not used
    again: an older revision of the version serves then.
    """

    def serves(ref: RevisionRef | None) -> bool:
        return (
            ref is not None
            and ref.digest == version.spec.artifact.digest
            and fleet.is_kept(ref.revision)
            and not is_quarantined(ref, status, fleet)
        )

    def of_version(ref: RevisionRef | None) -> bool:
        return ref is not None and ref.version == version.name and serves(ref)

    live, last_good = status.live, status.last_good
    rendering = render(version, fleet)
    desired = None if isinstance(rendering, Problem) else rendering.template_digest
    for ref in (live, status.candidate):
        if ref and serves(ref) and desired in (None, desired_template(ref)):
            return ref
    if last_good and live and of_version(last_good) and desired in (None, desired_template(live)):
        return reuse_revision(last_good, desired_template(live), now)
    if isinstance(rendering, Problem):
        return rendering
    new = as_ref(version, rendering, now)
    if not is_quarantined(new, status, fleet):
        return new
    for ref, fits in ((live, serves), (last_good, of_version)):
        if ref and fits(ref):
            return reuse_revision(ref, new.template_digest, now)
    return Problem(
        "RevisionQuarantined",
        f"version {new.number} with the current spec.server is revision {new.revision}, which was rolled back;"
        " change spec.server or wait for a newer version",
    )
