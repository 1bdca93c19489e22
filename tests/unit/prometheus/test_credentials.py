"""What a Secret becomes in a header."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, cast

import pytest
from steadfit.kube.client import Forbidden, KubeClient, NotFound
from steadfit.prometheus.answer import NoAnswer
from steadfit.prometheus.credentials import Credentials


class Store:
    """Has one Secret, or an error in its place."""

    def __init__(self, data: dict[str, str] | Exception) -> None:
        self.data = data
        self.read = 0

    async def get(self, resource: Any, name: str, namespace: str | None = None) -> dict[str, Any]:
        self.read += 1
        assert (resource.plural, name, namespace) == ("secrets", "keys", "steadfit-system")
        if isinstance(self.data, Exception):
            raise self.data
        return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in self.data.items()}}


def header(store: Store) -> str:
    return asyncio.run(Credentials(cast("KubeClient", store), "steadfit-system", "keys").header())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"token": "abc\n"}, "Bearer abc"),
        ({"username": "me", "password": "pass"}, "Basic bWU6cGFzcw=="),
        ({"token": "abc", "username": "me", "password": "pass"}, "Bearer abc"),
    ],
)
def test_a_token_or_a_name_and_password_become_a_header(data: dict[str, str], expected: str) -> None:
    assert header(Store(data)) == expected


@pytest.mark.parametrize(
    ("data", "code", "sentence"),
    [
        ({}, "CredentialsMissing", "needs token, or username and password"),
        ({"username": "me"}, "CredentialsMissing", "needs token, or username and password"),
        ({"token": ""}, "CredentialsMissing", "needs token, or username and password"),
        ({"token": "a\r\nHost: b"}, "CredentialsMissing", "has characters that cannot be part of a header"),
        ({"token": "schlüssel"}, "CredentialsMissing", "has characters that cannot be part of a header"),
        (NotFound(404, "NotFound", "no"), "CredentialsMissing", "there is no Secret keys in namespace steadfit-system"),
        (Forbidden(403, "Forbidden", "no"), "Unreachable", "cannot be read: Forbidden"),
    ],
)
def test_what_cannot_become_a_header_is_told(data: Any, code: str, sentence: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        header(Store(data))
    assert caught.value.code == code
    assert sentence in str(caught.value)


def test_a_changed_secret_is_taken_up_within_a_minute_and_not_read_for_every_query() -> None:
    store = Store({"token": "one"})

    async def story() -> None:
        credentials = Credentials(cast("KubeClient", store), "steadfit-system", "keys")
        loop = asyncio.get_running_loop()
        now = loop.time()
        loop.time = lambda: now  # type: ignore[method-assign]
        assert await credentials.header() == "Bearer one"
        store.data = {"token": "two"}
        now += 59
        assert await credentials.header() == "Bearer one"
        now += 2
        assert await credentials.header() == "Bearer two"
        assert store.read == 2

    asyncio.run(story())
