"""Reasons of a ModelDeployment: what serves, by which pods, Service and HTTPRoute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .entry import NOTHING, Reason

ServingReason = Literal[
    "AwaitingTrainingJob",
    "ControllerRevisionRefused",
    "DrainNotNeeded",
    "DrainNotSupported",
    "DrainSupported",
    "FailedOver",
    "FirstRollout",
    "GatewayAPINotInstalled",
    "NoGateway",
    "NoReadyPods",
    "NotServing",
    "OlderPlatform",
    "OlderPodTemplate",
    "PodTemplateLost",
    "PodsNotReady",
    "PodsReady",
    "RejectedVersionServing",
    "RouteAccepted",
    "RouteChanged",
    "RouteContested",
    "RouteNotAccepted",
    "RouteNotCreated",
    "RouteNotOwned",
    "ScaledToZero",
    "ServiceChanged",
    "ServiceContested",
    "ServiceNotOwned",
    "Serving",
    "StatusRecovered",
    "SwitchingTraffic",
    "TemplateAdmitted",
    "TemplateChanged",
    "TemplateContested",
    "TemplatesKept",
    "TemplateUnproven",
    "TrafficSwitched",
    "WarmPodsReleased",
    "TrainingJobNotFound",
    "TrainingJobStalled",
    "UpToDate",
]

_READY = ("ModelDeployment/Ready",)
_SERVING = ("ModelDeployment/Serving",)
_PROGRESSING = ("ModelDeployment/Progressing",)
_ROUTE = ("ModelDeployment/RouteReady",)
_DEPLOYMENT = ("ModelDeployment",)

SERVING: Mapping[ServingReason, Reason] = {
    "AwaitingTrainingJob": Reason(
        "The TrainingJob does not exist yet; the ModelDeployment is younger than a minute.",
        "Apply the TrainingJob; after a minute the reason becomes `TrainingJobNotFound`.",
        conditions=(*_READY, *_PROGRESSING),
    ),
    "DrainNotNeeded": Reason(
        "The server's image does not close connections on request, and no canary behind a Service shares the traffic.",
        NOTHING,
        conditions=("ModelDeployment/ConnectionDraining",),
    ),
    "ControllerRevisionRefused": Reason(
        "The API server refuses the ControllerRevision that keeps the pod template of a revision: a quota, a policy at"
        " admission or the operator's role. The version serves, but a Deployment that is deleted comes back as it was"
        " only while its version still renders to the same pods.",
        "Read the API server's words in the message: raise the quota, correct the policy, or apply the roles of this"
        " release. It is tried again each minute.",
        conditions=("ModelDeployment/PodTemplatesStored",),
        warning=_DEPLOYMENT,
    ),
    "DrainNotSupported": Reason(
        "The server's image does not close connections on request, so a client may stay with the pod that it has.",
        "Set `spec.server.drains` if the image does drain, or share the traffic with `spec.traffic.gatewayAPI`.",
        conditions=("ModelDeployment/ConnectionDraining",),
    ),
    "DrainSupported": Reason(
        "The servers close the connections of their clients when the traffic leaves them.",
        NOTHING,
        conditions=("ModelDeployment/ConnectionDraining",),
    ),
    "FailedOver": Reason(
        "No pod of the live version is ready; another version answers until enough of them are.",
        "Read the message for the pods of the live version; a `Promote` or `Rollback` action makes the other one live.",
        conditions=(*_READY, *_SERVING),
        warning=_DEPLOYMENT,
    ),
    "FirstRollout": Reason(
        "The first version starts; nothing serves yet.",
        "Wait for its pods; the message says what they wait for.",
        conditions=_READY,
    ),
    "GatewayAPINotInstalled": Reason(
        "`spec.traffic` asks for an HTTPRoute, and the cluster does not have the Gateway API.",
        "Install the Gateway API (v1), or remove `spec.traffic`; the Service serves meanwhile.",
        conditions=_ROUTE,
    ),
    "NoGateway": Reason(
        "`spec.traffic` names no Gateway; requests come through the Service.", NOTHING, conditions=_ROUTE
    ),
    "NoReadyPods": Reason(
        "No pod of the version behind the Service is ready, so requests fail.",
        "Read the message and `kubectl get pods`; a `Rollback` action helps if the version is new.",
        conditions=(*_READY, *_SERVING),
    ),
    "NotServing": Reason(
        "No version takes requests, so there is nothing to measure or to roll back either.",
        "Read the condition `Ready` for what it waits for.",
        conditions=(
            *_SERVING,
            "ModelDeployment/MetricsAvailable",
            "ModelDeployment/PodsReady",
            "ModelDeployment/UpToDate",
            "ModelAction/Ready",
        ),
    ),
    "OlderPlatform": Reason(
        "The live version keeps the server image and the pod template of an earlier operator, or of another spelling of"
        " its ArtifactStore: an upgrade rolls nothing.",
        "Nothing to do: the next version brings the present ones. A `Refresh` action brings them now.",
        conditions=("ModelDeployment/UpToDate",),
    ),
    "OlderPodTemplate": Reason(
        "The version is served by the pods it was proven with, not by those that `spec.server` asks for.",
        "Nothing to do, or change `spec.server`: the next change is rolled out.",
        conditions=(*_PROGRESSING, "ModelDeployment/UpToDate", "ModelAction/Ready"),
    ),
    "PodTemplateLost": Reason(
        "The live version cannot be started again: its Deployment and its ControllerRevision were deleted, and its pods"
        " cannot be rendered as they were.",
        "Correct what the message names, or pin or train another version.",
        conditions=(*_READY, *_PROGRESSING),
        warning=_DEPLOYMENT,
    ),
    "PodsNotReady": Reason(
        "Fewer pods of the live version are ready than `spec.server.replicas` asks for.",
        "Read the message for the pod that fails, and `kubectl describe pod`.",
        conditions=("ModelDeployment/PodsReady",),
    ),
    "PodsReady": Reason("All pods of the live version are ready.", NOTHING, conditions=("ModelDeployment/PodsReady",)),
    "RejectedVersionServing": Reason(
        "The version that serves is now rejected by its gate; it serves until a verified version replaces it.",
        "Train a better version, or correct the threshold if its edit was a mistake.",
        conditions=_SERVING,
    ),
    "RouteAccepted": Reason("Every Gateway accepts the HTTPRoute as it is now.", NOTHING, conditions=_ROUTE),
    "RouteChanged": Reason(
        "A field of the HTTPRoute is not what `spec.traffic` asks for: it was just edited, or someone else has changed"
        " the route. The operator puts it right.",
        "Nothing to do. If it lasts longer than a minute, `kubectl get httproute --show-managed-fields -o yaml` names"
        " who changes it.",
        conditions=_ROUTE,
        warning=_DEPLOYMENT,
    ),
    "RouteContested": Reason(
        "The HTTPRoute is changed again and again; it was put right three times, and the next repair waits: ten"
        " minutes, then twice as long each time, up to six hours. A new decision of the operator waits for none. It"
        " ends after an hour in which nobody changes the route.",
        "Find who changes it, `kubectl get httproute --show-managed-fields -o yaml` names the manager, and stop it.",
        conditions=_ROUTE,
    ),
    "RouteNotAccepted": Reason(
        "A Gateway does not accept the HTTPRoute, or has not said so yet.",
        "Read the Gateway's own message, then correct the Gateway, its listener or `spec.traffic`.",
        conditions=_ROUTE,
    ),
    "RouteNotCreated": Reason(
        "The HTTPRoute does not exist yet; it is created once a version serves.",
        "Wait for the first version.",
        conditions=_ROUTE,
    ),
    "RouteNotOwned": Reason(
        "An HTTPRoute of the name exists and does not belong to this ModelDeployment.",
        "Delete or rename that HTTPRoute, or rename the ModelDeployment.",
        conditions=_ROUTE,
    ),
    "ScaledToZero": Reason(
        "`spec.server.replicas` is 0, so no pod serves and no candidate starts.",
        "Raise the replicas to serve again.",
        conditions=(*_READY, "ModelAction/Ready"),
    ),
    "ServiceChanged": Reason(
        "Someone else has changed what decides in a Service which pods answer; the operator puts it right.",
        "Nothing to do; `kubectl get service --show-managed-fields -o yaml` names who changed it.",
        warning=_DEPLOYMENT,
    ),
    "ServiceContested": Reason(
        "A Service is changed again and again; it was put right three times, and the next repair waits: ten minutes,"
        " then twice as long each time, up to six hours. A new decision of the operator waits for none. It ends after"
        " an hour in which nobody changes the Service.",
        "Find who changes it, `kubectl get service --show-managed-fields -o yaml` names the manager, and stop it.",
        conditions=_READY,
        warning=_DEPLOYMENT,
    ),
    "ServiceNotOwned": Reason(
        "A Service of the name exists and does not belong to this ModelDeployment: it has neither its owner nor its"
        " labels. Until it is gone no version takes over, and no deadline of a candidate runs.",
        "Delete or rename that Service, or rename the ModelDeployment.",
        conditions=(*_READY, *_PROGRESSING),
        warning=_DEPLOYMENT,
    ),
    "Serving": Reason("A version serves.", NOTHING, conditions=(*_READY, *_SERVING)),
    "StatusRecovered": Reason(
        "The status was lost, and the operator has read from the Service which version serves.",
        "Find out who deleted or reset the status; the version continues to serve.",
        warning=_DEPLOYMENT,
    ),
    "SwitchingTraffic": Reason(
        "The operator points the Service at the live version.",
        "If it lasts longer than a minute, read the operator's log: it cannot write the Service.",
        conditions=(*_READY, *_PROGRESSING),
    ),
    "TemplateAdmitted": Reason(
        "A policy at admission changes the pod template of a revision whenever the operator applies it, as a registry"
        " mirror does. The pods run as the policy says, and the message of `Serving` names the fields.",
        NOTHING,
        normal=_DEPLOYMENT,
    ),
    "TemplateChanged": Reason(
        "The pod template of a revision's Deployment is not the one that the operator declared: someone else, or a"
        " policy at admission, has changed it. The operator puts it right; until its pods are replaced, nobody has"
        " verified what they serve.",
        "Nothing to do; if it was meant, change `spec.server` instead.",
        conditions=(*_READY, *_SERVING),
        warning=_DEPLOYMENT,
    ),
    "TemplateContested": Reason(
        "A pod template is changed again and again; it was put right three times, and the next repair waits: ten"
        " minutes, then twice as long each time, up to six hours. It ends after an hour in which nobody changes the"
        " template.",
        "Find who changes it, `kubectl get deployment --show-managed-fields -o yaml` names the manager, and stop it."
        " Set the field back, or wait for the repair that the message names.",
        conditions=_READY,
        warning=_DEPLOYMENT,
    ),
    "TemplateUnproven": Reason(
        "Nobody can tell whether a Deployment has the pods that were verified: its ControllerRevision was deleted or"
        " changed, and the version does not render to these pods any more.",
        "Create a `Refresh` action, change `spec.server`, or serve another version: each brings pods that are proven.",
        conditions=(*_READY, *_SERVING, "ModelDeployment/PodTemplatesStored"),
        warning=_DEPLOYMENT,
    ),
    "TemplatesKept": Reason(
        "Each revision in use has a ControllerRevision with its pod template, or gets one now.",
        NOTHING,
        conditions=("ModelDeployment/PodTemplatesStored",),
    ),
    "TrafficSwitched": Reason("The Service selects another version now.", NOTHING, normal=_DEPLOYMENT),
    "WarmPodsReleased": Reason(
        "A pod of the live version or of a candidate found no node, or a quota was full; the warm pods of the last good"
        " version end, and a rollback to it starts its pods first.",
        "Add nodes or raise the quota that the message names, or set `spec.warm` to what has room beside the live"
        " version.",
        warning=_DEPLOYMENT,
    ),
    "TrainingJobNotFound": Reason(
        "The TrainingJob does not exist in this namespace, and there is no version of it.",
        "Apply the TrainingJob, or correct `spec.trainingJobRef`.",
        conditions=(*_READY, *_PROGRESSING),
        warning=_DEPLOYMENT,
    ),
    "TrainingJobStalled": Reason(
        "No version serves yet, and the TrainingJob brings none by itself: its run failed, or its recipe is invalid.",
        "Read the message, correct the cause, then create a `Retrain` action on the TrainingJob.",
        conditions=(*_READY, *_PROGRESSING),
        warning=_DEPLOYMENT,
    ),
    "UpToDate": Reason(
        "The live version has the server image and the pod template of the installed operator.",
        NOTHING,
        conditions=("ModelDeployment/UpToDate",),
    ),
}
