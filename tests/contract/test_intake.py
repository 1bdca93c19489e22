"""The intake over HTTP, against the fake API server: who may post a record, and what becomes of it."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from steadfit.app.results.handler import MAX_BODY
from steadfit.kube.resources import JOBS, MODEL_VERSIONS, PODS, TRAINING_RUNS

from .fakeapi import Fault
from .intake_fixture import RUN, IntakeFixture, owned, play, review


def test_a_record_is_stored_and_answered_with_its_version_once_that_exists() -> None:
    async def story(fixture: IntakeFixture) -> None:
        first = await fixture.post()
        assert (first.status, first.body) == (202, {"stored": True})
        assert fixture.status["record"]["evaluation"]["metrics"] == {"roc_auc": 0.7}
        assert fixture.status["phase"] == "Running"
        assert (await fixture.post()).status == 202
        fixture.set_status(version="flights-v1")
        assert (await fixture.post()).status == 202
        fixture.fake.store.create(MODEL_VERSIONS, ("ns", "flights-v1"), {})
        fixture.set_status(phase="Succeeded")
        final = await fixture.post()
        assert (final.status, final.body) == (200, {"version": "flights-v1"})
        assert fixture.intake.statistics().answers == {202: 3, 200: 1}

    play(story)


def test_the_token_is_reviewed_for_our_audience() -> None:
    async def story(fixture: IntakeFixture) -> None:
        await fixture.post()
        (request,) = fixture.fake.seen("create", "tokenreviews")
        assert request.body["spec"] == {"token": "good", "audiences": ["steadfit"]}

    play(story)


def test_a_request_without_a_valid_token_is_refused() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.fake.tokens["audience"] = review("ns", fixture.pod, audiences=["other"])
        for token in (None, "", "unknown", "audience", "x" * 5000):
            answer = await fixture.post(token=token)
            assert answer.status == 401, token
            assert answer.body["error"]
        assert "record" not in fixture.status

    play(story)


def test_a_token_that_was_made_for_no_pod_is_refused() -> None:
    async def story(fixture: IntakeFixture) -> None:
        user = {"username": "system:serviceaccount:ns:default", "extra": {}}
        fixture.fake.tokens["kubectl"] = review("ns", fixture.pod, user=user)
        answer = await fixture.post(token="kubectl")
        assert answer.status == 403
        assert "not made for a pod" in answer.body["error"]

    play(story)


def test_a_user_who_is_no_service_account_is_refused() -> None:
    async def story(fixture: IntakeFixture) -> None:
        given = review("ns", fixture.pod)
        given["user"] = {**given["user"], "username": "admin"}
        fixture.fake.tokens["admin"] = given
        assert (await fixture.post(token="admin")).status == 403

    play(story)


def test_a_pod_of_another_namespace_is_refused() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.fake.tokens["stranger"] = review("other", fixture.pod)
        answer = await fixture.post(token="stranger")
        assert answer.status == 403
        assert "other" in answer.body["error"]

    play(story)


def test_a_pod_that_is_gone_or_was_replaced_is_refused() -> None:
    async def story(fixture: IntakeFixture) -> None:
        name = ("ns", fixture.pod["metadata"]["name"])
        fixture.fake.store.delete(PODS, name)
        assert (await fixture.post()).status == 403
        fixture.fake.store.create(
            PODS, name, {"metadata": {"ownerReferences": fixture.pod["metadata"]["ownerReferences"]}}
        )
        answer = await fixture.post()
        assert answer.status == 403
        assert "another one of the same name" in answer.body["error"]

    play(story)


def test_a_pod_that_belongs_to_no_job_is_refused() -> None:
    async def story(fixture: IntakeFixture) -> None:
        pod = fixture.fake.store.create(PODS, ("ns", "loose"), {})
        fixture.fake.tokens["loose"] = review("ns", pod)
        answer = await fixture.post(token="loose")
        assert answer.status == 403
        assert "not controlled by a Job" in answer.body["error"]

    play(story)


def test_a_job_of_another_uid_breaks_the_chain() -> None:
    async def story(fixture: IntakeFixture) -> None:
        run = fixture.fake.store.get(TRAINING_RUNS, RUN)
        fixture.fake.store.delete(JOBS, ("ns", "flights-abc-a1"))
        fixture.fake.store.create(JOBS, ("ns", "flights-abc-a1"), owned(TRAINING_RUNS, run))
        assert (await fixture.post()).status == 403

    play(story)


def test_a_run_of_another_uid_breaks_the_chain() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.fake.store.delete(TRAINING_RUNS, RUN)
        fixture.fake.store.create(TRAINING_RUNS, RUN, {"spec": {"trainingJobRef": {"name": "flights"}}})
        assert (await fixture.post()).status == 403

    play(story)


def test_a_pod_may_post_for_its_own_run_only() -> None:
    async def story(fixture: IntakeFixture) -> None:
        answer = await fixture.post(path="ns/trainingruns/flights-other")
        assert answer.status == 403
        assert "flights-abc" in answer.body["error"]

    play(story)


def test_a_pod_of_an_earlier_attempt_is_refused() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.set_status(attempts=[{"number": 1, "job": "flights-abc-a1"}, {"number": 2, "job": "flights-abc-a2"}])
        answer = await fixture.post()
        assert answer.status == 403
        assert "not the current attempt" in answer.body["error"]

    play(story)


def test_a_pod_that_is_being_deleted_is_refused() -> None:
    async def story(fixture: IntakeFixture) -> None:
        name = ("ns", fixture.pod["metadata"]["name"])
        fixture.fake.store.objects[PODS][name]["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
        assert (await fixture.post()).status == 403

    play(story)


@pytest.mark.parametrize(
    "change", [{"uid": "another"}, {"name": "other"}, {"namespace": "other"}, {"trainingJob": "other"}, {"attempt": 2}]
)
def test_a_record_that_speaks_of_something_else_is_refused(change: dict[str, Any]) -> None:
    async def story(fixture: IntakeFixture) -> None:
        answer = await fixture.post(fixture.record(**change))
        assert answer.status == 403
        assert "the record names" in answer.body["error"]
        assert "record" not in fixture.status

    play(story)


@pytest.mark.parametrize("phase", ["Failed", "Superseded", "Succeeded"])
def test_a_run_that_has_ended_takes_no_record(phase: str) -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.set_status(phase=phase)
        answer = await fixture.post()
        assert answer.status == 410
        assert phase in answer.body["error"]
        assert "record" not in fixture.status

    play(story)


def test_a_second_record_of_the_run_is_refused() -> None:
    async def story(fixture: IntakeFixture) -> None:
        assert (await fixture.post()).status == 202
        other = fixture.record()
        other["evaluation"]["metrics"]["roc_auc"] = 0.99
        assert (await fixture.post(other)).status == 410
        assert fixture.status["record"]["evaluation"]["metrics"] == {"roc_auc": 0.7}

    play(story)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[" * 10_000, 400, "not JSON"),
        (b"[]", 422, "not valid"),
        (b'{"schemaVersion": 2}', 422, "schemaVersion"),
        (b"x" * (MAX_BODY + 1), 413, "16384 bytes"),
    ],
    ids=["empty", "cut off", "not text", "too deep", "a list", "another schema", "too big"],
)
def test_a_body_that_is_no_record_is_refused_in_a_sentence(body: bytes, status: int, words: str) -> None:
    async def story(fixture: IntakeFixture) -> None:
        answer = await fixture.post(body)
        assert answer.status == status
        assert words in answer.body["error"]

    play(story)


def test_a_body_without_a_length_is_cut_off_at_the_cap() -> None:
    async def story(fixture: IntakeFixture) -> None:
        async def endless() -> Any:
            for _ in range(100):
                yield b"x" * 4096

        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{fixture.url}/v1/namespaces/ns/trainingruns/flights-abc/record",
                data=endless(),
                headers={"Authorization": "Bearer good"},
            ) as response,
        ):
            assert response.status == 413

    play(story)


def test_a_write_that_meets_another_is_made_again_on_the_newer_status() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.fake.faults["patch", "trainingruns"] = Fault(times=2, code=409, reason="Conflict")
        assert (await fixture.post()).status == 202
        assert "record" in fixture.status

    play(story)


def test_endless_conflicts_are_answered_with_try_again() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.fake.faults["patch", "trainingruns"] = Fault(times=100, code=409, reason="Conflict")
        answer = await fixture.post()
        assert answer.status == 409
        assert "try again" in answer.body["error"]

    play(story)


def test_a_run_that_ends_while_its_record_is_written_takes_none() -> None:
    async def story(fixture: IntakeFixture) -> None:
        stale = fixture.fake.store.get(TRAINING_RUNS, RUN)
        get = fixture.fake.store.get
        served: list[int] = []

        def first_stale(resource: Any, name: Any) -> dict[str, Any]:
            if resource == TRAINING_RUNS and not served:
                served.append(1)
                fixture.set_status(phase="Failed")
                return stale
            return get(resource, name)

        fixture.fake.store.get = first_stale  # type: ignore[method-assign]
        answer = await fixture.post()
        fixture.fake.store.get = get  # type: ignore[method-assign]
        assert answer.status == 410
        assert "record" not in fixture.status

    play(story)


def test_an_api_server_that_does_not_answer_is_a_503_with_retry_after() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.fake.faults["create", "tokenreviews"] = Fault(times=10, code=503)
        answer = await fixture.post()
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "2"

    play(story)


def test_a_permission_that_the_operator_lacks_is_no_fault_of_the_caller() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.fake.faults["create", "tokenreviews"] = Fault(code=403, reason="Forbidden")
        answer = await fixture.post()
        assert answer.status == 500
        assert "injected" not in answer.body["error"]

    play(story)


def test_too_many_records_at_once_are_asked_to_come_again() -> None:
    async def story(fixture: IntakeFixture) -> None:
        fixture.fake.faults["create", "tokenreviews"] = Fault(times=100, hang=0.5)
        answers = await asyncio.gather(*(fixture.post() for _ in range(40)))
        statuses = [answer.status for answer in answers]
        assert statuses.count(429) == 8
        assert fixture.intake.statistics().busy == 0

    play(story)
