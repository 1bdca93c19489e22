"""Whatever has happened before, every caller goes back to the same revision, and it is one that may serve."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.plans import model_deployment
from steadfit.core.serving import permitted
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.selection import going_back
from steadfit.core.types import ObservedModelDeployment

from tests.support import effort
from tests.unit.core.serving.arms import ARMS, METRICS
from tests.unit.core.serving.canaries import STEPS
from tests.unit.core.serving.recovery.test_automatic_rollback import BAD, ERRORS
from tests.unit.core.serving.recovery.test_diagnosis import FALLEN, QUALITY
from tests.unit.core.serving.serving_cluster import serving
from tests.unit.core.serving.serving_cluster_objects import NAMESPACE

Step = tuple[str, Any]
numbers = st.integers(min_value=1, max_value=7)
HISTORY: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.tuples(st.just("version"), st.sampled_from([None, None, None, 1, 2])),
        st.tuples(st.just("version"), st.none()),
        st.tuples(st.sampled_from(["Rollback", "Unpin", "Abort"]), st.none()),
        st.tuples(st.sampled_from(["Rollback", "Pin", "Promote", "Quarantine", "Release"]), numbers),
        st.tuples(st.sampled_from(["Verified", "Rejected", "Held", "delete"]), numbers),
        st.tuples(st.just("image"), st.sampled_from(["server:a", "server:b"])),
        st.tuples(st.just("broken"), st.none()),
        st.tuples(st.just("job"), st.none()),
        st.tuples(st.just("replicas"), st.sampled_from([0, 2])),
    ),
    min_size=4,
    max_size=14,
)


class History:
    """A ServingCluster, and what has ever been let through in it."""

    def __init__(self, *, canary: bool) -> None:
        """Create a cluster in which two versions were rolled out."""
        spec: dict[str, Any] = {"strategy": STEPS} if canary else {}
        monitors = [{**QUALITY, "minSamples": 1}, ERRORS]
        self.canary, self.through, self.was_live = canary, set[str](), set[str]()
        self.cluster = serving(monitors=monitors, capture={"sample": 1.0}, bakeDuration="999h", **spec)
        self.cluster.compared = dict.fromkeys(METRICS, ARMS["Pass"])
        for _ in range(2):
            self.do(("version", None))

    def do(self, step: Step) -> None:
        cluster, (kind, value) = self.cluster, step
        if kind == "version":
            first = cluster.versions.get(value or 0)
            copied = {"duplicateOf": first["metadata"]["name"], "artifact": first["spec"]["artifact"]} if first else {}
            cluster.add(max(cluster.versions, default=0) + 1, **copied)
        elif kind == "image":
            cluster.edit(server={**cluster.deployment["spec"]["server"], "image": value})
        elif kind == "replicas":
            cluster.edit(server={**cluster.deployment["spec"]["server"], "replicas": value})
        elif kind == "broken":
            cluster.step()
            cluster.broken |= {cluster.status.candidate.revision} if cluster.status.candidate else set()
        elif kind == "job":
            cluster.make_the_job_again(with_versions=False)
        elif kind == "delete":
            cluster.versions.pop(value, None)
        elif kind in ("Verified", "Rejected", "Held"):
            if value in cluster.versions:
                cluster.judge(value, kind)
        else:
            cluster.act(kind, value)
        for _ in range(3):
            cluster.settle()
            cluster.now += timedelta(minutes=30)
        cluster.settle()
        status = cluster.status
        self.through |= {entry.digest for entry in status.served_versions}
        self.was_live |= {status.live.revision} if status.live else set()

    def planned(self, **change: Any) -> ModelDeploymentStatus:
        """Return the status that the next pass writes if this is observed too."""
        observed: ObservedModelDeployment = replace(self.cluster.observe(), **change)
        return ModelDeploymentStatus.model_validate(model_deployment.plan(observed, self.cluster.now).status)

    def after(self, verb: str, number: int | None = None) -> ModelDeploymentStatus:
        """Return the status that the next pass writes because of an action."""
        metadata = {"name": "asked", "namespace": NAMESPACE, "uid": "asked"}
        metadata |= {"annotations": {names.ACCEPTED_ANNOTATION: "asked"}}  # type: ignore[dict-item]
        target = {"kind": "ModelDeployment", "name": "flights"}
        spec = {"verb": verb, "target": target, "reason": "it is worse", "requestedBy": "alice"}
        spec |= {} if number is None else {"version": number}  # type: ignore[dict-item]
        asked = {"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}}
        return self.planned(actions=[ModelAction.model_validate(asked)])


def is_permitted(ref: RevisionRef, history: History) -> None:
    """Check that a revision may serve, and that it has served or its version was verified."""
    cluster = history.cluster
    status, fleet = cluster.status, cluster.fleet
    version = fleet.version_of(ref)
    assert version is not None
    assert version.status.phase in ("Verified", "Held")
    assert not is_quarantined(ref, status, fleet)
    assert ref.revision not in {entry.revision for entry in status.abandoned}
    assert status.live is None or ref.revision != status.live.revision
    assert permitted.was_let_through(ref, status, fleet) or ref.digest in history.through
    assert ref.digest in history.through or not history.canary
    assert ref.revision in history.was_live or ref.digest in history.through


def replacement(before: RevisionRef, after: ModelDeploymentStatus, history: History) -> str | None:
    """Return the revision that replaces one that was live; None if it was not rolled back."""
    if not is_quarantined(before, after, history.cluster.fleet):
        return None
    # Without replicas no pods are waited for.
    replaced = after.live if after.live and after.live.revision != before.revision else after.candidate
    return replaced.revision if replaced else "nothing"


def callers_agree(history: History) -> None:
    """Check what each caller would do next."""
    cluster = history.cluster
    status, fleet = cluster.status, cluster.fleet
    live = status.live
    if live is None or is_quarantined(live, status, fleet):
        return
    any_, other = (
        going_back.best(status, fleet, cluster.now, excluding=excluding)
        for excluding in (frozenset[str](), {live.digest})
    )
    for found in (any_, other):
        if found.revision is not None:
            is_permitted(found.revision, history)
    if other.revision is None:
        known = {entry.number for entry in status.served_versions if entry.digest != live.digest}
        assert known <= {one.number for one in other.exclusions}, "each better version is barred for a reason"
    best, of_model = (found.revision.revision if found.revision else None for found in (any_, other))
    assert replacement(live, history.after("Rollback"), history) == best
    assert replacement(live, history.after("Quarantine", live.number), history) in (None, of_model)
    assert replacement(live, history.planned(signals={"errors": BAD}), history) in (None, best)
    fallen = history.planned(signals={"quality": FALLEN})
    compared = [entry.compared_digest for entry in fallen.diagnoses if entry.number == live.number]
    if compared:
        assert compared == [other.revision.digest if other.revision else None]


@settings(max_examples=effort.cases(30), deadline=None)
@given(HISTORY, st.booleans())
@example([("replicas", 0), ("version", None), ("version", 2), ("Rollback", None)], False)
@example([("version", None), ("version", 1), ("version", None), ("Rollback", 1)], False)
@example([("version", 1), ("version", 1), ("Rollback", None), ("version", None)], False)
def test_every_caller_goes_back_to_the_same_revision_and_it_is_permitted(steps: list[Step], canary: bool) -> None:
    history = History(canary=canary)
    for step in steps:
        history.do(step)
        callers_agree(history)
