"""Names of child objects, and their labels and annotations.

Names are functions of (owner, cause), so that a repeated create finds the object of the first one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from steadfit.api.base import API_VERSION, Object

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "steadfit"
TRAINING_JOB = "steadfit.dev/training-job"
TRAINING_RUN = "steadfit.dev/training-run"
ATTEMPT = "steadfit.dev/attempt"
MODEL_DEPLOYMENT = "steadfit.dev/model-deployment"
REVISION = "steadfit.dev/revision"
TRAFFIC_PREFIX = "steadfit.dev/traffic-"
"""Prefix of the label of the pods that share the traffic of a champion; the champion's revision follows."""
VERSION = "steadfit.dev/version"
MODEL_VERSION = "steadfit.dev/model-version"
"""On the Job and pod that write the quarantine note of a version: name of the ModelVersion."""
DIGEST_ANNOTATION = "steadfit.dev/artifact-digest"
CA_ANNOTATION = "steadfit.dev/operator-ca"
DECIDED_ANNOTATION = "steadfit.dev/decided-at"
"""On a Service, HTTPRoute or Deployment: time of the decision that it follows. Every decision so changes the object,
and a late write of a former leader fails on the resourceVersion."""
WRITTEN_ANNOTATION = "steadfit.dev/written"
"""On a Service or HTTPRoute: digest of what the operator wrote last of what decides where requests go. If something
else stands there, someone else has written it."""
DRAIN_ANNOTATION = "steadfit.dev/drain"
"""On a pod: "true" while its server has to close each connection after the answer."""
NOTE_ANNOTATION = "steadfit.dev/quarantine-note"
"""On the Job that writes the quarantine note beside a version's artifact: the content of the note."""
SERVING = "steadfit.dev/serving"
"""On a pod: "live" while its revision serves. A PodDisruptionBudget counts these pods alone."""
ACCEPTED_ANNOTATION = "steadfit.dev/accepted-uid"
"""On a ModelAction: the uid under which the operator accepted it. A copy, or what a backup restores, has another."""
TEMPLATE_ANNOTATION = "steadfit.dev/pod-template-digest"
DECLARED_ANNOTATION = "steadfit.dev/declared-template-digest"
"""On the Deployment and the ControllerRevision of a revision: the digest of the pod template that was declared."""
INPUTS_ANNOTATION = "steadfit.dev/inputs-digest"
"""On the Deployment and the ControllerRevision of a revision: the digest of what users had chosen for its pods."""
DECISION = "steadfit.dev/decision"
"""On a ControllerRevision that keeps a decision about a pod template, and no template: Quarantined or Abandoned."""
GIT_REVISION_ANNOTATION = "steadfit.dev/git-revision"
SERVER_CONTAINER = "server"
"""Name of the container of a server pod that serves the model. Webhooks may add others."""
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"


def short_hash(*parts: str) -> str:
    """Return the first 10 hexadecimal digits of SHA-256 over the parts, each with its length."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:10]


def run_name(training_job: str, uid: str, purpose: str, cause_type: str, key: str) -> str:
    """Return the name of the TrainingRun of a cause; `uid` is the TrainingJob's."""
    return f"{training_job}-{short_hash(uid, purpose, cause_type, key)}"


def version_name(training_job: str, number: int) -> str:
    """Return the name of a ModelVersion."""
    return f"{training_job}-v{number}"


def workload_name(deployment: str, revision: str) -> str:
    """Return the name of the Deployment, and of the Service, of a revision."""
    return f"{deployment}-{revision}"


def queue_labels(source: Object) -> dict[str, str]:
    """Return the label of the Kueue queue that an object names; empty if it names none."""
    queue = source.metadata.labels.get(QUEUE_LABEL)
    return {} if queue is None else {QUEUE_LABEL: queue}


def owner_reference(owner: Object) -> dict[str, object]:
    """Return the controller reference to an owner, with which a child is garbage-collected."""
    return {
        "apiVersion": API_VERSION,
        "kind": type(owner).__name__,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the owner reference that is the controller."""
    for reference in obj["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            return dict(reference)
    return None
