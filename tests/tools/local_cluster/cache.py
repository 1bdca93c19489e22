"""A cache outside the work tree, addressed by the hash of what its entries are built from."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache"}


def key(*parts: str | bytes) -> str:
    """16 hex digits of the SHA-256 of the parts, each with its length so that no two lists collide."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()[:16]


def files_below(paths: Iterable[Path]) -> list[Path]:
    """Every file in ``paths``, directories descended, sorted; byte code and tool caches left out."""
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found.update(p for p in path.rglob("*") if p.is_file() and not IGNORED & set(p.parts))
        else:
            found.add(path)
    return sorted(found)


def tree_key(root: Path, paths: Iterable[Path], *extra: str) -> str:
    """Key of files' contents, names below ``root`` and executable bits, and of ``extra``.

    Raises:
        FileNotFoundError: one of the paths does not exist.

    """
    parts: list[str | bytes] = list(extra)
    for path in files_below(paths):
        parts += [str(path.relative_to(root)), str(os.access(path, os.X_OK)), path.read_bytes()]
    return key(*parts)


class Cache:
    """Directories ``<root>/<kind>/<name>-<key>``, complete or absent."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def directory(self, kind: str, name: str, entry_key: str, build: Callable[[Path], None]) -> Path:
        """Return the entry, calling ``build`` with an empty directory if there is none yet.

        The directory takes its name only after ``build`` returned: an interrupted build leaves no entry.
        """
        entry = self.root / kind / f"{name}-{entry_key}"
        if entry.is_dir():
            return entry
        unfinished = entry.with_name(f".{entry.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        build(unfinished)
        unfinished.rename(entry)
        return entry


@contextmanager
def exclusive(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold an exclusive lock on a file: one bring-up at a time on a machine. The kernel frees it on any death.

    ``waiting`` is called once if somebody else holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
