"""Who may post alerts, and for how long an answer counts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from steadfit.app.alerts.auth import ALLOWED_SECONDS, MAX_CACHED, REFUSED_SECONDS, Reviews, TokenFile, bearer
from steadfit.app.refusal import Refusal
from steadfit.kube.client import KubeClient, Unavailable

from tests.support.virtual_time import run


class Reviewer:
    """An API server that knows tokens and who may post."""

    def __init__(self) -> None:
        self.users = {"good": "alertmanager", "other": "jane"}
        self.allowed = {"alertmanager"}
        self.asked: list[str] = []
        self.down = False

    async def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        if self.down:
            raise Unavailable(0, "Timeout", "no answer")
        self.asked.append(manifest["kind"])
        spec = manifest["spec"]
        if manifest["kind"] == "SubjectAccessReview":
            return {"status": {"allowed": spec["user"] in self.allowed}}
        user = self.users.get(spec["token"])
        return {"status": {"authenticated": user is not None, "user": {"username": user}}}

    def reviews(self) -> Reviews:
        return Reviews(cast(KubeClient, self))


async def status(door: Reviews | TokenFile, token: str) -> int:
    try:
        await door.admit(token)
    except Refusal as refusal:
        return refusal.status
    return 200


def test_a_holder_who_may_post_is_asked_about_once_a_minute() -> None:
    async def story() -> None:
        api = Reviewer()
        door = api.reviews()
        for _ in range(5):
            assert await status(door, "good") == 200
        assert api.asked == ["TokenReview", "SubjectAccessReview"]
        api.allowed.clear()
        await asyncio.sleep(ALLOWED_SECONDS - 1)
        assert await status(door, "good") == 200
        await asyncio.sleep(1)
        assert await status(door, "good") == 403

    run(story())


def test_a_right_that_was_just_given_counts_within_seconds() -> None:
    async def story() -> None:
        api = Reviewer()
        door = api.reviews()
        assert [await status(door, token) for token in ("other", "unknown", "other", "unknown")] == [403, 401, 403, 401]
        assert len(api.asked) == 3
        api.allowed.add("jane")
        await asyncio.sleep(REFUSED_SECONDS)
        assert await status(door, "other") == 200

    run(story())


def test_an_api_server_that_does_not_answer_is_no_verdict() -> None:
    async def story() -> None:
        api = Reviewer()
        door = api.reviews()
        api.down = True
        with pytest.raises(Unavailable):
            await door.admit("good")
        api.down = False
        assert await status(door, "good") == 200

    run(story())


def test_a_flood_of_tokens_does_not_grow_what_is_remembered() -> None:
    async def story() -> None:
        api = Reviewer()
        door = api.reviews()
        assert await status(door, "good") == 200
        for number in range(MAX_CACHED):
            assert await status(door, f"guess-{number}") == 401
        assert len(door._verdicts) == MAX_CACHED
        assert await status(door, "good") == 200

    run(story())


def test_tokens_themselves_are_not_kept() -> None:
    async def story() -> None:
        door = Reviewer().reviews()
        await door.admit("good")
        assert b"good" not in door._verdicts

    run(story())


def test_a_token_file_is_read_each_time_so_that_the_token_can_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    door = TokenFile(path)

    async def story() -> None:
        assert [await status(door, token) for token in ("old", "new", "old\n")] == [200, 401, 401]
        path.write_text("new")
        assert [await status(door, token) for token in ("old", "new")] == [401, 200]

    run(story())


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"], ids=["missing", "empty", "blank", "not text"])
def test_a_token_file_that_says_nothing_admits_nobody(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)

    async def story() -> None:
        assert [await status(TokenFile(path), token) for token in ("", "guess")] == [503, 503]

    run(story())
    assert "alert token file" in caplog.text


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer " + "x" * 5000])
def test_a_header_without_a_token_is_refused(header: str) -> None:
    with pytest.raises(Refusal) as refused:
        bearer(header)
    assert refused.value.status == 401


@pytest.mark.parametrize("header", ["Bearer abc", "bearer  abc ", "BEARER abc"])
def test_the_scheme_is_read_in_any_case(header: str) -> None:
    assert bearer(header) == "abc"
