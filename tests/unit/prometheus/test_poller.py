"""What a poller asks, how often, and what it tells."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from random import Random
from typing import Any

import pytest
from steadfit.api.metricsource import MetricSource, MetricSourceSpec
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.app.probes.metrics import exposition
from steadfit.core.types import Signal
from steadfit.prometheus.answer import NoAnswer
from steadfit.prometheus.live import LiveModel
from steadfit.prometheus.poller import Poller

from tests.support.until import until as wait_until

from .poller_fixture import PollerBench, play
from .recordings import AUC, DRIFT, NOW, Recordings, live, query, source

DOWN = NoAnswer("Unreachable", "no connection to prometheus:9090")


class Bench(PollerBench):
    """Looks at signals of monitors."""

    def __init__(self, *lives: LiveModel, sources: list[MetricSource] | None = None, **spec: Any) -> None:
        super().__init__(lives, sources=sources, **spec)

    def of(self, one: LiveModel, monitor: str = "drift") -> Signal | None:
        """Return the signal of a monitor of a model, as its plan would see it."""
        return self.signals.of(deployment(one)).get(monitor)

    def code(self, one: LiveModel, monitor: str = "drift") -> str:
        found = self.of(one, monitor)
        assert found is not None
        assert found.value is None
        return found.code

    @property
    def problem(self) -> str | None:
        return self.signals.health(self.world.all_sources[0]).problem


def deployment(one: LiveModel) -> ModelDeployment:
    reference = {
        "revision": "r",
        "version": "v",
        "number": one.version,
        "digest": "d",
        "templateDigest": "t",
        "since": NOW.isoformat(),
    }
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": one.name, "namespace": one.namespace},
            "spec": {"monitors": [monitor.dump() for monitor in one.monitors]},
            "status": {"live": reference},
        }
    )


until = partial(wait_until, seconds=60)


def test_1500_models_cost_a_handful_of_queries() -> None:
    lives = [
        live(DRIFT, AUC, {**DRIFT, "name": "long", "window": "24h"}, name=f"m{number}", namespace=f"ns{number % 50}")
        for number in range(1500)
    ]
    bench = Bench(*lives)
    for one in lives:
        bench.recordings.drift(one, 0.3)
        bench.recordings.drift(one, 0.1, window="24h")

    async def story() -> None:
        await bench.round()
        assert len(bench.recordings.asked) == 4
        assert set(bench.recordings.series().values()) == {1}
        for one in lives:
            assert bench.of(one) == Signal(0.3, 1000)
            assert bench.of(one, "long") == Signal(0.1, 1000)
            assert bench.code(one, "auc") == "NoSeries"

    play(story)


def test_a_source_that_nobody_uses_is_asked_whether_it_answers() -> None:
    bench = Bench()

    async def story() -> None:
        await bench.round()
        assert bench.recordings.asked == [("vector(1)", None)]
        assert bench.problem == ""
        bench.recordings.failures[""] = DOWN
        await bench.round()
        assert bench.problem == "http://prometheus:9090: no connection to prometheus:9090"

    play(story)


def test_a_deployment_is_looked_at_again_only_when_something_that_decides_has_changed() -> None:
    one = live(DRIFT)
    bench = Bench(one)

    async def story() -> None:
        seen = []
        for value in (0.1, 0.11, 0.15, 0.3, 0.4, 0.5, 0.19, 0.1):
            bench.recordings.values.clear()
            bench.recordings.drift(one, value)
            bench.rung.clear()
            await bench.round()
            seen.append("ModelDeployment shop/flights" in bench.rung)
        assert seen == [True, False, False, True, False, False, True, True]

    play(story)


def test_a_lost_answer_changes_nothing_until_the_last_value_is_stale() -> None:
    one = live(DRIFT)
    bench = Bench(one, interval="15s")
    bench.recordings.drift(one, 0.3)

    async def story() -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        loop.time = lambda: now  # type: ignore[method-assign]
        await bench.round()
        bench.recordings.failures[""] = DOWN
        now += 90
        await bench.round()
        assert bench.of(one) == Signal(0.3, 1000)
        assert bench.problem
        now += 1
        await bench.round()
        assert bench.code(one) == "Unreachable"

    play(story)


def test_an_answer_without_the_value_counts_at_once() -> None:
    one = live(DRIFT)
    bench = Bench(one)
    bench.recordings.drift(one, 0.3)

    async def story() -> None:
        await bench.round()
        bench.recordings.values.clear()
        await bench.round()
        assert bench.code(one) == "NoSeries"

    play(story)


def test_one_series_that_fails_takes_only_its_own_monitors_along() -> None:
    one = live(DRIFT, AUC)
    bench = Bench(one)
    bench.recordings.drift(one, 0.3)
    bench.recordings.failures["steadfit:quality_roc_auc"] = NoAnswer(
        "ResponseTooLarge", "its answer is larger than 9 bytes"
    )

    async def story() -> None:
        await bench.round()
        assert bench.of(one) == Signal(0.3, 1000)
        assert bench.code(one, "auc") == "ResponseTooLarge"
        assert bench.problem == "http://prometheus:9090: its answer is larger than 9 bytes"

    play(story)


def test_a_stale_answer_is_no_data() -> None:
    one = live(DRIFT, query("up"))
    bench = Bench(one, interval="15s")
    bench.recordings.drift(one, 0.3)
    bench.recordings.lag = 91

    async def story() -> None:
        await bench.round()
        assert bench.code(one) == "Stale"
        assert bench.code(one, "query") == "Stale"

    play(story)


@pytest.mark.parametrize("number", [1, 3])
def test_no_more_queries_are_under_way_than_allowed(number: int) -> None:
    one = live(DRIFT, AUC, *(query(f"up{{a='{index}'}}", f"q{index}") for index in range(20)))
    bench = Bench(one, maxConcurrent=number)
    bench.recordings.seconds = 0.001

    async def story() -> None:
        await bench.round()
        assert len(bench.recordings.asked) == 24
        assert bench.recordings.most == number

    play(story)


def test_an_expression_that_many_share_is_asked_once() -> None:
    lives = [live(query("up"), name=f"m{number}", namespace=f"ns{number}") for number in range(10)]
    bench = Bench(*lives)

    async def story() -> None:
        await bench.round()
        assert [text for text, _ in bench.recordings.asked] == ["vector(1)", "up"]
        assert all(bench.of(one, "query") == Signal(1.0) for one in lives)

    play(story)


def test_a_source_that_is_down_is_not_asked_every_expression() -> None:
    one = live(*(query(f"up{{a='{index}'}}", f"q{index}") for index in range(30)))
    bench = Bench(one, maxConcurrent=2)
    bench.recordings.failures[""] = DOWN

    async def story() -> None:
        await bench.round()
        assert len(bench.recordings.asked) <= 4
        assert all(bench.code(one, f"q{index}") == "Unreachable" for index in range(30))

    play(story)


def test_an_expression_that_is_refused_is_its_authors_and_not_the_sources() -> None:
    one = live(query("up{"))
    bench = Bench(one)
    bench.recordings.expressions["up{"] = NoAnswer("QueryRefused", "it refuses the query", "bad_data: parse error")

    async def story() -> None:
        await bench.round()
        found = bench.of(one, "query")
        assert found == Signal(
            reason="MetricSource default: it refuses the query: bad_data: parse error", code="QueryRefused"
        )
        assert bench.problem == ""

    play(story)


def test_a_proxied_source_is_asked_for_each_namespace_by_itself() -> None:
    lives = [live(DRIFT, query("up"), namespace=name) for name in ("shop", "bank")]
    bench = Bench(*lives, tenancy={"mode": "Proxied"})

    async def story() -> None:
        await bench.round()
        scopes = {namespace for _, namespace in bench.recordings.asked}
        assert scopes == {"shop", "bank"}
        assert bench.recordings.asked.count(("up", "shop")) == 1
        assert bench.recordings.asked.count(("up", "bank")) == 1

    play(story)


def test_a_namespace_that_a_source_does_not_allow_gets_no_data() -> None:
    inside, outside = live(DRIFT, team="ml"), live(DRIFT, query("secret"), namespace="other", team="web")
    bench = Bench(inside, outside, allowedNamespaces={"matchLabels": {"team": "ml"}})
    bench.recordings.drift(inside, 0.3)
    bench.recordings.drift(outside, 0.3)

    async def story() -> None:
        await bench.round()
        assert bench.of(inside) == Signal(0.3, 1000)
        assert bench.code(outside) == bench.code(outside, "query") == "SourceNotAllowed"
        assert ("secret", None) not in bench.recordings.asked

    play(story)


def test_a_monitor_whose_source_does_not_exist_says_so() -> None:
    one = live(query("up", source="missing"))
    bench = Bench(one)

    async def story() -> None:
        bench.poller.sweep()
        assert bench.of(one, "query") == Signal(reason="there is no MetricSource missing", code="SourceNotFound")

    play(story)


def test_warnings_of_the_source_are_kept() -> None:
    bench = Bench(live(DRIFT))
    bench.recordings.warnings = ("one store did not answer",)

    async def story() -> None:
        await bench.round()
        assert bench.signals.health(bench.sources[0]).warning == "one store did not answer"

    play(story)


def test_a_query_whose_action_is_alert_is_measured_and_exported() -> None:
    one = live({**query("vector(7)", "fuel"), "action": "Alert"}, {**query("broken", "other"), "action": "Alert"})
    bench = Bench(one)
    bench.recordings.expressions["vector(7)"] = 7.0
    bench.recordings.expressions["broken"] = NoAnswer("QueryRefused", "no")

    async def story() -> None:
        await bench.round()
        statistics = bench.poller.statistics()
        assert statistics.values == {("shop", "flights", "3", "fuel"): 7.0}
        line = 'steadfit_monitor_value{model="flights",monitor="fuel",namespace="shop",version="3"} 7.0'
        assert line in exposition(statistics).decode().splitlines()
        assert bench.code(one, "other") == "QueryRefused"
        bench.recordings.expressions["vector(7)"] = NoAnswer("QueryRefused", "no")
        await bench.round()
        assert bench.poller.statistics().values == {}

    play(story)


def test_what_was_measured_of_another_version_or_question_is_not_a_signal() -> None:
    one = live(DRIFT)
    bench = Bench(one)
    bench.recordings.drift(one, 0.3)

    async def story() -> None:
        await bench.round()
        assert bench.of(one) is not None
        assert bench.of(live(DRIFT, version=4)) is None
        assert bench.of(live({**DRIFT, "window": "2h"})) is None
        assert bench.of(live({**DRIFT, "drift": {"max": 0.5}})) == Signal(0.3, 1000)

    play(story)


def test_a_source_that_was_changed_has_not_answered_yet() -> None:
    bench = Bench()

    async def story() -> None:
        await bench.round()
        assert bench.signals.health(source(generation=2)).problem is None

    play(story)


def test_what_is_gone_is_forgotten() -> None:
    one = live(DRIFT)
    bench = Bench(one)
    bench.recordings.drift(one, 0.3)

    async def story() -> None:
        await bench.round()
        bench.world.all_lives = []
        bench.poller.sweep()
        bench.world.all_lives = [one]
        assert bench.of(one) is None

    play(story)


def test_running_asks_each_source_at_its_own_pace_and_ends_with_it() -> None:
    one = live(DRIFT)
    bench = Bench(one, sources=[source(interval="1s")])
    bench.recordings.drift(one, 0.3)

    async def story() -> None:
        task = asyncio.create_task(bench.poller.run())
        await until(lambda: bench.recordings.series()["steadfit:predictions_count"] >= 2)
        assert bench.of(one) == Signal(0.3, 1000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert bench.recordings.closed == 1

    play(story)


def test_a_source_whose_url_no_client_takes_is_a_problem_of_its_own() -> None:
    one = live(DRIFT)
    bench = Bench(one)

    def connect(spec: MetricSourceSpec) -> Recordings:
        raise ValueError("Port out of range 0-65535")

    poller = Poller(bench.world, bench.signals, connect, bench.clock, Random(1))

    async def story() -> None:
        task = asyncio.create_task(poller.run())
        await until(lambda: bench.problem is not None)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert bench.problem == "http://prometheus:9090: the URL cannot be used: correct spec.url"
        assert bench.code(one) == "InvalidURL"

    play(story)


def test_a_bug_over_one_source_ends_neither_the_leader_nor_the_asking() -> None:
    bench = Bench(sources=[source(interval="1s")])
    rounds = 0

    def live_models() -> list[LiveModel]:
        nonlocal rounds
        rounds += 1
        if rounds <= 2:
            raise RuntimeError("a bug")
        return []

    bench.world.live_models = live_models  # type: ignore[method-assign]

    async def story() -> None:
        task = asyncio.create_task(bench.poller.run())
        await until(lambda: bench.problem == "")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    play(story)


def test_an_expression_without_one_number_is_counted_by_what_is_wrong() -> None:
    one = live(query("nan"))
    bench = Bench(one)
    bench.recordings.expressions["nan"] = math.nan

    async def story() -> None:
        await bench.round()
        assert bench.code(one, "query") == "NotANumber"
        assert bench.poller.statistics().queries["default", "NotANumber"] == 1
        assert bench.problem == ""

    play(story)
