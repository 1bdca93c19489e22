"""The client protocol over HTTP, by the official package's transport and with plain JSON.

The package's typed models cost 28 MiB and decode 30 times slower than `json.loads`, and fail on objects of a newer
API server; so only its connection handling is used. Every call has a timeout, a content type and a field manager.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException

from .client import (
    AlreadyExists,
    APIError,
    Conflict,
    Forbidden,
    Invalid,
    Listing,
    NotFound,
    Unavailable,
)
from .login import USER_AGENT
from .resources import Resource, resource_of

FIELD_MANAGER = "steadfit"
PAGE_SIZE = 500
CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 30.0
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

Verb = Literal["get", "list", "create", "apply", "patch", "update", "delete"]
_METHODS: Mapping[Verb, str] = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "apply": "PATCH",
    "patch": "PATCH",
    "update": "PUT",
    "delete": "DELETE",
}


class Expired(Unavailable):
    """The page's continue token, or the resourceVersion, is too old (410): start over."""


@dataclass(frozen=True, slots=True)
class ClientStatistics:
    """Counts of the requests to the API server."""

    requests: Mapping[tuple[str, str, str], int]
    """Requests by verb, resource and HTTP status (`0` = no answer)."""
    answer_age_seconds: float | None
    """Time since the API server last answered anything but a server error; None before the first time."""


class APIServer:
    """The `KubeClient` over HTTP."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        page_size: int = PAGE_SIZE,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._http = ApiClient(configuration)
        self._http.user_agent = USER_AGENT
        self._page_size = page_size
        self._timeout = aiohttp.ClientTimeout(total=request_seconds, sock_connect=CONNECT_SECONDS)
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._answered: float | None = None

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> dict[str, Any]:
        """Read one object live."""
        return await self._call("get", resource, resource.path(namespace, name))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
    ) -> Listing:
        """Read all objects of a resource, page by page, all at one resourceVersion."""
        query = [("labelSelector", label_selector)] if label_selector else []
        try:
            return await self._list(resource, namespace, query, self._page_size)
        except Expired:
            # The pages took longer than the API server keeps its history: list again without pages.
            return await self._list(resource, namespace, query, 0)

    async def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object and return it as stored."""
        resource = resource_of(manifest)
        path = resource.path(manifest.get("metadata", {}).get("namespace"))
        return await self._call("create", resource, path, _WRITE, manifest)

    async def apply(self, manifest: Mapping[str, Any], field_manager: str) -> dict[str, Any]:
        """Server-side apply with force; fenced by `metadata.uid` and `metadata.resourceVersion` if given."""
        query = [("fieldManager", field_manager), ("force", "true"), ("fieldValidation", "Strict")]
        return await self._call("apply", resource_of(manifest), _path(manifest), query, manifest, APPLY_PATCH)

    async def patch_status(self, manifest: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
        """Merge-patch `.status` of the observed object by `patch`; a `Conflict` if the object has changed since."""
        body = {**_observed(manifest, "uid", "resourceVersion"), "status": patch}
        path = _path(manifest, "status")
        return await self._call("patch", resource_of(manifest), path, _WRITE, body, MERGE_PATCH)

    async def patch_spec(self, manifest: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
        """Merge-patch `.spec` of the observed object by `patch`, and add the manifest's labels and annotations."""
        body = {**_observed(manifest, "uid", "resourceVersion", "labels", "annotations"), "spec": patch}
        return await self._call("patch", resource_of(manifest), _path(manifest), _WRITE, body, MERGE_PATCH)

    async def patch_owners(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Give the observed object the manifest's ownerReferences, and add its labels."""
        body = _observed(manifest, "uid", "resourceVersion", "labels", "ownerReferences")
        return await self._call("patch", resource_of(manifest), _path(manifest), _WRITE, body, MERGE_PATCH)

    async def replace(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Replace an object; a `Conflict` if `metadata.resourceVersion` is not the stored one."""
        return await self._call("update", resource_of(manifest), _path(manifest), _WRITE, manifest)

    async def delete(self, manifest: Mapping[str, Any], propagation: str = "Background") -> None:
        """Delete the observed object: its uid, and its resourceVersion if given, are preconditions.

        It is no error if it is gone already.
        """
        metadata = manifest["metadata"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": {key: metadata[key] for key in ("uid", "resourceVersion") if key in metadata},
        }
        try:
            await self._call("delete", resource_of(manifest), _path(manifest), (), options)
        except NotFound:
            return

    def statistics(self) -> ClientStatistics:
        """Return counts of the requests so far."""
        age = None if self._answered is None else asyncio.get_running_loop().time() - self._answered
        return ClientStatistics(dict(self._requests), age)

    async def _list(
        self, resource: Resource, namespace: str | None, query: Sequence[tuple[str, str]], page_size: int
    ) -> Listing:
        items: list[dict[str, Any]] = []
        page: list[tuple[str, str]] = []
        while True:
            limit = [("limit", str(page_size))] if page_size else []
            reply = await self._call("list", resource, resource.path(namespace), [*query, *limit, *page])
            # Items of a list carry neither, and the operator identifies objects by them.
            named = {"apiVersion": resource.api_version, "kind": resource.kind}
            items.extend({**named, **item} for item in reply["items"])
            token = reply["metadata"].get("continue")
            if not token:
                return Listing(items, reply["metadata"]["resourceVersion"])
            page = [("continue", token)]

    async def _call(
        self,
        verb: Verb,
        resource: Resource,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        headers = {"Accept": JSON, "Content-Type": content_type}
        code = "0"
        try:
            request = await self._http.param_serialize(
                _METHODS[verb], path, None, list(query), headers, body, auth_settings=["BearerToken"]
            )
            response = await self._http.call_api(*request, _request_timeout=self._timeout)
            data = await response.read()
            code = str(response.status)
            reply = _decoded(response.status, data)
        except (aiohttp.ClientError, ApiException, OSError, ValueError) as error:
            raise Unavailable(int(code), type(error).__name__, str(error) or "no answer") from error
        finally:
            self._requests[verb, resource.plural, code] += 1
        if response.status < 500:
            self._answered = asyncio.get_running_loop().time()
        if response.status >= 400:
            raise _error(response.status, reply, response.headers.get("Retry-After"))
        return dict(reply)


_WRITE = (("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict"))

_CLASSES: Mapping[int, type[APIError]] = {
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    410: Expired,
    429: Unavailable,
}


def _decoded(code: int, data: bytes) -> Any:
    """Return the JSON of an answer. The 404 for an API group that the cluster lacks is plain text."""
    try:
        return json.loads(data)
    except ValueError:
        if code == 404:
            return {"message": data.decode(errors="replace").strip()}
        raise


def _error(code: int, status: Mapping[str, Any], retry_after: str | None) -> APIError:
    """Return the exception for a `metav1.Status`; an unknown 4xx is `Invalid`, anything else `Unavailable`."""
    reason = str(status.get("reason") or code)
    error = _CLASSES.get(code, Invalid if 400 <= code < 500 else Unavailable)
    if reason == "AlreadyExists":
        error = AlreadyExists
    causes = (status.get("details") or {}).get("causes") or ()
    if any(cause.get("field") == "metadata.uid" for cause in causes):
        # A fenced apply met another object of the name: the API server reports that as a change of the uid field.
        error = Conflict
    seconds = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
    return error(code, reason, str(status.get("message") or reason), seconds)


def _observed(manifest: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    """Return the head of a patch, with these fields of the metadata; uid and resourceVersion fence it."""
    metadata = {name: manifest["metadata"][name] for name in fields if name in manifest["metadata"]}
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata}


def _path(manifest: Mapping[str, Any], subresource: str | None = None) -> str:
    metadata = manifest["metadata"]
    return resource_of(manifest).path(metadata.get("namespace"), metadata["name"], subresource)
