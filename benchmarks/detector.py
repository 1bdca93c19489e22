"""Simulates how soon the test of a canary finds a bad candidate, and how often it is wrong.

    .venv/bin/python -m benchmarks.detector --trials 10000 --days 1000

A delay is counted from the candidate's first bad answer to the end of the second by which the test fails it. What the
operator then needs to read, decide and move the traffic comes on top, and is measured on a cluster. Unless a line says
otherwise, 50 requests a second come at random moments, a quarter of them to the candidate, and 0.5 % of the champion's
fail; two metrics share alpha.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from steadfit.core.serving.evidence import bet, starts
from steadfit.core.serving.evidence.cell import Cell
from steadfit.core.serving.evidence.evidence import Evidence
from steadfit.core.serving.evidence.harm import bound
from steadfit.core.serving.evidence.sums import Sums
from steadfit.core.serving.evidence.verdict import FAIL_ALPHA, verdict

from .simulated_canaries import BEFORE, NEVER, Array, Fresh, Kept

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


@dataclass
class Result:
    """One number, as a line of the report."""

    name: str
    value: float
    unit: str
    spread: str


def main() -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000, help="simulated canaries for each delay")
    parser.add_argument(
        "--days", type=int, default=1_000, help="simulated canaries of 24 h; half with kept connections"
    )
    parser.add_argument("--only", default="", help="part of the names to simulate")
    parser.add_argument("--report", type=Path, help="file to write the results to, as JSON")
    asked = parser.parse_args()
    found: list[Result] = []
    for name, part in parts(asked.trials, asked.days):
        if asked.only not in name:
            continue
        begin = time.perf_counter()
        for one in part:
            found.append(one)
            print(f"{one.name:44} {one.value:10.4g} {one.unit:9} {one.spread}", flush=True)
        print(f"# {name}: {time.perf_counter() - begin:.0f} s", flush=True)
    if asked.report:
        asked.report.write_text(json.dumps({"results": [asdict(one) for one in found]}, indent=1))
    return 0


def parts(trials: int, days: int) -> Iterator[tuple[str, Iterator[Result]]]:
    """Return the simulations by name."""
    yield "delay fresh", delays_of_fresh_connections(trials)
    yield "delay kept", delays_of_kept_connections(trials)
    yield "alarms fresh", alarms_of_fresh_connections(days)
    yield "alarms kept", alarms_of_kept_connections(max(days // 2, 50))
    yield "passed", let_through(max(trials // 10, 100))
    yield "cost", cost()


def delays_of_fresh_connections(trials: int) -> Iterator[Result]:
    """Simulate delays with a connection for each request."""
    for name, at in (("", 0), ("Late10m", 600), ("Late1h", 3_600), ("Late24h", DAY)):
        for rate in (1.0, 0.5, 0.1):
            yield delays(f"fresh{name}{100 * rate:.0f}", Fresh(rng(), trials), at, rate, 0.005)
    yield delays("freshBase1Percent10", Fresh(rng(), trials), 0, 0.1, 0.01)
    yield delays("freshBase5Percent50", Fresh(rng(), trials), 0, 0.5, 0.05)
    yield delays("freshBase5Percent10", Fresh(rng(), trials), 0, 0.1, 0.05)
    yield delays("freshLatencyDoubled", Fresh(rng(), trials), 0, LATE_AFTER, LATE_BEFORE)


def delays_of_kept_connections(trials: int) -> Iterator[Result]:
    """Simulate delays with eight clients that keep their connections."""
    for rate in (1.0, 0.5, 0.1):
        yield delays(f"kept{100 * rate:.0f}", Kept(rng(), trials), 0, rate, 0.005)
    for rate in (1.0, 0.1):
        yield delays(f"keptLate10m{100 * rate:.0f}", Kept(rng(), trials), 600, rate, 0.005)
    for rate in (1.0, 0.5, 0.1):
        yield delays(f"kept25Requests{100 * rate:.0f}", Kept(rng(), trials, requests=25, age=8), 0, rate, 0.005)
    for rate in (1.0, 0.5, 0.1):
        yield delays(f"keptEndsWhenBad{100 * rate:.0f}", Kept(rng(), trials, ends_when_bad=True), 0, rate, 0.005)
    both = Kept(rng(), trials, requests=25, age=8, ends_when_bad=True)
    yield delays("kept25RequestsEndsWhenBad100", both, 0, 1.0, 0.005)
    yield delays("keptThreeClients100", Kept(rng(), trials, clients=3), 0, 1.0, 0.005)
    yield delays("keptBase5Percent100", Kept(rng(), trials), 0, 1.0, 0.05)


def delays(name: str, canaries: Fresh | Kept, at: int, candidate: float, champion: float) -> Result:
    """Return the 95th percentile of the delay after a break."""
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
    spread = f"median {p50:.2f}, p99 {p99:.2f}, failed requests {failed.mean():.0f} on average, n {len(delay)}"
    return Result(name, float(p95), "s (p95)", spread)


def alarms_of_fresh_connections(days: int) -> Iterator[Result]:
    """Simulate identical candidates for 24 h with a connection for each request."""
    for base in (0.005, 0.01, 0.05):
        yield alarms(f"alarmsFresh{1000 * base:g}Permille", Fresh(rng(), days), base)
    yield alarms("alarmsFreshBursts", Fresh(rng(), days), 0.01, bursts=True)
    yield alarms("alarmsFreshTwiceUnderOtherNames", Fresh(rng(), max(days // 10, 50), copies=2), 0.01)


def alarms_of_kept_connections(days: int) -> Iterator[Result]:
    """Simulate identical candidates for 24 h with clients that keep their connections."""
    for base in (0.005, 0.01, 0.05):
        yield alarms(f"alarmsKept{1000 * base:g}Permille", Kept(rng(), days), base)
    yield alarms("alarmsKeptUneven", Kept(rng(), days, uneven=0.1), 0.01)
    yield alarms("alarmsKeptBursts", Kept(rng(), days, uneven=0.1), 0.01, bursts=True)
    yield alarms("alarmsKeptBrokenClients", Kept(rng(), days), 0.01, broken=True)
    yield alarms("alarmsKeptThreeClients", Kept(rng(), days, clients=3, uneven=0.1), 0.01)
    yield alarms("alarmsKept25Requests", Kept(rng(), days, requests=25, age=8, uneven=0.1), 0.01)


def alarms(name: str, canaries: Fresh | Kept, base: float, *, bursts: bool = False, broken: bool = False) -> Result:
    """Return how often an identical candidate fails by either of two metrics within 24 h.

    Bursts come every quarter of an hour, last 15 s and fail 20 to 80 % of the requests of both arms. A client breaks
    once an hour and fails all of its requests for a minute.
    """
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
    upper = 1 - (1 - exact_upper(count, number)) ** METRICS
    levels = ", ".join(f">={level}: {(highest >= level).mean():.3f}" for level in (10, 50))
    return Result(name, 100 * both, "% in 24 h", f"{count} of {number}, at most {100 * upper:.2f} % (95 %); {levels}")


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


def let_through(trials: int) -> Iterator[Result]:
    """Simulate how soon a candidate passes two steps, of 25 and 50 %, and how often one that is worse by the margin."""
    for base in (0.005, 0.01, 0.05):
        yield _percentile(
            f"letThroughP90Base{1000 * base:g}Permille", [fresh_steps(n, base, base) for n in range(trials)]
        )
    kept = max(trials // 5, 20)
    for base in (0.01, 0.05):
        name = f"letThroughKeptP90Base{1000 * base:g}Permille"
        yield _percentile(name, [kept_steps(n, base, base) for n in range(kept)])
    for base in (0.0, 0.005, 0.01, 0.05):
        worse = base + max(ABSOLUTE, RELATIVE * base)
        name = f"worseByMarginPassesBase{1000 * base:g}Permille"
        yield _passed(name, [fresh_steps(n, worse, base) for n in range(trials)])
    for base in (0.005, 0.05):
        worse = base + max(ABSOLUTE, RELATIVE * base)
        name = f"worseByMarginPassesKeptBase{1000 * base:g}Permille"
        yield _passed(name, [kept_steps(n, worse, base) for n in range(kept)])


def _percentile(name: str, found: list[float]) -> Result:
    p50, p90 = np.sort(found)[[int(part * (len(found) - 1)) for part in (0.5, 0.9)]]
    return Result(name, float(p90), "s (p90)", f"median {p50:g}, n {len(found)}")


def _passed(name: str, found: list[float]) -> Result:
    share = sum(one < NEVER for one in found) / len(found)
    return Result(name, 100 * share, "%", f"passes both steps in {MOST // 60} min, n {len(found)}")


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


def cost() -> Iterator[Result]:
    """Measure what a second of 20 canaries with two metrics each costs."""
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
        yield Result(f"cpu{name.capitalize()}", 100 * spent, "% of 1 CPU", spread)


def rng(seed: int = 0) -> np.random.Generator:
    """Return a generator with a fixed seed."""
    return np.random.default_rng(20_261_130 + seed)


if __name__ == "__main__":
    sys.exit(main())
