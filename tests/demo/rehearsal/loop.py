"""The year without a cluster: the same months, models, levels and clocks, and the operator's own arithmetic.

What takes time takes what it took on a cluster of two cores. Chance is in the shares of a canary alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.stats import binomtest
from steadfit.api.base import parse_duration
from steadfit.api.margin import Margin
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.strategy import AnalysisMetric
from steadfit.core.monitors import thresholds
from steadfit.core.serving.rollout import analysis
from steadfit.core.serving.rollout.stratified_difference import Slice, pair
from steadfit.core.types import Compared

from tests.demo.calendar import COMMIT, FEED_ENDS, LEARNED, REVERT
from tests.demo.offline import EXAMPLE, recipe
from tests.demo.overlay import COOLDOWN
from tests.demo.replay import SECONDS

from .traffic import Chosen, Part, lake, traffic
from .version import Version, version

LOOK = 5.0
SLICE = 15.0
"""Seconds of a slice of the analysis."""
MOST_SLICES = 30


@dataclass(frozen=True)
class Pace:
    """What takes how long, in seconds; as it was on a cluster of two cores, unless something else is asked for.

    Attributes
    ----------
    seed
        Of the shares of a canary.
    """

    run: float = 17.0
    evaluation: float = 9.0
    start: float = 5.0
    seed: int = 1


@dataclass
class Trial:
    """A candidate that takes a share of the traffic."""

    version: Version
    number: int
    since: float
    step: int = 0
    step_since: float = 0.0


@dataclass
class Loop:
    """The loop's year.

    Attributes
    ----------
    pace
        How fast all is.
    told
        What happened, and when.
    used
        The score that each request was answered with.
    """

    pace: Pace = field(default_factory=Pace)
    told: list[tuple[float, str]] = field(default_factory=list)
    runs: int = 1
    used: NDArray[np.float64] = field(default_factory=lambda: np.full(len(traffic().at), np.nan))

    def __post_init__(self) -> None:
        spec = ModelDeployment.model_validate(yaml.safe_load((EXAMPLE / "model-deployment.yaml").read_text())).spec
        self._drift = next(each for each in spec.monitors if each.drift)
        self._quality = next(each for each in spec.monitors if each.action == "Recover")
        self.metric = next(each for each in spec.analysis.metrics if each.quality)
        self._samples = spec.analysis.min_samples
        self._shares = [1 / 3, 1 / 2]
        self._chance = np.random.default_rng(self.pace.seed)
        self._live, self._last = version(_months(LEARNED)), cast(Version | None, None)
        self._served: dict[Version, Chosen] = {}
        self._number, self._since = 1, float(LEARNED[-1] + 1)
        self._trial: Trial | None = None
        self._coming: tuple[float, Version] | None = None
        self._evaluated_at: float | None = None
        self._moved, self._firing = False, False
        self._committed, self._reverted, self._quarantined = False, False, False
        self._ready_at = 0.0

    def play(self) -> None:
        """Play the year."""
        for at in np.arange(LEARNED[-1] + 1, 13, LOOK / SECONDS):
            self._answer(at)
            now = at + LOOK / SECONDS
            self._judge(now)
            self._monitor(now)
            self._train(now)

    def _tell(self, now: float, text: str) -> None:
        self.told.append((now, text))

    def _answer(self, at: float) -> None:
        asked = np.flatnonzero(traffic().between(at, at + LOOK / SECONDS))
        trial = self._trial
        share = self._shares[trial.step] if trial is not None and at >= trial.since else 0.0
        chosen = self._chance.random(len(asked)) < share
        if trial is not None:
            self._by(trial.version, asked[chosen])
        self._by(self._live, asked[~chosen])

    def _by(self, one: Version, rows: NDArray[np.int64]) -> None:
        self._requests_of(one)[rows] = True
        self.used[rows] = one.scores[rows]

    def _requests_of(self, one: Version) -> Chosen:
        return self._served.setdefault(one, np.zeros(len(traffic().at), bool))

    def _judge(self, now: float) -> None:
        trial = self._trial
        if trial is None or now <= trial.since:
            return
        mine, theirs = (Arm(each, self._requests_of(each)) for each in (trial.version, self._live))
        begun = trial.step_since + (self.pace.start / SECONDS if trial.step else 0)
        found = look(mine, theirs, trial.since, now, self.metric, begun)
        if found is None:
            return
        harm, word, in_step = found
        if word == "Fail":
            self._tell(now, f"v{trial.number} is found worse by {harm:.3f}")
            self._trial, self._quarantined = None, True
        elif word == "Pass" and in_step >= self._samples:
            if trial.step + 1 < len(self._shares):
                trial.step, trial.step_since = trial.step + 1, now
                return
            self._tell(now, f"v{trial.number} takes over (Brier {harm:+.3f})")
            self._last, self._live, self._number = self._live, trial.version, trial.number
            self._since = now + self.pace.start / SECONDS
            self._ready_at = self._since + parse_duration(COOLDOWN).total_seconds() / SECONDS
            self._trial, self._moved, self._firing, self._evaluated_at = None, False, False, None

    def _monitor(self, now: float) -> None:
        """Follow the quality monitor with its hysteresis, and the diagnosis that it leads to."""
        month = traffic().between(now - 1, now)
        counted = month & self._requests_of(self._live)
        limits = thresholds.thresholds(self._quality)
        if counted.sum() >= thresholds.min_samples(self._quality):
            right = self._live.right[counted]
            upper = binomtest(int(right.sum()), len(right)).proportion_ci(0.95, "wilson").high
            side = limits.side(float(right.mean()), float(upper))
            self._firing = side == "Breached" or (self._firing and side == "Between")
        if self._firing and not self._moved and self._evaluated_at is None:
            self._evaluated_at = now + (self.pace.evaluation / SECONDS if self._last is not None else 0)
            self._tell(now, f"accuracy of v{self._number} {float(self._live.right[counted].mean()):.3f}")
        if self._evaluated_at is not None and now >= self._evaluated_at and not self._moved:
            self._moved = True
            before = f"{self._last.right[month].mean():.3f}" if self._last is not None else "nothing"
            self._tell(
                now,
                f"on all rows of a month v{self._number} has {self._live.right[month].mean():.3f}, before: {before}",
            )

    def _train(self, now: float) -> None:
        if self._coming is not None and now >= self._coming[0]:
            self._gate(now, self._coming[1])
            self._coming = None
        if self._coming is not None or self._trial is not None:
            return
        cause = next(self._causes(now), None)
        if cause is None:
            return
        self.runs += 1
        feed = self._committed and not self._reverted
        parts = _months(range(1, FEED_ENDS + 1)) if feed else lake(now, recipe()["data"][0]["latest"]["partitions"])
        newest = [part for part in parts if part.month > parts[-1].month - recipe()["data"][0]["latest"]["partitions"]]
        self._tell(now, f"run {self.runs}, {cause}: months {newest[0].month} to {newest[-1].month}")
        self._coming = (now + self.pace.run / SECONDS, version(tuple(newest), celsius=feed))

    def _causes(self, now: float) -> Iterator[str]:
        if not self._committed and now >= COMMIT:
            self._committed = True
            yield "commit"
        if self._quarantined and not self._reverted and now >= REVERT:
            self._reverted = True
            yield "revert"
        if now < self._ready_at:
            return
        if self._moved and self._firing:
            yield "the world moved"
        counted = traffic().between(now - 1, now) & self._requests_of(self._live)
        if counted.sum() >= thresholds.min_samples(self._drift):
            drift = self._live.drift(counted)
            if thresholds.thresholds(self._drift).side(drift) == "Breached":
                yield f"drift {drift:.2f}"

    def _gate(self, now: float, new: Version) -> None:
        found = new.beside(self._live)
        passed = found.lower > -Margin.parse(recipe()["evaluation"]["champion"]["margin"]).of(found.value)
        interval = f"{found.difference:+.3f} [{found.lower:+.3f}, {found.upper:+.3f}]"
        self._tell(now, f"v{self.runs} beside v{self._number}: {interval}, {'passes' if passed else 'refused'}")
        self._ready_at = max(self._ready_at, now + parse_duration(COOLDOWN).total_seconds() / SECONDS)
        if passed:
            since = now + self.pace.start / SECONDS
            self._trial = Trial(new, self.runs, since, step_since=since)


@dataclass(frozen=True)
class Arm:
    """A version and the requests that it answered."""

    version: Version
    requests: Chosen


def look(
    new: Arm, champion: Arm, since: float, now: float, metric: AnalysisMetric, begun: float
) -> tuple[float, str, int] | None:
    """Return the harm by the Brier score, what the analysis makes of it, and the new version's answers in its step.

    None before the first slice.
    """
    elapsed = (now - since) * SECONDS
    length = max(SLICE, math.ceil(elapsed / MOST_SLICES))
    slices, in_step = [], 0
    for index in range(int(elapsed // length)):
        end = now - index * length / SECONDS
        within = traffic().between(end - length / SECONDS, end)
        mine, theirs = within & new.requests, within & champion.requests
        sums = (new.version.squared[mine].sum(), champion.version.squared[theirs].sum())
        in_step += int(mine.sum()) if end - length / SECONDS >= begun else 0
        slices.append(Slice(mine.sum(), sums[0], theirs.sum(), sums[1]))
    whole = traffic().between(since, now)
    found = (
        pair(slices, *(float(each.version.squared[whole & each.requests].var()) for each in (new, champion)))
        if slices
        else None
    )
    if found is None:
        return None
    both = Compared(candidate=found.candidate, champion=found.champion, difference=found.difference)
    return found.difference, analysis.compare(metric, both, found.candidate, found.champion).verdict, in_step


def _months(months: range | tuple[int, ...]) -> tuple[Part, ...]:
    return tuple(Part(month, half) for month in months for half in (0, 1))
