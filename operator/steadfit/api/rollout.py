"""Parts of a ModelDeployment's status about rollouts: revisions, verdicts, quarantines, promotions and diagnoses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from .base import Model, list_map
from .modelversion import MetricValue

VerdictWord = Literal["Pass", "Fail", "Inconclusive", "NoData"]
CandidatePhase = Literal["Starting", "Analysing", "Paused", "Promoting"]
DiagnosisVerdict = Literal["ModelWorse", "ConceptDrift", "Inconclusive"]


class RevisionRef(Model):
    """A version together with the pod template that serves it."""

    revision: str
    """Hash of the artifact digest and the rendered pod template."""
    version: str
    """Name of the ModelVersion."""
    number: int
    """Its number."""
    digest: str
    """Digest of its artifact."""
    template_digest: str
    """Digest of the rendered pod template without the artifact: of the server alone."""
    declared_template_digest: str | None = None
    """Digest of the whole pod template as the operator declared it, which proves the pods of this revision."""
    inputs_digest: str | None = None
    """Digest of spec.server, spec.capture and the ArtifactStore. Only a change of it renders the version again."""
    asked_inputs_digest: str | None = None
    """Digest of what was chosen when this older revision was reused instead."""
    only_pinned: bool = False
    """Whether a pin alone has served this pod template of the version, so that no canary has judged it."""
    baked: bool = False
    """Whether it has served for spec.bakeDuration. When it serves again, no monitor rolls it back."""
    asked_template_digest: str | None = None
    """The same of the rendered template, by operators without inputsDigest."""
    since: datetime
    """When it was chosen; for the live revision, when it took all of the traffic."""


class Verdict(Model):
    """Result of one metric of the analysis."""

    name: str
    """Name of the metric."""
    verdict: VerdictWord
    """Pass: shown not to be worse beyond the margin. Fail: shown to be worse. Inconclusive: neither is shown yet.
    NoData: there are no data, or too few."""
    query: Annotated[str, Field(max_length=4096)] = ""
    """PromQL expression of the candidate's value."""
    value: float | None = None
    """The candidate's value."""
    champion_value: float | None = None
    """The champion's value over the same time."""
    samples: int | None = None
    """Number of samples behind the candidate's value."""
    champion_samples: int | None = None
    """Number of samples behind the champion's value."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """The verdict in a sentence."""
    at: datetime
    """When its numbers were measured. They are written with every change of the verdict, and else once a minute."""


Verdicts = Annotated[list[Verdict], Field(max_length=16, json_schema_extra=list_map("name"))]


ClockStop = Literal["ScaledToZero", "AnswersAlone", "NotInForce", "ServiceNotOwned"]


class Replaced(Model):
    """The revision that was live before the present one, also if it was rolled back."""

    revision: str
    """The revision."""
    number: int
    """Number of its version."""
    since: datetime
    """Since when it was live."""


class Candidate(RevisionRef):
    """The revision that comes up, or takes a share of the traffic as a canary."""

    message: str = ""
    """What it waits for, from its pods or the analysis."""
    phase: CandidatePhase = "Starting"
    """Starting: its pods come up. Analysing: it takes traffic, and its metrics are tested. Paused: it keeps its
    share, without a verdict until a Promote or an Abort, in a dry run while a metric fails. Promoting: it was promoted,
    all of its pods come up, and its metrics are still tested."""
    phase_since: datetime | None = None
    """When its phase began, put forward by the time at 0 replicas. Starting and Promoting end spec.progressDeadline
    later."""
    champion_revision: str | None = None
    """Revision of the champion that it is compared with, for a canary."""
    step: int | None = None
    """Index of its step, from 0."""
    step_since: datetime | None = None
    """When it began to take the traffic of this step, put forward by the time in which its share was not in force."""
    analysed_since: datetime | None = None
    """When it began to take traffic."""
    inconclusive_since: datetime | None = None
    """Since when a metric has not passed, put forward by the time that does not count; absent while every metric
    passes."""
    stopped_by: ClockStop | None = None
    """Why no time counts against it. ScaledToZero: spec.server.replicas is 0. AnswersAlone: no pod of the live revision
    is ready, so there is nothing to compare it with. NotInForce: the HTTPRoute or the Service does not share the
    traffic out; after spec.progressDeadline it is abandoned. ServiceNotOwned: the Service of the ModelDeployment's name
    belongs to someone else."""
    stopped_since: datetime | None = None
    """Since when no time counts against it."""
    not_in_force_seconds: Annotated[int, Field(ge=0)] = 0
    """For how long its share was not in force before, in this step: spec.progressDeadline bounds the sum."""
    weight: int | None = None
    """Percentage of the traffic in this step, as in the spec."""
    actual_weight: int | None = None
    """Percentage of the traffic that is in force: by a Gateway, the weight in the HTTPRoute that it has accepted; by
    the Service, the candidate's share of the ready pods. Absent while nobody knows it."""
    verdicts: Verdicts = []
    """Results of the metrics of the analysis."""
    promoted_by: str | None = None
    """Author of the ModelAction that promoted it without a verdict."""
    supersedes: int | None = None
    """Number of the candidate whose rollout it has ended."""


class Abandoned(Model):
    """A candidate that was abandoned without being found worse; a Promote serves it."""

    revision: str
    """The revision."""
    version: str
    """Name of its ModelVersion."""
    number: int
    """Its number."""
    digest: str | None = None
    """Digest of its artifact."""
    inputs_digest: str | None = None
    """Digest of what users had chosen for its pods."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in a sentence."""
    by: str
    """Who or what decided it."""
    at: datetime
    """When."""
    while_going_back: bool = False
    """Whether it missed its deadline in place of a live revision that may not, or cannot, serve any more. The entry
    ends when a version that was let through serves: none of its own failures may have decided it."""


class QuarantineEntry(Model):
    """A revision that takes no traffic until it is released."""

    revision: str
    """The revision."""
    version: str
    """Name of its ModelVersion."""
    number: int
    """Its number."""
    digest: str | None = None
    """Digest of the artifact, if only the model differed from the good revision: no revision of it serves then."""
    artifact: str | None = None
    """Digest of the artifact, also if another revision of it may serve."""
    template_digest: str | None = None
    """Digest of the pod template. A duplicate of the version with the same template is in quarantine too."""
    inputs_digest: str | None = None
    """Digest of what users had chosen for its pods."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in a sentence."""
    by: str
    """Who or what decided it."""
    at: datetime
    """When."""


class Released(Model):
    """A version that was released from quarantine. It is not rolled out by itself, as it is older than the live one."""

    version: str
    """Name of its ModelVersion."""
    number: int
    """Its number."""
    digest: str | None = None
    """Digest of its artifact; older quarantines of it in the version's status do not apply any more."""
    action: str
    """Name of the ModelAction."""
    by: str
    """Who asked."""
    at: datetime
    """When."""


class ServedVersion(Model):
    """A version that served without a pin."""

    version: str
    """Name of its ModelVersion."""
    number: int
    """Its number."""
    digest: str
    """Digest of its artifact."""
    at: datetime
    """When it took all of the traffic last, or was chosen for it by a rollback."""


class VersionFloor(Model):
    """Number up to which the versions of a TrainingJob were decided on."""

    number: int
    """The number."""
    uid: str | None = None
    """Uid of the TrainingJob whose versions it counts. Another TrainingJob has no floor yet."""

    @model_validator(mode="before")
    @classmethod
    def _read_number(cls, value: Any) -> Any:
        """Read the status of an earlier commit: a number alone, of the TrainingJob that there is."""
        return {"number": value} if isinstance(value, int) else value


class WarmRelease(Model):
    """Warm pods that have ended because pods of the live revision or of a candidate had no room."""

    revision: str
    """The revision whose pods were warm."""
    reason: Annotated[str, Field(max_length=1024)]
    """Which pods had no room, and why, in a sentence."""
    at: datetime
    """When it was decided."""


class Repair(Model):
    """Something that someone else changes and the operator puts right."""

    field: Annotated[str, Field(max_length=1024)]
    """The first field that differs."""
    at: datetime
    """When the last repair was decided."""
    count: Annotated[int, Field(ge=1)] = 1
    """How often it was put right, without an hour in which nobody changed it."""
    since: datetime | None = None
    """Since when it is as it should be; absent while it differs."""

    @property
    def under_way(self) -> bool:
        """Whether a change is being put right."""
        raise NotImplementedError


class TemplateRepair(Repair):
    """A pod template that someone else changes and the operator puts right."""

    revision: str
    """The revision."""
    generation: int | None = None
    """Generation of the Deployment with the change that is put right; absent while the next repair waits."""

    @property
    def under_way(self) -> bool:
        """Whether a change is being put right."""
        return self.generation is not None


class TrafficRepair(Repair):
    """An HTTPRoute or a Service that someone else changes and the operator puts right."""

    kind: Literal["HTTPRoute", "Service"]
    """Its kind."""
    name: str
    """Its name."""
    change: str | None = None
    """Generation, or resourceVersion, of the object with the change that is put right; absent while the next repair
    waits."""
    written: Annotated[str, Field(max_length=256)] | None = None
    """What the repair writes: the digest of the spec, and the decision that it follows. Another decision waits for no
    repair."""

    @property
    def under_way(self) -> bool:
        """Whether a change is being put right."""
        return self.change is not None


class AdmittedTemplate(Model):
    """What admission makes of the declared pod template of a revision, as an apply of the operator has shown."""

    revision: str
    """The revision."""
    values: Annotated[list[Annotated[str, StringConstraints(max_length=16)]], Field(max_length=16)]
    """Digests of the fields that admission changes, with the values that it gives them. With these values they are as
    they should be."""
    changes: Annotated[str, Field(max_length=512)]
    """The fields with their values before and after."""


class PodFailure(Model):
    """A server that ended by itself, or that lost its readiness, after its pod had been ready."""

    revision: str
    """The revision."""
    pod: str
    """Name of the pod."""
    container: str
    """ID of the container that ended or lost its readiness."""
    reason: str
    """Why it ended, such as OOMKilled or Error; NotReady while it runs."""
    exit_code: int | None = None
    """Exit code; absent while it runs."""
    message: str = ""
    """Its termination message, or the end of its log: a rollback deletes the pod, and its log with it. Only
    the last failure of a revision has it."""
    at: datetime
    """When it ended, or lost its readiness."""
    until: datetime | None = None
    """When it was ready again, or its pod gone; absent after an exit, and while it is not ready."""


class Promoted(Model):
    """A version that a ModelAction promoted without a verdict."""

    number: int
    """Number of the version."""
    digest: str | None = None
    """Digest of its artifact. Another version may have its number later."""
    above: int
    """Highest version number at that time; only a newer version replaces it by itself."""
    action: str
    """Name of the ModelAction."""
    by: str
    """Who asked."""
    at: datetime
    """When."""


class Refresh(Model):
    """A rollout of the live version with the pod template of the installed operator, by a Refresh or a Promote."""

    revision: str
    """The revision that comes up."""
    replaces: str
    """The live revision that it replaces."""
    action: str
    """Name of the ModelAction."""
    by: str
    """Who asked."""
    at: datetime
    """When."""


class AutomaticRollback(Model):
    """A rollback by a monitor."""

    number: int
    """Number of the version that was rolled back."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in a sentence."""
    at: datetime
    """When."""


class NotBetterVersion(Model):
    """A version that an evaluation did not find better than the live one."""

    number: int
    """Its number."""
    digest: str
    """Digest of its artifact."""


class Diagnosis(Model):
    """Root cause of a fall in quality: the model or the data."""

    monitor: str
    """Name of the monitor that fires."""
    since: datetime
    """When the monitor started to fire."""
    number: int
    """Number of the live version."""
    digest: str | None = None
    """Digest of its artifact."""
    compared_number: int | None = None
    """Number of the version that it is compared with: the last good one, or an older one; absent if there is none."""
    compared_digest: str | None = None
    """Digest of its artifact."""
    not_better: Annotated[list[NotBetterVersion], Field(max_length=2)] = []
    """The newer good versions that were evaluated before it: none is better, or can be evaluated."""
    run: str | None = None
    """Name of the TrainingRun that evaluates both. It is created from this entry."""
    decided_at: datetime
    """When the diagnosis started."""
    verdict: DiagnosisVerdict | None = None
    """ModelWorse: the compared version is better on the same rows by at least the margin. ConceptDrift: none is.
    Inconclusive: the evaluation failed, or its result may be chance. Absent while the run is in progress."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """The verdict in a sentence, with rows, both scores and the margin."""


class LiveScores(Model):
    """The gate's scores of one version."""

    number: int
    """Number of the version."""
    digest: str
    """Digest of its artifact."""
    metrics: Annotated[list[MetricValue], Field(max_length=16, json_schema_extra=list_map("name"))] = []
    """Its values on the holdout; empty if its ModelVersion is gone."""


class Override(Model):
    """A pin by a ModelAction. It overrides spec.pin until Unpin."""

    number: int
    """Number of the version."""
    digest: str | None = None
    """Digest of its artifact. Another version may have its number later."""
    action: str
    """Name of the ModelAction."""
    by: str
    """Who asked."""
    at: datetime
    """When."""
