"""Many simulations at once, one per core. Workers are forked: scenarios are functions and need not be pickled."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

J = TypeVar("J")

_check: Callable[[int], str | None] | None = None


def failures(check: Callable[[J], str | None], jobs: Iterable[J]) -> list[tuple[J, str]]:
    """Return the jobs whose check says something, with what it says; in the order of the jobs."""
    listed: Sequence[J] = list(jobs)

    def numbered(number: int) -> str | None:
        try:
            return check(listed[number])
        except AssertionError as error:
            return str(error) or repr(error)

    global _check
    _check = numbered
    try:
        with multiprocessing.get_context("fork").Pool(os.cpu_count() or 1) as pool:
            said = pool.map(_run, range(len(listed)), chunksize=4)
    finally:
        _check = None
    return [(job, sentence) for job, sentence in zip(listed, said, strict=True) if sentence]


def _run(number: int) -> str | None:
    assert _check is not None
    return _check(number)


def report(found: Sequence[tuple[object, str]]) -> str:
    """Return the first failures in words."""
    return "\n\n".join(f"{job}: {sentence[:4000]}" for job, sentence in found[:3]) + f"\n{len(found)} failed"
