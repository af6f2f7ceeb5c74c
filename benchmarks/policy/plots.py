"""Plots as files of their own, in the looks of `fulcrum compare`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from agents.evaluation.statistics import Interval
from agents.report import labels
from agents.report.plots import plain
from agents.report.style import COLOURS, INK, PAPER, figure, look, styled, svg

_COLOURS = """<style>
svg { --faint: #c4c8ce; --paper: #ffffff; color: #24292f }
@media (prefers-color-scheme: dark) {
  svg { --faint: #545b64; --paper: #0d1117; color: #e6edf3 }
}
</style>"""
"""What a page would define otherwise."""
_BETTER, _WORSE, _OPEN = COLOURS[2], COLOURS[1], "#888888"


@dataclass(frozen=True, slots=True)
class Curve:
    """A policy in the plane of cost and latency."""

    name: str
    points: Sequence[tuple[float, float]]
    """(dollars per job, mean job completion time in s), by preference."""
    bold: bool = False


def fronts(curves: Sequence[Curve]) -> Figure:
    """Curves over the preferences."""
    made = figure(9.6, 5.4)
    axes = made.subplots()
    told: list[tuple[tuple[float, float], str, str]] = []
    spots: list[tuple[float, float]] = []
    for index, curve in enumerate(curves):
        colour, _, marker = look(index)
        x, y = np.array(curve.points).T
        width, size = (2.2, 7.5) if curve.bold else (1.1, 5.5)
        axes.plot(x, y / 60, color=colour, lw=width, alpha=1.0 if curve.bold else 0.65)
        axes.plot(x, y / 60, marker, color=colour, ms=size, mec=PAPER, mew=0.8, ls="none")
        points = list(zip(x.tolist(), (y / 60).tolist(), strict=True))
        told.append((points[-1], curve.name, colour))
        spots += points
    axes.set_yscale("log")
    plain(axes.yaxis)
    axes.set_xlabel("mean cost ($ per job)")
    axes.set_ylabel("mean job completion time (min)")
    axes.margins(0.08, 0.1)
    labels.place(axes, *zip(*told, strict=True), avoid=spots)
    return made


def forest(rows: Sequence[tuple[str, Interval]], axis: str, *, less: bool = True) -> Figure:
    """Relative differences with their intervals, a line each."""
    made = figure(9.6, 0.9 + 0.24 * len(rows))
    axes = made.subplots()
    for place, (_, one) in enumerate(reversed(rows)):
        colour = _OPEN
        if one.significant:
            colour = _BETTER if (one.mean < 0) is less else _WORSE
        axes.plot([100 * one.low, 100 * one.high], [place, place], color=colour, lw=2.2)
        axes.plot(100 * one.mean, place, "o", color=colour, ms=5)
    axes.axvline(0, color=INK, lw=0.9)
    axes.set_yticks(np.arange(len(rows))[::-1], [name for name, _ in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(axis)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    return made


def times(lines: Sequence[tuple[str, Sequence[tuple[int, float, float]]]], aim_ms: float) -> Figure:
    """Milliseconds by queued jobs: (jobs, p50, p99) as a line with a band above it."""
    made = figure(9.6, 4.2)
    axes = made.subplots()
    for index, (name, points) in enumerate(lines):
        colour, _, marker = look(index)
        jobs, middle, high = np.array(points).T
        axes.plot(jobs, middle, marker=marker, color=colour, ms=5, label=name)
        axes.fill_between(jobs, middle, high, color=colour, alpha=0.18, lw=0)
    axes.axhline(aim_ms, color=INK, lw=0.9, ls=(0, (4, 3)), alpha=0.6)
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain(axes.xaxis)
    plain(axes.yaxis)
    axes.set_xlabel("queued jobs")
    axes.set_ylabel("ms, from p50 to p99")
    axes.legend()
    return made


def learning(lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> Figure:
    """Objectives ÷ the baseline's by minutes of training, on a logarithmic axis."""
    made = figure(9.6, 4.8)
    axes = made.subplots()
    for index, (name, points) in enumerate(lines):
        colour, dashes, marker = look(index)
        x, y = np.array(points).T
        axes.plot(x, y, color=colour, ls=dashes, marker=marker, ms=4, lw=1.4, label=name)
    axes.axhline(1.0, color=INK, lw=0.9, ls=(0, (4, 3)), alpha=0.6)
    axes.set_xscale("log")
    plain(axes.xaxis)
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("objective ÷ the baseline's")
    axes.legend(fontsize=7, ncols=2)
    return made


@dataclass(frozen=True, slots=True)
class Bar:
    """A measured figure beside its goal, both in the figure's unit."""

    name: str
    value: float
    low: float
    high: float
    """`low` and `high` may be nan."""
    goal: float
    met: bool


def bars(differences: Sequence[Bar], ratios: Sequence[Bar]) -> Figure:
    """Dots with intervals beside their goals: per cent on the left, ratios on the right."""
    count = max(len(differences), len(ratios), 1)
    made = figure(12.0, 0.9 + 0.3 * count)
    left, right = made.subplots(1, 2, width_ratios=(3, 2))
    for axes, rows in ((left, differences), (right, ratios)):
        places = [count - 1 - index for index in range(len(rows))]
        for place, bar in zip(places, rows, strict=True):
            colour = _BETTER if bar.met else _WORSE
            axes.plot([bar.low, bar.high], [place, place], color=colour, lw=2.2)
            axes.plot(bar.value, place, "o", color=colour, ms=6)
            axes.plot([bar.goal, bar.goal], [place - 0.35, place + 0.35], color=INK, lw=1.6)
        axes.set_yticks(places, [bar.name for bar in rows])
        axes.set_ylim(-0.6, count - 0.4)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    left.axvline(0, color=INK, lw=0.6, alpha=0.5)
    left.set_xlabel("difference to the rival, %; black: the goal")
    right.set_xscale("log")
    plain(right.xaxis)
    right.set_xlabel("÷ the goal")
    return made


def write(draw: Callable[[], Figure], file: Path, title: str) -> None:
    """An SVG file that follows the reader's light or dark colours."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with styled():
        text = svg(draw(), file.stem, title)
    head, rest = text.split(">", 1)
    file.write_text(f"{head}>\n{_COLOURS}{rest}\n", encoding="utf-8")
