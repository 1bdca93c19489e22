"""The two that nobody watches, computed beside the demo: never retrained, and retrained every month.

    python -m tests.demo.rivals FOLDER LAST_MONTH

writes each month's scores of all its flights to `FOLDER/<name>-<month>.npy`. It takes a minute of one core, so the demo
lets it run at the lowest priority while the year is played.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .calendar import LEARNED, played
from .flights import flown
from .offline import Learned, learn

NAMES = ("never", "monthly")
ROLLING = 2
"""Months that the monthly one learns from: the newest ones that are over."""


def main(folder: Path, last: int) -> int:
    """Train and write all scores."""
    folder.mkdir(parents=True, exist_ok=True)
    never = _of(LEARNED)
    for month in played(last):
        frame = flown(month)
        monthly = _of(learned_from(month))
        for name, model in zip(NAMES, (never, monthly), strict=True):
            np.save(place(folder, name, month), model.score(frame))
    return 0


def learned_from(month: int) -> range:
    """Return the months that the monthly one has learned from when a month begins."""
    return range(month - ROLLING, month)


def read(folder: Path, last: int) -> dict[str, dict[int, NDArray[np.float64]]]:
    """Return the scores that were written, by name and month."""
    return {name: {month: np.load(place(folder, name, month)) for month in played(last)} for name in NAMES}


def runs(last: int) -> dict[str, int]:
    """Return how many runs each takes in a year that ends with this month."""
    return {"never": 1, "monthly": len(played(last))}


def _of(months: Sequence[int]) -> Learned:
    return learn(pd.concat([flown(month) for month in months]))


def place(folder: Path, name: str, month: int) -> Path:
    """Return the file of a month's scores."""
    return folder / f"{name}-{month:02d}.npy"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
