"""What is kept of failures suffices to fail a candidate, and never fails it beside a champion that fails as often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st
from steadfit.api.rollout import PodFailure
from steadfit.core.serving.selection import desired_revision
from steadfit.core.serving.stability import instability, pod_failures
from steadfit.core.serving.stability.instability import Instability

from tests.support import effort
from tests.unit.core.serving.canaries import champion, tried, trying
from tests.unit.core.serving.serving_cluster import ServingCluster

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
HALF = {"canary": {"steps": [{"weight": 50}]}}

exits = st.tuples(st.floats(2.0, 200.0), st.none())
losses = st.tuples(st.floats(2.0, 200.0), st.floats(0.5, 200.0))
"""Minutes before the first failure of the candidate, and how long a loss of readiness lasts."""


def failure(revision: str, at: datetime, lasts: timedelta | None = None) -> PodFailure:
    kind = {"reason": "Error", "exit_code": 1} if lasts is None else {"reason": "NotReady", "until": at + lasts}
    return PodFailure(revision=revision, pod="p", container=f"{revision}/{at.isoformat()}", at=at, **kind)


def judgements(cluster: ServingCluster, own: Sequence[PodFailure], others: Sequence[PodFailure]) -> list[Instability]:
    """Return the judgement of the candidate at each of its failures, by what is kept of them and of the champion's."""
    status, fleet = cluster.status, cluster.fleet
    desired = desired_revision.choose(status, fleet, cluster.now)
    found = []
    for one in sorted([*own, *others], key=lambda one: one.at):
        kept = pod_failures.bounded([*status.pod_failures, one])
        status = status.model_copy(update={"pod_failures": kept})
        if one.revision == own[0].revision:
            judged = instability.of_candidate(tried(cluster), status, desired, fleet, one.at)
            assert judged is not None
            found.append(judged)
    return found


SMALL, LARGE = trying(replicas=2, strategy=HALF), trying(replicas=20, strategy={"canary": {"steps": [{"weight": 5}]}})


@settings(max_examples=effort.cases(100), deadline=None)
@given(
    cluster=st.sampled_from([SMALL, LARGE]),
    before=st.lists(st.one_of(exits, losses), max_size=40),
    minutes=st.floats(0.0, 58.0),
)
@example(cluster=SMALL, before=[(2.0, None), (32.0, None), (62.0, None), (92.0, None)], minutes=11.0)
@example(cluster=SMALL, before=[(200.0, 200.0)] * 12, minutes=30.0)
def test_twelve_failures_of_a_candidate_within_an_hour_fail_it_whatever_its_champion_had_before(
    cluster: ServingCluster, before: list[tuple[float, float | None]], minutes: float
) -> None:
    start = cluster.now + timedelta(hours=12)
    own = [failure(tried(cluster).revision, start + MINUTE * minutes * index / 11) for index in range(12)]
    others = [
        failure(champion(cluster), start - MINUTE * ago, None if lasts is None else MINUTE * lasts)
        for ago, lasts in before
    ]
    assert judgements(cluster, own, others)[-1].fails


@settings(max_examples=effort.cases(60), deadline=None)
@given(
    cluster=st.sampled_from([SMALL, LARGE]),
    every=st.floats(0.2, 50.0),
    failures=st.integers(1, 40),
)
def test_a_candidate_whose_pods_fail_as_often_as_those_of_its_champion_is_never_failed(
    cluster: ServingCluster, every: float, failures: int
) -> None:
    # In the large cluster one pod of the candidate stands beside twenty.
    times = 20 if cluster is LARGE else 1
    start = cluster.now + timedelta(hours=12)
    own = [failure(tried(cluster).revision, start + MINUTE * every * index) for index in range(failures)]
    others = [
        failure(champion(cluster), start + MINUTE * every * (index / times - 1)) for index in range(failures * times)
    ]
    assert not any(one.fails for one in judgements(cluster, own, others))


@settings(max_examples=effort.cases(40), deadline=None)
@given(every=st.floats(0.5, 15.0))
def test_a_candidate_that_fails_eight_times_as_often_as_its_champion_is_failed(every: float) -> None:
    start = SMALL.now + timedelta(hours=12)
    others = [failure(champion(SMALL), start + MINUTE * every * (8 * index - 4)) for index in range(4)]
    own = [failure(tried(SMALL).revision, start + MINUTE * every * index) for index in range(28)]
    assert any(one.fails for one in judgements(SMALL, own, others))


def test_exits_of_the_champion_of_hours_ago_protect_no_candidate() -> None:
    start = SMALL.now + timedelta(hours=12)
    others = [failure(champion(SMALL), start - HOUR - MINUTE * index) for index in range(2, 14)]
    own = [failure(tried(SMALL).revision, start + MINUTE * index) for index in range(3)]
    assert judgements(SMALL, own, others)[-1].fails
