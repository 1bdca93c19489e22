"""Objects in an S3 store, with bounded waits and a few kinds of error, each with a message for the user."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import ObjectStore, S3Store
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 4 * 1024 * 1024
# Larger objects are written in parts, this many at once: together the memory that an upload takes.
PART_BYTES = 16 * 1024 * 1024
PARTS = 4
# Writers of one small object that follow each other so closely are not expected: one Job for a version at a time.
UPDATES = 8
# A request may take as long as a large object needs, but a connection without data is closed.
_CLIENT: ClientConfig = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "30m"}
# Short: a caller retries until a deadline of its own, and its message names what it waits for.
_RETRIES: RetryConfig = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=5), "base": 2},
}


class StoreError(Exception):
    """A request to the store failed; the message is a sentence."""


class StoreUnavailableError(StoreError):
    """The store did not answer in time or failed; trying again may help."""


class ObjectMissingError(StoreError):
    """The object or bucket does not exist."""


class AccessDeniedError(StoreError):
    """The store refuses the credentials, or they can't be read."""


class ObjectExistsError(StoreError):
    """The object to create exists already."""


class ObjectChangedError(StoreError):
    """Another writer has changed the object since it was read."""


class _CamelModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class S3Options(_CamelModel):
    """Options of the S3 endpoint; without any, it is AWS. Plain HTTP is used only if `endpoint` begins with `http://`."""

    endpoint: Annotated[str, Field(pattern=r"^https?://")] | None = None
    region: str = "us-east-1"
    force_path_style: bool = False


class StoreConfig(_CamelModel):
    """Address and credentials of a store, as the operator passes them to a pod.

    Attributes
    ----------
    uri_prefix : str
        `s3://bucket/prefix`; nothing outside it is read or written.
    s3 : S3Options
        Endpoint and addressing.
    credentials : Path
        Directory with the files AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    ca_bundle : Path, optional
        PEM file with further certificates to trust.
    """

    uri_prefix: Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]+(/.*)?$")]
    s3: S3Options = S3Options()
    credentials: Path
    ca_bundle: Path | None = None


@dataclass(frozen=True)
class StoredObject:
    """An object found by `list`: its URI, its path relative to the listed URI, and its size in bytes."""

    uri: str
    path: str
    size: int


class Store:
    """Reads and writes objects by URI, all below one prefix.

    Parameters
    ----------
    uri_prefix : str
        `s3://bucket/prefix`.
    bucket : ObjectStore
        The bucket's objects; `connect` opens the one in S3, tests give one in memory.
    """

    def __init__(self, uri_prefix: str, bucket: ObjectStore) -> None:
        self.uri_prefix = uri_prefix.rstrip("/")
        self._bucket = bucket

    @classmethod
    def connect(cls, config: StoreConfig) -> Self:
        """Open the S3 store of `config`; reads credentials and CA bundle, but sends nothing yet.

        Raises
        ------
        AccessDeniedError
            The credentials can't be read.
        StoreError
            The CA bundle or another setting is unusable.
        """
        name = config.uri_prefix.removeprefix("s3://").split("/")[0]
        endpoint = config.s3.endpoint
        client: ClientConfig = {**_CLIENT, "allow_http": endpoint is not None and endpoint.startswith("http://")}
        options: S3Config = {
            "region": config.s3.region,
            "access_key_id": _credential(config.credentials, "AWS_ACCESS_KEY_ID"),
            "secret_access_key": _credential(config.credentials, "AWS_SECRET_ACCESS_KEY"),
            "virtual_hosted_style_request": not config.s3.force_path_style,
        }
        if endpoint is not None and (config.s3.force_path_style or _is_address(endpoint)):
            options["endpoint"] = endpoint
            options["virtual_hosted_style_request"] = False
        elif endpoint is not None:
            # The client takes the endpoint as requests use it: with the bucket in the host name.
            options["endpoint"] = endpoint.replace("://", f"://{name}.", 1)
        try:
            if config.ca_bundle is not None:
                client["root_certificate"] = config.ca_bundle.read_bytes()
            bucket = S3Store(name, config=options, client_options=client, retry_config=_RETRIES)
        except (OSError, ValueError, BaseError) as error:
            raise StoreError(f"The store {config.uri_prefix} can't be used: {_first_line(error)}.") from error
        return cls(config.uri_prefix, bucket)

    def get(self, uri: str, max_bytes: int = MAX_DOCUMENT_BYTES) -> bytes:
        """Return the bytes of a small object.

        Raises
        ------
        StoreError
            See the subclasses; also when it is larger than `max_bytes`.
        """
        parts, size = [], 0
        for part in self.stream(uri):
            size += len(part)
            if size > max_bytes:
                raise StoreError(f"{uri} is larger than {max_bytes} bytes.")
            parts.append(part)
        return b"".join(parts)

    def stream(self, uri: str) -> Iterator[bytes]:
        """Yield an object's bytes in chunks of a few MiB."""
        with self._sentences(uri):
            for part in obstore.get(self._bucket, self._key(uri)).stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(part)

    def size(self, uri: str) -> int:
        """Return an object's size in bytes without reading it."""
        with self._sentences(uri):
            return int(obstore.head(self._bucket, self._key(uri))["size"])

    def list(self, uri: str) -> list[StoredObject]:
        """Return all objects below the folder `uri`, sorted by path."""
        folder = uri.rstrip("/") + "/"
        key = self._key(folder)
        with self._sentences(uri):
            metas = [meta for page in obstore.list(self._bucket, key or None) for meta in page]
        found = [(meta["path"].removeprefix(f"{key}/" if key else ""), meta["size"]) for meta in metas]
        return [StoredObject(folder + path, path, size) for path, size in sorted(found)]

    def update(self, uri: str, change: Callable[[bytes | None], bytes | None], max_bytes: int) -> None:
        """Write what `change` makes of a small object, or of None if there is none.

        Requests are conditional: if another writer was faster, `change` is applied to what that one wrote.

        Parameters
        ----------
        uri : str
            URI of the object.
        change : Callable[[bytes | None], bytes | None]
            Returns the new bytes; nothing is written if they are the same or None.
        max_bytes : int
            Size of the largest object that is read.

        Raises
        ------
        StoreError
            See the subclasses; also when the object is larger than `max_bytes`.
        """
        for _ in range(UPDATES):
            before, tag = self._tagged(uri, max_bytes) or (None, None)
            after = change(before)
            if after is None or after == before:
                return
            try:
                if tag is None:
                    self.put(uri, after, create=True)
                else:
                    self.replace(uri, after, tag)
            except (ObjectExistsError, ObjectChangedError):
                continue
            return
        raise StoreUnavailableError(f"{uri} was changed by another writer {UPDATES} times in a row.")

    def put(self, uri: str, content: bytes | Path, *, create: bool = False) -> None:
        """Write an object, from memory or from a file; readers see it whole or not at all.

        Parameters
        ----------
        uri : str
            URI of the object.
        content : bytes | Path
            The bytes, or the file that has them.
        create : bool, default False
            Refuse to overwrite (one conditional request, so only for small contents).

        Raises
        ------
        ObjectExistsError
            `create` is set, and the object exists.
        """
        with self._sentences(uri):
            key = self._key(uri)
            if create:
                obstore.put(self._bucket, key, content, mode="create", use_multipart=False)
            else:
                obstore.put(self._bucket, key, content, chunk_size=PART_BYTES, max_concurrency=PARTS)

    def replace(self, uri: str, content: bytes, tag: str) -> None:
        """Overwrite a small object that has an ETag, by one conditional request.

        Raises
        ------
        ObjectChangedError
            It has another ETag.
        """
        try:
            with self._sentences(uri):
                obstore.put(self._bucket, self._key(uri), content, mode={"e_tag": tag}, use_multipart=False)
        except StoreUnavailableError as error:
            # A store that creates on a condition (If-None-Match) may not know how to replace on one.
            if _status(error.__cause__) not in ("400", "405", "501"):
                raise
            raise StoreError(f"{error} A store has to support conditional writes by If-Match.") from error

    def _tagged(self, uri: str, max_bytes: int) -> tuple[bytes, str] | None:
        """Return the bytes of a small object and its ETag; None if there is no object."""
        try:
            with self._sentences(uri):
                found = obstore.get(self._bucket, self._key(uri))
                size, tag = found.meta["size"], found.meta["e_tag"]
                content = bytes(found.bytes()) if size <= max_bytes else b""
        except ObjectMissingError:
            return None
        if size > max_bytes:
            raise StoreError(f"{uri} is larger than {max_bytes} bytes.")
        if tag is None:
            raise StoreError(f"{uri} has no ETag, so a change by another writer could be lost.")
        return content, tag

    def covers(self, uri: str) -> bool:
        """Return whether `uri` lies below this store's prefix."""
        return uri == self.uri_prefix or uri.startswith(self.uri_prefix + "/")

    def _key(self, uri: str) -> str:
        if not self.covers(uri):
            raise StoreError(f"{uri} is not below {self.uri_prefix}, the prefix of its store.")
        return "/".join(uri.removeprefix("s3://").split("/")[1:]).strip("/")

    @contextmanager
    def _sentences(self, uri: str) -> Iterator[None]:
        """Convert the client's errors to ours."""
        try:
            yield
        except AlreadyExistsError:
            raise ObjectExistsError(f"{uri} exists already.") from None
        except PreconditionError:
            raise ObjectChangedError(f"{uri} was changed by another writer.") from None
        except FileNotFoundError:
            raise ObjectMissingError(f"There is no {uri}, or no such bucket.") from None
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise AccessDeniedError(f"The store refuses access to {uri}: {_first_line(error)}.") from error
        except ValueError as error:
            raise StoreError(f"{uri} can't be the name of an object: {_first_line(error)}.") from error
        except (BaseError, OSError, TimeoutError) as error:
            raise _failure(uri, error) from error


def under(uri: str, *names: str) -> str:
    """Join path parts to the URI of a folder."""
    return "/".join([uri.rstrip("/"), *names])


def _failure(uri: str, error: Exception) -> StoreError:
    """Return the error of a failed listing, for which the client has no classes, as it has for GET and PUT."""
    status = _status(error)
    if status in ("401", "403"):
        return AccessDeniedError(f"The store refuses access to {uri}: {_first_line(error)}.")
    if status == "404":
        return ObjectMissingError(f"There is no {uri}, or no such bucket.")
    return StoreUnavailableError(f"The store failed at {uri}: {_first_line(error)}.")


def _status(error: BaseException | None) -> str:
    """Return the HTTP status in the client's message; empty without one."""
    found = re.search(r"status code: (\d{3})", str(error))
    return found.group(1) if found else ""


def _is_address(endpoint: str) -> bool:
    """Return whether the endpoint is an IP address, which can't be prefixed with the bucket's name."""
    try:
        ip_address(urlsplit(endpoint).hostname or "")
    except ValueError:
        return False
    return True


def _credential(directory: Path, name: str) -> str:
    try:
        value = (directory / name).read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise AccessDeniedError(f"The store's credentials have no readable key {name}.") from None
    if not value:
        raise AccessDeniedError(f"The store's credential {name} is empty.")
    return value


def _first_line(error: BaseException) -> str:
    """Return the useful part of the client's message: S3's error code, or the message of the operating system.

    The rest is XML, a dump of Rust values, times and counts. With those the same failure would have a new text at each
    attempt, and each would be shown as a new event.
    """
    text = str(error).strip()
    line = text.splitlines()[0] if text else type(error).__name__
    line = re.sub(r" in [\d.]+(ns|µs|ms|s)(, after \d+ retries, [^-]*)? +-", ":", line)
    cause = re.search(r"<Code>(\w+)</Code>", text) or re.search(r'\b(?:message|error): "([^"]+)"', text)
    return line.split(": <?xml")[0].rstrip(".: ")[:500] + (f" ({cause.group(1)})" if cause is not None else "")
