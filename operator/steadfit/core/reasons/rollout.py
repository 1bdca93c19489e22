"""Reasons of a ModelDeployment: the version that is rolled out, and why a newer one is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .entry import NOTHING, Reason

RolloutReason = Literal[
    "AwaitingSamples",
    "BelowVersionFloor",
    "CanaryAnalysing",
    "CanaryFailed",
    "CanaryPaused",
    "CanaryStarted",
    "CanaryStepStarted",
    "CandidateAbandoned",
    "CandidateFailing",
    "CandidateStarting",
    "ChampionChanged",
    "NewestLive",
    "OlderVersionPinned",
    "Pinned",
    "ProgressDeadlineExceeded",
    "Promoted",
    "Promoting",
    "RevisionQuarantined",
    "RolloutCancelled",
    "RolloutStarted",
    "RolloutSuperseded",
    "ShareNotInForce",
    "TrainingJobReplaced",
    "Unpinned",
    "Unstable",
    "VersionNotFound",
    "VersionNotVerified",
]

_PROGRESSING = ("ModelDeployment/Progressing",)
_WANTED = ("ModelDeployment/Progressing", "ModelDeployment/Ready")
_DEPLOYMENT = ("ModelDeployment",)
_REJECTED = ("ModelAction/Ready",)

ROLLOUT: Mapping[RolloutReason, Reason] = {
    "AwaitingSamples": Reason(
        "The candidate takes its share of the traffic, and a metric has fewer than `spec.analysis.minSamples` requests"
        " or outcomes.",
        "Wait; the message says if the traffic is too thin. `status.candidate.verdicts` has the numbers so far.",
        conditions=_PROGRESSING,
    ),
    "BelowVersionFloor": Reason(
        "The newest version served before, or existed when a person promoted another one, and does not return by"
        " itself.",
        "Create a `Promote` action if it is to serve.",
        conditions=_PROGRESSING,
    ),
    "CanaryAnalysing": Reason(
        "The candidate takes its share of the traffic, and the analysis judges it.",
        "Wait, or create a `Promote` or `Abort` action.",
        conditions=_PROGRESSING,
    ),
    "CanaryFailed": Reason(
        "The analysis found the candidate worse than the champion, or its servers unstable; it takes no traffic and is"
        " in quarantine.",
        "Compare the two versions by what the message names; the champion continues to serve.",
        warning=_DEPLOYMENT,
    ),
    "CanaryPaused": Reason(
        "The analysis had no verdict in time, and the candidate keeps its share until a person decides; or it failed in"
        " a dry run, and keeps its share while the metric fails.",
        "Restore the data that the message names, or create a `Promote` or `Abort` action.",
        conditions=_PROGRESSING,
        warning=_DEPLOYMENT,
    ),
    "CanaryStarted": Reason("The candidate takes its first share of the traffic.", NOTHING, normal=_DEPLOYMENT),
    "CanaryStepStarted": Reason(
        "The candidate passed a step and takes the share of the next one.", NOTHING, normal=_DEPLOYMENT
    ),
    "CandidateAbandoned": Reason(
        "A candidate was abandoned without a verdict: by an `Abort` action, after `maxDuration` without a verdict, or"
        " after `progressDeadline` without its pods; only a `Promote` action rolls it out again.",
        "Read the message for the metrics without a verdict, or the pods; create a `Promote` action if the version is"
        " good.",
        conditions=_WANTED,
        warning=_DEPLOYMENT,
    ),
    "CandidateFailing": Reason(
        "Pods of the candidate do not start; the live version continues to serve.",
        "Read the message and `kubectl describe pod`; correct `spec.server` or the model.",
        conditions=_PROGRESSING,
        warning=_DEPLOYMENT,
    ),
    "CandidateStarting": Reason("Pods of the candidate start.", NOTHING, conditions=_PROGRESSING),
    "ChampionChanged": Reason(
        "The newest version was compared with another version than the one that serves, so it is not rolled out.",
        "The message names both. Create a `Promote` action to serve it as it is; where the message says so, a `Retrain`"
        " action compares again.",
        conditions=_WANTED,
        warning=_DEPLOYMENT,
    ),
    "NewestLive": Reason(
        "The newest version is live, or has the artifact that is; no newer one waits.", NOTHING, conditions=_PROGRESSING
    ),
    "OlderVersionPinned": Reason(
        "A newer version waits, as a person pinned the one that serves.",
        "Create an `Unpin` action, or remove `spec.pin`, once newer versions are to serve.",
        conditions=_PROGRESSING,
    ),
    "Pinned": Reason(
        "A person pinned the version that serves; no other one replaces it until `Unpin`.",
        "Create an `Unpin` action, or remove `spec.pin`, once newer versions are to serve.",
        conditions=("ModelDeployment/Overridden", *_PROGRESSING, *_REJECTED),
        normal=_DEPLOYMENT,
    ),
    "ProgressDeadlineExceeded": Reason(
        "The pods of the candidate were not ready within `spec.progressDeadline`; it is kept because no good version is"
        " live, or because a pin asks for it.",
        "Read the message for the pods; correct `spec.server` or the model, make room for them, or name another"
        " version.",
        conditions=_PROGRESSING,
    ),
    "Promoted": Reason("The candidate is promoted, by the analysis or by a person.", NOTHING, normal=_DEPLOYMENT),
    "Promoting": Reason(
        "The candidate is promoted; it takes all traffic once all of its pods are ready, unless a metric fails before.",
        NOTHING,
        conditions=_PROGRESSING,
    ),
    "RevisionQuarantined": Reason(
        "The revision that is to serve, a version with the present `spec.server`, is in quarantine.",
        "`Release` the version, name another one, or change `spec.server`.",
        conditions=(*_WANTED, *_REJECTED),
        warning=_DEPLOYMENT,
    ),
    "RolloutCancelled": Reason("The candidate is no longer the version to serve.", NOTHING, normal=_DEPLOYMENT),
    "RolloutStarted": Reason("The pods of a new candidate are created.", NOTHING, normal=_DEPLOYMENT),
    "RolloutSuperseded": Reason("A newer version replaces the candidate.", NOTHING, normal=_DEPLOYMENT),
    "ShareNotInForce": Reason(
        "The candidate is to take a share of the traffic, and the HTTPRoute or the Service does not share it out. No"
        " time counts, and no step ends by what is measured; after `spec.progressDeadline` it is abandoned.",
        "Correct what the message names; `RouteReady` says the same of the HTTPRoute.",
        conditions=_PROGRESSING,
    ),
    "TrainingJobReplaced": Reason(
        "The newest verified version is of a TrainingJob that was deleted and applied again since; what serves stays.",
        "Wait for a version of the present TrainingJob, or create a `Promote` action for the one in the message.",
        conditions=_PROGRESSING,
    ),
    "Unpinned": Reason("The pin has ended; newer versions are rolled out again.", NOTHING, normal=_DEPLOYMENT),
    "Unstable": Reason(
        "Servers of the candidate end, or lose their readiness, after they were ready. It is held, and rolled back at"
        " three such failures within an hour if the live version has none.",
        "Read the message for what to do: raise `spec.server.resources.limits.memory`, or read the log of the pod that"
        " it names.",
        conditions=_PROGRESSING,
        warning=_DEPLOYMENT,
    ),
    "VersionNotFound": Reason(
        "The version does not exist.",
        "Correct the number or the digest: `kubectl get mv` lists what there is.",
        conditions=(*_WANTED, *_REJECTED, "ModelDeployment/UpToDate"),
        warning=_DEPLOYMENT,
    ),
    "VersionNotVerified": Reason(
        "The version is rejected or not judged yet, so it cannot be pinned or promoted.",
        "Choose a version that `kubectl get mv` shows as `Verified` or `Held`.",
        conditions=(*_WANTED, *_REJECTED),
        warning=_DEPLOYMENT,
    ),
}
