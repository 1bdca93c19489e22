"""Whatever befalls the servers of a candidate and its champion, in whatever order, while every metric passes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import effort
from tests.unit.core.serving import failing_pods
from tests.unit.core.serving.canaries import trying
from tests.unit.core.serving.serving_cluster import ServingCluster

CANDIDATE, CHAMPION = 2, 1
HOLD = timedelta(minutes=10)
HOUR = timedelta(hours=1)
DISRUPTIONS = (failing_pods.evict, failing_pods.disrupt, failing_pods.lose_node, failing_pods.restart_node)

STEPS = {"canary": {"steps": [{"weight": 25, "pause": "4m"}, {"weight": 50, "pause": "4m"}]}}

numbers = st.sampled_from([CANDIDATE, CANDIDATE, CHAMPION])
ends = st.tuples(st.just("ends"), numbers)
losses = st.tuples(st.just("loses"), numbers, st.sampled_from([1, 4, 6]))
disruptions = st.tuples(st.sampled_from(DISRUPTIONS), numbers)
waits = st.tuples(st.just("waits"), st.sampled_from([1, 1, 3, 11, 31]))
stories = st.lists(st.one_of(ends, ends, losses, disruptions, waits), max_size=20)


class Told:
    """Tells a story, and counts what should count by itself."""

    def __init__(self) -> None:
        self.cluster: ServingCluster = trying(strategy=STEPS)
        self.failures: dict[int, list[tuple[datetime, int]]] = {CANDIDATE: [], CHAMPION: []}
        """By version the end of each failure and its weight."""

    def tell(self, event: tuple[Any, ...]) -> None:
        """Let an event come about, and check what must hold after it."""
        cluster, what = self.cluster, event[0]
        if what == "waits":
            cluster.now += timedelta(minutes=event[1])
        else:
            cluster.now += timedelta(seconds=10)
            number = event[1]
            if what == "ends":
                failing_pods.end(cluster, number)
                self.failures[number].append((cluster.now, 1))
            elif what == "loses":
                failing_pods.lose_readiness(cluster, number)
                self.settle()
                cluster.now += timedelta(minutes=event[2])
                self.failures[number].append((cluster.now, 3 if event[2] >= 5 else 1))
            else:
                what(cluster, number)
        self.settle()
        for number in (CANDIDATE, CHAMPION):
            failing_pods.regain(cluster, number)
            failing_pods.replace(cluster, number)
        self.settle()
        self.check()

    def settle(self) -> None:
        self.cluster.finds("Pass")
        self.cluster.settle()

    @property
    def is_over(self) -> bool:
        """Whether the candidate is live, or gone."""
        return self.cluster.candidate() is None

    def weight(self, number: int, since: datetime | None = None) -> int:
        return sum(weight for at, weight in self.failures[number] if since is None or at > since)

    def check(self) -> None:
        cluster, live = self.cluster, self.cluster.status.live
        assert live is not None
        failed = any(entry.by == "stability" for entry in cluster.status.quarantine)
        if cluster.live() == CHAMPION:
            counted = [one for one in cluster.status.pod_failures if one.revision == live.revision]
            assert len(counted) == min(12, len(self.failures[CHAMPION])), "another number is remembered"
        if cluster.candidate() == CANDIDATE:
            counted = [one for one in cluster.status.pod_failures if one.revision != live.revision]
            assert len(counted) == min(12, len(self.failures[CANDIDATE])), "another number is remembered"
        newest = max((at for at, _ in self.failures[CANDIDATE]), default=None) or cluster.now
        # At the first step the champion has twice the pods of the candidate.
        if self.weight(CHAMPION, newest - HOUR) >= 2 * self.weight(CANDIDATE, newest - HOUR):
            assert not failed, "put back beside a champion whose pods fail as often"
        if self.weight(CHAMPION) == 0 and self.weight(CANDIDATE, cluster.now - timedelta(minutes=55)) >= 3:
            assert failed, "three failures within an hour beside none put nothing back"
        if cluster.live() == CANDIDATE:
            last = max((at for at, _ in self.failures[CANDIDATE]), default=None)
            assert last is None or cluster.now - last >= HOLD, "live although its servers do not stay"


@settings(max_examples=effort.cases(60), deadline=None)
@given(story=stories)
def test_an_unstable_candidate_never_goes_live_and_disruptions_count_for_nothing(story: list[tuple[Any, ...]]) -> None:
    told = Told()
    for event in story:
        told.tell(event)
        if told.is_over:
            break
    status = told.cluster.status
    if told.is_over and told.cluster.live() == CHAMPION:
        assert [entry.by for entry in status.quarantine] == ["stability"]
        return
    for _ in range(6):
        told.cluster.now += timedelta(minutes=31)
        told.settle()
    assert told.cluster.live() == CANDIDATE, "what stays up for long enough goes live"
