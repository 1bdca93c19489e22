"""Whatever is measured, in whatever order: nothing goes back on no data, in a dry run, or more often than the limit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from steadfit.core.serving.recovery import rollback_limit
from steadfit.core.types import Signal

from tests.unit.core.serving.serving_cluster import ServingCluster, serving

from .test_automatic_rollback import BAD, ERRORS, GOOD, NO_DATA
from .test_diagnosis import CHANCE, FALLEN, FINE, MOVED, QUALITY, WORSE, ended

LIMIT = 1
MEASURED: dict[str, list[Signal]] = {"errors": [BAD, GOOD, NO_DATA], "quality": [FALLEN, FINE, NO_DATA]}

Step = tuple[str, Any]
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("errors"), st.sampled_from(MEASURED["errors"])),
    st.tuples(st.just("quality"), st.sampled_from(MEASURED["quality"])),
    st.tuples(st.just("found"), st.sampled_from([WORSE, MOVED, CHANCE, None])),
    st.tuples(st.just("hours"), st.sampled_from([1, 5, 25])),
    st.tuples(st.just("version"), st.none()),
    st.tuples(st.just("worse version"), st.none()),
    st.tuples(st.just("dry run"), st.booleans()),
    st.tuples(st.just("wipe"), st.just("diagnoses")),
)


def do(cluster: ServingCluster, step: Step) -> None:
    kind, value = step
    if kind in MEASURED:
        cluster.signals[kind] = value
    elif kind == "found":
        ended(cluster, value, "Succeeded" if value else "Failed")
    elif kind == "hours":
        cluster.now += timedelta(hours=value)
    elif kind == "version":
        cluster.add(max(cluster.versions) + 1)
    elif kind == "worse version":
        cluster.signals |= {"errors": GOOD, "quality": FINE}
        cluster.add(max(cluster.versions) + 1)
        comes_to_rest(cluster)
        cluster.signals["errors"] = BAD
    elif kind == "dry run":
        cluster.edit(dryRun=value)
    else:
        cluster.deployment["status"].pop(value, None)


def judged_step(cluster: ServingCluster) -> bool:
    """Make one pass and check what it did; return whether it did anything."""
    before = cluster.status
    did = cluster.step()
    after = cluster.status
    quarantined = {entry.revision for entry in before.quarantine}
    for entry in after.quarantine:
        if entry.revision in quarantined:
            continue
        monitor = entry.by.removeprefix("monitor ")
        assert cluster.signals[monitor] in (BAD, FALLEN), f"{entry.by} rolled back on {cluster.signals[monitor]}"
        assert not cluster.deployment["spec"].get("dryRun"), f"{entry.by} rolled back in a dry run"
    assert len(rollback_limit.recent(after, cluster.now)) <= LIMIT
    live = after.live
    assert live is not None
    return did


def comes_to_rest(cluster: ServingCluster) -> None:
    for _ in range(60):
        did = judged_step(cluster)
        pods = [workload.get("status") for workload in cluster.workloads.values()]
        before = [dict(status or {}) for status in pods]
        cluster.kubelet()
        if not did and before == [dict(workload.get("status") or {}) for workload in cluster.workloads.values()]:
            return
    raise AssertionError("the passes do not come to an end")


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, min_size=3, max_size=12))
def test_whatever_is_measured_recovery_keeps_to_its_limits_and_comes_to_rest(steps: list[Step]) -> None:
    cluster = serving(
        1,
        2,
        monitors=[ERRORS, QUALITY],
        capture={"sample": 1.0},
        limits={"maxRollbacksPerDay": LIMIT},
        bakeDuration="48h",
    )
    cluster.signals |= {"errors": GOOD, "quality": FINE}
    for step in steps:
        do(cluster, step)
        comes_to_rest(cluster)
    status = cluster.status
    live = status.live
    assert live is not None
    assert live.revision not in {entry.revision for entry in status.quarantine}
