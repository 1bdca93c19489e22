"""A cluster that was restored to an older state: resourceVersions that go back.

What this process knows is then of a future that never came. The cache would take no state until the resourceVersions
have passed the old ones, which may take months.
"""

from __future__ import annotations


class Restored(Exception):  # noqa: N818 - a fact, as NotFound is
    """The API server holds an older state than this process has seen: stop at once and start with an empty cache."""


def require_newer(what: str, version: int, seen: int) -> None:
    """Check that a read is not older than what was known of the same resource before it was requested.

    Reads are consistent, and resourceVersions of one resource are comparable.

    Raises
    ------
    Restored
        If it is older.
    """
    if version < seen:
        raise Restored(f"{what} has resourceVersion {version}, and {seen} was seen before it was read")
