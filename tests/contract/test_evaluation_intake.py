"""The intake over HTTP: what a run that evaluates may post, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.kube.resources import PODS

from .intake_fixture import IntakeFixture, play, review


def test_an_outcome_is_stored_in_the_status_of_the_run_that_evaluates() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.evaluates()
        first = await fixture.post(what="evaluation")
        assert (first.status, first.body) == (202, {"stored": True})
        assert fixture.status["evaluation"] == fixture.outcome()["evaluation"]
        assert fixture.status["phase"] == "Running", "the leader ends the run"
        assert "record" not in fixture.status

    play(story)


def test_the_same_outcome_posted_again_is_known_also_when_the_run_has_ended_since() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.evaluates()
        assert (await fixture.post(what="evaluation")).status == 202
        assert (await fixture.post(what="evaluation")).status == 200
        fixture.set_status(phase="Succeeded")
        assert (await fixture.post(what="evaluation")).status == 200

    play(story)


def test_another_outcome_of_the_run_is_refused() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.evaluates()
        assert (await fixture.post(what="evaluation")).status == 202
        other = await fixture.post(fixture.outcome(live=0.1), what="evaluation")
        assert other.status == 410
        assert "another evaluation" in other.body["error"]
        assert fixture.status["evaluation"]["live"] == 0.241

    play(story)


@pytest.mark.parametrize("phase", ["Failed", "Superseded", "Succeeded"])
def test_a_run_that_has_ended_takes_no_outcome(phase: str) -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.evaluates()
        fixture.set_status(phase=phase)
        assert (await fixture.post(what="evaluation")).status == 410
        assert "evaluation" not in fixture.status

    play(story)


def test_a_run_takes_only_what_its_purpose_brings() -> None:
    async def story(fixture: IntakeFixture) -> None:
        refused = await fixture.post(what="evaluation")
        assert refused.status == 403
        assert refused.body["error"] == "the run has purpose Train; only one of purpose Evaluate posts this"
        fixture.evaluates()
        refused = await fixture.post()
        assert refused.status == 403
        assert refused.body["error"] == "the run has purpose Evaluate; only one of purpose Train posts this"
        assert not {"record", "evaluation"} & set(fixture.status)

    play(story)


def test_only_the_pod_of_the_runs_current_attempt_may_post_its_outcome() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.evaluates()
        forged = fixture.fake.store.create(PODS, ("ns", "forged"), {})
        fixture.fake.tokens["forged"] = review("ns", forged)
        fixture.fake.tokens["stranger"] = review("other", fixture.pod)
        assert (await fixture.post(what="evaluation", token="unknown")).status == 401
        assert (await fixture.post(what="evaluation", token="forged")).status == 403
        assert (await fixture.post(what="evaluation", token="stranger")).status == 403
        assert (await fixture.post(what="evaluation", path="ns/trainingruns/flights-other")).status == 403
        speaks = fixture.outcome()
        speaks["run"]["uid"] = "another"
        assert (await fixture.post(speaks, what="evaluation")).status == 403
        late = fixture.outcome()
        late["run"]["attempt"] = 2
        assert (await fixture.post(late, what="evaluation")).status == 403
        fixture.set_status(attempts=[{"number": 1, "job": "flights-abc-a1"}, {"number": 2, "job": "flights-abc-a2"}])
        assert (await fixture.post(what="evaluation")).status == 403
        assert "evaluation" not in fixture.status

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
    async def story(fixture: IntakeFixture) -> None:
        fixture.evaluates()
        answer = await fixture.post(fixture.outcome(**found), what="evaluation")
        assert answer.status == 422
        assert words in answer.body["error"]
        assert "evaluation" not in fixture.status

    play(story)


def test_an_outcome_without_a_comparison_is_stored_with_its_reason() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.evaluates()
        body = fixture.outcome()
        body["evaluation"] = {"rows": 12, "reason": "12 rows have an outcome, and 200 are needed"}
        assert (await fixture.post(body, what="evaluation")).status == 202
        assert fixture.status["evaluation"] == body["evaluation"]
        assert (await fixture.post(body, what="evaluation")).status == 200

    play(story)
