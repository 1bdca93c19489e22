"""Closed seconds of both arms, from the answers of their pods.

A second is complete once every pod that answers has closed it. A pod that falls silent is waited for during
`PATIENCE` reads, so that one lost answer loses nothing, and then left out: its requests are missing on its arm for
these seconds, which makes the comparison less certain and not wrong, since each second is compared by shares. Without
this limit one dead pod would blind the analysis. A pod that never answered is not waited for.
An arm of which no pod answers has no complete second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from .answer import Answer, NoTallies, Row

PATIENCE = 3
"""Reads without an answer after which a pod is not waited for."""
KEPT_SECONDS = 120
"""Seconds that a server keeps; earlier ones cannot be complete any more."""


@dataclass(frozen=True, slots=True)
class Second:
    """One closed second of both arms."""

    second: int
    candidate: tuple[Row, ...]
    champion: tuple[Row, ...]


@dataclass(slots=True)
class _Feed:
    """What is known of one pod."""

    revision: str
    closed: int
    failures: int = PATIENCE
    foreign: bool = False
    """Whether it has said that it has no tallies."""
    rows: dict[int, list[Row]] = field(default_factory=dict)
    problem: str = ""

    @property
    def answers(self) -> bool:
        """Whether it is waited for."""
        return self.failures < PATIENCE


class Pairing:
    """The seconds of one trial.

    Parameters
    ----------
    candidate, champion
        Revisions of the arms.
    first
        The first second that is returned.
    """

    def __init__(self, candidate: str, champion: str, first: int) -> None:
        self._candidate = candidate
        self._champion = champion
        self._complete = first - 1
        self._feeds: dict[str, _Feed] = {}

    @property
    def complete(self) -> int:
        """The last second that was returned; before, the one before the first."""
        return self._complete

    @property
    def waits(self) -> bool:
        """Whether a pod has just fallen silent, so that it should be read again soon."""
        return any(0 < feed.failures < PATIENCE for feed in self._feeds.values())

    def since(self, uid: str) -> int:
        """Return the second after which a pod is to be read."""
        feed = self._feeds.get(uid)
        return max(feed.closed, self._complete) if feed is not None else self._complete

    def keep_only(self, pods: Mapping[str, str]) -> None:
        """Forget the pods that are gone; `pods` are revisions by uid."""
        self._feeds = {uid: feed for uid, feed in self._feeds.items() if uid in pods}
        for uid, revision in pods.items():
            self._feeds.setdefault(uid, _Feed(revision, self._complete))

    def answered(self, uid: str, answer: Answer) -> None:
        """Take the answer of a pod."""
        feed = self._feeds[uid]
        feed.failures, feed.foreign, feed.problem = 0, False, ""
        since, feed.closed = self.since(uid), answer.closed
        for row in answer.rows:
            if row.second > since:
                feed.rows.setdefault(row.second, []).append(row)
        # Also while the other arm has no pod that answers, so that no second is complete.
        oldest = feed.closed - KEPT_SECONDS
        feed.rows = {second: rows for second, rows in feed.rows.items() if second > oldest}

    def failed(self, uid: str, error: NoTallies) -> None:
        """Note that a pod has no tallies, or did not answer."""
        feed = self._feeds[uid]
        feed.failures = feed.failures + 1 if error.silent else PATIENCE
        feed.foreign, feed.problem = not error.silent, error.message

    def problem(self, revision: str) -> str:
        """Return why no pod of an arm answers; empty if one does, or if there is none."""
        feeds = [feed for feed in self._feeds.values() if feed.revision == revision]
        return "" if any(feed.answers for feed in feeds) else next((feed.problem for feed in feeds), "")

    def is_foreign(self, revision: str) -> bool:
        """Return whether all pods of an arm have said that they have no tallies."""
        feeds = [feed for feed in self._feeds.values() if feed.revision == revision]
        return bool(feeds) and all(feed.foreign for feed in feeds)

    def seconds(self) -> Iterator[Second]:
        """Return the seconds that have become complete, in order, each once."""
        closed = self._closed()
        if closed is None:
            return
        begin = max(self._complete + 1, closed - KEPT_SECONDS + 1)
        for second in range(begin, closed + 1):
            self._complete = second
            yield Second(second, self._rows(self._candidate, second), self._rows(self._champion, second))
        for feed in self._feeds.values():
            feed.rows = {second: rows for second, rows in feed.rows.items() if second > self._complete}

    def _closed(self) -> int | None:
        """Return the last second that all pods that answer have closed; None without a pod of each arm."""
        feeds = [feed for feed in self._feeds.values() if feed.answers]
        arms: Collection[str] = {feed.revision for feed in feeds}
        return min(feed.closed for feed in feeds) if {self._candidate, self._champion} <= set(arms) else None

    def _rows(self, revision: str, second: int) -> tuple[Row, ...]:
        feeds = (feed for feed in self._feeds.values() if feed.revision == revision)
        return tuple(row for feed in feeds for row in feed.rows.get(second, ()))
