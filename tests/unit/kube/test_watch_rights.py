"""The rights that only a watch needs are named while the role lacks them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from steadfit.kube.client import Forbidden, Unavailable
from steadfit.kube.resources import EVENTS, JOBS, NAMESPACES
from steadfit.kube.watch_rights import WatchRights

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import run


class Reviews(MemoryAPI):
    """Answers each review by what is denied, or with an error."""

    def __init__(self) -> None:
        super().__init__()
        self.denied: set[tuple[str, str]] = set()
        self.error: Exception | None = None
        self.asked: list[tuple[str, str, str | None]] = []

    async def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        asked = manifest["spec"]["resourceAttributes"]
        self.asked.append((asked["verb"], asked["resource"], asked.get("namespace")))
        return {**manifest, "status": {"allowed": (asked["verb"], asked["resource"]) not in self.denied}}


def test_a_right_that_is_missing_is_named_until_it_is_granted(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        api = Reviews()
        api.denied.add(("watch", "events"))
        rights = WatchRights(api, (EVENTS,), (), Random(1))
        task = asyncio.create_task(rights.run())
        await asyncio.sleep(60)
        assert rights.missing() == ["watch events.events.k8s.io"]
        assert "lacks the right to watch events.events.k8s.io: apply the roles of this release" in caplog.text
        api.denied.clear()
        await asyncio.sleep(120)
        assert rights.missing() == []
        asked = len(api.asked)
        await asyncio.sleep(86_400)
        assert len(api.asked) == asked, "what is granted is asked for once"
        assert not task.done(), "it is one of the parts that run for ever"
        task.cancel()

    run(main())


@pytest.mark.parametrize("error", [Unavailable(503, "ServiceUnavailable", "away"), Forbidden(403, "Forbidden", "no")])
def test_what_cannot_be_asked_for_is_not_called_missing(error: Exception) -> None:
    async def main() -> None:
        api = Reviews()
        api.error = error
        rights = WatchRights(api, (EVENTS,), (), Random(1))
        task = asyncio.create_task(rights.run())
        await asyncio.sleep(600)
        assert rights.missing() == []
        task.cancel()

    run(main())


def test_an_operator_of_some_namespaces_asks_for_its_rights_there() -> None:
    async def main() -> None:
        api = Reviews()
        task = asyncio.create_task(WatchRights(api, (JOBS, NAMESPACES), ("a", "b"), Random(1)).run())
        await asyncio.sleep(1)
        assert api.asked == [
            (verb, *where)
            for where, verb in [
                (("jobs", "a"), "list"),
                (("jobs", "b"), "list"),
                (("jobs", "a"), "watch"),
                (("jobs", "b"), "watch"),
                (("namespaces", None), "list"),
                (("namespaces", None), "watch"),
            ]
        ]
        task.cancel()

    run(main())
