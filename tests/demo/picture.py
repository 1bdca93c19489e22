"""The year in one picture: how good the answers were, how far the flights had drifted, and what was done about it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CURVES = {
    "live": ("what was answered", "#0b6e4f", "-", 2.6),
    "monthly": ("retrained every month", "#5f6caf", "--", 1.6),
    "never": ("never retrained", "#b23a48", ":", 2.0),
}
"""Of each curve: what it is called, its colour, its line and its width."""
LANES = {
    "drifted": 0, "alerted": 0, "diagnosed": 1, "retrained": 2, "gated": 3, "refused": 3, "canaried": 4,
    "promoted": 5, "degraded": 6, "quarantined": 6,
}  # fmt: skip
LANE_NAMES = ("drift, alert", "whose fault", "retrained", "gate", "canary", "takes over", "put back")
BAD = frozenset({"refused", "degraded", "quarantined"})


@dataclass(frozen=True)
class Mark:
    """Something that was done, at its time of the year."""

    at: float
    name: str
    text: str


@dataclass(frozen=True)
class Story:
    """What the picture shows.

    Attributes
    ----------
    curves
        By name, the area under the ROC curve of each month.
    drift
        Time of the year and weighted drift of what served.
    level
        The level of the drift monitor.
    """

    curves: Mapping[str, Mapping[int, float]]
    drift: Sequence[tuple[float, float]]
    level: float
    marks: Sequence[Mark]
    summary: Mapping[str, Any]


def marks_of(steps: Sequence[Mapping[str, Any]]) -> list[Mark]:
    """Return the steps of the report that are shown on the time line."""
    return [
        Mark(float(step["detail"]["month"]), step["name"], _label(step["detail"]))
        for step in steps
        if step["name"] in LANES and "month" in step["detail"]
    ]


def write(story: Story, folder: Path) -> None:
    """Write `year.png` and `year.html`."""
    figure, (quality, drift, actions) = plt.subplots(
        3, 1, figsize=(13, 10), sharex=True, height_ratios=(4, 1.6, 2.6), layout="constrained"
    )
    _quality(quality, story)
    _drift(drift, story)
    _actions(actions, story.marks)
    figure.savefig(folder / "year.png", dpi=110)
    plt.close(figure)
    (folder / "year.html").write_text(_page(story, (folder / "year.png").read_bytes()))


def _quality(axes: Axes, story: Story) -> None:
    for name, (title, colour, line, width) in CURVES.items():
        curve = story.curves.get(name, {})
        months = sorted(curve)
        mean, runs = story.summary["auc"].get(name), story.summary["runs"].get(name)
        label = f"{title}: mean {mean:.3f}, {runs} run{'' if runs == 1 else 's'}"
        axes.plot([month + 0.5 for month in months], [curve[month] for month in months], line, color=colour,
                  linewidth=width, marker="o", markersize=4, label=label)  # fmt: skip
    axes.set_ylabel("AUC of a month's answers")
    axes.set_title("Flights from New York, 2013: will it be late?", loc="left", fontweight="bold")
    axes.legend(loc="best", frameon=False)
    axes.grid(axis="y", alpha=0.3)


def _drift(axes: Axes, story: Story) -> None:
    axes.plot([at for at, _ in story.drift], [min(value, 4 * story.level) for _, value in story.drift], ".",
              color="#8d6a9f", markersize=4)  # fmt: skip
    axes.axhline(story.level, color="#8d6a9f", linewidth=1, linestyle="--")
    axes.annotate(f"alert above {story.level}", (3, story.level), (2, 4), textcoords="offset points", fontsize=8)
    axes.set_ylim(0, 4.2 * story.level)
    axes.set_ylabel("drift (PSI)")
    axes.grid(axis="y", alpha=0.3)


def _actions(axes: Axes, marks: Sequence[Mark]) -> None:
    latest: dict[int, Mark] = {}
    for mark in marks:
        lane, colour = LANES[mark.name], "#b23a48" if mark.name in BAD else "#0b6e4f"
        axes.plot(mark.at, lane, "X" if mark.name in BAD else "o", color=colour, markersize=8)
        before, latest[lane] = latest.get(lane), mark
        close = before is not None and mark.at - before.at < 0.5
        if before and close and mark.text == before.text:
            continue
        last = mark.at > 12.4  # what stands to the right of it would leave the picture
        axes.annotate(mark.text, (mark.at, lane), (-5 if last else 5, -12 if close else 5), textcoords="offset points",
                      fontsize=8, color=colour, horizontalalignment="right" if last else "left")  # fmt: skip
    axes.set_yticks(range(len(LANE_NAMES)), LANE_NAMES)
    axes.set_ylim(len(LANE_NAMES) - 0.4, -0.7)
    axes.set_xlim(3, 13)
    axes.set_xticks([month + 0.5 for month in range(3, 13)], MONTHS[2:])
    axes.set_xticks(range(3, 14), minor=True)
    axes.tick_params(axis="x", which="major", length=0)
    axes.grid(axis="y", alpha=0.3)


def _label(detail: Mapping[str, Any]) -> str:
    """Return what a mark is about, in a word or two."""
    if detail.get("verdict") in ("ModelWorse", "ConceptDrift", "Inconclusive"):
        return str(detail["verdict"])
    name = str(detail.get("version") or "")
    number = f"v{name.rpartition('-v')[2]}" if "-v" in name else ""
    return f"{number} {detail['actualWeight']} %" if "actualWeight" in detail else number


def _page(story: Story, image: bytes) -> str:
    rows = "".join(
        f"<tr><td>{mark.at:.2f}</td><td>{html.escape(mark.name)}</td><td>{html.escape(mark.text)}</td></tr>"
        for mark in story.marks
    )
    months = sorted({month for curve in story.curves.values() for month in curve})
    head = "".join(f"<th>{MONTHS[month - 1]}</th>" for month in months)
    table = "".join(
        f"<tr><td>{CURVES[name][0]}</td>{''.join(f'<td>{curve[month]:.3f}</td>' for month in months)}</tr>"
        for name, curve in story.curves.items()
        if name in CURVES
    )
    picture = base64.b64encode(image).decode()
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A year of flights</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;margin:1rem 0}}td,th{{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left}}
img{{max-width:100%}}pre{{background:#f6f6f6;padding:1rem}}</style>
<h1>A year of flights</h1>
<p>Flights from New York in 2013, month by month, as they were answered; beside them two models that nobody watched,
asked about the same flights.</p>
<img alt="Quality, drift and actions over the year" src="data:image/png;base64,{picture}">
<h2>AUC</h2><table><tr><th></th>{head}</tr>{table}</table>
<pre>{html.escape(json.dumps({key: story.summary[key] for key in ("auc", "runs")}, indent=1))}</pre>
<h2>What was done</h2><table><tr><th>month</th><th>step</th><th></th></tr>{rows}</table>
</html>
"""
