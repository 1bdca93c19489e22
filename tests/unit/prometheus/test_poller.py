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

from .poller_fixture import PollerFixture, play
from .recordings import AUC, DRIFT, NOW, Recordings, live, query, source

DOWN = NoAnswer("Unreachable", "no connection to prometheus:9090")


class Fixture(PollerFixture):
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
        return self.signals.health(self.recorded.all_sources[0]).problem


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
    fixture = Fixture(*lives)
    for one in lives:
        fixture.recordings.drift(one, 0.3)
        fixture.recordings.drift(one, 0.1, window="24h")

    async def story() -> None:
        await fixture.round()
        assert len(fixture.recordings.asked) == 5
        assert set(fixture.recordings.series().values()) == {1}
        for one in lives:
            assert fixture.of(one) == Signal(0.3, 1000)
            assert fixture.of(one, "long") == Signal(0.1, 1000)
            assert fixture.code(one, "auc") == "NoSeries"

    play(story)


def test_a_source_that_nobody_uses_is_asked_whether_it_answers() -> None:
    fixture = Fixture()

    async def story() -> None:
        await fixture.round()
        assert fixture.recordings.asked == [("vector(1)", None)]
        assert fixture.problem == ""
        fixture.recordings.failures[""] = DOWN
        await fixture.round()
        assert fixture.problem == "http://prometheus:9090: no connection to prometheus:9090"

    play(story)


def test_a_deployment_is_looked_at_again_only_when_something_that_decides_has_changed() -> None:
    one = live(DRIFT)
    fixture = Fixture(one)

    async def story() -> None:
        seen = []
        for value in (0.1, 0.11, 0.15, 0.3, 0.4, 0.5, 0.19, 0.1):
            fixture.recordings.values.clear()
            fixture.recordings.drift(one, value)
            fixture.rung.clear()
            await fixture.round()
            seen.append("ModelDeployment shop/flights" in fixture.rung)
        assert seen == [True, False, False, True, False, False, True, True]

    play(story)


def test_a_lost_answer_changes_nothing_until_the_last_value_is_stale() -> None:
    one = live(DRIFT)
    fixture = Fixture(one, interval="15s")
    fixture.recordings.drift(one, 0.3)

    async def story() -> None:
        loop = asyncio.get_running_loop()
        # Whole seconds: of other times (now + 90) - now is more than 90 now and then.
        now = float(math.ceil(loop.time()))
        loop.time = lambda: now  # type: ignore[method-assign]
        await fixture.round()
        fixture.recordings.failures[""] = DOWN
        now += 90
        await fixture.round()
        assert fixture.of(one) == Signal(0.3, 1000)
        assert fixture.problem
        now += 1
        await fixture.round()
        assert fixture.code(one) == "Unreachable"

    play(story)


def test_an_answer_without_the_value_counts_at_once() -> None:
    one = live(DRIFT)
    fixture = Fixture(one)
    fixture.recordings.drift(one, 0.3)

    async def story() -> None:
        await fixture.round()
        fixture.recordings.values.clear()
        await fixture.round()
        assert fixture.code(one) == "NoSeries"

    play(story)


def test_one_series_that_fails_takes_only_its_own_monitors_along() -> None:
    one = live(DRIFT, AUC)
    fixture = Fixture(one)
    fixture.recordings.drift(one, 0.3)
    fixture.recordings.failures["steadfit:quality_roc_auc"] = NoAnswer(
        "ResponseTooLarge", "its answer is larger than 9 bytes"
    )

    async def story() -> None:
        await fixture.round()
        assert fixture.of(one) == Signal(0.3, 1000)
        assert fixture.code(one, "auc") == "ResponseTooLarge"
        assert fixture.problem == "http://prometheus:9090: its answer is larger than 9 bytes"

    play(story)


def test_a_stale_answer_is_no_data() -> None:
    one = live(DRIFT, query("up"))
    fixture = Fixture(one, interval="15s")
    fixture.recordings.drift(one, 0.3)
    fixture.recordings.lag = 91

    async def story() -> None:
        await fixture.round()
        assert fixture.code(one) == "Stale"
        assert fixture.code(one, "query") == "Stale"

    play(story)


@pytest.mark.parametrize("number", [1, 3])
def test_no_more_queries_are_under_way_than_allowed(number: int) -> None:
    one = live(DRIFT, AUC, *(query(f"up{{a='{index}'}}", f"q{index}") for index in range(20)))
    fixture = Fixture(one, maxConcurrent=number)
    fixture.recordings.seconds = 0.001

    async def story() -> None:
        await fixture.round()
        assert len(fixture.recordings.asked) == 25
        assert fixture.recordings.most == number

    play(story)


def test_an_expression_that_many_share_is_asked_once() -> None:
    lives = [live(query("up"), name=f"m{number}", namespace=f"ns{number}") for number in range(10)]
    fixture = Fixture(*lives)

    async def story() -> None:
        await fixture.round()
        assert [text for text, _ in fixture.recordings.asked] == ["vector(1)", "up"]
        assert all(fixture.of(one, "query") == Signal(1.0) for one in lives)

    play(story)


def test_a_source_that_is_down_is_not_asked_every_expression() -> None:
    one = live(*(query(f"up{{a='{index}'}}", f"q{index}") for index in range(30)))
    fixture = Fixture(one, maxConcurrent=2)
    fixture.recordings.failures[""] = DOWN

    async def story() -> None:
        await fixture.round()
        assert len(fixture.recordings.asked) <= 4
        assert all(fixture.code(one, f"q{index}") == "Unreachable" for index in range(30))

    play(story)


def test_an_expression_that_is_refused_is_its_authors_and_not_the_sources() -> None:
    one = live(query("up{"))
    fixture = Fixture(one)
    fixture.recordings.expressions["up{"] = NoAnswer("QueryRefused", "it refuses the query", "bad_data: parse error")

    async def story() -> None:
        await fixture.round()
        found = fixture.of(one, "query")
        assert found == Signal(
            reason="MetricSource default: it refuses the query: bad_data: parse error", code="QueryRefused"
        )
        assert fixture.problem == ""

    play(story)


def test_a_proxied_source_is_asked_for_each_namespace_by_itself() -> None:
    lives = [live(DRIFT, query("up"), namespace=name) for name in ("shop", "bank")]
    fixture = Fixture(*lives, tenancy={"mode": "Proxied"})

    async def story() -> None:
        await fixture.round()
        scopes = {namespace for _, namespace in fixture.recordings.asked}
        assert scopes == {"shop", "bank"}
        assert fixture.recordings.asked.count(("up", "shop")) == 1
        assert fixture.recordings.asked.count(("up", "bank")) == 1

    play(story)


def test_a_namespace_that_a_source_does_not_allow_gets_no_data() -> None:
    inside, outside = live(DRIFT, team="ml"), live(DRIFT, query("secret"), namespace="other", team="web")
    fixture = Fixture(inside, outside, allowedNamespaces={"matchLabels": {"team": "ml"}})
    fixture.recordings.drift(inside, 0.3)
    fixture.recordings.drift(outside, 0.3)

    async def story() -> None:
        await fixture.round()
        assert fixture.of(inside) == Signal(0.3, 1000)
        assert fixture.code(outside) == fixture.code(outside, "query") == "SourceNotAllowed"
        assert ("secret", None) not in fixture.recordings.asked

    play(story)


def test_a_monitor_whose_source_does_not_exist_says_so() -> None:
    one = live(query("up", source="missing"))
    fixture = Fixture(one)

    async def story() -> None:
        fixture.poller.sweep()
        assert fixture.of(one, "query") == Signal(reason="there is no MetricSource missing", code="SourceNotFound")

    play(story)


def test_warnings_of_the_source_are_kept() -> None:
    fixture = Fixture(live(DRIFT))
    fixture.recordings.warnings = ("one store did not answer",)

    async def story() -> None:
        await fixture.round()
        assert fixture.signals.health(fixture.sources[0]).warning == "one store did not answer"

    play(story)


def test_a_query_whose_action_is_alert_is_measured_and_exported() -> None:
    one = live({**query("vector(7)", "fuel"), "action": "Alert"}, {**query("broken", "other"), "action": "Alert"})
    fixture = Fixture(one)
    fixture.recordings.expressions["vector(7)"] = 7.0
    fixture.recordings.expressions["broken"] = NoAnswer("QueryRefused", "no")

    async def story() -> None:
        await fixture.round()
        statistics = fixture.poller.statistics()
        assert statistics.values == {("shop", "flights", "3", "fuel"): 7.0}
        line = 'steadfit_monitor_value{model="flights",monitor="fuel",namespace="shop",version="3"} 7.0'
        assert line in exposition(statistics).decode().splitlines()
        assert fixture.code(one, "other") == "QueryRefused"
        fixture.recordings.expressions["vector(7)"] = NoAnswer("QueryRefused", "no")
        await fixture.round()
        assert fixture.poller.statistics().values == {}

    play(story)


def test_what_was_measured_of_another_version_or_question_is_not_a_signal() -> None:
    one = live(DRIFT)
    fixture = Fixture(one)
    fixture.recordings.drift(one, 0.3)

    async def story() -> None:
        await fixture.round()
        assert fixture.of(one) is not None
        assert fixture.of(live(DRIFT, version=4)) is None
        assert fixture.of(live({**DRIFT, "window": "2h"})) is None
        assert fixture.of(live({**DRIFT, "drift": {"max": 0.5}})) == Signal(0.3, 1000)

    play(story)


def test_a_source_that_was_changed_has_not_answered_yet() -> None:
    fixture = Fixture()

    async def story() -> None:
        await fixture.round()
        assert fixture.signals.health(source(generation=2)).problem is None

    play(story)


def test_what_is_gone_is_forgotten() -> None:
    one = live(DRIFT)
    fixture = Fixture(one)
    fixture.recordings.drift(one, 0.3)

    async def story() -> None:
        await fixture.round()
        fixture.recorded.all_lives = []
        fixture.poller.sweep()
        fixture.recorded.all_lives = [one]
        assert fixture.of(one) is None

    play(story)


def test_running_asks_each_source_at_its_own_pace_and_ends_with_it() -> None:
    one = live(DRIFT)
    fixture = Fixture(one, sources=[source(interval="1s")])
    fixture.recordings.drift(one, 0.3)

    async def story() -> None:
        task = asyncio.create_task(fixture.poller.run())
        await until(lambda: fixture.recordings.series()["steadfit:predictions_count"] >= 2)
        assert fixture.of(one) == Signal(0.3, 1000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert fixture.recordings.closed == 1

    play(story)


def test_a_source_whose_url_no_client_takes_is_a_problem_of_its_own() -> None:
    one = live(DRIFT)
    fixture = Fixture(one)

    def connect(spec: MetricSourceSpec) -> Recordings:
        raise ValueError("Port out of range 0-65535")

    poller = Poller(fixture.recorded, fixture.signals, connect, fixture.clock, Random(1))

    async def story() -> None:
        task = asyncio.create_task(poller.run())
        await until(lambda: fixture.problem is not None)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert fixture.problem == "http://prometheus:9090: the URL cannot be used: correct spec.url"
        assert fixture.code(one) == "InvalidURL"

    play(story)


def test_a_bug_over_one_source_ends_neither_the_leader_nor_the_asking() -> None:
    fixture = Fixture(sources=[source(interval="1s")])
    rounds = 0

    def live_models() -> list[LiveModel]:
        nonlocal rounds
        rounds += 1
        if rounds <= 2:
            raise RuntimeError("a bug")
        return []

    fixture.recorded.live_models = live_models  # type: ignore[method-assign]

    async def story() -> None:
        task = asyncio.create_task(fixture.poller.run())
        await until(lambda: fixture.problem == "")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    play(story)


def test_an_expression_without_one_number_is_counted_by_what_is_wrong() -> None:
    one = live(query("nan"))
    fixture = Fixture(one)
    fixture.recordings.expressions["nan"] = math.nan

    async def story() -> None:
        await fixture.round()
        assert fixture.code(one, "query") == "NotANumber"
        assert fixture.poller.statistics().queries["default", "NotANumber"] == 1
        assert fixture.problem == ""

    play(story)
