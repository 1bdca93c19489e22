"""Content addresses: an artifact's manifest and digest, and the digest of training data.

An artifact is a directory of files. Its manifest is RFC 8785 (canonical) JSON
`{schemaVersion, files: [{path, size, sha256}]}` sorted by path, and its digest is `sha256:` and the SHA-256 of
those bytes. So the digest depends on names and contents only, not on where or when the files were written.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from steadfit_artifact.errors import ArtifactError, DigestMismatchError

MANIFEST_NAME = "manifest.json"
SCHEMA_VERSION = 1
# The files of an artifact are listed in a record that has to fit into an object's status.
MAX_FILES = 64
MAX_PATH = 128
CHUNK_BYTES = 1024 * 1024

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, order=True)
class FileEntry:
    """One file: path relative to its root with `/`, size in bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str

    def document(self) -> dict[str, Any]:
        """Return the entry as the JSON object of manifests and records."""
        return {"path": self.path, "size": self.size, "sha256": self.sha256}


@dataclass(frozen=True)
class Manifest:
    """The files of an artifact, sorted by path.

    Raises
    ------
    ArtifactError
        A path leaves the directory or occurs twice, or there are too many files.
    """

    files: tuple[FileEntry, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", tuple(sorted(self.files)))
        if not self.files:
            raise ArtifactError("The artifact has no files.")
        if len(self.files) > MAX_FILES:
            raise ArtifactError(f"The artifact has {len(self.files)} files; at most {MAX_FILES} are allowed.")
        paths = [entry.path for entry in self.files]
        for path, following in zip(paths, [*paths[1:], None], strict=True):
            _check_path(path)
            if path == following:
                raise ArtifactError(f"The manifest names '{path}' twice.")

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the canonical manifest."""
        return "sha256:" + hashlib.sha256(self.canonical()).hexdigest()

    @property
    def size(self) -> int:
        """Sum of the files' sizes in bytes."""
        return sum(entry.size for entry in self.files)

    def canonical(self) -> bytes:
        """Return the manifest as RFC 8785 JSON."""
        return rfc8785.dumps({"schemaVersion": SCHEMA_VERSION, "files": [entry.document() for entry in self.files]})

    @classmethod
    def parse(cls, raw: bytes) -> "Manifest":
        """Read a manifest.

        Raises
        ------
        ArtifactError
            The bytes are not a manifest of this schema version.
        """
        try:
            document = json.loads(raw)
            version, files = document["schemaVersion"], document["files"]
            entries = tuple(FileEntry(entry["path"], entry["size"], entry["sha256"]) for entry in files)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ArtifactError(f"{MANIFEST_NAME} is not a manifest: it needs schemaVersion and files.") from None
        if version != SCHEMA_VERSION:
            raise ArtifactError(f"{MANIFEST_NAME} has schema version {version!r}; this release reads {SCHEMA_VERSION}.")
        for entry in entries:
            if not isinstance(entry.path, str) or type(entry.size) is not int or entry.size < 0:
                raise ArtifactError(f"{MANIFEST_NAME} has a file without a path or size.")
            if not isinstance(entry.sha256, str) or not _SHA256.fullmatch(entry.sha256):
                raise ArtifactError(f"{MANIFEST_NAME}: the sha256 of '{entry.path}' is not 64 hex digits.")
        return cls(entries)


def manifest_of(directory: Path) -> Manifest:
    """Hash every file below `directory`, except its own `manifest.json`.

    Raises
    ------
    ArtifactError
        There is a symbolic link or another non-file, or a name that a manifest can't hold.
    """
    entries = []
    for root, directories, files in os.walk(directory):
        for name in [*directories, *files]:
            path = Path(root, name)
            relative = path.relative_to(directory).as_posix()
            if path.is_symlink():
                raise ArtifactError(f"'{relative}' is a symbolic link; an artifact holds plain files only.")
            if name in directories or relative == MANIFEST_NAME:
                continue
            if not path.is_file():
                raise ArtifactError(f"'{relative}' is not a plain file.")
            entries.append(hash_file(path, relative))
    return Manifest(tuple(entries))


def verify(directory: Path, digest: str) -> Manifest:
    """Check that `directory` holds exactly what `digest` names, by its `manifest.json`, and return the manifest.

    Raises
    ------
    DigestMismatchError
        The manifest or a file differs, is absent or is extra; the message names it.
    ArtifactError
        The manifest can't be read, or the directory holds something other than plain files.
    """
    try:
        raw = (directory / MANIFEST_NAME).read_bytes()
    except OSError:
        raise ArtifactError(f"The artifact has no {MANIFEST_NAME}.") from None
    expected = parse_verified(raw, digest)
    found = {entry.path: entry for entry in manifest_of(directory).files}
    for entry in expected.files:
        check_entry(entry, found.pop(entry.path, None))
    if found:
        raise DigestMismatchError(f"'{min(found)}' does not belong to the artifact {digest}.")
    return expected


def parse_verified(raw: bytes, digest: str) -> Manifest:
    """Read a manifest whose digest must be `digest`.

    Raises
    ------
    DigestMismatchError
        The bytes have another digest.
    ArtifactError
        The bytes are not a manifest.
    """
    actual = "sha256:" + hashlib.sha256(raw).hexdigest()
    if actual != digest:
        raise DigestMismatchError(f"{MANIFEST_NAME} has digest {actual}, but {digest} is expected.")
    return Manifest.parse(raw)


def check_entry(expected: FileEntry, found: FileEntry | None) -> None:
    """Compare a file with its entry in the manifest.

    Raises
    ------
    DigestMismatchError
        They differ; the message names how.
    """
    if found is None:
        raise DigestMismatchError(f"'{expected.path}' of the artifact is absent.")
    if found.size != expected.size:
        raise DigestMismatchError(
            f"'{expected.path}' has {found.size} bytes, but its manifest says {expected.size}; it was cut or replaced."
        )
    if found.sha256 != expected.sha256:
        raise DigestMismatchError(
            f"'{expected.path}' has sha256 {found.sha256}, but its manifest says {expected.sha256}; "
            "its contents were changed."
        )


def hash_file(path: Path, name: str) -> FileEntry:
    """Return the entry of one file, read in chunks."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(name, file.tell(), sha256)


def data_digest(objects: Iterable[FileEntry]) -> str:
    """Return the digest of a data set: SHA-256 of RFC 8785 JSON `[{path, size, sha256}]` sorted by path.

    Paths are relative to the data set, so a copy elsewhere has the same digest.
    """
    canonical = rfc8785.dumps([entry.document() for entry in sorted(objects)])
    return "sha256:" + hashlib.sha256(canonical).hexdigest()


def _check_path(path: str) -> None:
    if len(path) > MAX_PATH or not _PATH.fullmatch(path) or path == MANIFEST_NAME:
        raise ArtifactError(
            f"'{path[:MAX_PATH]}' can't be a file of an artifact: use letters, digits, '.', '_' and '-', "
            f"no leading '.', at most {MAX_PATH} characters, and not {MANIFEST_NAME}."
        )
