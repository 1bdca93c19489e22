"""The intake: where the publish step of a run posts its record, over TLS, on every replica.

202 says that the record is stored, 200 that its ModelVersion exists; publish repeats the same POST until then. What
is refused for good is a 4xx with a sentence; 401, 409, 429 and 5xx are worth another try.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from pydantic import ValidationError

from steadfit.api.record import Record
from steadfit.kube.client import APIError, Invalid, KubeClient, Unavailable

from .recording import Refusal, authenticate, run_of, store

logger = logging.getLogger(__name__)

MAX_BODY = 16 * 1024
MAX_TOKEN = 4 * 1024
MAX_CONCURRENT = 32
READ_SECONDS = 10.0
RETRY_AFTER = {"Retry-After": "2"}
PATH = "/v1/namespaces/{namespace}/trainingruns/{name}/record"


@dataclass(frozen=True, slots=True)
class IntakeStatistics:
    """What was answered."""

    answers: Mapping[int, int]
    """Answers by HTTP status."""
    busy: int
    """Requests that are being handled."""


class Intake:
    """Handles posted records."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._answers: Counter[int] = Counter()
        self._busy = 0

    def application(self) -> web.Application:
        """Return the web application; nothing but the one path exists."""
        application = web.Application(client_max_size=MAX_BODY)
        application.router.add_post(PATH, self._post)
        return application

    def statistics(self) -> IntakeStatistics:
        """Return what was answered."""
        return IntakeStatistics(dict(self._answers), self._busy)

    async def _post(self, request: web.Request) -> web.Response:
        # Each request asks the API server several times: a flood of them must end here.
        if self._busy >= MAX_CONCURRENT:
            return self._answer(429, {"error": "too many records at once; try again"}, RETRY_AFTER)
        self._busy += 1
        try:
            version = await self._handle(request)
        except Refusal as refusal:
            return self._answer(refusal.status, {"error": refusal.sentence})
        except Invalid as error:
            logger.warning("the API server refused a record: %s", error)
            return self._answer(422, {"error": f"the record cannot be stored: {error.message}"})
        except Unavailable as error:
            logger.warning("cannot take a record now: %s", error)
            return self._answer(503, {"error": "the Kubernetes API does not answer; try again"}, RETRY_AFTER)
        except APIError as error:
            # What the operator itself may not do or find is nothing the caller can change.
            logger.warning("cannot take a record: %s", error)
            return self._answer(500, {"error": "the operator lacks a permission; see its log"}, RETRY_AFTER)
        finally:
            self._busy -= 1
        if version is None:
            return self._answer(202, {"stored": True})
        return self._answer(200, {"version": version})

    async def _handle(self, request: web.Request) -> str | None:
        caller = await authenticate(self._client, _bearer(request))
        record = _parse(await _body(request))
        run = await run_of(self._client, caller, request.match_info["namespace"], request.match_info["name"])
        return await store(self._client, run, record)

    def _answer(
        self, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> web.Response:
        self._answers[status] += 1
        return web.json_response(body, status=status, headers=headers)


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refusal(401, "send the projected token of the pod: Authorization: Bearer <token>")
    if len(token) > MAX_TOKEN:
        raise Refusal(401, "the token is too long")
    return token.strip()


async def _body(request: web.Request) -> bytes:
    """Read the body; its size is checked before and while it is read, never after."""
    if (request.content_length or 0) > MAX_BODY:
        raise Refusal(413, f"a record has at most {MAX_BODY} bytes")
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refusal(413, f"a record has at most {MAX_BODY} bytes") from error
    except TimeoutError as error:
        raise Refusal(408, f"the record did not arrive within {READ_SECONDS:g} s") from error


def _parse(body: bytes) -> Record:
    try:
        return Record.model_validate(json.loads(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refusal(422, f"the record is not valid: {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "the record is not JSON") from error
