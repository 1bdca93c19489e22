"""Whatever is found, edited, deleted, wiped or scaled by hand in the middle of canaries, nothing unjudged takes over.

What must never happen is asserted by the cluster itself at every write; see `serving_cluster_checks.py`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.support import effort
from tests.unit.core.serving.serving_cluster import ServingCluster
from tests.unit.core.serving.test_properties import Serving

STRATEGIES: tuple[dict[str, Any] | None, ...] = (
    {"canary": {"steps": [{"weight": 25}, {"weight": 50, "pause": "10m"}]}},
    {"canary": {"steps": [{"weight": 10}, {"weight": 25}, {"weight": 50}]}},
    {"canary": {"steps": [{"weight": 40}]}},
    {"blueGreen": {}},
    None,
)


class Canaries(Serving):
    """A ModelDeployment whose candidates are tried, under everything that can happen to it."""

    @initialize(replicas=st.integers(min_value=0, max_value=3), drains=st.booleans())
    def start(self, replicas: int, drains: bool) -> None:
        self.cluster = ServingCluster(replicas=replicas, drains=drains, strategy=STRATEGIES[0])
        for number in (1, 2):
            self.cluster.add(number)
            self.cluster.settle()

    @rule(word=st.sampled_from(["Pass", "Pass", "Pass", "Fail", "Inconclusive", "NoData"]))
    def the_analysis_finds(self, word: str) -> None:
        self.cluster.finds(word)

    @rule(word=st.sampled_from(["Pass", "Fail", "NoData"]), metric=st.sampled_from(["error-rate", "latency"]))
    def the_analysis_finds_of_one_metric(self, word: str, metric: str) -> None:
        self.cluster.finds(word, metric)

    @rule()
    def a_canary_goes_well(self) -> None:
        self.cluster.settle()
        self.cluster.finds("Pass")
        self.cluster.settle()

    @rule(minutes=st.sampled_from([1, 10, 30 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.cluster.now += timedelta(minutes=minutes)

    @rule(strategy=st.sampled_from(STRATEGIES))
    def the_strategy_changes(self, strategy: dict[str, Any] | None) -> None:
        self.cluster.edit(strategy=strategy)

    @rule(
        analysis=st.sampled_from(
            [None, {"onInconclusive": "Pause"}, {"maxDuration": "1m"}, {"onInconclusive": "Promote"}]
        )
    )
    def the_analysis_changes(self, analysis: dict[str, Any] | None) -> None:
        self.cluster.edit(analysis=analysis)

    @rule(dry=st.booleans())
    def dry_runs_come_and_go(self, dry: bool) -> None:
        self.cluster.edit(dryRun=dry)

    @rule(verb=st.sampled_from(["Promote", "Abort"]))
    def a_person_decides_over_the_candidate(self, verb: str) -> None:
        self.cluster.act(verb)

    @precondition(lambda self: self.cluster.workloads)
    @rule(data=st.data(), replicas=st.integers(min_value=0, max_value=3))
    def somebody_scales_a_deployment_by_hand(self, data: st.DataObject, replicas: int) -> None:
        workload = self.cluster.workloads[data.draw(st.sampled_from(sorted(self.cluster.workloads)))]
        workload["spec"]["replicas"] = replicas
        workload["metadata"]["generation"] += 1

    @rule()
    def the_status_is_lost(self) -> None:
        self.cluster.deployment["status"] = {"observedGeneration": -1}

    def heal(self) -> None:
        """Let all that is tried pass, and the last good revision go cold."""
        self.cluster.edit(dryRun=None, strategy=STRATEGIES[0])
        super().heal()
        for _ in range(8):
            if self.cluster.status.candidate is None:
                break
            self.cluster.finds("Pass")
            if self.cluster.status.candidate.phase == "Paused":
                self.cluster.act("Promote")
            self.cluster.settle()
            self.cluster.now += timedelta(minutes=10)
            self.cluster.settle()
        self.cluster.now += timedelta(hours=25)
        self.cluster.settle()


Canaries.TestCase.settings = settings(max_examples=effort.cases(40), stateful_step_count=40)
test_nothing_unjudged_takes_over_whatever_happens = Canaries.TestCase
