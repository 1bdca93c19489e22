"""The demo's side of the object store: months that arrive to be learned from, and months to be played as traffic.

What is played lies beside what is learned from, with the outcomes: the replay's own book of the future.
"""

from __future__ import annotations

from dataclasses import dataclass

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import S3Store

from tests.support.buckets import bucket

from .flights import as_parquet, flown, in_celsius, partition
from .replay import ANSWERS
from .year import Answers

METRIC = "flights-metric"
"""Folder of the feed with metric units."""


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
        obstore.put(self.store, f"flights/{name}/part-{half or 0}.parquet", as_parquet(flown(month, half)))
        return name

    def arrive_in_celsius(self, month: int) -> None:
        """Put a month of flights into the feed with metric units, which somebody else fills."""
        content = as_parquet(in_celsius(flown(month)))
        obstore.put(self.store, f"{METRIC}/{partition(month)}/part-0.parquet", content)

    def to_be_played(self, month: int) -> None:
        """Put a month of flights where the replay reads it."""
        obstore.put(self.store, f"traffic/{partition(month)}/part-0.parquet", as_parquet(flown(month)))

    def answers(self, month: int) -> Answers | None:
        """Return what was answered to a month's requests, None before it was written down."""
        try:
            content = obstore.get(self.store, f"{ANSWERS}/{partition(month)}.parquet").bytes()
        except FileNotFoundError:
            return None
        table = pq.read_table(pa.BufferReader(content))
        return Answers(*(table.column(name).to_numpy() for name in ("row", "score", "version")))

    def clear(self) -> None:
        """Take all months out, so that the story begins in January."""
        for folder in ("flights/", f"{METRIC}/", "traffic/", f"{ANSWERS}/"):
            paths = [meta["path"] for batch in obstore.list(self.store, folder) for meta in batch]
            if paths:
                obstore.delete(self.store, paths)
