"""Runs scenarios: as they are, with a crash at every write, and under faults; and compares how they end.

The oracles are Sieve's (OSDI'22): the difference of the final objects and of the summary of creates and deletes between
a clean run and one with a crash. On top come the properties of every commit, and rest: an operator that has nothing
to do writes nothing, also after a restart.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from steadfit.core import names

from tests.oracles import status as status_oracles

from .client import CrashPlan, Faults, Interruption, Write
from .loop import SimLoop, run
from .objects import JSON
from .properties import GROUP
from .scenarios import Scenario
from .simulated_cluster import Conditions, SimulatedCluster, Violated
from .watch import Lag

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
# Pods and ReplicaSets are made by the cluster: how many it took is its own affair. Events are told, not kept.
_NOT_COMPARED = {"Pod", "ReplicaSet", "Event"}
_VOLATILE = {"resourceVersion"}
# How often a child was scaled on the way is not part of the end; a user's object counts the user's edits alone.
_VOLATILE_OF_CHILDREN = {"resourceVersion", "generation", "observedGeneration"}
# A decision that ended before the pass that records it has no record on the way: the last one counts.
_VOLATILE_OF_RECORDS = {"resourceVersion", "generation", "uid"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    objects: Mapping[str, JSON]
    """The final objects without what may differ from run to run."""
    summary: Mapping[tuple[str, str], int]
    """How often each object was created and deleted."""
    trace: list[Write]
    """The operator's writes, in order."""
    states: list[JSON]
    """Every state of our kinds."""
    crashes: int


class _Errors(logging.Handler):
    """What the operator logs as an error violates a property too: no pass may fail for a reason of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.violations: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.violations.append(logging.Formatter().format(record))


def play(scenario: Scenario, conditions: Conditions | None = None, seed: int = 1, *, restart: bool = True) -> Outcome:
    """Play a scenario to its end and to rest, and check what must always hold.

    Raises
    ------
    AssertionError
        If the scenario does not come to its end, a property is violated, or the operator does not come to rest.
    """

    errors = _Errors()

    async def main(loop: SimLoop) -> Outcome:
        cluster = SimulatedCluster(loop, conditions)
        errors.violations = cluster.properties.violations
        cluster.boot()
        await scenario(cluster)
        _stop_faults(cluster.conditions)
        await cluster.quiet()
        cluster.check()
        _check_rest(cluster)
        if restart:
            await _check_restart(cluster)
        return Outcome(
            objects=dict(_comparable(cluster)),
            summary=_summary(cluster),
            trace=cluster.conditions.crash.trace,
            states=cluster.properties.states,
            crashes=cluster.crashes,
        )

    logger = logging.getLogger("steadfit")
    logger.addHandler(errors)
    propagate, logger.propagate = logger.propagate, False
    try:
        return run(main, seed)
    finally:
        logger.propagate = propagate
        logger.removeHandler(errors)


def hit(scenario: Scenario, at: int | Callable[[Write], bool], interruption: Interruption, seed: int = 1) -> Outcome:
    """Play a scenario with the operator killed, or frozen and thawed later, at one of its writes."""
    return play(scenario, Conditions(crash=CrashPlan(at, interruption)), seed, restart=False)


def rough(seed: int, faults: Faults | None = None) -> Conditions:
    """Return the conditions of a bad day, different for every seed."""
    badness = (seed % 5) / 4
    return Conditions(
        faults=faults
        or Faults(
            unavailable=0.08 * badness,
            lost=0.06 * badness,
            conflict=0.04 * badness,
            hanging=0.01 * badness,
            killed=0.01 + 0.03 * (seed % 3) / 2,
        ),
        lag=Lag(seconds=(0.2, 2.0, 8.0)[seed % 3], repeated=0.1, down=0.02 * badness, down_seconds=30.0),
    )


def differences(reference: Outcome, other: Outcome) -> list[str]:
    """Return how two outcomes differ; none if they are the same."""
    found = []
    for name in sorted({*reference.objects, *other.objects}):
        expected, actual = reference.objects.get(name), other.objects.get(name)
        if expected is None or actual is None:
            found.append(f"{name} is {'too many' if expected is None else 'missing'}")
        else:
            found.extend(_diff(expected, actual, name))
    for key in sorted({*reference.summary, *other.summary}):
        often, expected_often = other.summary.get(key, 0), reference.summary.get(key, 0)
        if often != expected_often:
            found.append(f"{key[0]} of {key[1]}: {often} times instead of {expected_often}")
    return found


def _stop_faults(conditions: Conditions) -> None:
    """Stop all faults: a good end is promised only once they have stopped."""
    faults = conditions.faults
    faults.unavailable = faults.lost = faults.conflict = faults.hanging = faults.killed = 0.0


def _check_rest(cluster: SimulatedCluster) -> None:
    if strays := cluster.properties.strays():
        raise Violated(f"at rest, {strays} are still at work\n{cluster.tell()}")
    if wrong := cluster.properties.mislabelled():
        raise Violated(f"at rest, the label of pods that serve is wrong on {wrong}\n{cluster.tell()}")
    for process in cluster.processes:
        for (kind, outcome), count in process.engine.statistics().passes.items():
            if outcome in ("refused", "unstored", "failed") and not (outcome == "refused" and cluster.refuses):
                raise Violated(f"{count} passes over {kind} were {outcome}\n{cluster.tell()}")
    for obj in cluster.store.all():
        if obj["apiVersion"] == GROUP and (wrong := status_oracles.settled(obj)):
            raise Violated(f"at rest, {obj['kind']} {obj['metadata']['name']}: {wrong}\n{obj.get('status')}")


async def _check_restart(cluster: SimulatedCluster) -> None:
    """At rest, planning everything anew from what is stored must change nothing."""
    at_rest = cluster.loop.time()
    await cluster.restart()
    await cluster.quiet()
    cluster.check()
    if written := cluster.writes_since(at_rest):
        raise Violated(f"at rest, a restarted operator still wrote {written}\n{cluster.tell()}")


def _comparable(cluster: SimulatedCluster) -> Iterator[tuple[str, JSON]]:
    for obj in cluster.store.all():
        if obj["kind"] not in _NOT_COMPARED:
            left_out = _VOLATILE if obj["apiVersion"] == GROUP else _VOLATILE_OF_CHILDREN
            if _is_record(obj):
                left_out = _VOLATILE_OF_RECORDS
            yield f"{obj['kind']}/{obj['metadata']['name']}", _masked(obj, left_out)


def _is_record(obj: Mapping[str, Any]) -> bool:
    """Return whether an object is the record of a decision, whose content follows from the status."""
    return names.DECISION in obj["metadata"].get("labels", {})


def _masked(value: Any, left_out: Container[str]) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, left_out) for key, item in value.items() if key not in left_out}
    if isinstance(value, list):
        return [_masked(item, left_out) for item in value]
    return _TIME.sub("<time>", value) if isinstance(value, str) else value


def _summary(cluster: SimulatedCluster) -> Counter[tuple[str, str]]:
    return Counter(
        (change.type, str(change.ref))
        for change in cluster.history
        if change.type != "MODIFIED"
        and change.ref.kind not in _NOT_COMPARED
        and not _is_record(change.new)
        and change.new["metadata"]["uid"] not in cluster.properties.stray
    )


def _diff(expected: Any, actual: Any, path: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted({*expected, *actual}):
            if key not in actual:
                yield f"{path}.{key}: missing, expected {expected[key]!r}"
            elif key not in expected:
                yield f"{path}.{key}: {actual[key]!r}, expected nothing"
            else:
                yield from _diff(expected[key], actual[key], f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for number, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from _diff(one, other, f"{path}[{number}]")
    elif expected != actual:
        yield f"{path}: {actual!r}, expected {expected!r}"
