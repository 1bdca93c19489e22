"""The demo's side of the object store: months that arrive to be learned from, and months to be played as traffic.

What is played lies beside what is learned from, with the outcomes: the replay's own book of the future.
"""

from __future__ import annotations

from dataclasses import dataclass

import obstore
from obstore.store import S3Store

from tests.support.buckets import bucket

from .flights import month_as_parquet, partition


@dataclass(frozen=True)
class Lake:
    """The bucket that training data is read from, as the host reaches it."""

    store: S3Store

    @classmethod
    def from_environment(cls) -> Lake:
        """Connect with what `make -s env` exports."""
        return cls(bucket("lake"))

    def months(self) -> list[str]:
        """Return the partitions that are there, oldest first."""
        listed = obstore.list_with_delimiter(self.store, "flights/")
        return sorted(prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in listed["common_prefixes"])

    def arrive(self, month: int, half: int | None = None) -> str:
        """Put a month of flights, or one half of it, where it is learned from; return the name of its partition."""
        name = partition(month)
        obstore.put(self.store, f"flights/{name}/part-{half or 0}.parquet", month_as_parquet(month, half))
        return name

    def to_be_played(self, month: int) -> None:
        """Put a month of flights where the replay reads it."""
        obstore.put(self.store, f"traffic/{partition(month)}/part-0.parquet", month_as_parquet(month))

    def clear(self) -> None:
        """Take all months out, so that the story begins in January."""
        for folder in ("flights/", "traffic/"):
            paths = [meta["path"] for batch in obstore.list(self.store, folder) for meta in batch]
            if paths:
                obstore.delete(self.store, paths)
