"""The objects of a data source: listing, download and digest."""

import hashlib
import json
import re
from pathlib import Path

from steadfit_artifact.digest import FileEntry, data_digest
from steadfit_artifact.store import ObjectMissingError, Store, StoredObject

from steadfit_trainer.config import DataSource
from steadfit_trainer.failures import DataFailure

_PARTITION = re.compile(r"[^/=]+=[^/]*")


def resolve(store: Store, source: DataSource) -> list[StoredObject]:
    """Return the objects of a source, sorted by path.

    A URI names one object or a folder. Names that begin with `_` or `.` are markers of the tools that write
    tables, and are left out.

    Raises
    ------
    DataFailure
        There are no objects.
    StoreError
        The store failed.
    """
    if source.latest is None and not source.uri.endswith("/"):
        try:
            size = store.size(source.uri)
        except ObjectMissingError:
            pass  # Then it is a folder without a trailing slash.
        else:
            return [StoredObject(source.uri, source.uri.rsplit("/", 1)[-1], size)]
    found = [each for each in store.list(source.uri) if _is_data(each.path)]
    if source.latest is not None:
        partitions = newest({_partition(each.path) for each in found} - {""}, source.latest.partitions)
        if not partitions:
            raise DataFailure(
                f"There is no partition below {source.uri}; partitions are folders such as month=2026-01/."
            )
        found = [each for each in found if _partition(each.path) in partitions]
    if not found:
        raise DataFailure(f"There is nothing at {source.uri}.")
    return found


def newest(partitions: set[str], count: int) -> set[str]:
    """Return the `count` newest partitions by name: numbers compare as numbers, so month=9 is before month=10."""
    return set(sorted(partitions, key=_natural)[-count:])


def fetch_object(store: Store, found: StoredObject, target: Path) -> FileEntry:
    """Write an object's bytes to `target` and return its entry, with the hash of the written bytes.

    Raises
    ------
    DataFailure
        The object was deleted after the listing.
    StoreError
        The store failed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sha256, size = hashlib.sha256(), 0
    try:
        with target.open("wb") as file:
            for chunk in store.stream(found.uri):
                sha256.update(chunk)
                file.write(chunk)
                size += len(chunk)
    except ObjectMissingError:
        raise DataFailure(f"{found.uri} vanished while it was read.") from None
    return FileEntry(found.path, size, sha256.hexdigest())


def check_digest(source: DataSource, entries: list[FileEntry]) -> str:
    """Return the digest of the data, after a comparison with the declared one.

    For a single object its plain SHA-256 is accepted too, because other tools show that.

    Raises
    ------
    DataFailure
        The digests differ.
    """
    actual = data_digest(entries)
    accepted = {actual} | ({f"sha256:{entries[0].sha256}"} if len(entries) == 1 else set())
    if source.digest is not None and source.digest not in accepted:
        shown = f"sha256:{entries[0].sha256}" if len(entries) == 1 else actual
        raise DataFailure(f"The data at {source.uri} has digest {shown}, but {source.digest} is declared.")
    return actual


def _is_data(path: str) -> bool:
    return bool(path) and not any(part.startswith(("_", ".")) for part in path.split("/"))


def _partition(path: str) -> str:
    """Return the folder of an object if all folders of its path are `key=value`, else an empty text."""
    folders = path.split("/")[:-1]
    return "/".join(folders) if folders and all(_PARTITION.fullmatch(folder) for folder in folders) else ""


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.split(r"(\d+)", name)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts], name


def digest_of(sources: list[tuple[str, str]]) -> str:
    """Return SHA-256 over the names and digests of data sources, as the operator computes it of a version."""
    return hashlib.sha256(json.dumps(sorted(map(list, sources)), separators=(",", ":")).encode()).hexdigest()
