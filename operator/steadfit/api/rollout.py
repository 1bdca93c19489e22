"""What a rollout leaves in the status of a ModelDeployment: revisions, verdicts, and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from .base import Model, list_map

VerdictWord = Literal["Pass", "Fail", "Inconclusive", "NoData"]
CandidatePhase = Literal["Starting", "Analysing", "Paused", "Promoting"]
DiagnosisVerdict = Literal["ModelWorse", "ConceptDrift", "Undecided"]


class RevisionRef(Model):
    """A version together with the pod template it is served by."""

    revision: str
    """Hash of the artifact digest and the rendered pod template."""
    version: str
    """Name of the ModelVersion."""
    number: int
    """Its number."""
    digest: str
    """Digest of its artifact."""
    template_digest: str
    """Digest of the rendered pod template without the artifact: tells a change of the model from one of the server."""
    asked_template_digest: str | None = None
    """Digest of the template that the spec asked for when an older revision, frozen with another one, was taken up
    again. The version is rendered anew only when the spec asks for yet another template."""
    since: datetime
    """When it was decided on."""


class Verdict(Model):
    """What one metric of the analysis says."""

    name: str
    """Name of the metric."""
    verdict: VerdictWord
    """Pass: shown not to be worse beyond the margin. Fail: shown to be worse. Inconclusive: neither yet. NoData: there
    is too little, or nothing, to judge by."""
    query: Annotated[str, Field(max_length=4096)] = ""
    """The expression that the candidate's value was asked by."""
    value: float | None = None
    """The candidate's value."""
    champion_value: float | None = None
    """The champion's value over the same time."""
    samples: int | None = None
    """What the candidate's value was taken from."""
    champion_samples: int | None = None
    """What the champion's value was taken from."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """The verdict in a sentence."""
    at: datetime
    """When this verdict was first found; the numbers are of that time."""


Verdicts = Annotated[list[Verdict], Field(max_length=16, json_schema_extra=list_map("name"))]


class Candidate(RevisionRef):
    """The revision that is coming up, or takes a share of the traffic."""

    message: str = ""
    """What it waits for, in its pods' own words or as the analysis says it."""
    phase: CandidatePhase = "Starting"
    """Starting: its pods come up. Analysing: it takes traffic and is judged. Paused: it takes traffic and waits for a
    person. Promoting: it was let through, and all of its pods come up."""
    champion_revision: str | None = None
    """Revision of the champion that it takes traffic beside, for a canary."""
    step: int | None = None
    """The step that it is at, from 0."""
    step_since: datetime | None = None
    """Since when it takes the traffic of this step."""
    analysed_since: datetime | None = None
    """Since when it takes traffic at all."""
    undecided_since: datetime | None = None
    """Since when it takes traffic without a verdict that lets it go on; absent while every metric passes."""
    weight: int | None = None
    """Per cent of the traffic that this step asks for."""
    actual_weight: int | None = None
    """Per cent that it is given: by a Service the share of the pods."""
    verdicts: Verdicts = []
    """What the metrics of the analysis say."""
    promoted_by: str | None = None
    """Who let it through without a verdict, with a ModelAction."""


class Abandoned(Model):
    """A candidate that was given up without being found worse; it may be promoted by a verb."""

    revision: str
    """The revision."""
    version: str
    """Name of its ModelVersion."""
    number: int
    """Its number."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in a sentence."""
    by: str
    """Who or what decided it."""
    at: datetime
    """When."""


class QuarantineEntry(Model):
    """A revision that never takes traffic again until it is released."""

    revision: str
    """The revision."""
    version: str
    """Name of its ModelVersion."""
    number: int
    """Its number."""
    digest: str | None = None
    """Digest of the artifact, when only the model had changed: then no other revision of it serves either."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in a sentence."""
    by: str
    """Who or what decided it."""
    at: datetime
    """When."""


class Released(Model):
    """A version that was let out of quarantine. It does not come back by itself: it is older than what serves."""

    version: str
    """Name of its ModelVersion."""
    number: int
    """Its number."""
    digest: str | None = None
    """Digest of its artifact; what was remembered of it before is not believed any more."""
    action: str
    """Name of the ModelAction."""
    by: str
    """Who asked."""
    at: datetime
    """When."""


class Promoted(Model):
    """A version that a ModelAction let through without a verdict."""

    number: int
    """Number of the version."""
    above: int
    """Highest number of a version at that time; only a newer one replaces it by itself."""
    action: str
    """Name of the ModelAction."""
    by: str
    """Who asked."""
    at: datetime
    """When."""


class AutomaticRollback(Model):
    """A rollback that nobody asked for."""

    number: int
    """Number of the version that was rolled back."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in a sentence."""
    at: datetime
    """When."""


class Diagnosis(Model):
    """Whose fault a fall in quality is: the model's or the world's."""

    monitor: str
    """Name of the monitor that fires."""
    since: datetime
    """Since when that monitor fires: one diagnosis for each time."""
    number: int
    """Number of the version that serves."""
    compared_version: int | None = None
    """Number of the last good version, if there is one."""
    run: str | None = None
    """Name of the TrainingRun that evaluates both. It is created from this entry."""
    decided_at: datetime
    """When this was begun."""
    verdict: DiagnosisVerdict | None = None
    """ModelWorse: the last good version is better on the same rows beyond the margin. ConceptDrift: it is not.
    Undecided: too few rows. Absent while it is being found out."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """Which and why, in a sentence: rows, both scores and the margin."""


class Override(Model):
    """A pin set by a ModelAction. It beats spec.pin until Unpin."""

    number: int
    """Number of the version."""
    action: str
    """Name of the ModelAction."""
    by: str
    """Who asked."""
    at: datetime
    """When."""
