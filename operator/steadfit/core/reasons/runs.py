"""Reasons of a TrainingRun: where its attempt is, and why an attempt failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from steadfit.api.run import FailureClass
from steadfit.api.trainingrun import AttemptPhase

from .entry import NOTHING, Reason

_OwnReason = Literal[
    "AttemptFailed",
    "AttemptStarted",
    "AttemptWaiting",
    "Cancelled",
    "InputsKnown",
    "Recording",
    "VersionCreated",
    "WaitingForRetry",
]
RunReason = _OwnReason | FailureClass | AttemptPhase

_READY = ("TrainingRun/Ready",)
_FAILURE = ("TrainingJob/LastRunSucceeded", "TrainingJob/Ready", "TrainingRun/Ready")
_RUN = ("TrainingRun",)
_JOB = ("TrainingJob",)

RUNS: Mapping[RunReason, Reason] = {
    "Admission": Reason(
        "The API server refused to create the pod or the Job: quota, policy, a missing ServiceAccount or"
        " PriorityClass.",
        "Correct what the message names in the namespace or in `spec.pod`, then create a `Retrain` action.",
        conditions=_FAILURE,
        warning=_JOB,
    ),
    "AttemptFailed": Reason(
        "An attempt of the run has failed; the message names its failure class.",
        "If no attempt follows, fix what the message names and create a `Retrain` action.",
        warning=_RUN,
    ),
    "AttemptStarted": Reason("A Job for an attempt is created.", NOTHING, normal=_RUN),
    "AttemptWaiting": Reason(
        "The pod of an attempt cannot start: it is refused, not scheduled, or its image cannot be pulled.",
        "Read the message; raise the quota, add nodes, or correct the image, before a timeout ends the attempt.",
        warning=_RUN,
    ),
    "Cancelled": Reason(
        "A `Cancel` action, or the deletion of its TrainingRun, ended the run before it had a result; or the run's"
        " TrainingJob does not exist any more, as after a restore from a backup.",
        "A `Retrain` action starts another; delete a TrainingRun whose TrainingJob is gone if nothing needs it.",
        conditions=_FAILURE,
        warning=_JOB,
    ),
    "Data": Reason(
        "The data is absent, unreadable, not what its digest says, or fails a check.",
        "Correct the source that the message names, then create a `Retrain` action.",
        conditions=_FAILURE,
        warning=_JOB,
    ),
    "Deadline": Reason(
        "A step or the queue took longer than its limit in `spec.limits`.",
        "Find out what was slow, raise the limit that the message names, then create a `Retrain` action.",
        conditions=_FAILURE,
        warning=_JOB,
    ),
    "Evaluating": Reason("The versions answer captured requests in the run's pod.", NOTHING, conditions=_READY),
    "Failed": Reason(
        "The attempt or the run has failed, and no failure class is recorded.",
        "Read the logs of its pod: `kubectl logs --selector batch.kubernetes.io/job-name=<job> --all-containers`.",
        conditions=_READY,
    ),
    "Fetching": Reason("The step `fetch` downloads the data and removes the holdout.", NOTHING, conditions=_READY),
    "Image": Reason(
        "An image of the run cannot be pulled.",
        "Correct `spec.image`, or give the namespace the pull secret, then create a `Retrain` action.",
        conditions=_FAILURE,
        warning=_JOB,
    ),
    "Infrastructure": Reason(
        "The pod was lost: its node failed, or it was evicted, preempted or deleted.",
        "Look at the node and its Events; a `Retrain` action starts a run once `spec.limits.retries` is used up.",
        conditions=_FAILURE,
        warning=_JOB,
    ),
    "InputsKnown": Reason(
        "A version was trained from the same recipe and data, so the run ended after `fetch` and trained nothing.",
        "Nothing to do; a `Retrain` action trains all the same.",
        conditions=("TrainingJob/LastRunSucceeded", "TrainingRun/Ready"),
    ),
    "Internal": Reason(
        "`fetch`, `publish` or `evaluate` ended with an error that it does not know; another attempt would end so too.",
        "Report the message and the log of the pod as a bug; a `Retrain` action starts a run.",
        conditions=_FAILURE,
        warning=_JOB,
    ),
    "OutOfMemory": Reason(
        "The kernel killed a process of the pod because memory ran out.",
        "Raise `spec.resources.limits.memory` or let the training use less.",
        conditions=_FAILURE,
        warning=_JOB,
    ),
    "Publishing": Reason("The step `publish` scores and uploads the model.", NOTHING, conditions=_READY),
    "Recording": Reason(
        "The result is recorded; its ModelVersion is being created, or the pod is ending.", NOTHING, conditions=_READY
    ),
    "Scheduling": Reason(
        "No node took the pod within `startTimeout`.",
        "Compare the requests, node selector and tolerations of the recipe with the nodes of the cluster.",
        conditions=_FAILURE,
        warning=_JOB,
    ),
    "Store": Reason(
        "The object store, or the operator that takes the record, does not answer or refuses.",
        "Check the endpoint, the bucket and the credentials of the ArtifactStore; a `Retrain` action starts a run.",
        conditions=_FAILURE,
        warning=_JOB,
    ),
    "Training": Reason("The training container runs.", NOTHING, conditions=_READY),
    "UserError": Reason(
        "The training container failed, or what it wrote is not a model that can be served.",
        "Read the last lines of its log in the message, correct the container, and commit the new image.",
        conditions=_FAILURE,
        warning=_JOB,
    ),
    "VersionCreated": Reason("A ModelVersion is created from the result.", NOTHING, normal=_RUN),
    "WaitingForRetry": Reason(
        "An attempt failed, and the next one starts at the time in the message.",
        "Read the failure in the message: fix it now, and the next attempt may succeed.",
        conditions=_READY,
    ),
}
