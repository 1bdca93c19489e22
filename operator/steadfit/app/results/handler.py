"""The result intake: the HTTPS endpoint, on every replica, that the last step of a run posts its result to.

202 means that the result is stored. publish repeats the POST until 200, when the ModelVersion of its record exists. For
evaluate, whose result becomes no object, 200 means that it was stored before. A final refusal is a 4xx with a sentence;
401, 409, 429 and 5xx may be retried.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web
from pydantic import ValidationError

from steadfit.api.base import Model
from steadfit.api.evaluationrecord import EvaluationRecord
from steadfit.api.record import Record
from steadfit.app.refusal import Refusal
from steadfit.kube.client import APIError, Invalid, KubeClient, Unavailable

from .recording import authenticate, run_of, store, store_evaluation

logger = logging.getLogger(__name__)

MAX_BODY = 16 * 1024
MAX_TOKEN = 4 * 1024
MAX_CONCURRENT = 32
READ_SECONDS = 10.0
RETRY_AFTER = {"Retry-After": "2"}
RUN_PATH = "/v1/namespaces/{namespace}/trainingruns/{name}"

T = TypeVar("T", bound=Model)
Taken = Mapping[str, object] | None
"""The body of a 200; None = stored only, which is a 202."""
Take = Callable[[T, dict[str, Any]], Awaitable[Taken]]
"""Stores what was posted in the run."""


@dataclass(frozen=True, slots=True)
class IntakeStatistics:
    """What was answered."""

    answers: Mapping[int, int]
    """Answers by HTTP status."""
    busy: int
    """Requests that are being handled."""


class Intake:
    """Handles posted results."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._answers: Counter[int] = Counter()
        self._busy = 0

    def application(self) -> web.Application:
        """Return the web application; nothing but the two paths exists."""
        application = web.Application(client_max_size=MAX_BODY)
        application.router.add_post(f"{RUN_PATH}/record", self._record)
        application.router.add_post(f"{RUN_PATH}/evaluation", self._evaluation)
        return application

    def statistics(self) -> IntakeStatistics:
        """Return what was answered."""
        return IntakeStatistics(dict(self._answers), self._busy)

    async def _record(self, request: web.Request) -> web.Response:
        return await self._post(request, Record, self._take_record)

    async def _evaluation(self, request: web.Request) -> web.Response:
        return await self._post(request, EvaluationRecord, self._take_evaluation)

    async def _take_record(self, record: Record, run: dict[str, Any]) -> Taken:
        version = await store(self._client, run, record)
        return None if version is None else {"version": version}

    async def _take_evaluation(self, record: EvaluationRecord, run: dict[str, Any]) -> Taken:
        return {"stored": True} if await store_evaluation(self._client, run, record) else None

    async def _post(self, request: web.Request, model: type[T], take: Take[T]) -> web.Response:
        # Each request makes several of the API server, so the number of concurrent ones is limited.
        if self._busy >= MAX_CONCURRENT:
            return self._answer(429, {"error": "too many records at once; try again"}, RETRY_AFTER)
        self._busy += 1
        try:
            taken = await self._handle(request, model, take)
        except Refusal as refusal:
            return self._answer(refusal.status, {"error": refusal.sentence})
        except Invalid as error:
            logger.warning("the API server refused a record: %s", error)
            return self._answer(422, {"error": f"the record cannot be stored: {error.message}"})
        except Unavailable as error:
            logger.warning("cannot take a record now: %s", error)
            return self._answer(503, {"error": "the Kubernetes API does not answer; try again"}, RETRY_AFTER)
        except APIError as error:
            # The operator lacks a permission or a resource, which the caller cannot change.
            logger.warning("cannot take a record: %s", error)
            return self._answer(500, {"error": "the operator lacks a permission; see its log"}, RETRY_AFTER)
        finally:
            self._busy -= 1
        return self._answer(202, {"stored": True}) if taken is None else self._answer(200, taken)

    async def _handle(self, request: web.Request, model: type[T], take: Take[T]) -> Taken:
        caller = await authenticate(self._client, _bearer(request))
        posted = _parse(await _body(request), model)
        run = await run_of(self._client, caller, request.match_info["namespace"], request.match_info["name"])
        return await take(posted, run)

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


def _parse(body: bytes, model: type[T]) -> T:
    try:
        return model.model_validate(json.loads(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refusal(422, f"the record is not valid: {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "the record is not JSON") from error
