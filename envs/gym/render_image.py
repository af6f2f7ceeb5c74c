"""An episode as a picture: which job used which device when, and how many jobs waited."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from envs.simulator.device_lanes import device_lanes
from envs.simulator.simulated_job import HeldDevices
from envs.simulator.simulation import Simulation
from scheduler.domain.pools import Pool
from scheduler.domain.units import duration

WIDTH = 960
"""Pixels."""
_LEFT, _RIGHT, _TOP, _GAP, _BOTTOM = 116, 14, 30, 14, 26
_BANDS = 330
"""Pixels of all pools together, more if there are many pools."""
_LEAST_BAND = 34
_QUEUE = 48
_AHEAD = 0.12
"""Share of the time axis that is in the future."""
_PAPER, _INK, _FAINT, _BACK = (255, 255, 255), (38, 42, 48), (148, 152, 158), (243, 244, 246)
_NOW = (206, 55, 48)
_GOLDEN = 0.6180339887498949
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Seconds to pixels."""

    end: float

    def at(self, time: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * min(max(time, 0.0), self.end) / self.end


def picture(simulation: Simulation) -> NDArray[np.uint8]:
    """(height, 960, 3) uint8: the episode until now, and the estimated ends of what runs.

    The simulation must `record`. One line is one device; a job keeps its colour.
    """
    held = sorted(
        [*(simulation.held or ()), *simulation.holding()], key=lambda each: (each.start, each.job)
    )
    believed = {each.job: each.end for each in simulation.world.running()}
    axis = _Axis(max(simulation.now, 60.0) / (1 - _AHEAD))
    pools = simulation.world.pools
    lanes = device_lanes(
        ((each.start, each.end, each.pool, each.nodes) for each in held),
        [pool.devices_per_node for pool in pools],
    )
    bars = list(zip(held, lanes, strict=True))
    heights = _heights(pools)
    height = _TOP + sum(heights) + _GAP * len(pools) + _QUEUE + _BOTTOM
    image = Image.new("RGB", (WIDTH, height), _PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((_LEFT, 8), _title(simulation), fill=_INK, font=_font(13))
    top = float(_TOP)
    for index, (pool, band) in enumerate(zip(pools, heights, strict=True)):
        busy = pool.count - simulation.world.free(index)
        _label(draw, top, band, pool.name, f"{busy} of {pool.count} busy")
        draw.rectangle((_LEFT, top, axis.at(axis.end), top + band), fill=_BACK)
        for each, ranges in bars:
            if each.pool != index:
                continue
            end = believed.get(each.job, each.end) if each.end >= simulation.now else each.end
            edges = [
                (top + one.start * band / pool.count, top + one.stop * band / pool.count)
                for one in ranges
            ]
            _bar(draw, axis, each, end, edges)
        top += band + _GAP
    _waiting(draw, axis, top, simulation)
    _times(draw, axis, top + _QUEUE, simulation.now)
    return np.asarray(image, dtype=np.uint8).copy()


def _heights(pools: Iterable[Pool]) -> list[int]:
    """Pixels of each pool's band: by the root of its devices, so that small pools are visible."""
    roots = [math.sqrt(pool.count) for pool in pools]
    share = _BANDS / sum(roots)
    return [max(_LEAST_BAND, round(share * root)) for root in roots]


def _title(simulation: Simulation) -> str:
    return (
        f"{duration(simulation.now)}    {len(simulation.holding())} running, "
        f"{simulation.waiting} waiting, {simulation.finished} ended"
    )


def _bar(
    draw: ImageDraw.ImageDraw,
    axis: _Axis,
    each: HeldDevices,
    believed: float,
    edges: list[tuple[float, float]],
) -> None:
    left, right = axis.at(each.start), axis.at(each.end)
    colour = _colour(each.job)
    for top, bottom in edges:
        # A pixel of background between neighbours, where it fits.
        inset = 1.0 if bottom - top >= 4 else 0.0
        if believed > each.end:
            ahead = (right, top, axis.at(believed), bottom - inset)
            draw.rectangle(ahead, fill=_pale(colour))
        draw.rectangle((left, top, max(left + 1, right - 1), bottom - inset), fill=colour)
        name = str(each.job)
        if right - left > 7 * len(name) + 6 and bottom - top >= 12:
            middle = ((left + right) / 2, (top + bottom) / 2)
            draw.text(middle, name, fill=_PAPER, font=_font(10), anchor="mm")


def _waiting(draw: ImageDraw.ImageDraw, axis: _Axis, top: float, simulation: Simulation) -> None:
    """Draw how many jobs waited for their first start."""
    now = simulation.now
    times, depth = simulation.outcome().load.queue()
    past = int(np.searchsorted(times, now, "right"))
    depth = np.concatenate(([0], depth[:past]))
    times, depth = np.concatenate(([0.0], times[:past], [now])), np.append(depth, depth[-1])
    _label(draw, top, _QUEUE, "queue", f"{simulation.waiting} wait")
    draw.rectangle((_LEFT, top, axis.at(axis.end), top + _QUEUE), fill=_BACK)
    most = max(int(depth.max()), 1)
    points = [(float(_LEFT), top + _QUEUE)]
    for time, before, after in zip(times, [0, *depth[:-1]], depth, strict=True):
        points += [(axis.at(time), top + _QUEUE * (1 - jobs / most)) for jobs in (before, after)]
    points.append((axis.at(now), top + _QUEUE))
    draw.polygon(points, fill=(176, 190, 210))
    draw.text((_LEFT + 4, top + 2), f"{most}", fill=_FAINT, font=_font(10))


def _times(draw: ImageDraw.ImageDraw, axis: _Axis, bottom: float, now: float) -> None:
    step = _step(axis.end / 6)
    for count in range(int(axis.end // step) + 1):
        at = axis.at(count * step)
        draw.line((at, bottom, at, bottom + 4), fill=_FAINT)
        text = duration(count * step).removesuffix(" 00 min").removesuffix(" 00 s")
        place, anchor = (at, bottom + 7), "ma" if count else "la"
        draw.text(place, text if count else "0", fill=_FAINT, font=_font(10), anchor=anchor)
    at = axis.at(now)
    draw.line((at, _TOP - 4, at, bottom), fill=_NOW)
    draw.text((at, _TOP - 5), "now", fill=_NOW, font=_font(10), anchor="ms")


def _step(least: float) -> float:
    """The first round number of seconds that is at least `least`."""
    for step in (10, 30, 60, 300, 600, 1800, 3600, 7200, 14_400, 28_800, 86_400):
        if step >= least:
            return float(step)
    return math.ceil(least / 86_400) * 86_400.0


def _label(draw: ImageDraw.ImageDraw, top: float, band: float, name: str, note: str) -> None:
    middle = top + band / 2
    draw.text((_LEFT - 10, middle - 1), name, fill=_INK, font=_font(12), anchor="rs")
    draw.text((_LEFT - 10, middle + 3), note, fill=_FAINT, font=_font(10), anchor="ra")


def _colour(job: int) -> Colour:
    # Steps of the golden ratio keep neighbouring jobs apart in hue (Martin Ankerl's rule).
    hue = (job * _GOLDEN) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.58 if job % 2 else 0.45, 0.74)
    return round(255 * red), round(255 * green), round(255 * blue)


def _pale(colour: Colour) -> Colour:
    red, green, blue = (round(0.28 * part + 0.72 * 255) for part in colour)
    return red, green, blue


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
