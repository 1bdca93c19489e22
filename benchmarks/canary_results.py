"""The published numbers of canaries, from the simulated test and the measured mechanism, and their targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from steadfit.tallies.trial_evidence import COLD_SECONDS

from .result import Result

CANDIDATE_RATE = 12.5
STEPS = 2


@dataclass(frozen=True)
class Harm:
    """One harm, and how it is simulated.

    Attributes
    ----------
    label
        What befalls the candidate.
    simulated
        Name of the simulation.
    bad
        Share of its answers that are bad.
    target
        Seconds in which its traffic is to have moved.
    argo
        Seconds and failed requests of Argo Rollouts 1.8.3 in its quickest setting, measured on the same cluster.
    cold
        Seconds in which the answers of a new process do not count.
    """

    label: str
    simulated: str
    bad: float
    target: float | None = None
    argo: tuple[float, int | None] | None = None
    cold: int = 0


HARMS = {
    "breachToTrafficP95Seconds100": Harm("all requests fail", "fresh100", 1.0, 5, (14.3, 180)),
    "breachToTrafficP95Seconds50": Harm("half of them fail", "fresh50", 0.5, 6, (14.3, None)),
    "breachToTrafficP95Seconds10": Harm("one in ten fails", "fresh10", 0.1, 13, (14.1, None)),
    "breachToTrafficLateP95Seconds": Harm("all fail, after ten minutes", "freshLate10m100", 1.0, 6),
    "breachToTrafficLateP95Seconds50": Harm("half, after ten minutes", "freshLate10m50", 0.5, 7),
    "breachToTrafficLateP95Seconds10": Harm("one in ten, after ten minutes", "freshLate10m10", 0.1, 18),
    "breachToTrafficKeptP95Seconds100": Harm("all, connections are kept", "kept100", 1.0, 30),
    "breachToTrafficKeptP95Seconds50": Harm("half, connections are kept", "kept50", 0.5, 40),
    "breachToTrafficKeptP95Seconds10": Harm("one in ten, connections are kept", "kept10", 0.1, 90),
    "latencyBreachP95Seconds": Harm("answers take twice as long", "freshLatencyDoubled", 0.05, cold=COLD_SECONDS),
}
PASSES = {
    "letThroughP90Seconds": ("letThroughP90Base10Permille", 420),
    "letThroughP90Seconds5PercentErrors": ("letThroughP90Base50Permille", 600),
}
"""How soon an identical candidate has passed both steps, at 1 and at 5 % of errors: the simulation and the target."""
FALSE_ROLLBACKS = "falseRollbackRate24h"
BASES = (5, 10, 50)
"""Errors of both versions in the simulations of false alarms, per mille."""


def results(simulated: Mapping[str, Result], trials: list[dict[str, float]]) -> list[Result]:
    """Return the published numbers: the test's 95th percentile and the mechanism's maximum are added."""
    mechanism = sorted(trial["mechanism"] for trial in trials)
    slowest, median = mechanism[-1], mechanism[len(mechanism) // 2]
    found = [
        Result("mechanismSeconds", slowest, "s (max)", f"median {median:.2f}, n {len(trials)}"),
        Result("mechanismMedianSeconds", median, "s (median)", f"n {len(trials)}"),
    ]
    for name, harm in HARMS.items():
        delay, failed = simulated[harm.simulated], simulated[f"{harm.simulated}Failed"]
        after = slowest + harm.cold
        found.append(Result(name, delay.value + after, "s", f"test {delay.value:.2f}: {delay.spread}"))
        more = after * CANDIDATE_RATE * harm.bad
        found.append(
            Result(f"{name}Failed", failed.value + more, "requests", f"test {failed.value:g}: {failed.spread}")
        )
    for name, (of, _) in PASSES.items():
        passed = simulated[of]
        found.append(Result(name, passed.value + STEPS * slowest, "s", f"test {passed.value:g}: {passed.spread}"))
    alarms = [simulated[f"alarms{kind}{base}Permille"] for kind in ("Fresh", "Kept") for base in BASES]
    worst = max(alarms, key=lambda one: one.value)
    found.append(Result(FALSE_ROLLBACKS, worst.value, worst.unit, f"{worst.name}: {worst.spread}"))
    for name, of, unit in (
        ("measuredSeconds100", "total", "s (max)"),
        ("measuredFailed100", "failed", "requests (max)"),
    ):
        values = sorted(trial[of] for trial in trials)
        found.append(Result(name, values[-1], unit, f"median {values[len(values) // 2]:.3g}, n {len(values)}"))
    return found
