"""Self-contained stories with interruptions and bad days; what a story asserts has to hold all the same."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support import effort

from .branching import Target, failures_of_hits
from .client import Interruption
from .harness import play, rough
from .parallel import failures, report
from .scenarios import Scenario


def comes_through(story: Scenario, interruptions: Sequence[Interruption], *, sample: int, beginning: int) -> None:
    """Hit a story at a sample of its writes; `EFFORT=all` hits every one.

    `beginning` says which part of the writes is left out, one in so many: up to the second version these stories are
    as those that are hit at every write.
    """
    writes = len(play(story, restart=False).trace)
    hits: list[Target] = [
        (write, interruption) for write in range(writes // beginning, writes) for interruption in interruptions
    ]
    found = failures_of_hits(story, effort.spread(hits, sample))
    assert not found, report(found)


def has_bad_days(stories: Sequence[Scenario], days: int) -> None:
    """Play so many bad days, of each story in turn."""

    def check(seed: int) -> str | None:
        play(stories[seed % len(stories)], rough(seed), seed)
        return None

    found = failures(check, range(days))
    assert not found, report(found)
