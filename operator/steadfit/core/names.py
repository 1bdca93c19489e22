"""Names of children and the labels that tie them to their owners.

Names are functions of (owner, cause), so that a repeated create meets the object of the first one.
"""

from __future__ import annotations

import hashlib

from steadfit.api.base import API_VERSION, Object

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "steadfit"
TRAINING_JOB = "steadfit.dev/training-job"
TRAINING_RUN = "steadfit.dev/training-run"
ATTEMPT = "steadfit.dev/attempt"
MODEL_DEPLOYMENT = "steadfit.dev/model-deployment"
REVISION = "steadfit.dev/revision"
TRAFFIC_PREFIX = "steadfit.dev/traffic-"
VERSION = "steadfit.dev/version"
MODEL_VERSION = "steadfit.dev/model-version"
"""On the pod that writes beside a version's artifact: the name of the ModelVersion."""
DIGEST_ANNOTATION = "steadfit.dev/artifact-digest"
CA_ANNOTATION = "steadfit.dev/operator-ca"
DECIDED_ANNOTATION = "steadfit.dev/decided-at"
"""On a Service or Deployment: when the decision was made that it follows. Every decision thus changes the object, and
what a deposed leader still sends for an older one meets another resourceVersion."""
DRAIN_ANNOTATION = "steadfit.dev/drain"
"""On a pod: "true" while its server is to close each connection with its answer."""
NOTE_ANNOTATION = "steadfit.dev/quarantine-note"
"""On the Job that writes beside a version's artifact: what it is to write."""
TEMPLATE_ANNOTATION = "steadfit.dev/pod-template-digest"
GIT_REVISION_ANNOTATION = "steadfit.dev/git-revision"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"


def short_hash(*parts: str) -> str:
    """Return 10 hexadecimal digits of SHA-256 over the parts; no two different lists of parts look alike."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:10]


def run_name(job_name: str, job_uid: str, purpose: str, cause_type: str, key: str) -> str:
    """Return the name of the TrainingRun that this cause leads to."""
    return f"{job_name}-{short_hash(job_uid, purpose, cause_type, key)}"


def attempt_name(run: str, number: int) -> str:
    """Return the name of the Job of one attempt."""
    return f"{run}-a{number}"


def version_name(job_name: str, number: int) -> str:
    """Return the name of a ModelVersion."""
    return f"{job_name}-v{number}"


def workload_name(deployment: str, revision: str) -> str:
    """Return the name of the Deployment of one revision."""
    return f"{deployment}-{revision}"


def queue_labels(source: Object) -> dict[str, str]:
    """Return the label by which Kueue queues an object, if the one it is made for carries it."""
    queue = source.metadata.labels.get(QUEUE_LABEL)
    return {} if queue is None else {QUEUE_LABEL: queue}


def owner_reference(owner: Object) -> dict[str, object]:
    """Return the reference that ties a child to its owner, so that the child is collected with it."""
    return {
        "apiVersion": API_VERSION,
        "kind": type(owner).__name__,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
