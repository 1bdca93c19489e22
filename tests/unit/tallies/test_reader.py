"""When pods are read, what follows of their answers, and what does when they have none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.serving.rollout.analysis import judge
from steadfit.core.types import Compared
from steadfit.kube.cache import JSONObject
from steadfit.prometheus.canary_trial import Trial
from steadfit.prometheus.signals import Signals
from steadfit.tallies.answer import Answer, NoTallies
from steadfit.tallies.client import TalliesClient
from steadfit.tallies.pods import ServerPod
from steadfit.tallies.reader import FRESH_SECONDS, TalliesReader
from steadfit.tallies.trial_evidence import COLD_SECONDS

from .servers import (
    CANDIDATE,
    CHAMPION,
    NOW,
    START,
    At,
    FakeClient,
    FakePod,
    deployment,
    document,
    later,
    pod,
    serving,
    trial,
)

FOREIGN = NoTallies("answers /tallies with HTTP 404")
SILENT = NoTallies("did not answer within 1 s", silent=True)


class Cluster:
    """What the cache of the engine lists."""

    def __init__(self, *deployments: ModelDeployment) -> None:
        self.deployments = list(deployments)
        self.pods: list[JSONObject] = []

    def trials(self) -> list[Trial]:
        return [trial(each) for each in self.deployments]

    def server_pods(self, namespace: str, name: str) -> list[JSONObject]:
        return self.pods


class Fixture:
    """A candidate with one pod beside a champion with two. Time passes by `tick`, one second each."""

    def __init__(self, of: ModelDeployment | None = None) -> None:
        self.clock = At()
        self.deployment = of or deployment()
        self.cluster = Cluster(self.deployment)
        self.fakes = {
            "b1": FakePod("b1", CANDIDATE, self.clock),
            "c1": FakePod("c1", CHAMPION, self.clock),
            "c2": FakePod("c2", CHAMPION, self.clock),
        }
        self.cluster.pods = [pod(name, fake.revision) for name, fake in self.fakes.items()]
        self.signals = Signals()
        self.woken: list[tuple[float, bool]] = []
        self.signals.listen(self._wake)
        self.client = FakeClient(self.fakes)
        self.reader = TalliesReader(self.cluster, self.signals.comparisons, lambda: self.client, self.clock)
        self.loop_time = 0.0

    def _wake(self, key: object, *, urgent: bool = False) -> None:
        self.woken.append((self.elapsed, urgent))

    @property
    def elapsed(self) -> float:
        return (self.clock.time - NOW).total_seconds()

    def play(self, story: Callable[[], Any]) -> None:
        async def main() -> None:
            # The loop's clock follows the test's: only differences of its times are used.
            asyncio.get_running_loop().time = lambda: self.elapsed  # type: ignore[method-assign]
            await story()

        asyncio.run(main())

    async def tick(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self.clock.time += timedelta(seconds=1)
            self.reader.sweep(self.client)
            for _ in range(20):
                await asyncio.sleep(0)

    def compared(self, metric: str = "errors") -> Compared | None:
        return self.signals.comparisons.of(self.deployment).get(metric)

    def verdict(self) -> str:
        candidate = self.deployment.status.candidate
        assert candidate is not None
        compared = self.signals.comparisons.of(self.deployment)
        return judge(self.deployment, candidate, compared, self.clock.time).verdicts[0].verdict

    def fail(self, name: str, since: float = 0.0) -> None:
        self.fakes[name].failing = lambda second, _: second >= START + since


def test_a_candidate_that_fails_everything_is_found_within_seconds_and_wakes_the_plan_at_once() -> None:
    fixture = Fixture()
    fixture.fail("b1")

    async def story() -> None:
        while fixture.verdict() != "Fail":
            await fixture.tick()
        assert fixture.elapsed <= 5
        assert fixture.woken[-1] == (fixture.elapsed, True)

    fixture.play(story)


def test_a_good_candidate_passes_and_a_count_that_grows_wakes_nobody() -> None:
    fixture = Fixture()

    async def story() -> None:
        await fixture.tick(120)
        assert fixture.verdict() == "Pass"
        woken = len(fixture.woken)
        assert woken < 6
        found = fixture.compared()
        assert found is not None
        assert found.candidate is not None
        assert found.candidate.count == pytest.approx(1200, abs=20)

    fixture.play(story)


def test_what_befalls_both_arms_fails_no_candidate() -> None:
    fixture = Fixture()
    for name in fixture.fakes:
        fixture.fail(name, since=30)

    async def story() -> None:
        for _ in range(120):
            await fixture.tick()
            assert fixture.verdict() != "Fail"

    fixture.play(story)


def test_pods_are_read_every_second_at_any_time() -> None:
    fixture = Fixture()

    async def story() -> None:
        await fixture.tick(400)
        early = len(fixture.fakes["b1"].reads)
        await fixture.tick(60)
        assert len(fixture.fakes["b1"].reads) - early >= 59

    fixture.play(story)


def test_pods_of_many_trials_are_read_every_second_for_five_minutes_and_then_every_fifteen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("steadfit.tallies.reader.MOST_FAST", 0)
    fixture = Fixture()

    async def story() -> None:
        await fixture.tick(300)
        early = len(fixture.fakes["b1"].reads)
        assert 298 <= early <= 301
        await fixture.tick(150)
        assert len(fixture.fakes["b1"].reads) - early == pytest.approx(10, abs=1)
        found = fixture.compared()
        assert found is not None
        assert found.candidate is not None
        assert found.candidate.count > 4300  # slow reads lose no second

    fixture.play(story)


def test_a_new_step_is_read_every_second_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadfit.tallies.reader.MOST_FAST", 0)
    fixture = Fixture()

    async def story() -> None:
        await fixture.tick(400)
        before = len(fixture.fakes["b1"].reads)
        fixture.cluster.deployments = [deployment(step=1, stepSince=fixture.clock.time.isoformat())]
        await fixture.tick(30)
        assert len(fixture.fakes["b1"].reads) - before >= 29

    fixture.play(story)


def test_servers_without_tallies_leave_the_comparison_to_prometheus_which_says_so() -> None:
    fixture = Fixture()
    fixture.fakes["b1"].problem = FOREIGN
    metric = fixture.deployment.spec.analysis.metrics[0]

    async def story() -> None:
        fixture.signals.comparisons.record(
            trial(fixture.deployment), metric, Compared("promql", value=None, reason="x"), 0
        )
        await fixture.tick(2)
        found = fixture.compared()
        assert found is not None
        assert found.query == "promql"
        assert found.fallback == (
            "by time slices from Prometheus, as a pod of the candidate answers /tallies with HTTP 404"
        )

    fixture.play(story)


@pytest.mark.parametrize(("lacks", "has"), [("b1", ("c1", "c2")), ("c", ("b1",))])
def test_an_arm_without_tallies_is_asked_again_each_minute_and_the_other_one_is_left_alone(
    lacks: str, has: tuple[str, ...]
) -> None:
    fixture = Fixture()
    others = [fake for name, fake in fixture.fakes.items() if name.startswith(lacks)]
    for fake in others:
        fake.problem = FOREIGN

    async def story() -> None:
        await fixture.tick(600)
        assert [fixture.fakes[name].compared for name in has] == [1] * len(has)
        assert [len(fixture.fakes[name].reads) for name in has] == [1] * len(has)
        assert all(9 <= len(fake.reads) <= 11 for fake in others)
        assert all(fake.compared == 1 for fake in others)
        for fake in others:
            fake.problem = None
        await fixture.tick(90)
        assert fixture.verdict() == "Pass", "an image that has them is compared by connection"

    fixture.play(story)


def test_an_arm_that_had_tallies_is_asked_each_second_for_them() -> None:
    fixture = Fixture()

    async def story() -> None:
        await fixture.tick(120)
        fixture.fakes["b1"].problem = NoTallies("refuses connections to port 9090")
        await fixture.tick(30)
        compared = fixture.fakes["c1"].compared
        assert compared <= 122
        fixture.fakes["b1"].problem = None
        fixture.fail("b1")
        await fixture.tick(5)
        assert fixture.verdict() == "Fail"

    fixture.play(story)


@pytest.mark.parametrize("first", ["b1", "c"])
def test_latencies_by_other_buckets_are_not_compared_and_it_is_said(first: str) -> None:
    fixture = Fixture(deployment({"name": "late", "latency": {"max": "500ms"}}))
    fixture.fakes["b1"].bounds = (0.1, 0.5, 1.0)
    for name, fake in fixture.fakes.items():
        fake.problem = None if name.startswith(first) else SILENT

    async def story() -> None:
        await fixture.tick(5)
        for fake in fixture.fakes.values():
            fake.problem = None
        await fixture.tick(10)
        metric = fixture.deployment.spec.analysis.metrics[0]
        source = Compared("promql", value=None, reason="x")
        fixture.signals.comparisons.record(trial(fixture.deployment), metric, source, 0)
        found = fixture.compared("late")
        assert found is not None
        assert "counts latencies by other buckets than the pods of the other version" in (found.fallback or "")

    fixture.play(story)


def test_an_arm_that_falls_silent_leaves_the_comparison_to_prometheus_after_a_while() -> None:
    fixture = Fixture()

    async def story() -> None:
        await fixture.tick(120)
        fixture.fakes["b1"].problem = SILENT
        await fixture.tick(int(FRESH_SECONDS) - 5)
        assert fixture.verdict() == "Pass"
        await fixture.tick(15)
        assert fixture.compared() is None
        fixture.fakes["b1"].problem = None
        await fixture.tick(3)
        assert fixture.verdict() == "Pass"

    fixture.play(story)


def test_prometheus_changes_nothing_while_servers_count_by_connection() -> None:
    fixture = Fixture()
    metric = fixture.deployment.spec.analysis.metrics[0]

    async def story() -> None:
        await fixture.tick(120)
        woken = len(fixture.woken)
        away = Compared(reason="MetricSource default: it cannot be reached", code="Unreachable")
        fixture.signals.comparisons.record_failure(trial(fixture.deployment), metric, away, 60, 0)
        assert fixture.verdict() == "Pass"
        assert len(fixture.woken) == woken

    fixture.play(story)


@pytest.mark.parametrize("ahead", [-30.0, -1.0, 1.0, 30.0])
def test_a_pod_whose_clock_is_wrong_is_left_out(ahead: float) -> None:
    fixture = Fixture()
    fixture.fakes["c2"].ahead = ahead
    fixture.fail("c2")

    async def story() -> None:
        await fixture.tick(60)
        found = fixture.compared()
        assert found is not None
        assert found.champion is not None
        assert found.champion.mean == 0
        assert found.champion.count == pytest.approx(600, abs=20)

    fixture.play(story)


def test_a_server_that_closes_no_second_does_not_stop_the_others() -> None:
    fixture = Fixture()

    async def story() -> None:
        await fixture.tick(10)
        fixture.fakes["c2"].stuck_at = START + 9
        await fixture.tick(60)
        found = fixture.compared()
        assert found is not None
        assert found.candidate is not None
        assert found.candidate.count == pytest.approx(690, abs=30)

    fixture.play(story)


def test_every_pod_counted_twice_counts_once() -> None:
    fixture = Fixture()
    for name in ("b1", "c1", "c2"):
        copy = fixture.fakes[f"{name}-copy"] = FakePod(f"{name}-copy", fixture.fakes[name].revision, fixture.clock)
        copy.server = name
    fixture.cluster.pods = [pod(name, fake.revision) for name, fake in fixture.fakes.items()]

    async def story() -> None:
        await fixture.tick(30)
        found = fixture.compared()
        assert found is not None
        assert found.candidate is not None
        assert found.candidate.count == pytest.approx(300, abs=20)

    fixture.play(story)


def test_a_changed_margin_counts_from_the_next_second_on() -> None:
    fixture = Fixture()

    async def story() -> None:
        await fixture.tick(310)
        fixture.deployment = deployment({"name": "errors", "errorRate": {"margin": 0.5}})
        fixture.cluster.deployments = [fixture.deployment]
        assert fixture.compared() is None
        await fixture.tick(1)
        assert fixture.verdict() == "Pass"

    fixture.play(story)


def test_late_answers_are_those_beyond_the_bucket_of_the_limit() -> None:
    fixture = Fixture(deployment({"name": "late", "latency": {"max": "200ms"}}))

    async def story() -> None:
        await fixture.tick(20)
        found = fixture.compared("late")
        assert found is not None
        assert found.candidate is not None
        assert found.candidate.mean == 0

    fixture.play(story)


def test_late_answers_of_a_server_that_has_just_begun_fail_no_candidate() -> None:
    fixture = Fixture(deployment({"name": "late", "latency": {"max": "250ms"}}))
    fixture.fakes["b1"].begun = START
    fixture.fakes["b1"].bucket = lambda second: 3 if second < START + COLD_SECONDS else 0

    async def story() -> None:
        for _ in range(120):
            await fixture.tick()
            assert fixture.verdict() != "Fail"
        assert fixture.verdict() == "Pass"

    fixture.play(story)


def test_a_candidate_that_stays_late_is_found_once_its_first_seconds_are_over() -> None:
    fixture = Fixture(deployment({"name": "late", "latency": {"max": "250ms"}}))
    fixture.fakes["b1"].begun = START
    fixture.fakes["b1"].bucket = lambda second: 3

    async def story() -> None:
        while fixture.verdict() != "Fail":
            await fixture.tick()
        assert COLD_SECONDS < fixture.elapsed <= COLD_SECONDS + 5

    fixture.play(story)


def test_the_statistics_say_what_was_read_and_how_far_it_is_behind() -> None:
    fixture = Fixture()
    fixture.fakes["c2"].problem = SILENT

    async def story() -> None:
        await fixture.tick(10)
        statistics = fixture.reader.statistics()
        assert statistics.trials == 1
        assert statistics.reads == {"Answered": 20, "Silent": 10}
        assert statistics.behind_seconds == pytest.approx(1, abs=1)
        fixture.cluster.deployments = []
        await fixture.tick(1)
        assert fixture.reader.statistics().trials == 0

    fixture.play(story)


def test_many_pods_that_hang_delay_no_other_canary() -> None:
    clock, hung, answered = At(), asyncio.Event(), []

    class Hanging(FakeClient):
        async def read(self, pod: ServerPod, since: int, *, comparing: bool = True) -> Answer:
            if pod.name.startswith("h"):
                await hung.wait()
            answered.append(pod.name)
            return await super().read(pod, since)

    class Both(Cluster):
        def server_pods(self, namespace: str, name: str) -> list[JSONObject]:
            names = [f"h{number}" for number in range(64)] if name == "hangs" else ["b1", "c1"]
            found = []
            for number, each in enumerate(names):
                made = pod(each, (CANDIDATE, CHAMPION)[number % 2])
                made["metadata"]["ownerReferences"][0]["name"] = f"{name}-{(CANDIDATE, CHAMPION)[number % 2]}-5d8f"
                found.append(made)
            return found

    async def story() -> None:
        client = Hanging({"b1": FakePod("b1", CANDIDATE, clock), "c1": FakePod("c1", CHAMPION, clock)})
        trials = Both(deployment(name="hangs"), deployment())
        reader = TalliesReader(trials, Signals().comparisons, lambda: client, clock)
        reader.sweep(client)
        for _ in range(100):
            await asyncio.sleep(0)
        assert sorted(answered) == ["b1", "c1"]
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(story())


def test_a_pod_that_hangs_delays_no_other_canary_on_real_sockets() -> None:
    """Two canaries with real servers on loopback: the pods of one never answer."""
    clock = At()

    async def hangs(_: Any) -> Any:
        await asyncio.sleep(3600)

    async def story() -> None:
        loop, begin = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        clock.now = lambda: later(loop.time() - begin)  # type: ignore[method-assign]
        asked: list[float] = []

        async def answers(request: Any) -> Any:
            asked.append(loop.time())
            revision = CANDIDATE if request.url.port == ports[0] else CHAMPION
            now = int(clock.now().timestamp())
            return web.json_response(
                document(
                    server=revision, revision=revision, closed=now - 1, latest=now - 1, time=clock.now().timestamp()
                )
            )

        async with serving(answers) as one, serving(answers) as other, serving(hangs) as silent:
            ports = [one, other]
            good, bad = deployment(), deployment(name="hangs")

            class Both(Cluster):
                def server_pods(self, namespace: str, name: str) -> list[JSONObject]:
                    found = []
                    for revision, port in ((CANDIDATE, one), (CHAMPION, other)):
                        each = pod(f"{name}-{revision}", revision)
                        each["metadata"]["ownerReferences"][0]["name"] = f"{name}-{revision}-5d8f"
                        number = silent if name == "hangs" else port
                        each["spec"] = {"containers": [{"ports": [{"name": "metrics", "containerPort": number}]}]}
                        found.append(each)
                    return found

            reader = TalliesReader(Both(good, bad), Signals().comparisons, TalliesClient, clock)
            task = asyncio.create_task(reader.run())
            await asyncio.sleep(4.2)
            assert len(asked) >= 6
            assert reader.statistics().reads["Silent"] >= 2
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
