"""Device timelines, one figure per policy: the queue on top, devices below."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure

from agents.evaluation.metrics import Unit
from agents.evaluation.run import Timeline
from agents.report.format import scale
from agents.report.style import COLOURS, INK, PAPER, figure
from envs.simulator.device_lanes import device_lanes
from scheduler.arrays import Floats, Ints

MOST_DEVICES = 600
"""With more devices, only the share in use is drawn."""
_CALM_TO_SLOW = LinearSegmentedColormap.from_list(
    "slowdown", ["#5b8fc7", "#7fb3a6", "#e0b955", "#dd7744", "#aa2244"]
)
_NORM = LogNorm(1, 30, clip=True)
_UNCOUNTED = (0.82, 0.83, 0.85, 1.0)
"""Colour of jobs that do not count."""


def timeline(shown: Timeline, until: float) -> Figure:
    """From 0 to `until` seconds: each job's devices, coloured by its bounded slowdown.

    Jobs that do not count are grey; dashed lines bound the time that counts.
    """
    counts = [nodes * per_node for _, nodes, per_node in shown.pools]
    devices = sum(counts)
    few = devices <= MOST_DEVICES
    height = 1.9 + min(2.8, 0.055 * devices) if few else 2.6
    made = figure(9.6, height)
    top, axes = made.subplots(2, 1, sharex=True, height_ratios=[0.55, height - 1.1])
    unit = scale(Unit.SECONDS, [until / 2])
    _queue(top, shown, unit.factor)
    if few:
        _devices(axes, shown, unit.factor)
    else:
        _shares(axes, shown, unit.factor, until)
    for moment in shown.counted:
        if 0 < moment < until:
            for part in (top, axes):
                part.axvline(moment / unit.factor, color=INK, lw=0.9, ls="--")
    axes.set_xlabel(f"time ({unit.unit})")
    axes.set_xlim(0, until / unit.factor)
    if few:
        bar = made.colorbar(
            ScalarMappable(_NORM, _CALM_TO_SLOW), ax=[top, axes], aspect=22, pad=0.01, shrink=0.7
        )
        bar.set_label("bounded slowdown", fontsize=9.5)
        bar.set_ticks([1, 3, 10, 30], labels=["1", "3", "10", "≥ 30"])
        bar.minorticks_off()
        bar.outline.set_visible(False)
    return made


def horizon(shown: Iterable[Timeline]) -> float:
    """Seconds that all timelines show alike: until nearly all jobs of each have ended.

    A last job that runs for days would squeeze all others into the corner.
    """
    ends = [one.log.end for one in shown if len(one.log.end)]
    return max((1.03 * float(np.quantile(each, 0.96)) for each in ends), default=0.0)


def _queue(axes: Axes, shown: Timeline, factor: float) -> None:
    axes.fill_between(
        shown.times / factor, shown.waiting, step="post", color=COLOURS[0], alpha=0.45, lw=0
    )
    axes.set_ylabel("waiting", rotation=0, ha="right", va="center")
    axes.locator_params(axis="y", nbins=2, integer=True)
    axes.set_ylim(bottom=0)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.grid(visible=False, axis="x")


def _devices(axes: Axes, shown: Timeline, factor: float) -> None:
    """A bar per device and attempt; pools one above the other."""
    log = shown.log
    bases = np.concatenate(([0], np.cumsum([n * each for _, n, each in shown.pools])))
    order = np.lexsort((log.end, log.start))
    attempts = (
        (
            float(log.start[row]),
            float(log.end[row]),
            int(log.pool[row]),
            ((int(log.node[row]), int(log.devices[row])),),
        )
        for row in order
    )
    lanes = device_lanes(attempts, [per_node for _, _, per_node in shown.pools])
    boxes, colours = [], []
    for row, ranges in zip(order, lanes, strict=True):
        base = int(bases[log.pool[row]])
        left, right = float(log.start[row]) / factor, float(log.end[row]) / factor
        for one in ranges:
            low, high = base + one.start, base + one.stop
            boxes.append([(left, low), (left, high), (right, high), (right, low)])
            slowdown = shown.slowdown[row]
            counts = not np.isnan(slowdown)
            colours.append(_CALM_TO_SLOW(_NORM(slowdown)) if counts else _UNCOUNTED)
    edge = 0.5 if bases[-1] <= 80 else 0.15
    bars = PolyCollection(boxes, facecolors=colours, edgecolors=PAPER, linewidths=edge)
    axes.add_collection(bars)
    axes.set_ylim(int(bases[-1]), 0)
    axes.grid(visible=False)
    for base in bases[1:-1]:
        axes.axhline(base, color=INK, lw=0.9)
    middles = [(low + high) / 2 for low, high in pairwise(bases)]
    axes.set_yticks(middles, [f"{name} ×{n * each}" for name, n, each in shown.pools])
    axes.tick_params(axis="y", length=0)


def _shares(axes: Axes, shown: Timeline, factor: float, until: float) -> None:
    """Share of each pool's devices in use."""
    for number, (name, nodes, each) in enumerate(shown.pools):
        times, used = _in_use(shown, number)
        steps = np.append(times, until) / factor
        axes.step(
            steps,
            np.append(used, used[-1:]) / (nodes * each),
            where="post",
            color=COLOURS[number % len(COLOURS)],
            label=f"{name} ×{nodes * each}",
        )
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("in use")
    axes.legend(loc="upper right", ncols=4)


def _in_use(shown: Timeline, pool: int) -> tuple[Floats, Ints]:
    mine = shown.log.pool == pool
    devices = shown.log.devices[mine]
    times = np.concatenate(([0.0], shown.log.start[mine], shown.log.end[mine]))
    changes = np.concatenate(([0], devices, -devices))
    order = np.lexsort((changes, times))
    return times[order], np.cumsum(changes[order])
