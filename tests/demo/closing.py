"""The end of the year: what was answered beside what others would have answered, and what the report says of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.kubectl import TimedOut, ticks

from . import picture, rivals, year
from .calendar import WHOLE, played
from .facts import trainings
from .flights import flown
from .lake import Lake
from .story import Year
from .year import Answers

FEWEST_REQUESTS = 50_000


def close(told: Year, scores: Path, output: Path) -> dict[str, Any]:
    """Write the picture; return what the report says beside the steps and the requests."""
    months = played(told.world.months)
    answers = _answers(told.world.lake, months)
    outcomes = {month: flown(month)["late"].to_numpy() for month in months}
    curves = year.curves(answers, outcomes, rivals.read(scores, months[-1]))
    runs = {"live": len(trainings(told.timeline.kubectl.list("trainingruns"))), **rivals.runs(months[-1])}
    summary = year.summary(curves, runs)
    marks = picture.marks_of(told.timeline.steps)
    picture.write(picture.Story(curves, told.drift, told.level, marks, summary), output)
    wrong = year.shortfalls(summary) if told.world.months == WHOLE else []
    return {"year": summary, "appliedAgain": told.applied_again, "shortfalls": wrong + came_back(told.applied_again)}


def _answers(lake: Lake, months: range) -> dict[int, Answers]:
    """Return what was answered in each month, once it is written down.

    Raises
    ------
    TimedOut
        When it is not.
    """
    found: dict[int, Answers] = {}
    for _ in ticks(60):
        found = {month: given for month in months if (given := lake.answers(month)) is not None}
        if len(found) == len(months):
            return found
    raise TimedOut(f"the answers of {sorted(set(months) - set(found))} were not written down")


def came_back(applied_again: Mapping[str, Any]) -> list[str]:
    """Return what applying the same manifests again has changed, each as a sentence."""
    before, after = (applied_again.get(when) for when in ("before", "after"))
    if before is None:
        return []
    if after is None:
        return ["there was no time to see what applying the same manifests again would bring"]
    return [] if before == after else [f"applying the same manifests again changed {before} to {after}"]
