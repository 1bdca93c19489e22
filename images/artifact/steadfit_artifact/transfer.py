"""Upload and download of artifacts: the manifest is written last and read first."""

import hashlib
import shutil
from pathlib import Path

from steadfit_artifact.digest import MANIFEST_NAME, FileEntry, Manifest, check_entry, parse_verified
from steadfit_artifact.errors import DigestMismatchError
from steadfit_artifact.store import Store, under

MAX_MANIFEST_BYTES = 1024 * 1024


def artifact_uri(folder: str, digest: str) -> str:
    """Return the URI of the artifact with `digest`: `<folder>/artifacts/sha256/<hex>/`."""
    return under(folder, "artifacts", "sha256", digest.removeprefix("sha256:"), "")


def upload(store: Store, uri: str, directory: Path, manifest: Manifest) -> None:
    """Write the files, then the manifest: an artifact without a manifest is incomplete and can't be loaded.

    Writing the same artifact again changes nothing, since its URI names its contents.

    Raises
    ------
    StoreError
        The store failed; trying again is safe.
    """
    for entry in manifest.files:
        store.put(under(uri, entry.path), directory / entry.path)
    store.put(under(uri, MANIFEST_NAME), manifest.canonical())


def download(store: Store, uri: str, digest: str, directory: Path) -> Manifest:
    """Fetch the artifact at `uri` into `directory` (emptied first), and check every byte against `digest`.

    Raises
    ------
    DigestMismatchError
        A file or the manifest does not have its digest.
    ArtifactError
        The manifest can't be read.
    StoreError
        The store failed, or an object is missing.
    """
    if directory.exists():
        for old in directory.iterdir():
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    directory.mkdir(parents=True, exist_ok=True)
    raw = store.get(under(uri, MANIFEST_NAME), MAX_MANIFEST_BYTES)
    manifest = parse_verified(raw, digest)
    for entry in manifest.files:
        _fetch(store, under(uri, entry.path), entry, directory / entry.path)
    (directory / MANIFEST_NAME).write_bytes(raw)
    return manifest


def _fetch(store: Store, uri: str, entry: FileEntry, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    sha256, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        for chunk in store.stream(uri):
            size += len(chunk)
            if size > entry.size:
                raise DigestMismatchError(
                    f"'{entry.path}' has more than the {entry.size} bytes of its manifest; it was replaced."
                )
            sha256.update(chunk)
            file.write(chunk)
    check_entry(entry, FileEntry(entry.path, size, sha256.hexdigest()))
