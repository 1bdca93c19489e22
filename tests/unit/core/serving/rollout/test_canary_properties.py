"""Whatever is found, edited, deleted, wiped or scaled by hand in the middle of canaries, nothing unjudged takes over.

What must never happen is asserted by the world itself at every write; see `world_checks.py`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.unit.core.serving.serving_cluster import World
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
        self.world = World(replicas=replicas, drains=drains, strategy=STRATEGIES[0])
        for number in (1, 2):
            self.world.add(number)
            self.world.settle()

    @rule(word=st.sampled_from(["Pass", "Pass", "Pass", "Fail", "Inconclusive", "NoData"]))
    def the_analysis_finds(self, word: str) -> None:
        self.world.finds(word)

    @rule(word=st.sampled_from(["Pass", "Fail", "NoData"]), metric=st.sampled_from(["error-rate", "latency"]))
    def the_analysis_finds_of_one_metric(self, word: str, metric: str) -> None:
        self.world.finds(word, metric)

    @rule()
    def a_canary_goes_well(self) -> None:
        self.world.settle()
        self.world.finds("Pass")
        self.world.settle()

    @rule(minutes=st.sampled_from([1, 10, 30 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.world.now += timedelta(minutes=minutes)

    @rule(strategy=st.sampled_from(STRATEGIES))
    def the_strategy_changes(self, strategy: dict[str, Any] | None) -> None:
        self.world.edit(strategy=strategy)

    @rule(analysis=st.sampled_from([None, {"onInconclusive": "Pause"}, {"maxDuration": "1m"}]))
    def the_analysis_changes(self, analysis: dict[str, Any] | None) -> None:
        self.world.edit(analysis=analysis)

    @rule(dry=st.booleans())
    def dry_runs_come_and_go(self, dry: bool) -> None:
        self.world.edit(dryRun=dry)

    @rule(verb=st.sampled_from(["Promote", "Abort"]))
    def a_person_decides_over_the_candidate(self, verb: str) -> None:
        self.world.act(verb)

    @precondition(lambda self: self.world.workloads)
    @rule(data=st.data(), replicas=st.integers(min_value=0, max_value=3))
    def somebody_scales_a_deployment_by_hand(self, data: st.DataObject, replicas: int) -> None:
        workload = self.world.workloads[data.draw(st.sampled_from(sorted(self.world.workloads)))]
        workload["spec"]["replicas"] = replicas
        workload["metadata"]["generation"] += 1

    @rule()
    def the_status_is_lost(self) -> None:
        self.world.deployment["status"] = {"observedGeneration": -1}

    def heal(self) -> None:
        """Let all that is tried pass, and the last good revision go cold."""
        self.world.edit(dryRun=None, strategy=STRATEGIES[0])
        super().heal()
        for _ in range(8):
            if self.world.status.candidate is None:
                break
            self.world.finds("Pass")
            if self.world.status.candidate.phase == "Paused":
                self.world.act("Promote")
            self.world.settle()
            self.world.now += timedelta(minutes=10)
            self.world.settle()
        self.world.now += timedelta(hours=25)
        self.world.settle()


Canaries.TestCase.settings = settings(max_examples=40, stateful_step_count=40)
test_nothing_unjudged_takes_over_whatever_happens = Canaries.TestCase
