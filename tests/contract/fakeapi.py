"""A small API server over real HTTP: discovery, CRUD, pages, watches, TokenReviews, and faults on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from kubernetes.aio.client import Configuration
from steadfit.kube.resources import (
    EVENTS,
    LEASES,
    OWN,
    SECRETS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    TOKEN_REVIEWS,
    WATCHED,
    Resource,
)

from tests.sim.objects import has_fields

from .store import Change, JSONObject, Refused, Store, merge

RESOURCES = {
    (resource.group, resource.plural): resource
    for resource in (
        *WATCHED,
        SECRETS,
        EVENTS,
        LEASES,
        TOKEN_REVIEWS,
        SUBJECT_ACCESS_REVIEWS,
        SELF_SUBJECT_ACCESS_REVIEWS,
    )
}


@dataclass
class Fault:
    """What happens to the next `times` requests that a verb and a plural match."""

    times: int = 1
    code: int | None = None
    """Answer with this status instead."""
    reason: str = "Fault"
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: float = 0.0
    """Seconds to wait first."""
    drop: bool = False
    """Close the connection without an answer ..."""
    commit: bool = False
    """... after doing what was asked."""
    in_stream: int | None = None
    """For a watch: an ERROR event of this code."""


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    verb: str
    plural: str
    method: str
    path: str
    query: Mapping[str, str]
    content_type: str
    body: Any


class FakeAPI:
    """The server; `url` is set while it runs."""

    def __init__(self) -> None:
        self.store = Store()
        self.faults: dict[tuple[str, str], Fault] = {}
        self.requests: list[Request] = []
        self.tokens: dict[str, JSONObject] = {}
        """TokenReview status by token."""
        self.allowed: set[tuple[str, str, str]] = set()
        """User, verb and path of the SubjectAccessReviews that are allowed."""
        self.denied: set[tuple[str, str]] = set()
        """Verb and plural of the SelfSubjectAccessReviews that are not allowed."""
        self.history_ends_at_page = 0
        """With a number: the continue token of this page has expired."""
        self.lacking: set[str] = set()
        """API groups that this cluster does not know."""
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeAPI]:
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self.store.hang_up()
            await runner.cleanup()

    @property
    def configuration(self) -> Configuration:
        configuration = Configuration()
        configuration.host = self.url
        return configuration

    def seen(self, verb: str, plural: str) -> list[Request]:
        return [request for request in self.requests if (request.verb, request.plural) == (verb, plural)]

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        parts = [part for part in http.path.split("/") if part]
        if len(parts) > 1 and parts[1] in self.lacking:
            return web.Response(status=404, text="404 page not found\n")
        discovered = _discovery(parts, self.lacking)
        if discovered is not None:
            return web.json_response(discovered)
        group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
        namespace = None
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        resource = RESOURCES.get((group, rest[0]))
        if resource is None:
            return _status(404, "NotFound", "no such resource")
        name = rest[1] if len(rest) > 1 else None
        status = rest[2:] == ["status"]
        body = json.loads(await http.read() or b"null")
        verb = _verb(http, name)
        content_type = http.headers.get("Content-Type", "")
        request = Request(verb, resource.plural, http.method, http.path, dict(http.query), content_type, body)
        self.requests.append(request)
        fault = self._fault(verb, resource.plural)
        if fault is not None:
            answer = await self._fail(fault, http)
            if answer is not None:
                return answer
        if verb == "watch":
            return await self._watch(http, resource, namespace, fault)
        try:
            code, reply = 200, self._do(request, resource, namespace, name, status)
        except Refused as refused:
            return _status(refused.code, refused.reason, refused.message, field=refused.field)
        if fault is not None and fault.drop:
            assert http.transport is not None
            http.transport.close()
        return web.json_response(reply, status=201 if verb == "create" else code)

    def _do(
        self, request: Request, resource: Resource, namespace: str | None, name: str | None, status: bool
    ) -> Mapping[str, Any]:
        body = request.body
        if request.verb == "list":
            return self._list(request, resource, namespace)
        if resource == TOKEN_REVIEWS:
            return {**body, "status": self.tokens.get(body["spec"]["token"], {"authenticated": False})}
        if resource == SUBJECT_ACCESS_REVIEWS:
            asked = body["spec"]["nonResourceAttributes"]
            allowed = (body["spec"]["user"], asked["verb"], asked["path"]) in self.allowed
            return {**body, "status": {"allowed": allowed}}
        if resource == SELF_SUBJECT_ACCESS_REVIEWS:
            asked = body["spec"]["resourceAttributes"]
            return {**body, "status": {"allowed": (asked["verb"], asked["resource"]) not in self.denied}}
        if name is None:
            return self.store.create(resource, (namespace, body["metadata"]["name"]), body)
        where = (namespace, name)
        match request.verb:
            case "get":
                return self.store.get(resource, where)
            case "update":
                return self.store.update(resource, where, body, status=status)
            case "patch" if request.content_type == "application/merge-patch+json":
                merged = merge(self.store.get(resource, where), body)
                # The preconditions are the patch's own, not the stored object's.
                merged["metadata"] = {**merged["metadata"], **body.get("metadata", {})}
                return self.store.update(resource, where, merged, status=status)
            case "patch" if request.content_type == "application/apply-patch+yaml":
                if "fieldManager" not in request.query:
                    raise Refused(400, "BadRequest", "fieldManager is required for apply patch")
                if where not in self.store.objects.get(resource, {}):
                    if "uid" in body["metadata"]:
                        raise Refused(409, "Conflict", "uid mismatch: the object does not exist")
                    return self.store.create(resource, where, body)
                if body["metadata"].get("uid") not in (None, self.store.get(resource, where)["metadata"]["uid"]):
                    raise Refused(422, "Invalid", "metadata.uid: field is immutable", "metadata.uid")
                return self.store.update(resource, where, merge(self.store.get(resource, where), body), status=status)
            case "delete":
                self.store.delete(resource, where, (body or {}).get("preconditions", {}).get("uid"))
                return {"kind": "Status", "status": "Success"}
        raise Refused(415, "UnsupportedMediaType", f"{request.method} with {request.content_type}")

    def _list(self, request: Request, resource: Resource, namespace: str | None) -> JSONObject:
        items = self.store.list(resource, namespace, _labels(request.query))
        items = [item for item in items if has_fields(item, request.query.get("fieldSelector"))]
        metadata = {"resourceVersion": str(self.store.version)}
        limit, start = int(request.query.get("limit", 0)), int(request.query.get("continue", 0))
        if start and start == self.history_ends_at_page:
            raise Refused(410, "Expired", "the provided continue parameter is too old")
        if limit and start + limit < len(items):
            metadata["continue"] = str(start + limit)
        items = items[start : start + limit] if limit else items
        for item in items:
            # As the real one: items carry neither.
            del item["apiVersion"], item["kind"]
        return {
            "apiVersion": resource.api_version,
            "kind": f"{resource.kind}List",
            "metadata": metadata,
            "items": items,
        }

    async def _watch(
        self, http: web.Request, resource: Resource, namespace: str | None, fault: Fault | None
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(http)

        async def send(kind: str, obj: Mapping[str, Any]) -> None:
            await response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")

        since = int(http.query.get("resourceVersion") or 0)
        code = fault.in_stream if fault is not None else None
        if code is None and since < self.store.oldest:
            code = 410
        if code is not None:
            await send("ERROR", {"kind": "Status", "code": code, "reason": "Fault", "message": "injected"})
            return response
        changes: asyncio.Queue[Change | None] = asyncio.Queue()
        for past in self.store.history:
            if past.version > since:
                changes.put_nowait(past)
        self.store.listeners.add(changes.put_nowait)
        labels = _labels(http.query)
        try:
            while (change := await changes.get()) is not None:
                metadata = change.obj["metadata"]
                if (
                    change.resource == resource
                    and namespace in (None, metadata.get("namespace"))
                    and labels.items() <= metadata.get("labels", {}).items()
                    and has_fields(change.obj, http.query.get("fieldSelector"))
                ):
                    await send(change.type, change.obj)
        except ConnectionError:
            pass
        finally:
            self.store.listeners.discard(changes.put_nowait)
        return response

    def _fault(self, verb: str, plural: str) -> Fault | None:
        fault = self.faults.get((verb, plural))
        if fault is None or fault.times <= 0:
            return None
        fault.times -= 1
        return fault

    async def _fail(self, fault: Fault, http: web.Request) -> web.Response | None:
        await asyncio.sleep(fault.hang)
        if fault.code is not None:
            return _status(fault.code, fault.reason, "injected", fault.headers)
        if fault.drop and not fault.commit:
            assert http.transport is not None
            http.transport.close()
            return web.Response()
        return None


def _verb(http: web.Request, name: str | None) -> str:
    if http.query.get("watch") in ("true", "1"):
        return "watch"
    if http.method == "GET":
        return "get" if name else "list"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[http.method]


def _labels(query: Mapping[str, str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in query.get("labelSelector", "").split(",") if pair)


def _status(
    code: int, reason: str, message: str, headers: Mapping[str, str] | None = None, field: str | None = None
) -> web.Response:
    status: JSONObject = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    if field is not None:
        status["details"] = {"causes": [{"reason": "FieldValueInvalid", "field": field}]}
    return web.json_response(
        {**status, "code": code, "reason": reason, "message": message}, status=code, headers=headers
    )


def _discovery(parts: list[str], lacking: set[str]) -> JSONObject | None:
    groups = sorted({group for group, _ in RESOURCES if group} - lacking)
    if parts == ["version"]:
        return {"major": "1", "minor": "34"}
    if parts == ["api"]:
        return {"versions": ["v1"]}
    if parts == ["apis"]:
        return {"groups": [_group(group) for group in groups]}
    if len(parts) == {"api": 2, "apis": 3}.get(parts[0]):
        group = "" if parts[0] == "api" else parts[1]
        return {"resources": [entry for resource in RESOURCES.values() for entry in _entries(resource, group)]}
    return None


def _group(group: str) -> JSONObject:
    version = next(resource.version for (name, _), resource in RESOURCES.items() if name == group)
    entry = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [entry], "preferredVersion": entry}


def _entries(resource: Resource, group: str) -> list[JSONObject]:
    if resource.group != group:
        return []
    entry = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "kind": resource.kind,
        "namespaced": resource.namespaced,
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    }
    return [entry, {**entry, "name": f"{resource.plural}/status"}] if resource in OWN else [entry]
