"""Simulates how soon the test of a canary finds a bad candidate, and how often it is wrong.

    .venv/bin/python -m benchmarks.detector --trials 10000 --days 8000

A delay is counted from the candidate's first bad answer to the end of the second by which the test fails it. What the
operator then needs to read, decide and move the traffic comes on top, and is measured on a cluster. Unless a line says
otherwise, 50 requests a second come at random moments, a quarter of them to the candidate, and 0.5 % of the champion's
fail; two metrics share alpha. Results are kept beside the report, and simulated again when what they are built from has
changed.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from steadfit.core.serving.evidence import bet, starts
from steadfit.core.serving.evidence.cell import Cell
from steadfit.core.serving.evidence.evidence import Evidence
from steadfit.core.serving.evidence.harm import bound
from steadfit.core.serving.evidence.sums import Sums
from steadfit.core.serving.evidence.verdict import FAIL_ALPHA, verdict

from .result import Result, write
from .simulated_canaries import BEFORE, NEVER, Array, Fresh, Kept
from .simulation_cache import simulated

METRICS = 2
THRESHOLD = METRICS / FAIL_ALPHA
DAY = 86_400
WARM_UP = 60
"""Seconds before a late break that are simulated: bets of earlier starting times have lost all by then."""
ABSOLUTE, RELATIVE = 0.01, 0.3
MIN_SAMPLES = 50
STEPS = 0.25, 0.5
MOST = 1_800
"""Seconds within which a candidate passes, or not."""
LATE_BEFORE, LATE_AFTER = 0.01, 0.05
"""Share of answers beyond the champion's p99, and that of a candidate which takes twice as long, for log-normal
durations with a standard deviation of 1 (with less, there are more)."""


Simulation = Callable[[], list[Result]]
Steps = Callable[[int, float, float], float]


def main() -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000, help="simulated canaries for each delay")
    parser.add_argument(
        "--days", type=int, default=8_000, help="simulated canaries of 24 h; fewer with kept connections"
    )
    parser.add_argument("--only", nargs="*", default=[""], help="parts of the names to simulate")
    parser.add_argument("--report", type=Path, help="file to write the results to, as JSON")
    parser.add_argument("--cache", type=Path, default=Path("build/bench/simulated"))
    asked = parser.parse_args()
    every = simulations(asked.trials, asked.days)
    chosen = {name: one for name, one in every.items() if any(part in name for part in asked.only)}
    found = simulated(chosen, asked.cache)
    if asked.report:
        write(asked.report, found)
    return 0


def simulations(trials: int, days: int) -> dict[str, Simulation]:
    """Return the simulations by name."""
    delay = delays_of_fresh_connections(trials) | delays_of_kept_connections(trials)
    return (
        delay | passing(trials) | alarms_of_fresh_connections(days) | alarms_of_kept_connections(days) | {"cost": cost}
    )


def delays_of_fresh_connections(trials: int) -> dict[str, Simulation]:
    """Return simulated delays with a connection for each request."""

    def one(name: str, at: int, candidate: float, champion: float) -> None:
        found[name] = partial(delays, name, partial(Fresh, number=trials), at, candidate, champion)

    found: dict[str, Simulation] = {}
    for name, at in (("", 0), ("Late10m", 600), ("Late1h", 3_600), ("Late24h", DAY)):
        for rate in (1.0, 0.5, 0.1):
            one(f"fresh{name}{100 * rate:.0f}", at, rate, 0.005)
    one("freshBase1Percent10", 0, 0.1, 0.01)
    one("freshBase5Percent50", 0, 0.5, 0.05)
    one("freshBase5Percent10", 0, 0.1, 0.05)
    one("freshLatencyDoubled", 0, LATE_AFTER, LATE_BEFORE)
    return found


def delays_of_kept_connections(trials: int) -> dict[str, Simulation]:
    """Return simulated delays with clients that keep connections as long as a server of ours lets them in a canary."""

    def one(
        name: str, at: int, candidate: float, champion: float, *, of: Callable[..., Kept] = kept, **how: Any
    ) -> None:
        found[name] = partial(delays, name, partial(of, number=trials, **how), at, candidate, champion)

    found: dict[str, Simulation] = {}
    for rate in (1.0, 0.5, 0.1):
        one(f"kept{100 * rate:.0f}", 0, rate, 0.005)
    for rate in (1.0, 0.1):
        one(f"keptLate10m{100 * rate:.0f}", 600, rate, 0.005)
    one("keptThreeClients100", 0, 1.0, 0.005, clients=3)
    one("keptBase5Percent100", 0, 1.0, 0.05)
    one("keptUsualBounds100", 0, 1.0, 0.005, of=Kept)
    return found


def kept(draws: np.random.Generator, number: int, **options: Any) -> Kept:
    """Return clients whose connections end after about 25 requests or 8 s, or with a failed answer."""
    return Kept(draws, number, requests=25, age=8, ends_when_bad=True, **options)


def delays(
    name: str, of: Callable[[np.random.Generator], Fresh | Kept], at: int, candidate: float, champion: float
) -> list[Result]:
    """Simulate the delay after a break, and the requests that fail until then."""
    canaries = of(rng())
    bad_rate, good_rate = np.full(canaries.number, candidate), np.full(canaries.number, champion)
    begin = max(0, at - WARM_UP)
    if isinstance(canaries, Kept):
        canaries.before(good_rate)
        canaries.since += begin
        canaries.until += begin
    canaries.bets.spent = starts.spent(begin - 1, 0, begin - 1)
    for second in range(begin, at):
        canaries.second(second, good_rate, good_rate)
    first, found = np.full(canaries.number, NEVER), np.full(canaries.number, NEVER)
    failed = np.zeros(canaries.number)
    for second in range(at, at + 900):
        part: Array | float = 1.0
        if isinstance(canaries, Fresh):
            part = canaries.rng.random(canaries.number) if second == at else 1.0
            bad = canaries.second(second, bad_rate, good_rate, part)
        else:
            bad = canaries.second(second, bad_rate, good_rate)
        # The first of so many moments in the rest of the second.
        moment = second + 1 - part * canaries.rng.random(canaries.number) ** (1 / np.maximum(bad, 1))
        first = np.where(np.isinf(first) & (bad > 0), moment, first)
        failed += np.where(np.isinf(found), bad, 0)
        found = np.where(np.isinf(found) & (canaries.bets.value >= THRESHOLD), second + 1, found)
        if not np.isinf(found).any():
            break
    delay = np.where(np.isinf(found), NEVER, found - np.where(np.isinf(first), found, first))
    p50, p95, p99 = np.sort(delay)[[int(part * (len(delay) - 1)) for part in (0.5, 0.95, 0.99)]]
    q50, q95 = np.sort(failed)[[int(part * (len(failed) - 1)) for part in (0.5, 0.95)]]
    return [
        Result(name, float(p95), "s (p95)", f"median {p50:.2f}, p99 {p99:.2f}, n {len(delay)}"),
        Result(f"{name}Median", float(p50), "s (median)", f"n {len(delay)}"),
        Result(f"{name}Failed", float(q95), "requests (p95)", f"median {q50:g}, n {len(failed)}"),
    ]


def alarms_of_fresh_connections(days: int) -> dict[str, Simulation]:
    """Return identical candidates, simulated for 24 h, with a connection for each request."""
    found: dict[str, Simulation] = {}
    for base in (0.005, 0.01, 0.05):
        name = f"alarmsFresh{1000 * base:g}Permille"
        found[name] = partial(alarms, name, partial(Fresh, number=days), base)
    name = "alarmsFreshBursts"
    found[name] = partial(alarms, name, partial(Fresh, number=days), 0.01, bursts=True)
    name = "alarmsFreshTwiceUnderOtherNames"
    found[name] = partial(alarms, name, partial(Fresh, number=max(days // 100, 50), copies=2), 0.01)
    return found


def alarms_of_kept_connections(days: int) -> dict[str, Simulation]:
    """Return the same with clients that keep connections as long as a server of ours lets them in a canary."""

    def one(name: str, part: int, base: float, *, bursts: bool = False, broken: bool = False, **how: Any) -> None:
        of = partial(kept, number=max(days // part, 50), **how)
        found[name] = partial(alarms, name, of, base, bursts=bursts, broken=broken)

    found: dict[str, Simulation] = {}
    for base in (0.005, 0.01, 0.05):
        one(f"alarmsKept{1000 * base:g}Permille", 4, base)
    one("alarmsKeptUneven", 8, 0.01, uneven=0.1)
    one("alarmsKeptBursts", 8, 0.01, bursts=True, uneven=0.1)
    one("alarmsKeptBrokenClients", 8, 0.01, broken=True)
    one("alarmsKeptThreeClients", 8, 0.01, clients=3, uneven=0.1)
    return found


def alarms(
    name: str,
    of: Callable[[np.random.Generator], Fresh | Kept],
    base: float,
    *,
    bursts: bool = False,
    broken: bool = False,
) -> list[Result]:
    """Return how often an identical candidate fails by either of two metrics within 24 h.

    Bursts come every quarter of an hour, last 15 s and fail 20 to 80 % of the requests of both arms. A client breaks
    once an hour and fails all of its requests for a minute.
    """
    canaries = of(rng())
    draws, number = canaries.rng, canaries.number
    burst = np.zeros(number)
    down: NDArray[np.bool_] | None = None
    if broken and isinstance(canaries, Kept):
        down = np.zeros((number, canaries.clients), bool)
    if isinstance(canaries, Kept):
        canaries.before(np.full(number, base))
    wrong, highest = np.zeros(number, bool), np.zeros(number)
    for second in range(DAY):
        rate: Array = np.full(number, base)
        if bursts:
            burst = np.where(draws.random(number) < 1 / 15, 0.0, burst)
            begins = (burst == 0) & (draws.random(number) < 1 / 900)
            burst = np.where(begins, draws.uniform(0.2, 0.8, number), burst)
            rate = np.maximum(rate, burst)
        if isinstance(canaries, Kept):
            if down is not None:
                down = np.where(down, draws.random(down.shape) > 1 / 60, draws.random(down.shape) < 1 / 3600)
            canaries.second(second, rate, rate, down)
        else:
            canaries.second(second, rate, rate)
        highest = np.maximum(highest, canaries.bets.value)
        wrong = highest >= THRESHOLD
    share = float(wrong.mean())
    both = 1 - (1 - share) ** METRICS
    count = int(wrong.sum())
    upper = 100 * (1 - (1 - exact_upper(count, number)) ** METRICS)
    levels = ", ".join(f">={level}: {(highest >= level).mean():.3f}" for level in (10, 50))
    spread = f"{count} of {number} a metric; {levels}"
    return [
        Result(name, 100 * both, "% in 24 h", spread),
        Result(f"{name}Limit", upper, "% in 24 h", f"95 % limit, {count} of {number} a metric"),
    ]


def exact_upper(count: int, number: int) -> float:
    """Return the upper 95 % limit of a share (Clopper and Pearson)."""
    low, high = count / number, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        terms = (
            math.lgamma(number + 1)
            - math.lgamma(k + 1)
            - math.lgamma(number - k + 1)
            + k * math.log(middle)
            + (number - k) * math.log1p(-middle)
            for k in range(count + 1)
        )
        low, high = (middle, high) if sum(map(math.exp, terms)) > 0.05 else (low, middle)
    return high


def passing(trials: int) -> dict[str, Simulation]:
    """Return how soon a candidate passes two steps, of 25 and 50 %, and how often one that is worse by the margin."""

    def one(kind: Callable[..., list[Result]], name: str, steps: Steps, number: int, base: float, harm: float) -> None:
        found[name] = partial(kind, name, steps, number, base + harm, base)

    found: dict[str, Simulation] = {}
    fresh, kept = max(trials // 10, 100), max(trials // 50, 20)
    for base in (0.005, 0.05):
        name = f"worseByMarginPassesKeptBase{1000 * base:g}Permille"
        one(_passed, name, kept_steps, kept, base, max(ABSOLUTE, RELATIVE * base))
    for base in (0.0, 0.005, 0.01, 0.05):
        name = f"worseByMarginPassesBase{1000 * base:g}Permille"
        one(_passed, name, fresh_steps, fresh, base, max(ABSOLUTE, RELATIVE * base))
    for base in (0.01, 0.05):
        one(_percentile, f"letThroughKeptP90Base{1000 * base:g}Permille", kept_steps, kept, base, 0.0)
    for base in (0.005, 0.01, 0.05):
        one(_percentile, f"letThroughP90Base{1000 * base:g}Permille", fresh_steps, fresh, base, 0.0)
    return found


def _percentile(name: str, steps: Steps, number: int, candidate: float, champion: float) -> list[Result]:
    found = [steps(seed, candidate, champion) for seed in range(number)]
    p50, p90 = np.sort(found)[[int(part * (len(found) - 1)) for part in (0.5, 0.9)]]
    return [
        Result(name, float(p90), "s (p90)", f"median {p50:g}, n {number}"),
        Result(f"{name}Median", float(p50), "s (median)", f"n {number}"),
    ]


def _passed(name: str, steps: Steps, number: int, candidate: float, champion: float) -> list[Result]:
    share = sum(steps(seed, candidate, champion) < NEVER for seed in range(number)) / number
    return [Result(name, 100 * share, "%", f"passes both steps in {MOST // 60} min, n {number}")]


def fresh_steps(seed: int, candidate: float, champion: float, most: int = MOST) -> float:
    """Return after how many seconds a candidate has passed both steps, with a connection for each request."""
    draws, arms, totals, spent = rng(seed), (Sums(), Sums()), [0.0] * len(bet.RATIOS), 0.0
    step = in_step = since = 0
    requests = draws.poisson(50, most)
    for second in range(most):
        mine = int(draws.binomial(requests[second], STEPS[step]))
        others = int(requests[second] - mine)
        in_step += mine
        bad = [int(draws.binomial(asked, rate)) for asked, rate in ((mine, candidate), (others, champion))]
        for arm, asked, other, failed in zip(arms, (mine, others), (others, mine), bad, strict=True):
            fresh(arm, asked, failed, other)
        before, spent = spent, starts.spent(second, step, second - since)
        share = mine / max(mine + others, 1)
        totals = [
            bet.after(total, spent - before, bet.gain(bad[0], sum(bad), share, ratio))
            for total, ratio in zip(totals, bet.RATIOS, strict=True)
        ]
        value = sum(prior * total for prior, total in zip(bet.PRIOR, totals, strict=True))
        if value >= THRESHOLD:
            return NEVER
        enough = in_step >= MIN_SAMPLES and all(arm.requests >= MIN_SAMPLES for arm in arms)
        if enough and value < 1 and bound(*arms, ABSOLUTE, RELATIVE).over < 0:
            if step:
                return second + 1.0
            step, in_step, since = 1, 0, second + 1
    return NEVER


def kept_steps(seed: int, candidate: float, champion: float, most: int = MOST) -> float:
    """Return the same with eight clients that keep their connections, from the operator's own verdict."""
    said: list[tuple[Array, Array, Array, Array]] = []
    canary = Kept(rng(seed), 1, log=lambda *parts: said.append(parts))
    evidence = Evidence(0, -BEFORE)
    canary.before(np.full(1, champion))
    for second in range(-BEFORE, most):
        if second >= 0:
            canary.second(second, np.full(1, candidate), np.full(1, champion))
        arms: tuple[list[Cell], list[Cell]] = ([], [])
        for arm, name, asked, bad in zip(*(part[0] for part in said.pop(0)), strict=True):
            arms[0 if arm else 1].append(Cell(second, str(name), int(asked), int(bad)))
        evidence.add(second, *arms)
        found = verdict(evidence, ABSOLUTE, RELATIVE, METRICS, MIN_SAMPLES).verdict
        if found == "Fail":
            return NEVER
        if found == "Pass" and evidence.in_step >= MIN_SAMPLES:
            if evidence.step:
                return second + 1.0
            evidence.begin_step(1, second + 1)
            canary.share = STEPS[1]
    return NEVER


def fresh(arm: Sums, requests: int, bad: int, others: int) -> None:
    """Add requests to an arm as voices of one request each."""
    if not requests or not others:
        return
    weight = others / (requests + others)
    arm.requests += requests
    arm.voices += requests
    arm.bad += bad
    arm.bad_voices += bad
    arm.weighted += weight * requests
    arm.weighted_bad += weight * bad
    arm.squared += weight**2 * requests
    arm.requests_requests += weight**2 * requests
    arm.bad_requests += weight**2 * bad
    arm.bad_bad += weight**2 * bad


def cost() -> list[Result]:
    """Measure what a second of 20 canaries with two metrics each costs."""
    found = []
    for name, voices in (("fresh", 50), ("groups", 256)):
        draws = rng()
        evidences = [Evidence(0) for _ in range(40)]
        seconds = []
        for second in range(120):
            bad = draws.random(voices) < 0.01
            fresh_names = name == "fresh"
            cells = [
                Cell(second, f"{second if fresh_names else 0}.{index}", 1 if fresh_names else 20, int(bad[index]))
                for index in range(voices)
            ]
            seconds.append((cells[: voices // 4], cells[voices // 4 :]))
        begin = time.process_time()
        for second, (mine, others) in enumerate(seconds):
            for evidence in evidences:
                evidence.add(second, mine, others)
        spent = (time.process_time() - begin) / len(seconds)
        spread = f"20 canaries, 2 metrics, {voices} voices a second each"
        found.append(Result(f"cpu{name.capitalize()}", 100 * spent, "% of 1 CPU", spread))
    return found


def rng(seed: int = 0) -> np.random.Generator:
    """Return a generator with a fixed seed."""
    return np.random.default_rng(20_261_130 + seed)


if __name__ == "__main__":
    sys.exit(main())
