"""Draws how soon each harm is found, beside how often a good candidate goes back, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from .canary_results import HARMS
from .result import Result

OURS, ARGO, TARGET, GRID, DARK, PALE = "#1f6feb", "#8c959f", "#cf222e", "#e3e6ea", "#1f2328", "#59636e"
ALARMS = {
    "alarmsFresh5Permille": "fresh, 0.5 % errors",
    "alarmsFresh10Permille": "fresh, 1 %",
    "alarmsFresh50Permille": "fresh, 5 %",
    "alarmsKept5Permille": "kept, 0.5 %",
    "alarmsKept10Permille": "kept, 1 %",
    "alarmsKept50Permille": "kept, 5 %",
}
ARGO_ALARMS = {"Argo, a rollout, fresh": (0.14, 100.0), "Argo, a rollout, kept": (0.3, 67.0)}
"""Percent of identical candidates that Argo Rollouts 1.8.3 puts back in its quickest setting, by base rate."""
MOST_ALARMS = 1.0
WIDTH, TOP, ROW = 1010, 66, 30
FONT = 'font-family="-apple-system, Segoe UI, Helvetica, Arial, sans-serif" font-size="13"'


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis from left to right."""

    left: float
    right: float
    least: float
    most: float

    def x(self, value: float) -> float:
        """Return where a value lies."""
        part = math.log(max(value, self.least) / self.least) / math.log(self.most / self.least)
        return self.left + part * (self.right - self.left)


SECONDS = Axis(224, 500, 1, 100)
SHARES = Axis(736, 930, 0.1, 100)


def picture(found: Mapping[str, Result], simulated: Mapping[str, Result]) -> str:
    """Return the picture: seconds on the left, false alarms on the right."""
    bottom = TOP + ROW * len(HARMS)
    height = bottom + 62
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        text(SECONDS.left, 24, "Seconds from the first bad answer to the last", weight="bold"),
        text(SECONDS.left, 42, "line from median to 95 %", colour=PALE),
        text(SHARES.left, 24, "An identical candidate goes back", weight="bold"),
        text(SHARES.left, 42, "in a canary of 24 h; line to the 95 % limit", colour=PALE),
        *grid(SECONDS, (1, 2, 5, 10, 20, 50, 100), bottom, " s"),
        *grid(SHARES, (0.1, 1, 10, 100), bottom, " %"),
        *delays(found, simulated),
        *alarms(simulated, bottom),
        *key(height - 14),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def grid(axis: Axis, values: tuple[float, ...], bottom: float, unit: str) -> Iterator[str]:
    """Draw the lines of an axis."""
    for value in values:
        yield line(axis.x(value), TOP - 10, axis.x(value), bottom, GRID, 1)
        yield text(axis.x(value), bottom + 16, f"{value:g}{unit}", anchor="middle", colour=PALE)


def delays(found: Mapping[str, Result], simulated: Mapping[str, Result]) -> Iterator[str]:
    """Draw one row for each harm."""
    for index, (name, harm) in enumerate(HARMS.items()):
        y, value = TOP + ROW * index + 6, found[name].value
        median = simulated[f"{harm.simulated}Median"].value + harm.cold + found["mechanismMedianSeconds"].value
        yield text(SECONDS.left - 10, y + 4, harm.label, anchor="end")
        if harm.argo is not None:
            yield circle(SECONDS.x(harm.argo[0]), y, ARGO)
        if harm.target is not None:
            yield line(SECONDS.x(harm.target), y - 9, SECONDS.x(harm.target), y + 9, TARGET, 2)
        yield line(SECONDS.x(median), y, SECONDS.x(value), y, OURS, 4)
        yield circle(SECONDS.x(value), y, OURS)
        yield text(SECONDS.right + 46, y + 4, f"{value:.1f} s", anchor="end", colour=OURS)


def alarms(simulated: Mapping[str, Result], bottom: float) -> Iterator[str]:
    """Draw one row for each base rate."""
    limit = SHARES.x(MOST_ALARMS)
    yield line(limit, TOP - 10, limit, bottom, TARGET, 2)
    for index, (name, label) in enumerate(ALARMS.items()):
        y, value = TOP + ROW * index + 6, simulated[name].value
        yield text(SHARES.left - 10, y + 4, label, anchor="end")
        yield line(SHARES.x(value), y, SHARES.x(simulated[f"{name}Limit"].value), y, OURS, 4)
        yield circle(SHARES.x(value), y, OURS)
        yield text(SHARES.right + 70, y + 4, f"{value:.1f} %", anchor="end", colour=OURS)
    for index, (label, (least, most)) in enumerate(ARGO_ALARMS.items(), len(ALARMS)):
        y = TOP + ROW * index + 6
        yield text(SHARES.left - 10, y + 4, label, anchor="end")
        yield line(SHARES.x(least), y, SHARES.x(most), y, ARGO, 8)
        yield text(SHARES.right + 70, y + 4, f"to {most:g} %", anchor="end", colour=PALE)


def key(y: float) -> Iterator[str]:
    """Draw what the marks mean."""
    yield circle(SECONDS.left, y - 4, OURS)
    yield text(SECONDS.left + 12, y, "Steadfit")
    yield circle(SECONDS.left + 90, y - 4, ARGO)
    yield text(SECONDS.left + 102, y, "Argo Rollouts 1.8.3, quickest setting")
    yield line(SECONDS.left + 350, y - 12, SECONDS.left + 350, y + 4, TARGET, 2)
    yield text(SECONDS.left + 360, y, "target")


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    """Return a line."""
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{colour}" stroke-width="{width}"/>'


def circle(x: float, y: float, colour: str) -> str:
    """Return a dot."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'


def text(x: float, y: float, words: str, *, anchor: str = "start", colour: str = DARK, weight: str = "normal") -> str:
    """Return words that begin, end or have their middle at a place."""
    how = f'text-anchor="{anchor}" fill="{colour}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {how}>{escape(words)}</text>'
