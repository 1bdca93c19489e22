"""Objects in an S3 store: bounded waits, few kinds of failure, each a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
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
# A request may take as long as a large object needs, but a silent connection is given up.
_CLIENT: ClientConfig = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "30m"}
# Short: a caller retries until a deadline of its own, and its message names what it waits for.
_RETRIES: RetryConfig = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=5), "base": 2},
}


class StoreError(Exception):
    """The store did not do what was asked; the message is a sentence."""


class StoreUnavailableError(StoreError):
    """The store did not answer in time or failed: waiting may help."""


class ObjectMissingError(StoreError):
    """There is no such object or bucket."""


class AccessDeniedError(StoreError):
    """The store refuses the credentials, or they can't be read."""


class ObjectExistsError(StoreError):
    """An object was to be created, but there is one already."""


class _CamelModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class S3Options(_CamelModel):
    """How to reach the S3 endpoint; all absent means AWS itself. Plain HTTP only where `endpoint` says `http://`."""

    endpoint: Annotated[str, Field(pattern=r"^https?://")] | None = None
    region: str = "us-east-1"
    force_path_style: bool = False


class StoreConfig(_CamelModel):
    """Where a store is, as the operator tells it to a pod.

    Attributes
    ----------
    uri_prefix : str
        `s3://bucket/prefix`; nothing outside of it is read or written.
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
            # The client wants the endpoint as requests are sent: with the bucket in the host's name.
            options["endpoint"] = endpoint.replace("://", f"://{name}.", 1)
        try:
            if config.ca_bundle is not None:
                client["root_certificate"] = config.ca_bundle.read_bytes()
            bucket = S3Store(name, config=options, client_options=client, retry_config=_RETRIES)
        except (OSError, ValueError, BaseError) as error:
            raise StoreError(f"The store {config.uri_prefix} can't be used: {_first_line(error)}.") from error
        return cls(config.uri_prefix, bucket)

    def get(self, uri: str, max_bytes: int = MAX_DOCUMENT_BYTES) -> bytes:
        """Return a small object whole.

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

    def put(self, uri: str, content: bytes | Path, *, create: bool = False) -> None:
        """Write an object, from memory or from a file; readers see it whole or not at all.

        Parameters
        ----------
        uri : str
            Where.
        content : bytes | Path
            The bytes, or the file that has them.
        create : bool, default False
            Refuse to overwrite (one conditional request, so only for small contents).

        Raises
        ------
        ObjectExistsError
            `create`, and there is an object.
        """
        with self._sentences(uri):
            key = self._key(uri)
            if create:
                obstore.put(self._bucket, key, content, mode="create", use_multipart=False)
            else:
                obstore.put(self._bucket, key, content, chunk_size=PART_BYTES, max_concurrency=PARTS)

    def covers(self, uri: str) -> bool:
        """Tell whether `uri` lies below this store's prefix."""
        return uri == self.uri_prefix or uri.startswith(self.uri_prefix + "/")

    def _key(self, uri: str) -> str:
        if not self.covers(uri):
            raise StoreError(f"{uri} is not below {self.uri_prefix}, the prefix of its store.")
        return "/".join(uri.removeprefix("s3://").split("/")[1:]).strip("/")

    @contextmanager
    def _sentences(self, uri: str) -> Iterator[None]:
        """Turn the client's errors into ours."""
        try:
            yield
        except AlreadyExistsError:
            raise ObjectExistsError(f"{uri} exists already.") from None
        except FileNotFoundError:
            raise ObjectMissingError(f"There is no {uri}, or no such bucket.") from None
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise AccessDeniedError(f"The store refuses access to {uri}: {_first_line(error)}.") from error
        except ValueError as error:
            raise StoreError(f"{uri} can't be the name of an object: {_first_line(error)}.") from error
        except (BaseError, OSError, TimeoutError) as error:
            raise _failure(uri, error) from error


def under(uri: str, *names: str) -> str:
    """Return the URI of something below a folder's URI."""
    return "/".join([uri.rstrip("/"), *names])


def _failure(uri: str, error: Exception) -> StoreError:
    """Return what the client did not tell apart: it has classes for answers to GET and PUT, but not to listing."""
    status = re.search(r"status code: (\d{3})", str(error))
    if status is not None and status.group(1) in ("401", "403"):
        return AccessDeniedError(f"The store refuses access to {uri}: {_first_line(error)}.")
    if status is not None and status.group(1) == "404":
        return ObjectMissingError(f"There is no {uri}, or no such bucket.")
    return StoreUnavailableError(f"The store failed at {uri}: {_first_line(error)}.")


def _is_address(endpoint: str) -> bool:
    """Tell whether the endpoint is an IP address, before which no bucket's name can be put."""
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
    """Return what a person needs of the client's message, with S3's code or the system's words.

    The rest is XML, a dump of Rust values, and times and counts: with those the same failure would never read the same
    twice, and whoever shows it would take every attempt for news.
    """
    text = str(error).strip()
    line = text.splitlines()[0] if text else type(error).__name__
    line = re.sub(r" in [\d.]+(ns|µs|ms|s)(, after \d+ retries, [^-]*)? +-", ":", line)
    cause = re.search(r"<Code>(\w+)</Code>", text) or re.search(r'\b(?:message|error): "([^"]+)"', text)
    return line.split(": <?xml")[0].rstrip(".: ")[:500] + (f" ({cause.group(1)})" if cause is not None else "")
