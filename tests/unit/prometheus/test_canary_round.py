"""What is asked of candidates that take traffic, how often, and what is told."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import Any

import pytest
from steadfit.api.metricsource import MetricSource
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.types import Compared
from steadfit.prometheus.answer import NoAnswer
from steadfit.prometheus.canary_trial import Trial, trial_of

from .poller_fixture import PollerFixture, play
from .recordings import NOW, Rises

DOWN = NoAnswer("Unreachable", "no connection to prometheus:9090")
ERRORS: dict[str, Any] = {"name": "errors", "errorRate": {"margin": 0.01}}
LATE: dict[str, Any] = {"name": "late", "latency": {}}


def fuel(expression: str = 'fuel{revision="$revision"}', source: str = "default") -> dict[str, Any]:
    return {"name": "fuel", "query": {"promQL": expression, "max": 5, "source": source}}


def deployment(*metrics: dict[str, Any], phase: str = "Analysing", **candidate: Any) -> ModelDeployment:
    shared = {"version": "v", "number": 7, "digest": "d", "templateDigest": "t", "since": NOW.isoformat()}
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": "flights", "namespace": "shop"},
            "spec": {"analysis": {"metrics": list(metrics) or [ERRORS]}},
            "status": {
                "candidate": {
                    **shared,
                    "revision": "bbb",
                    "phase": phase,
                    "championRevision": "aaa",
                    "analysedSince": NOW.isoformat(),
                    **candidate,
                }
            },
        }
    )


def trial(of: ModelDeployment, **labels: str) -> Trial:
    found = trial_of(of, labels)
    assert found is not None
    return found


def rises(mine: float = 0.0, theirs: float = 0.0) -> Rises:
    """Ten requests in a second to each arm, and so many failed ones."""
    return [
        ({"revision": revision, "code": code}, rise)
        for revision, failed in (("bbb", mine), ("aaa", theirs))
        for code, rise in (("200", 10.0 - failed), ("500", failed))
    ]


class Fixture(PollerFixture):
    """Looks at comparisons, ten minutes after the candidate's traffic began."""

    def __init__(self, *trials: Trial, sources: list[MetricSource] | None = None, **spec: Any) -> None:
        super().__init__(trials=trials, sources=sources, **spec)
        self.clock.time = NOW + timedelta(minutes=10)
        self.recordings.lines = rises()

    def of(self, one: ModelDeployment, metric: str = "errors") -> Compared | None:
        """Return what was measured, as the plan would see it."""
        return self.signals.comparisons.of(one).get(metric)

    def code(self, one: ModelDeployment, metric: str = "errors") -> str:
        found = self.of(one, metric)
        assert found is not None
        assert found.candidate is None
        assert found.value is None
        assert found.reason
        return found.code


def test_one_range_query_a_metric_brings_both_arms() -> None:
    one = deployment()
    fixture = Fixture(trial(one))
    fixture.recordings.lines = rises(0.5, 0.1)

    async def story() -> None:
        await fixture.round()
        found = fixture.of(one)
        assert found is not None
        assert found.candidate is not None
        assert found.champion is not None
        assert found.candidate.count == 6000
        assert found.candidate.mean == pytest.approx(0.05)
        assert found.champion.mean == pytest.approx(0.01)
        end = round(fixture.clock.time.timestamp())
        assert fixture.recordings.ranges == [(end - 580, end, 20)]
        assert len(fixture.recordings.asked) == 2, "with the probe of a source that no monitor uses"

    play(story)


def test_the_requests_of_a_step_are_those_of_the_whole_slices_since_it_began() -> None:
    begun = NOW + timedelta(minutes=8, seconds=1)
    one = deployment(stepSince=begun.isoformat())
    fixture = Fixture(trial(one))

    async def story() -> None:
        await fixture.round()
        found = fixture.of(one)
        assert found is not None
        # Slices of 20 s, with 200 requests of the candidate each: the sixth before the end began a second too early.
        assert found.in_step == 5 * 200
        assert fixture.of(deployment(stepSince=(begun + timedelta(seconds=1)).isoformat())) is None

    play(story)


def test_a_candidate_that_is_not_judged_is_not_asked_for() -> None:
    assert trial_of(deployment(phase="Starting"), {}) is None
    assert trial_of(deployment(phase="Promoting", promotedBy="alice"), {}) is None
    assert trial_of(deployment(phase="Paused"), {}) is not None
    assert trial_of(deployment(phase="Promoting"), {}) is not None
    assert trial_of(deployment(analysedSince=None), {}) is None


def test_a_deployment_is_looked_at_again_only_when_a_verdict_would_change() -> None:
    one = deployment()
    fixture = Fixture(trial(one))

    async def story() -> None:
        seen = []
        for mine, theirs in ((0, 0), (0.001, 0), (2, 2), (2.05, 2), (4, 2), (4.5, 2), (0, 0)):
            fixture.recordings.lines = rises(mine, theirs)
            fixture.rung.clear()
            await fixture.round()
            seen.append("ModelDeployment shop/flights" in fixture.rung)
        assert seen == [True, False, True, False, True, False, True]

    play(story)


def test_what_was_measured_of_another_candidate_champion_time_or_question_does_not_count() -> None:
    one = deployment()
    fixture = Fixture(trial(one))

    async def story() -> None:
        await fixture.round()
        assert fixture.of(one) is not None
        later = (NOW + timedelta(seconds=1)).isoformat()
        for other in (
            {"revision": "ccc"},
            {"championRevision": "zzz"},
            {"analysedSince": later},
            {"phase": "Starting"},
        ):
            assert fixture.of(deployment(**other)) is None
        assert fixture.of(deployment({**ERRORS, "errorRate": {"margin": 0.5}})) is not None
        assert fixture.of(deployment({"name": "errors", "latency": {}})) is None

    play(story)


def test_a_lost_answer_changes_nothing_until_the_last_one_is_stale() -> None:
    one = deployment()
    fixture = Fixture(trial(one), interval="15s")

    async def story() -> None:
        loop = asyncio.get_running_loop()
        # Whole seconds: of other times (now + 90) - now is more than 90 now and then.
        now = float(math.ceil(loop.time()))
        loop.time = lambda: now  # type: ignore[method-assign]
        await fixture.round()
        fixture.recordings.failures[""] = DOWN
        now += 90
        await fixture.round()
        found = fixture.of(one)
        assert found is not None
        assert found.candidate is not None
        now += 1
        await fixture.round()
        assert fixture.code(one) == "Unreachable"
        assert fixture.signals.health(fixture.recorded.all_sources[0]).problem

    play(story)


def test_an_answer_that_is_not_to_the_question_is_no_data_and_the_sources_fault() -> None:
    one = deployment()
    fixture = Fixture(trial(one))
    fixture.recordings.lag = 7

    async def story() -> None:
        await fixture.round()
        assert fixture.code(one) == "Stale"
        assert fixture.signals.health(fixture.recorded.all_sources[0]).code == "Stale"

    play(story)


def test_a_candidate_that_has_only_begun_to_take_traffic_is_not_asked_for() -> None:
    one = deployment()
    fixture = Fixture(trial(one))
    fixture.clock.time = NOW + timedelta(seconds=14)

    async def story() -> None:
        await fixture.round()
        assert fixture.recordings.ranges == []
        assert fixture.code(one) == "TooFewSamples"

    play(story)


def test_an_expression_is_asked_with_the_candidates_revision() -> None:
    one = deployment(fuel())
    fixture = Fixture(trial(one))
    fixture.recordings.expressions['fuel{revision="bbb"}'] = 3.0

    async def story() -> None:
        await fixture.round()
        assert fixture.of(one, "fuel") == Compared('fuel{revision="bbb"}', value=3.0)

    play(story)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (float("nan"), "NotANumber"),
        (NoAnswer("QueryRefused", "it refuses the query", "parse error"), "QueryRefused"),
        (NoAnswer("WrongType", "the expression gives a matrix"), "WrongType"),
    ],
)
def test_an_expression_without_one_number_is_no_data_and_its_authors(answer: float | NoAnswer, code: str) -> None:
    one = deployment(fuel("fuel"))
    fixture = Fixture(trial(one))
    fixture.recordings.expressions["fuel"] = answer

    async def story() -> None:
        await fixture.round()
        assert fixture.code(one, "fuel") == code
        assert fixture.signals.health(fixture.recorded.all_sources[0]).problem == ""

    play(story)


def test_a_proxied_source_is_asked_for_the_namespace() -> None:
    one = deployment(ERRORS, fuel("fuel"))
    fixture = Fixture(trial(one), tenancy={"mode": "Proxied"})

    async def story() -> None:
        await fixture.round()
        assert {namespace for text, namespace in fixture.recordings.asked if text != "vector(1)"} == {"shop"}

    play(story)


def test_a_namespace_that_a_source_does_not_allow_gets_no_data() -> None:
    one = deployment(ERRORS, fuel("secret"))
    fixture = Fixture(trial(one, team="web"), allowedNamespaces={"matchLabels": {"team": "ml"}})

    async def story() -> None:
        await fixture.round()
        assert fixture.code(one) == fixture.code(one, "fuel") == "SourceNotAllowed"
        assert [text for text, _ in fixture.recordings.asked] == ["vector(1)"]

    play(story)


def test_a_metric_whose_source_does_not_exist_says_so() -> None:
    one = deployment(ERRORS, fuel("fuel", source="missing"))
    fixture = Fixture(trial(one))

    async def story() -> None:
        fixture.poller.sweep()
        found = fixture.of(one, "fuel")
        assert found == Compared(reason="there is no MetricSource missing", code="SourceNotFound")
        assert fixture.of(one) is None

    play(story)


def test_what_is_over_is_forgotten() -> None:
    one = deployment()
    fixture = Fixture(trial(one))

    async def story() -> None:
        await fixture.round()
        fixture.recorded.all_trials = []
        fixture.poller.sweep()
        assert fixture.of(one) is None

    play(story)


def test_no_more_comparisons_are_under_way_than_allowed() -> None:
    trials = [trial(deployment(ERRORS, LATE))] * 10
    fixture = Fixture(*trials, maxConcurrent=2)
    fixture.recordings.seconds = 0.001

    async def story() -> None:
        await fixture.round()
        assert len(fixture.recordings.ranges) == 20
        assert fixture.recordings.most == 2

    play(story)
