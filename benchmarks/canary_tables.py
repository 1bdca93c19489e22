"""The tables of docs/benchmarks.md, between two marks that a run leaves in place."""

from __future__ import annotations

from collections.abc import Mapping

from .canary_results import HARMS, PASSES
from .result import Result

BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"
ALARMS = {
    "alarmsFresh5Permille": "a connection for each request, 0.5 % of errors",
    "alarmsFresh10Permille": "1 %",
    "alarmsFresh50Permille": "5 %",
    "alarmsFreshBursts": "1 %, with bursts on both versions",
    "alarmsKept5Permille": "eight clients that keep connections, 0.5 %",
    "alarmsKept10Permille": "1 %",
    "alarmsKept50Permille": "5 %",
    "alarmsKeptUneven": "1 %, one connection in ten fails ten times as often",
    "alarmsKeptBursts": "the same, with bursts on both versions",
    "alarmsKeptBrokenClients": "1 %, a client breaks once an hour for a minute",
    "alarmsKeptThreeClients": "1 %, three clients, one connection in ten fails ten times as often",
}


def replaced(document: str, found: Mapping[str, Result], simulated: Mapping[str, Result], machine: str) -> str:
    """Return a document with new tables between its marks."""
    before, _, rest = document.partition(BEGIN)
    after = rest.partition(END)[2]
    blocks = (mechanism(found, machine), harms(found), alarms(simulated), passes(found, simulated))
    return before + BEGIN + "\n\n" + "\n\n".join(blocks) + "\n\n" + END + after


def mechanism(found: Mapping[str, Result], machine: str) -> str:
    """Return what was measured on the cluster."""
    time, total, failed = (found[name] for name in ("mechanismSeconds", "measuredSeconds100", "measuredFailed100"))
    return (
        f"Measured on {machine}.\n"
        f"The mechanism takes at most {time.value:.2f} s ({time.spread}).\n"
        f"A candidate that fails everything keeps its traffic for at most {total.value:.2f} s ({total.spread}),\n"
        f"and fails at most {failed.value:.0f} requests ({failed.spread})."
    )


def harms(found: Mapping[str, Result]) -> str:
    """Return how soon the traffic of each harm has moved."""
    slowest = found["mechanismSeconds"].value
    lines = ["| | 95 % | of it the test | target | failed requests | Argo Rollouts |", "|---|---|---|---|---|---|"]
    for name, harm in HARMS.items():
        value, failed = found[name].value, found[f"{name}Failed"].value
        target = "" if harm.target is None else f"{harm.target:g} s" + (", missed" * (value > harm.target))
        argo = "" if harm.argo is None else f"{harm.argo[0]} s" + (f", {harm.argo[1]} failed" if harm.argo[1] else "")
        lines.append(f"| {harm.label} | {value:.1f} s | {value - slowest:.1f} s | {target} | {failed:.0f} | {argo} |")
    return "\n".join(lines)


def alarms(simulated: Mapping[str, Result]) -> str:
    """Return how often an identical candidate goes back, in the simulations that were chosen."""
    lines = ["| an identical candidate, 24 h, two metrics | goes back | 95 % limit | |", "|---|---|---|---|"]
    for name, label in ALARMS.items():
        if name not in simulated:
            continue
        one, limit = simulated[name], simulated[f"{name}Limit"]
        count = one.spread.partition(";")[0]
        lines.append(f"| {label} | {one.value:.2f} % | {limit.value:.2f} % | {count} |")
    return "\n".join(lines)


def passes(found: Mapping[str, Result], simulated: Mapping[str, Result]) -> str:
    """Return how soon an identical candidate has passed two steps."""
    lines = ["| an identical candidate passes two steps | median | 90 % | target |", "|---|---|---|---|"]
    for (name, (of, target)), errors in zip(PASSES.items(), ("1 %", "5 %"), strict=True):
        median = simulated[f"{of}Median"].value
        lines.append(f"| {errors} of errors | {median:.0f} s | {found[name].value:.0f} s | {target} s |")
    for of, errors in (("letThroughKeptP90Base10Permille", "1 %"), ("letThroughKeptP90Base50Permille", "5 %")):
        median, p90 = simulated[f"{of}Median"].value, simulated[of].value
        lines.append(f"| {errors}, eight clients keep connections | {seconds(median)} | {seconds(p90)} | |")
    return "\n".join(lines)


def seconds(value: float) -> str:
    """Return seconds; those of a candidate that has not passed after half an hour are not known."""
    return "over 1800 s" if value > 1_800 else f"{value:.0f} s"
