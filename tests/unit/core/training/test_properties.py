"""Whatever people, queues, nodes and clocks do: what must never happen does not, and the plans come to rest.

`World` checks at every pass that a plan rests on its own status, tells an event once, keeps one run in flight, never
gives a finished run a Job, and that every status reads well to kstatus, Flux and Argo CD.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from .builders import COMPLETE, FAILED, UNSCHEDULABLE, disruption, ended, running, waits
from .training_cluster import FINISHED, World

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
        self.world = World(triggers=triggers, limits={"retries": retries}, readyPolicy=policy, history={"runs": 3})
        self.made = 0
        self.world.settle()

    @rule(depth=st.integers(1, 3))
    def change_an_input(self, depth: int) -> None:
        self.world.edit(params={"depth": depth})
        self.world.settle()

    @rule(triggers=TRIGGERS)
    def change_the_triggers(self, triggers: Any) -> None:
        self.world.edit(triggers=triggers)
        self.world.settle()

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        self.world.edit(suspend=suspend)
        self.world.settle()

    @rule()
    def ask_for_a_retrain(self) -> None:
        self.made += 1
        self.world.retrain(f"retrain-{self.made}")
        self.world.settle()

    @rule(minutes=st.integers(1, 3000))
    def let_time_pass(self, minutes: int) -> None:
        self.world.advance(minutes=minutes)
        self.world.settle()

    @rule()
    def take_the_stores_away_for_a_while(self) -> None:
        stores, self.world.stores = self.world.stores, []
        self.world.settle()
        self.world.advance(minutes=7)
        self.world.stores = stores
        self.world.settle()

    @precondition(lambda self: self.going())
    @rule(pod=PODS)
    def change_the_pod(self, pod: Any) -> None:
        states, status = pod
        self.world.pod(*states, **status)
        self.world.settle()

    @precondition(lambda self: self.going())
    @rule(code=CODES, step=STEPS)
    def fail_the_pod(self, code: int, step: str) -> None:
        self.world.fail(code, "boom", step)
        self.world.settle()

    @precondition(lambda self: self.going())
    @rule(condition=st.sampled_from([COMPLETE, FAILED]))
    def end_the_job(self, condition: Any) -> None:
        self.world.end_job(condition)
        self.world.settle()

    @precondition(lambda self: self.going())
    @rule(suspended=st.booleans())
    def queue_the_job(self, suspended: bool) -> None:
        self.world.newest("Job")["spec"]["suspend"] = suspended
        self.world.settle()

    @precondition(lambda self: self.going())
    @rule(same=st.booleans())
    def post_a_record(self, same: bool) -> None:
        if "record" not in self.world.newest("TrainingRun")["status"]:
            self.world.post("ab" * 32 if same else None)
        self.world.settle()

    @rule(kind=st.sampled_from(["Job", "Pod", "TrainingRun", "ModelVersion"]))
    def delete_by_hand(self, kind: str) -> None:
        if self.world.every(kind):
            self.world.remove(kind, self.world.newest(kind)["metadata"]["name"])
        self.world.settle()

    @rule()
    def lose_the_status_of_the_recipe(self) -> None:
        self.world.objects["TrainingJob", "orders"]["status"] = {"observedGeneration": -1}
        self.world.settle()

    @invariant()
    def at_most_one_run_is_in_flight(self) -> None:
        if hasattr(self, "world"):
            assert sum(run.status.phase not in FINISHED for run in self.world.runs()) <= 1

    @invariant()
    def no_two_runs_take_one_number(self) -> None:
        if hasattr(self, "world"):
            numbers = [run.status.version_number for run in self.world.runs() if run.status.version_number]
            assert len(numbers) == len(set(numbers))

    @invariant()
    def every_version_belongs_to_the_run_that_names_it(self) -> None:
        if hasattr(self, "world"):
            versions = {item.name: item for item in self.world.versions()}
            for run in self.world.runs():
                made = versions.get(run.status.version or "")
                assert made is None or made.spec.run.uid == run.uid

    @invariant()
    def an_open_job_belongs_to_the_open_attempt(self) -> None:
        if not hasattr(self, "world"):
            return
        going = {
            attempt.job
            for run in self.world.runs()
            for attempt in run.status.attempts
            if attempt.finished_at is None and run.status.phase not in FINISHED
        }
        for job in self.world.every("Job"):
            over = job["status"].get("conditions")
            pods = [
                pod
                for pod in self.world.every("Pod")
                if pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
            ]
            left = any(pod["status"]["phase"] == "Failed" for pod in pods)
            assert over or left or job["metadata"]["name"] in going

    @invariant()
    def at_rest_there_is_nothing_to_do_until_something_is_due(self) -> None:
        if not hasattr(self, "world"):
            return
        due = [at for key, at in self.world.requeue.items() if at is not None and key in self.world.objects]
        self.world.now = max(self.world.now, min([self.world.now + timedelta(days=40), *due]) - timedelta(seconds=1))
        before = len(self.world.events)
        for key in list(self.world.objects):
            if key[0] in ("TrainingJob", "TrainingRun", "ModelVersion"):
                assert not self.world.step(*key)
        assert len(self.world.events) == before

    def going(self) -> bool:
        jobs = self.world.every("Job")
        runs = self.world.every("TrainingRun")
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


Training.TestCase.settings = settings(max_examples=30, stateful_step_count=25)
TestTraining = Training.TestCase
