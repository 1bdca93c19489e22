"""Runs simulations on all processors, and keeps their results until what they are built from changes."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from steadfit.core.serving import evidence

from .result import Result

HERE = Path(__file__).parent
SOURCES = (*sorted(Path(evidence.__file__).parent.glob("*.py")), HERE / "detector.py", HERE / "simulated_canaries.py")
"""What is simulated, and how."""


def digest_of(simulation: object) -> str:
    """Return a digest of all that the results of a simulation depend on: the sources and its arguments."""
    found = hashlib.sha256(f"{np.__version__} {_description(simulation)}".encode())
    for path in SOURCES:
        found.update(path.read_bytes())
    return found.hexdigest()


def _description(of: object) -> str:
    if isinstance(of, partial):
        return f"{_description(of.func)} {[*map(_description, of.args)]} {sorted(of.keywords.items())}"
    return str(getattr(of, "__qualname__", repr(of)))


def simulated(chosen: Mapping[str, Callable[[], list[Result]]], folder: Path) -> list[Result]:
    """Return the results of simulations: those kept of the same digest, and the others simulated now.

    Each is kept as soon as it is there, so a run that was interrupted goes on from where it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digests = {name: digest_of(simulation) for name, simulation in chosen.items()}
    found = {name: results for name in chosen if (results := _kept(folder / f"{name}.json", digests[name])) is not None}
    print(f"{len(found)} of {len(chosen)} simulations are kept from a run before", flush=True)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        pending = {pool.submit(_timed, chosen[name]): name for name in chosen if name not in found}
        for done in as_completed(pending):
            name = pending[done]
            seconds, found[name] = done.result()
            kept = {"digest": digests[name], "results": [asdict(one) for one in found[name]]}
            (folder / f"{name}.json").write_text(json.dumps(kept))
            print(f"[{len(found)}/{len(chosen)}, {seconds:.0f} s]", *found[name], sep="\n  ", flush=True)
    return [one for name in chosen for one in found[name]]


def _kept(path: Path, digest: str) -> list[Result] | None:
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    return [Result(**one) for one in kept["results"]] if kept["digest"] == digest else None


def _timed(simulation: Callable[[], list[Result]]) -> tuple[float, list[Result]]:
    begin = time.perf_counter()
    found = simulation()
    return time.perf_counter() - begin, found
