"""The Authorization header from a Secret in the operator's namespace, read again every minute, so keys can change."""

from __future__ import annotations

import asyncio
import base64
import binascii

from steadfit.kube.client import APIError, KubeClient, NotFound
from steadfit.kube.resources import SECRETS

from .answer import NoAnswer

KEPT_SECONDS = 60.0


class Credentials:
    """Reads one Secret: `token`, or `username` and `password`."""

    def __init__(self, client: KubeClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._header: str | None = None
        self._read_at = 0.0

    async def header(self) -> str:
        """Return the value of the Authorization header.

        Raises
        ------
        NoAnswer
            If the Secret cannot be read or has neither.
        """
        now = asyncio.get_running_loop().time()
        if self._header is None or now - self._read_at > KEPT_SECONDS:
            self._header = await self._read()
            self._read_at = now
        return self._header

    async def _read(self) -> str:
        where = f"Secret {self._name} in namespace {self._namespace}"
        try:
            secret = await self._client.get(SECRETS, self._name, self._namespace)
        except NotFound as error:
            raise NoAnswer("CredentialsMissing", f"there is no {where} (credentialsSecretName)") from error
        except APIError as error:
            raise NoAnswer("Unreachable", f"{where} cannot be read", error.reason) from error
        data = secret.get("data") or {}
        try:
            values = {
                key: base64.b64decode(data[key], validate=True).decode("ascii").strip()
                for key in ("token", "username", "password")
                if key in data
            }
        except (binascii.Error, UnicodeDecodeError) as error:
            raise NoAnswer("CredentialsMissing", f"{where} has characters that cannot be part of a header") from error
        if not all(value.isprintable() for value in values.values()):
            raise NoAnswer("CredentialsMissing", f"{where} has characters that cannot be part of a header")
        if values.get("token"):
            return f"Bearer {values['token']}"
        if values.get("username") and "password" in values:
            pair = f"{values['username']}:{values['password']}"
            return f"Basic {base64.b64encode(pair.encode()).decode()}"
        raise NoAnswer("CredentialsMissing", f"{where} needs token, or username and password")
