"""The CA by which the pods of a run verify the operator's endpoint, also after it was replaced while they run.

The kubelet writes the annotation into a file of the pod, and the trainer reads that file for each request.
"""

from __future__ import annotations

from steadfit.core import names
from steadfit.core.types import Action, Apply, Manifest, ObservedTrainingRun

MANAGER = "steadfit-ca"


def renew(observed: ObservedTrainingRun) -> list[Action]:
    """Return the changes of the pods that do not have the current CA.

    The uid is the precondition, and not the resourceVersion, which changes with every step: the current CA is right for
    any state of the pod.
    """
    bundle = observed.platform.ca_bundle
    return [_with_bundle(pod, bundle) for pod in observed.pods if _has_another(pod, bundle)]


def _has_another(pod: Manifest, bundle: str) -> bool:
    metadata = pod["metadata"]
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed") or "deletionTimestamp" in metadata
    return not ended and metadata.get("annotations", {}).get(names.CA_ANNOTATION, bundle) != bundle


def _with_bundle(pod: Manifest, bundle: str) -> Apply:
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
    annotations = {names.CA_ANNOTATION: bundle}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "annotations": annotations}}
    return Apply(manifest, field_manager=MANAGER)
