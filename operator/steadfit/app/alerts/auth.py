"""Authenticates and authorizes senders of alerts: by a token file, or by RBAC for POST /v1/alerts.

Without a token file the API server authenticates the token and authorizes its holder, so no secret has to be shared:
Alertmanager sends the token of its service account. Results are cached briefly, so that a flood of alerts causes no
flood of reviews.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from steadfit.app.refusal import Refusal
from steadfit.kube.client import KubeClient
from steadfit.kube.resources import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS

logger = logging.getLogger(__name__)

PATH = "/v1/alerts"
MAX_TOKEN = 4 * 1024
ALLOWED_SECONDS = 60.0
"""How long an allowed token is not reviewed again."""
REFUSED_SECONDS = 10.0
"""The same for a refused one: a right that was just granted should count soon."""
MAX_CACHED = 1024


class Authorizer(Protocol):
    """Decides who may post alerts."""

    async def admit(self, token: str) -> None:
        """Return if the holder of this token may post alerts.

        Raises
        ------
        Refusal
            401 or 403 if not, 503 if that cannot be decided now.
        """


def bearer(header: str) -> str:
    """Return the token of an `Authorization` header.

    Raises
    ------
    Refusal
        401 if there is none.
    """
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN:
        raise Refusal(401, "send a token: Authorization: Bearer <token>")
    return token


class TokenFile:
    """Admits senders of the token in a file, which is read each time, so that the token can be rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def admit(self, token: str) -> None:
        """Compare the token with the file's."""
        expected = self._expected()
        if not expected:
            raise Refusal(503, "the operator's alert token cannot be read; see its log")
        if not hmac.compare_digest(_digest(token), _digest(expected)):
            raise Refusal(401, "this is not the alert token of this installation")

    def _expected(self) -> str:
        try:
            wanted = self._path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            logger.error("the alert token file cannot be read: %s", error)
            return ""
        if not wanted:
            logger.error("the alert token file %s is empty", self._path)
        return wanted


@dataclass(frozen=True, slots=True)
class _Verdict:
    refusal: tuple[int, str] | None
    until: float


class Reviews:
    """Admits holders of tokens that the API server authenticates and RBAC allows to POST /v1/alerts."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._verdicts: OrderedDict[bytes, _Verdict] = OrderedDict()

    async def admit(self, token: str) -> None:
        """Review the token at the API server, unless a cached result is fresh."""
        key = _digest(token)
        now = asyncio.get_running_loop().time()
        verdict = self._verdicts.get(key)
        if verdict is None or verdict.until <= now:
            refusal = await self._review(token)
            seconds = ALLOWED_SECONDS if refusal is None else REFUSED_SECONDS
            verdict = _Verdict(refusal, now + seconds)
            self._store(key, verdict)
        if verdict.refusal is not None:
            raise Refusal(*verdict.refusal)

    def _store(self, key: bytes, verdict: _Verdict) -> None:
        self._verdicts[key] = verdict
        self._verdicts.move_to_end(key)
        if len(self._verdicts) > MAX_CACHED:
            self._verdicts.popitem(last=False)

    async def _review(self, token: str) -> tuple[int, str] | None:
        review = await self._client.create(
            {"apiVersion": TOKEN_REVIEWS.api_version, "kind": TOKEN_REVIEWS.kind, "spec": {"token": token}}
        )
        status = review.get("status", {})
        if not status.get("authenticated"):
            return 401, "the API server does not accept this token"
        user = status.get("user", {})
        access = await self._client.create(
            {
                "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
                "kind": SUBJECT_ACCESS_REVIEWS.kind,
                "spec": {
                    "user": user.get("username", ""),
                    "groups": user.get("groups", []),
                    "uid": user.get("uid", ""),
                    "extra": user.get("extra", {}),
                    "nonResourceAttributes": {"path": PATH, "verb": "post"},
                },
            }
        )
        if not access.get("status", {}).get("allowed"):
            return 403, f"{user.get('username')} may not post alerts; bind it to the ClusterRole steadfit-alert-sender"
        return None


def _digest(token: str) -> bytes:
    # Tokens are not kept in memory, and digests have equal lengths, so comparisons take constant time.
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
