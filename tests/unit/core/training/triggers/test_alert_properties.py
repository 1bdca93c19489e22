"""Whatever is told, lost, failed and waited for: the limits hold, and there is one run in flight and one wait.

The limits are checked against a book of its own, kept from the runs that come into being, not against the status.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support import effort
from tests.unit.core.training.builders import DRIFT
from tests.unit.core.training.training_cluster import FINISHED, TrainingCluster

from .test_alert_runs import WORSE

JOB = ("TrainingJob", "orders")
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
RESULTS = st.sampled_from(["better", "worse", "worse", "failed"])
NAMES = st.sampled_from(["a" * 16, "b" * 16, "c" * 16])


@dataclass
class Entry:
    """One automatic run, as it came into being."""

    name: str
    began: datetime
    better: bool = False


class Alerts(RuleBasedStateMachine):
    """Alerts come, go, are told again and again or never; runs bring something or nothing; the status is lost."""

    @initialize(most=st.integers(1, 6), after=st.integers(1, 4))
    def begin(self, most: int, after: int) -> None:
        self.most, self.after = most, after
        limits = {
            "retries": 0,
            "queueTimeout": "100000h",
            "startTimeout": "100000h",
            "runTimeout": "100000h",
            "cooldown": "1h",
            "maxRunsPerDay": most,
            "breakAfter": after,
        }
        self.cluster = TrainingCluster(triggers=[DRIFT], limits=limits, history={"runs": 100})
        self.book: list[Entry] = []
        self.ended: datetime | None = None
        self.firing: dict[str, datetime] = {}
        self.asked = 0
        self.seen: set[str] = set()
        self.settle()

    @rule(name=NAMES, copies=st.integers(1, 3))
    def fire(self, name: str, copies: int) -> None:
        for _ in range(copies):
            self.cluster.tell(name)
            self.firing[name] = self.cluster.now
            self.settle()

    @rule(name=NAMES)
    def resolve(self, name: str) -> None:
        self.cluster.tell(name, "resolved")
        self.firing.pop(name, None)
        self.settle()

    @rule(firing=st.booleans())
    def monitor(self, firing: bool) -> None:
        now = self.cluster.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        phase = "Firing" if firing else "NoData"
        self.cluster.serve(monitors=[{"name": "drift", "phase": phase, "since": now, "message": "PSI"}])
        self.firing.pop("monitor", None)
        if firing:
            self.firing["monitor"] = self.cluster.now + timedelta(days=10_000)
        self.settle()

    @rule(minutes=st.sampled_from([1, 20, 59, 60, 61, 180, 700, 1500]))
    def let_time_pass(self, minutes: int) -> None:
        end = self.cluster.now + timedelta(minutes=minutes)
        # Time does not jump over what a plan has asked to look at.
        while (due := self.cluster.requeue[JOB]) is not None and due < end:
            self.cluster.now = max(self.cluster.now, due)
            self.settle()
        self.cluster.now = end
        self.settle()

    @rule(results=st.lists(RESULTS, min_size=2, max_size=8), minutes=st.sampled_from([30, 61, 130]))
    def let_an_alert_fire_on(self, results: list[str], minutes: int) -> None:
        for result in results:
            self.fire("a" * 16, 1)
            if self.going():
                self.end_the_run(result)
            self.let_time_pass(minutes)

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        self.cluster.edit(suspend=suspend)
        self.settle()

    @rule()
    def ask_for_a_retrain(self) -> None:
        self.asked += 1
        self.cluster.retrain(f"retrain-{self.asked}")
        self.settle()

    @rule()
    def lose_the_status(self) -> None:
        self.cluster.objects[JOB]["status"] = {"observedGeneration": -1}
        self.firing = {name: told for name, told in self.firing.items() if name == "monitor"}
        self.settle()

    @precondition(lambda self: self.going())
    @rule(result=RESULTS)
    def end_the_run(self, result: str) -> None:
        name = self.cluster.run.name
        if result == "failed":
            self.cluster.fail(1)
        else:
            # The same artifact again would be a duplicate.
            self.cluster.run_well(**({} if result == "better" else WORSE))
        self.ended = self.cluster.now
        for entry in self.book:
            entry.better = entry.better or (entry.name == name and result == "better")
        if result == "better" and all(entry.name != name for entry in self.book):
            self.book.append(Entry(name, self.cluster.now - timedelta(days=9_000), better=True))
        self.settle()

    def settle(self) -> None:
        self.cluster.settle()
        for run in self.cluster.runs():
            if run.name not in self.seen:
                self.seen.add(run.name)
                if run.spec.cause.type in ("Alert", "Monitor"):
                    self.judge()
                    self.book.append(Entry(run.name, self.cluster.now))

    def judge(self) -> None:
        """Check that an automatic run may begin now."""
        now = self.cluster.now
        assert sum(entry.began > now - DAY for entry in self.book) < self.most, "the budget is kept"
        row = 0
        for entry in reversed(self.book):
            if entry.better:
                break
            row += 1
        assert self.ended is not None, "the recipe itself comes first"
        pause = HOUR if row < self.after else min(HOUR * 2 ** (row - self.after + 1), DAY)
        assert now - self.ended >= pause, "the cooldown and the breaker are kept"
        assert any(told > now - timedelta(hours=12) for told in self.firing.values()), "something asks for it"

    def going(self) -> bool:
        runs = self.cluster.runs()
        return bool(runs) and runs[-1].status.phase not in FINISHED

    @invariant()
    def one_run_is_in_flight_and_one_waits(self) -> None:
        if not hasattr(self, "cluster"):
            return
        assert sum(run.status.phase not in FINISHED for run in self.cluster.runs()) <= 1
        status = self.cluster.job.status
        asks = any(told > self.cluster.now - timedelta(hours=12) for told in self.firing.values())
        assert asks or status.waiting is None, "nothing waits when nothing asks"
        assert not asks or status.waiting is not None or status.active_run is not None, "nothing is lost"

    @invariant()
    def at_rest_there_is_nothing_to_do_until_something_is_due(self) -> None:
        if not hasattr(self, "cluster"):
            return
        now, due = self.cluster.now, self.cluster.requeue[JOB]
        self.cluster.now = now + timedelta(days=40) if due is None else max(now, due - timedelta(seconds=1))
        assert not self.cluster.step(*JOB)
        self.cluster.now = now


Alerts.TestCase.settings = settings(max_examples=effort.cases(20), stateful_step_count=20)
TestAlerts = Alerts.TestCase
