"""The client protocol for the API server, and its errors.

Objects are plain JSON. `kube/api.py` implements it over HTTP; the simulator in the tests implements it in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .resources import Resource

Manifest = Mapping[str, Any]
"""A Kubernetes object as JSON."""


class APIError(Exception):
    """The API server refused or did not answer.

    Attributes
    ----------
    code
        HTTP status, 0 when there was no answer.
    reason
        `metav1.Status.reason`, or what happened to the connection.
    retry_after
        Seconds to wait, when the server said so.
    """

    def __init__(self, code: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class NotFound(APIError):  # noqa: N818 - the names of the API server's own reasons
    """There is no such object (404)."""


class AlreadyExists(APIError):  # noqa: N818
    """An object of this name exists (409, AlreadyExists)."""


class Conflict(APIError):  # noqa: N818
    """The object is not the observed one any more (409, Conflict)."""


class Invalid(APIError):  # noqa: N818
    """The API server will never accept this (400, 422)."""


class Forbidden(APIError):  # noqa: N818
    """The operator may not do this, or admission refused it (401, 403)."""


class Unavailable(APIError):  # noqa: N818
    """No answer, a timeout, 429 or 5xx: try again. The write may have happened."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a resource at one resourceVersion."""

    items: list[dict[str, Any]]
    resource_version: str


class KubeClient(Protocol):
    """The calls that the operator makes. Every call has a timeout; failures raise an `APIError`."""

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> dict[str, Any]:
        """Read one object live."""

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
    ) -> Listing:
        """Read all objects of a resource, page by page. Items carry `apiVersion` and `kind`."""

    async def create(self, manifest: Manifest) -> dict[str, Any]:
        """Create an object and return it as stored."""

    async def apply(self, manifest: Manifest, field_manager: str) -> dict[str, Any]:
        """Server-side apply with force; fenced by `metadata.uid` and `metadata.resourceVersion` if given."""

    async def patch_status(self, manifest: Manifest, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Merge-patch `.status` of the observed object by `patch`; a `Conflict` if the object has changed since."""

    async def patch_spec(self, manifest: Manifest, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Merge-patch `.spec` of the observed object by `patch`, and add the manifest's labels and annotations.

        It raises a `Conflict` if the object has changed since.
        """

    async def patch_owners(self, manifest: Manifest) -> dict[str, Any]:
        """Give the observed object the manifest's ownerReferences, and add its labels.

        It raises a `Conflict` if the object has changed since.
        """

    async def replace(self, manifest: Manifest) -> dict[str, Any]:
        """Replace an object; a `Conflict` if `metadata.resourceVersion` is not the stored one."""

    async def delete(self, manifest: Manifest, propagation: str = "Background") -> None:
        """Delete the observed object: its uid, and its resourceVersion if given, are preconditions.

        It is no error if it is gone already.
        """
