"""Recovery of the live revision after the status was lost, from the Service's selector and the Deployment's labels.

Without it the newest version would take over as in an empty cluster, without a comparison, and a candidate of a canary
would be promoted without a verdict.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.traffic import service
from steadfit.core.text import read_time
from steadfit.core.types import Manifest

from . import pod_inputs
from .revision import revision_name


def live(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with the revision that the Service selects as the live one, if the status has none."""
    observed = fleet.observed
    if status.live is not None:
        return status
    revision = service.selected_revision(observed.deployment, observed.service)
    found = _read(revision, fleet) if revision else None
    if found is None:
        return status
    if is_quarantined(found, status, fleet):
        # Of a version the versions know what served before; of a pod template only its revision is as it was.
        of_template = any(entry.revision == found.revision for entry in status.quarantine)
        good = _before(found.revision, status, fleet) if of_template else None
        return status.model_copy(update={"live": found, "last_good": good}) if good else status
    return status.model_copy(update={"live": _kept_instead(found, status, fleet)})


def _before(bad: str, status: ModelDeploymentStatus, fleet: Fleet) -> RevisionRef | None:
    """Return the newest revision that served before one that was rolled back, to which the rollback goes on.

    A candidate that was never let through is younger than the revision that serves, or of another version.
    """
    ended = {entry.revision for entry in status.abandoned}
    served = {entry.digest for entry in status.served_versions}
    made = {str(one["metadata"]["name"]): _made(one) for one in fleet.observed.frozen_templates}
    ours = made.get(names.workload_name(fleet.observed.deployment.name, bad))
    older = [one for one in fleet.observed.frozen_templates if ours and (at := _made(one)) and at < ours]
    refs = (
        _read(one["metadata"].get("labels", {}).get(names.REVISION, ""), fleet)
        for one in sorted(older, key=lambda one: (str(_made(one)), str(one["metadata"]["name"])), reverse=True)
    )
    fitting = (ref for ref in refs if ref and ref.digest in served and ref.revision not in ended)
    return next((ref for ref in fitting if not is_quarantined(ref, status, fleet)), None)


def _made(manifest: Manifest) -> datetime | None:
    return read_time(manifest["metadata"].get("creationTimestamp"))


def _kept_instead(found: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> RevisionRef:
    """Return the live revision, kept instead of the present inputs if these were rolled back or abandoned before.

    The operator may render other pods of them by now, which no entry names.
    """
    version = fleet.version_of(found)
    store = pod_inputs.store_of(version, fleet) if version else None
    if store is None or isinstance(store, Problem):
        return found
    present = pod_inputs.digest(fleet.observed.deployment, store)
    if present == found.inputs_digest:
        return found
    decided = {entry.inputs_digest for entry in status.quarantine}
    decided |= {entry.inputs_digest for entry in status.abandoned}
    return found.model_copy(update={"asked_inputs_digest": present}) if present in decided else found


def _read(revision: str, fleet: Fleet) -> RevisionRef | None:
    """Return a revision from the labels and annotations of its Deployment, or else of its frozen template.

    None if they do not identify it.
    """
    workload = fleet.workload(revision) if fleet.has_deployment(revision) else None
    manifest = workload.manifest if workload else fleet.frozen_template(revision)
    if manifest is None:
        return None
    metadata = manifest["metadata"]
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    digest, template = annotations.get(names.DIGEST_ANNOTATION), annotations.get(names.TEMPLATE_ANNOTATION)
    named = [
        version
        for version in fleet.known_versions.of_artifact(digest or "")
        if str(version.spec.number) == labels.get(names.VERSION)
    ]
    since = read_time(annotations.get(names.DECIDED_ANNOTATION)) or read_time(metadata.get("creationTimestamp"))
    if not named or not template or since is None:
        return None
    (version,) = named[:1]
    if revision_name(version, template) != revision:
        return None
    return RevisionRef(
        revision=revision,
        version=version.name,
        number=version.spec.number,
        digest=version.spec.artifact.digest,
        template_digest=template,
        declared_template_digest=annotations.get(names.DECLARED_ANNOTATION),
        inputs_digest=annotations.get(names.INPUTS_ANNOTATION),
        since=since,
    )
