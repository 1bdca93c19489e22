"""Whatever people, queues, nodes and clocks do: what must never happen does not, and the plans come to rest.

`TrainingCluster` checks at every pass that a plan rests on its own status, records an Event once, keeps one run in
flight, never gives a finished run a Job, and that kstatus, Flux and Argo CD can read every status.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support import effort

from .builders import COMPLETE, FAILED, UNSCHEDULABLE, disruption, ended, running, waits
from .training_cluster import FINISHED, TrainingCluster

TRIGGERS = st.sampled_from(
    [
        [],
        [{"name": "hourly", "schedule": {"cron": "0 * * * *"}}],
        [{"name": "hourly", "schedule": {"cron": "*/20 * * * *"}}, {"name": "b", "schedule": {"cron": "0 3 * * *"}}],
        [{"name": "never", "schedule": {"cron": "0 0 31 2 *"}}],
    ]
)
CODES = st.sampled_from([1, 10, 11, 12, 137])
STEPS = st.sampled_from(["fetch", "train", "publish"])
PODS = st.sampled_from(
    [
        ((), {}),
        ((), {"conditions": [UNSCHEDULABLE]}),
        ((waits("ErrImagePull", "not found"), waits()), {}),
        ((waits("ImagePullBackOff", "back-off"), waits()), {}),
        ((waits("InvalidImageName", "bad"), waits()), {}),
        ((waits("CreateContainerConfigError", "secret not found"), waits()), {}),
        ((running(minutes=3), waits()), {}),
        ((ended(0), running(minutes=2)), {}),
        ((ended(0), ended(0, reason="OOMKilled"), waits()), {}),
        ((ended(0), running(minutes=2)), {"conditions": [disruption()], "phase": "Running"}),
        ((ended(0), ended(0), running(minutes=1)), {"phase": "Running"}),
    ]
)


class Training(RuleBasedStateMachine):
    """People, the cluster and time, in any order; after each, the plans go on until they rest."""

    @initialize(triggers=TRIGGERS, retries=st.integers(0, 3), policy=st.sampled_from(["Accepted", "FirstModel"]))
    def begin(self, triggers: Any, retries: int, policy: str) -> None:
        self.cluster = TrainingCluster(
            triggers=triggers, limits={"retries": retries}, readyPolicy=policy, history={"runs": 3}
        )
        self.made = 0
        self.cluster.settle()

    @rule(depth=st.integers(1, 3))
    def change_an_input(self, depth: int) -> None:
        self.cluster.edit(params={"depth": depth})
        self.cluster.settle()

    @rule(triggers=TRIGGERS)
    def change_the_triggers(self, triggers: Any) -> None:
        self.cluster.edit(triggers=triggers)
        self.cluster.settle()

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        self.cluster.edit(suspend=suspend)
        self.cluster.settle()

    @rule()
    def ask_for_a_retrain(self) -> None:
        self.made += 1
        self.cluster.retrain(f"retrain-{self.made}")
        self.cluster.settle()

    @rule(minutes=st.integers(1, 3000))
    def let_time_pass(self, minutes: int) -> None:
        self.cluster.advance(minutes=minutes)
        self.cluster.settle()

    @rule()
    def take_the_stores_away_for_a_while(self) -> None:
        stores, self.cluster.stores = self.cluster.stores, []
        self.cluster.settle()
        self.cluster.advance(minutes=7)
        self.cluster.stores = stores
        self.cluster.settle()

    @precondition(lambda self: self.going())
    @rule(pod=PODS)
    def change_the_pod(self, pod: Any) -> None:
        states, status = pod
        self.cluster.pod(*states, **status)
        self.cluster.settle()

    @precondition(lambda self: self.going())
    @rule(code=CODES, step=STEPS)
    def fail_the_pod(self, code: int, step: str) -> None:
        self.cluster.fail(code, "boom", step)
        self.cluster.settle()

    @precondition(lambda self: self.going())
    @rule(condition=st.sampled_from([COMPLETE, FAILED]))
    def end_the_job(self, condition: Any) -> None:
        self.cluster.end_job(condition)
        self.cluster.settle()

    @precondition(lambda self: self.going())
    @rule(suspended=st.booleans())
    def queue_the_job(self, suspended: bool) -> None:
        self.cluster.newest("Job")["spec"]["suspend"] = suspended
        self.cluster.settle()

    @precondition(lambda self: self.going())
    @rule(same=st.booleans())
    def post_a_record(self, same: bool) -> None:
        if "record" not in self.cluster.newest("TrainingRun")["status"]:
            self.cluster.post("ab" * 32 if same else None)
        self.cluster.settle()

    @rule(kind=st.sampled_from(["Job", "Pod", "TrainingRun", "ModelVersion"]))
    def delete_by_hand(self, kind: str) -> None:
        if self.cluster.every(kind):
            self.cluster.remove(kind, self.cluster.newest(kind)["metadata"]["name"])
        self.cluster.settle()

    @rule()
    def lose_the_status_of_the_recipe(self) -> None:
        self.cluster.objects["TrainingJob", "orders"]["status"] = {"observedGeneration": -1}
        self.cluster.settle()

    @invariant()
    def at_most_one_run_is_in_flight(self) -> None:
        if hasattr(self, "cluster"):
            assert sum(run.status.phase not in FINISHED for run in self.cluster.runs()) <= 1

    @invariant()
    def no_two_runs_take_one_number(self) -> None:
        if hasattr(self, "cluster"):
            numbers = [run.status.version_number for run in self.cluster.runs() if run.status.version_number]
            assert len(numbers) == len(set(numbers))

    @invariant()
    def every_version_belongs_to_the_run_that_names_it(self) -> None:
        if hasattr(self, "cluster"):
            versions = {item.name: item for item in self.cluster.versions()}
            for run in self.cluster.runs():
                made = versions.get(run.status.version or "")
                assert made is None or made.spec.run.uid == run.uid

    @invariant()
    def an_open_job_belongs_to_the_open_attempt(self) -> None:
        if not hasattr(self, "cluster"):
            return
        going = {
            attempt.job
            for run in self.cluster.runs()
            for attempt in run.status.attempts
            if attempt.finished_at is None and run.status.phase not in FINISHED
        }
        for job in self.cluster.every("Job"):
            over = job["status"].get("conditions")
            pods = [
                pod
                for pod in self.cluster.every("Pod")
                if pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
            ]
            left = any(pod["status"]["phase"] == "Failed" for pod in pods)
            assert over or left or job["metadata"]["name"] in going

    @invariant()
    def at_rest_there_is_nothing_to_do_until_something_is_due(self) -> None:
        if not hasattr(self, "cluster"):
            return
        due = [at for key, at in self.cluster.requeue.items() if at is not None and key in self.cluster.objects]
        self.cluster.now = max(
            self.cluster.now, min([self.cluster.now + timedelta(days=40), *due]) - timedelta(seconds=1)
        )
        before = len(self.cluster.events)
        for key in list(self.cluster.objects):
            if key[0] in ("TrainingJob", "TrainingRun", "ModelVersion"):
                assert not self.cluster.step(*key)
        assert len(self.cluster.events) == before

    def going(self) -> bool:
        jobs = self.cluster.every("Job")
        runs = self.cluster.every("TrainingRun")
        if not jobs or not runs:
            return False
        status = runs[-1]["status"]
        attempts = status.get("attempts", [])
        return (
            status.get("phase") not in FINISHED
            and bool(attempts)
            and "finishedAt" not in attempts[-1]
            and jobs[-1]["metadata"]["name"] == attempts[-1]["job"]
        )


Training.TestCase.settings = settings(max_examples=effort.cases(30), stateful_step_count=25)
TestTraining = Training.TestCase
