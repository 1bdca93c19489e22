"""The intake over HTTP: what a run that evaluates may post, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.kube.resources import PODS

from .intake_fixture import Bench, play, review


def test_an_outcome_is_stored_in_the_status_of_the_run_that_evaluates() -> None:
    async def story(bench: Bench) -> None:
        bench.evaluates()
        first = await bench.post(what="evaluation")
        assert (first.status, first.body) == (202, {"stored": True})
        assert bench.status["evaluation"] == bench.outcome()["evaluation"]
        assert bench.status["phase"] == "Running", "the leader ends the run"
        assert "record" not in bench.status

    play(story)


def test_the_same_outcome_posted_again_is_known_also_when_the_run_has_ended_since() -> None:
    async def story(bench: Bench) -> None:
        bench.evaluates()
        assert (await bench.post(what="evaluation")).status == 202
        assert (await bench.post(what="evaluation")).status == 200
        bench.set_status(phase="Succeeded")
        assert (await bench.post(what="evaluation")).status == 200

    play(story)


def test_another_outcome_of_the_run_is_refused() -> None:
    async def story(bench: Bench) -> None:
        bench.evaluates()
        assert (await bench.post(what="evaluation")).status == 202
        other = await bench.post(bench.outcome(live=0.1), what="evaluation")
        assert other.status == 410
        assert "another evaluation" in other.body["error"]
        assert bench.status["evaluation"]["live"] == 0.241

    play(story)


@pytest.mark.parametrize("phase", ["Failed", "Superseded", "Succeeded"])
def test_a_run_that_has_ended_takes_no_outcome(phase: str) -> None:
    async def story(bench: Bench) -> None:
        bench.evaluates()
        bench.set_status(phase=phase)
        assert (await bench.post(what="evaluation")).status == 410
        assert "evaluation" not in bench.status

    play(story)


def test_a_run_takes_only_what_its_purpose_brings() -> None:
    async def story(bench: Bench) -> None:
        refused = await bench.post(what="evaluation")
        assert refused.status == 403
        assert refused.body["error"] == "the run has purpose Train; only one of purpose Evaluate posts this"
        bench.evaluates()
        refused = await bench.post()
        assert refused.status == 403
        assert refused.body["error"] == "the run has purpose Evaluate; only one of purpose Train posts this"
        assert not {"record", "evaluation"} & set(bench.status)

    play(story)


def test_only_the_pod_of_the_runs_current_attempt_may_post_its_outcome() -> None:
    async def story(bench: Bench) -> None:
        bench.evaluates()
        forged = bench.fake.store.create(PODS, ("ns", "forged"), {})
        bench.fake.tokens["forged"] = review("ns", forged)
        bench.fake.tokens["stranger"] = review("other", bench.pod)
        assert (await bench.post(what="evaluation", token="unknown")).status == 401
        assert (await bench.post(what="evaluation", token="forged")).status == 403
        assert (await bench.post(what="evaluation", token="stranger")).status == 403
        assert (await bench.post(what="evaluation", path="ns/trainingruns/flights-other")).status == 403
        speaks = bench.outcome()
        speaks["run"]["uid"] = "another"
        assert (await bench.post(speaks, what="evaluation")).status == 403
        late = bench.outcome()
        late["run"]["attempt"] = 2
        assert (await bench.post(late, what="evaluation")).status == 403
        bench.set_status(attempts=[{"number": 1, "job": "flights-abc-a1"}, {"number": 2, "job": "flights-abc-a2"}])
        assert (await bench.post(what="evaluation")).status == 403
        assert "evaluation" not in bench.status

    play(story)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"live": float("nan")}, "live"),
        ({"upper": float("inf")}, "upper"),
        ({"rows": -1}, "rows"),
        ({"difference": None}, "a reason, or all numbers"),
        ({"reason": "x" * 1025}, "reason"),
    ],
)
def test_an_outcome_that_says_nothing_sound_is_refused(found: dict[str, Any], words: str) -> None:
    async def story(bench: Bench) -> None:
        bench.evaluates()
        answer = await bench.post(bench.outcome(**found), what="evaluation")
        assert answer.status == 422
        assert words in answer.body["error"]
        assert "evaluation" not in bench.status

    play(story)


def test_an_outcome_without_a_comparison_is_stored_with_its_reason() -> None:
    async def story(bench: Bench) -> None:
        bench.evaluates()
        body = bench.outcome()
        body["evaluation"] = {"rows": 12, "reason": "12 rows have an outcome, and 200 are needed"}
        assert (await bench.post(body, what="evaluation")).status == 202
        assert bench.status["evaluation"] == body["evaluation"]
        assert (await bench.post(body, what="evaluation")).status == 200

    play(story)
