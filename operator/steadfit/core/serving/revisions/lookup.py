"""Which revision serves a version: one that exists is taken up as it is frozen, else a new one is rendered."""

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
    """Return the digest of the template that the spec asked for when this revision was decided on."""
    return ref.asked_template_digest or ref.template_digest


def reuse_revision(ref: RevisionRef, asked: str, now: datetime) -> RevisionRef:
    """Return an older revision with a note of the template that it is served instead of."""
    return ref.model_copy(
        update={"asked_template_digest": asked if asked != ref.template_digest else None, "since": now}
    )


def revision_of(
    version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet, now: datetime
) -> RevisionRef | Problem:
    """Return the revision by which a version is to be served.

    What is live or coming up stays as it is until the spec asks for another template than the one it asked for when
    that was decided. The last good revision is taken up as it was proven, unless the spec has changed since. A
    template that was rolled back is never rendered again: an older revision of the version then goes on.
    """

    def of_version(ref: RevisionRef | None) -> bool:
        return (
            ref is not None
            and (ref.version, ref.digest) == (version.name, version.spec.artifact.digest)
            and fleet.has_deployment(ref.revision)
            and not is_quarantined(ref, status, fleet)
        )

    live, last_good = status.live, status.last_good
    rendering = render(version, fleet)
    asked = None if isinstance(rendering, Problem) else rendering.template_digest
    for ref in (live, status.candidate):
        if ref and of_version(ref) and asked in (None, desired_template(ref)):
            return ref
    if last_good and live and of_version(last_good) and asked in (None, desired_template(live)):
        return reuse_revision(last_good, desired_template(live), now)
    if isinstance(rendering, Problem):
        return rendering
    new = as_ref(version, rendering, now)
    if not is_quarantined(new, status, fleet):
        return new
    for ref in (live, last_good):
        if ref and of_version(ref):
            return reuse_revision(ref, new.template_digest, now)
    return Problem(
        "RevisionQuarantined",
        f"version {new.number} as spec.server asks for it is revision {new.revision}, which was rolled back;"
        " change spec.server or wait for a newer version",
    )
