"""Reasons of what is measured: of a MetricSource, and of a ModelDeployment's condition MetricsAvailable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .entry import NOTHING, Reason

NoDataReason = Literal[
    "AddressRefused",
    "CertificateRefused",
    "CredentialsMissing",
    "InvalidURL",
    "MetricUndefined",
    "NoScore",
    "NoSeries",
    "NotANumber",
    "NotMeasured",
    "NotPrometheus",
    "NotScraped",
    "NotServing",
    "PlaintextCredentials",
    "QueryRefused",
    "Redirected",
    "ResponseTooLarge",
    "SeveralSeries",
    "SourceNotAllowed",
    "SourceNotFound",
    "Stale",
    "Timeout",
    "TooFewSamples",
    "Unauthorized",
    "Unavailable",
    "UnknownFeature",
    "Unreachable",
    "WrongType",
]
"""Why a question to a MetricSource has no number as its answer."""

MetricsReason = NoDataReason | Literal["NoAnalysisData", "QuerySucceeded", "Available", "NothingMeasured", "NotQueried"]

_AVAILABLE = ("ModelDeployment/MetricsAvailable",)
_SOURCE = ("MetricSource/Ready",)
_BOTH = (*_SOURCE, *_AVAILABLE)

METRICS: Mapping[MetricsReason, Reason] = {
    "AddressRefused": Reason(
        "The URL of the source leads to an address that the operator does not connect to, such as a link-local one.",
        "Correct `spec.url` of the MetricSource.",
        conditions=_BOTH,
    ),
    "Available": Reason("Everything that the operator measures has data.", NOTHING, conditions=_AVAILABLE),
    "CertificateRefused": Reason(
        "The certificate of the source is not trusted.",
        "Give the source a certificate that the operator trusts, or correct `spec.url`.",
        conditions=_BOTH,
    ),
    "CredentialsMissing": Reason(
        "The Secret with the credentials of the source does not exist or holds none that can be used.",
        "Create the Secret in the operator's namespace with `token`, or with `username` and `password`.",
        conditions=_BOTH,
    ),
    "InvalidURL": Reason(
        "The URL of the source cannot be used.", "Correct `spec.url` of the MetricSource.", conditions=_BOTH
    ),
    "MetricUndefined": Reason(
        "There are outcomes in the window but no metric: they do not define it, as an AUC of outcomes of one class, or"
        " Prometheus has not loaded the rule that records it.",
        "Check that Prometheus has loaded the operator's rules; then choose a longer window, or a [metric](metrics.md)"
        " that this kind of model has.",
        conditions=_AVAILABLE,
    ),
    "NoAnalysisData": Reason(
        "A metric of the canary analysis has no data, so the candidate is not judged.",
        "Read the message for the metric and why; a `Promote` or `Abort` action decides without it.",
        conditions=_AVAILABLE,
    ),
    "NoScore": Reason(
        "The level of a monitor is relative to the gate's score of the live version, and the gate has no score of it by"
        " that metric, so the monitor is not judged.",
        "Add the metric to `evaluation.metrics` of the TrainingJob and train, or set `min` or `max` instead of"
        " `within`.",
        conditions=_AVAILABLE,
    ),
    "NoSeries": Reason(
        "Prometheus has no such series: there were no requests or outcomes, or the servers are not scraped.",
        "Check that Prometheus scrapes the server pods and has loaded the operator's rules.",
        conditions=_AVAILABLE,
    ),
    "NotANumber": Reason(
        "The value is NaN or infinite.",
        "Correct `promQL`, for example where it divides by zero.",
        conditions=_AVAILABLE,
    ),
    "NothingMeasured": Reason(
        "The spec has no monitor, and no canary is analysed, so nothing is measured.", NOTHING, conditions=_AVAILABLE
    ),
    "NotMeasured": Reason(
        "There is no measurement yet since the operator started.",
        "Wait for one `spec.interval` of the MetricSource.",
        conditions=_AVAILABLE,
    ),
    "NotPrometheus": Reason(
        "The source answers, and its answer is not one of the Prometheus API.",
        "Point `spec.url` at the base URL of the Prometheus API.",
        conditions=_BOTH,
    ),
    "NotQueried": Reason("The source has not been queried yet.", "Wait for one `spec.interval`.", conditions=_SOURCE),
    "NotScraped": Reason(
        "Prometheus had the series of the candidate or the champion and no longer scrapes the pods.",
        "Look at the targets of Prometheus: a pod is gone or not reachable.",
        conditions=_AVAILABLE,
    ),
    "PlaintextCredentials": Reason(
        "The source has credentials and an `http://` URL, over which they are not sent.",
        "Use `https://` in `spec.url`, or remove `spec.credentialsSecretName`.",
        conditions=_BOTH,
    ),
    "QueryRefused": Reason(
        "The source refuses the query.",
        "Read its own words in the message; correct `promQL`, or the limits of the source.",
        conditions=_BOTH,
    ),
    "QuerySucceeded": Reason("The source answers queries.", NOTHING, conditions=_SOURCE),
    "Redirected": Reason(
        "The source answers with a redirect, which is not followed.",
        "Set `spec.url` to the address that it redirects to.",
        conditions=_BOTH,
    ),
    "ResponseTooLarge": Reason(
        "The answer of the source is larger than `spec.maxResponseBytes`.",
        "Raise `spec.maxResponseBytes`: about 200 bytes for each model and series.",
        conditions=_BOTH,
    ),
    "SeveralSeries": Reason(
        "The expression gives several series; it must give one.",
        "Aggregate it, for example by `sum()` or `max()`.",
        conditions=_AVAILABLE,
    ),
    "SourceNotAllowed": Reason(
        "The MetricSource does not allow this namespace.",
        "Let its `allowedNamespaces` select the namespace.",
        conditions=_AVAILABLE,
    ),
    "SourceNotFound": Reason(
        "The MetricSource does not exist.",
        "Create it, or correct the name in the monitor or metric.",
        conditions=_AVAILABLE,
    ),
    "Stale": Reason(
        "The answer of the source is of another time: a stale copy, or a clock that is wrong.",
        "Compare the clocks of Prometheus and operator; look for a cache between them.",
        conditions=_BOTH,
    ),
    "Timeout": Reason(
        "The source did not answer in time.",
        "Look at the load of Prometheus; fewer or shorter windows make cheaper queries.",
        conditions=_BOTH,
    ),
    "TooFewSamples": Reason(
        "There are fewer requests or outcomes in the window than a verdict needs.",
        "Wait, choose a longer window, or lower `minSamples`.",
        conditions=_AVAILABLE,
    ),
    "Unauthorized": Reason(
        "The source refuses the operator's credentials.",
        "Correct the Secret that `spec.credentialsSecretName` names.",
        conditions=_BOTH,
    ),
    "Unavailable": Reason(
        "The source answers with HTTP 429 or 5xx.",
        "Look at Prometheus, or the proxy before it; it is queried again.",
        conditions=_BOTH,
    ),
    "UnknownFeature": Reason(
        "`drift.features` names a feature that the model does not have or does not record.",
        "Correct the name; only the 64 most important features are recorded.",
        conditions=_AVAILABLE,
    ),
    "Unreachable": Reason(
        "The operator cannot connect: the name does not resolve, nothing listens, or the connection broke off.",
        "Check `spec.url`, the Service of Prometheus and the NetworkPolicies; it is queried again.",
        conditions=_BOTH,
    ),
    "WrongType": Reason(
        "The expression gives a value of a type that cannot be judged, such as a histogram or a string.",
        "Correct `promQL`: it must give a scalar or one series of numbers.",
        conditions=_BOTH,
    ),
}
