"""Many simulations at once, one per core that no other worker of pytest has.

Processes are forked: scenarios are functions and need not be pickled.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

J = TypeVar("J")


def processes() -> int:
    """Return how many simulations may run at once in this worker of pytest, so that together they fill the cores."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return max(1, (os.cpu_count() or 1) // workers)


_check: Callable[[int], str | None] | None = None


def failures(check: Callable[[J], str | None], jobs: Iterable[J]) -> list[tuple[J, str]]:
    """Return the jobs whose check says something, with what it says; in the order of the jobs."""
    listed: Sequence[J] = list(jobs)

    def numbered(number: int) -> str | None:
        try:
            return check(listed[number])
        except AssertionError as error:
            return str(error) or repr(error)

    if processes() == 1:
        return [(job, sentence) for number, job in enumerate(listed) if (sentence := numbered(number))]
    global _check
    _check = numbered
    try:
        with multiprocessing.get_context("fork").Pool(processes()) as pool:
            said = pool.map(_run, range(len(listed)), chunksize=1)
    finally:
        _check = None
    return [(job, sentence) for job, sentence in zip(listed, said, strict=True) if sentence]


def _run(number: int) -> str | None:
    assert _check is not None
    return _check(number)


def report(found: Sequence[tuple[object, str]]) -> str:
    """Return the first failures in words."""
    return "\n\n".join(f"{job}: {sentence[:4000]}" for job, sentence in found[:3]) + f"\n{len(found)} failed"
