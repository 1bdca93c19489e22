from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from steadfit.kube.api import APIServer
from steadfit.kube.client import (
    AlreadyExists,
    APIError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unavailable,
)
from steadfit.kube.resources import HTTP_ROUTES, JOBS, TRAINING_JOBS

from .fakeapi import FakeAPI, Fault


def training_job(name: str = "flights", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "steadfit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": spec,
    }


def play(story: Callable[[FakeAPI, APIServer], Awaitable[None]], **options: Any) -> FakeAPI:
    fake = FakeAPI()

    async def main() -> None:
        async with fake.running():
            client = APIServer(fake.configuration, **options)
            try:
                await story(fake, client)
            finally:
                await client.close()

    asyncio.run(main())
    return fake


def test_every_write_names_its_manager_content_type_and_asks_for_strict_fields() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        created = await client.create(training_job())
        await client.patch_status(created, {"phase": "x"})
        await client.patch_spec(await client.get(TRAINING_JOBS, "flights", "ns"), {"image": None})
        await client.apply(training_job(image="b"), "steadfit-scale")
        await client.replace(await client.get(TRAINING_JOBS, "flights", "ns"))

    sent = [
        (request.method, request.content_type, request.query)
        for request in play(story).requests
        if request.method != "GET"
    ]
    ours = {"fieldManager": "steadfit", "fieldValidation": "Strict"}
    assert sent == [
        ("POST", "application/json", ours),
        ("PATCH", "application/merge-patch+json", ours),
        ("PATCH", "application/merge-patch+json", ours),
        (
            "PATCH",
            "application/apply-patch+yaml",
            {"fieldManager": "steadfit-scale", "force": "true", "fieldValidation": "Strict"},
        ),
        ("PUT", "application/json", ours),
    ]


def test_a_status_patch_touches_nothing_but_the_status() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        created = await client.create(training_job(image="a"))
        reply = await client.patch_status(
            {**created, "spec": {"image": "b"}}, {"phase": "x", "observedGeneration": None}
        )
        assert reply["spec"] == {"image": "a"}
        assert reply["status"] == {"phase": "x"}
        assert reply["metadata"]["generation"] == 1

    fake = play(story)
    assert fake.seen("patch", "trainingjobs")[0].path.endswith("/namespaces/ns/trainingjobs/flights/status")


def test_a_status_patch_of_an_object_that_has_changed_is_a_conflict() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        created = await client.create(training_job(image="a"))
        await client.apply(training_job(image="b"), "user")
        with pytest.raises(Conflict):
            await client.patch_status(created, {"phase": "x"})

    play(story)


def test_a_status_patch_of_another_object_of_the_name_is_a_conflict() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        created = await client.create(training_job())
        await client.delete(created)
        await client.create(training_job())
        with pytest.raises(Conflict):
            await client.patch_status(created, {"phase": "x"})

    play(story)


def test_an_apply_with_an_older_resource_version_is_a_conflict() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        created = await client.create(training_job(image="a"))
        await client.apply(training_job(image="b"), "user")
        metadata = {key: created["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
        with pytest.raises(Conflict):
            await client.apply({**training_job(image="c"), "metadata": metadata}, "steadfit")

    play(story)


def test_an_apply_by_the_uid_of_another_object_of_the_name_is_a_conflict() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        created = await client.create(training_job(image="a"))
        await client.delete(created)
        metadata = {key: created["metadata"][key] for key in ("name", "namespace", "uid")}
        with pytest.raises(Conflict):
            await client.apply({**training_job(image="c"), "metadata": metadata}, "steadfit")
        await client.create(training_job(image="b"))
        with pytest.raises(Conflict):
            await client.apply({**training_job(image="c"), "metadata": metadata}, "steadfit")
        assert (await client.get(TRAINING_JOBS, "flights", "ns"))["spec"]["image"] == "b"

    play(story)


def test_a_second_create_says_already_exists() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        await client.create(training_job())
        with pytest.raises(AlreadyExists):
            await client.create(training_job())

    play(story)


def test_a_delete_is_bound_to_the_uid_and_a_missing_object_is_no_error() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        first = await client.create(training_job())
        await client.delete(first)
        await client.delete(first)
        await client.create(training_job())
        with pytest.raises(Conflict):
            await client.delete(first)

    fake = play(story)
    assert fake.seen("delete", "trainingjobs")[0].body["propagationPolicy"] == "Background"


def test_a_delete_of_an_object_as_it_was_observed_names_its_resource_version_too() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        observed = await client.create(training_job())
        await client.delete(observed)

    preconditions = play(story).seen("delete", "trainingjobs")[0].body["preconditions"]
    assert set(preconditions) == {"uid", "resourceVersion"}


def test_a_list_reads_all_pages_and_names_every_item() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        for number in range(7):
            await client.create(training_job(f"job-{number}"))
        listing = await client.list(TRAINING_JOBS)
        assert [item["metadata"]["name"] for item in listing.items] == [f"job-{number}" for number in range(7)]
        assert {(item["apiVersion"], item["kind"]) for item in listing.items} == {
            ("steadfit.dev/v1alpha1", "TrainingJob")
        }
        assert int(listing.resource_version) == fake.store.version

    fake = play(story, page_size=3)
    assert len(fake.seen("list", "trainingjobs")) == 3


def test_a_list_whose_pages_have_expired_starts_over_in_one_piece() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        for number in range(7):
            await client.create(training_job(f"job-{number}"))
        fake.history_ends_at_page = 3
        listing = await client.list(TRAINING_JOBS)
        assert len(listing.items) == 7

    fake = play(story, page_size=3)
    assert "limit" not in fake.seen("list", "trainingjobs")[-1].query


def test_a_list_can_be_narrowed_to_a_namespace_and_labels() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        labels = {"app.kubernetes.io/managed-by": "steadfit"}
        for name, extra in (("ours", labels), ("theirs", {})):
            fake.store.create(JOBS, ("ns", name), {"metadata": {"labels": extra}})
        fake.store.create(JOBS, ("other", "ours"), {"metadata": {"labels": labels}})
        listing = await client.list(JOBS, "ns", "app.kubernetes.io/managed-by=steadfit")
        assert [item["metadata"]["name"] for item in listing.items] == ["ours"]

    play(story)


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (400, "BadRequest", Invalid),
        (401, "Unauthorized", Forbidden),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (410, "Expired", Unavailable),
        (413, "RequestEntityTooLarge", Invalid),
        (422, "Invalid", Invalid),
        (429, "TooManyRequests", Unavailable),
        (500, "InternalError", Unavailable),
        (504, "Timeout", Unavailable),
    ],
)
def test_each_answer_becomes_the_exception_that_says_what_to_do(code: int, reason: str, error: type[APIError]) -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        fake.faults["get", "trainingjobs"] = Fault(code=code, reason=reason)
        with pytest.raises(error) as caught:
            await client.get(TRAINING_JOBS, "flights", "ns")
        assert type(caught.value) is error or issubclass(type(caught.value), error)
        assert (caught.value.code, caught.value.reason) == (code, reason)

    play(story)


def test_a_group_that_the_cluster_lacks_is_not_found_though_the_answer_is_plain_text() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        fake.lacking.add(HTTP_ROUTES.group)
        with pytest.raises(NotFound, match="404 page not found"):
            await client.list(HTTP_ROUTES)

    play(story)


def test_the_time_that_the_server_asks_to_wait_is_passed_on() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        fake.faults["get", "trainingjobs"] = Fault(code=429, headers={"Retry-After": "7"})
        with pytest.raises(Unavailable) as caught:
            await client.get(TRAINING_JOBS, "flights", "ns")
        assert caught.value.retry_after == 7.0

    play(story)


def test_a_call_that_hangs_ends_in_unavailable() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        fake.faults["get", "trainingjobs"] = Fault(hang=5)
        with pytest.raises(Unavailable) as caught:
            await client.get(TRAINING_JOBS, "flights", "ns")
        assert caught.value.code == 0

    play(story, request_seconds=0.2)


def test_a_reply_that_is_lost_after_the_write_is_unavailable_and_the_write_stands() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        fake.faults["create", "trainingjobs"] = Fault(drop=True, commit=True)
        with pytest.raises(Unavailable):
            await client.create(training_job())
        assert (await client.get(TRAINING_JOBS, "flights", "ns"))["metadata"]["name"] == "flights"

    play(story)


def test_a_server_that_is_down_is_unavailable() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        configuration = fake.configuration
        configuration.host = "http://127.0.0.1:9"
        nowhere = APIServer(configuration)
        with pytest.raises(Unavailable):
            await nowhere.get(TRAINING_JOBS, "flights", "ns")
        assert nowhere.statistics().answer_age_seconds is None
        await nowhere.close()

    play(story)


def test_requests_are_counted_by_verb_resource_and_code() -> None:
    async def story(fake: FakeAPI, client: APIServer) -> None:
        await client.create(training_job())
        with pytest.raises(NotFound):
            await client.get(TRAINING_JOBS, "nothing", "ns")
        statistics = client.statistics()
        assert statistics.requests == {
            ("create", "trainingjobs", "201"): 1,
            ("get", "trainingjobs", "404"): 1,
        }
        assert statistics.answer_age_seconds is not None

    play(story)
