"""What an encoding says of a waiting job that does not change while it waits.

Computed once for each row of the queue, however many rounds it is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scheduler.decisions.features import ranks
from scheduler.decisions.state.queue import Floats, Ints, Queue, Shape
from scheduler.domain.pools import Pool

Floats32 = NDArray[np.float32]
GAIN = 0.4
"""A logarithmic column holds GAIN · ln(1 + x / unit): doubling a large x adds 0.28."""
TOP = 5.0
"""No number of an encoding is above this (268,000 units) or below 0."""
SHORT_S = 10.0
"""Jobs shorter than this count as this long where something is divided by their length."""
SOFTENING_S = 30.0
"""Added to the ideal runtime where seconds are turned into slowdown."""
_LEAST = 1e-9
_Values = TypeVar("_Values", Floats, Floats32)


def squash(values: Floats32, units: Floats32) -> None:
    """GAIN · ln(1 + x / unit) in place, between 0 and TOP."""
    values /= units
    np.maximum(values, 0.0, out=values)
    values += 1.0
    np.log(values, out=values)
    values *= GAIN
    np.minimum(values, TOP, out=values)


def _f1(queue: Queue, slot: Ints | slice) -> Floats:
    """log10(r)·n + 870·log10(s), Carastan-Santos and de Camargo, SC 2017."""
    r = np.log10(np.maximum(queue.size[slot], 1.0))
    born = np.log10(np.maximum(queue.submitted[slot] - queue.origin, 1.0))
    return r * queue.request[slot] + 870.0 * born


ORDERS: Mapping[str, Callable[[Queue, Ints | slice], Floats]] = {
    "fcfs": lambda queue, slot: queue.submitted[slot],
    "sjf": lambda queue, slot: queue.size[slot],
    "saf": lambda queue, slot: queue.size[slot] * queue.request[slot],
    "f1": _f1,
    "priority": lambda queue, slot: -queue.priority[slot],
}
"""(queue, slots) → what ranks these jobs, least first; equal ones: oldest first. An order that is
added here becomes a column of the encoding."""

LINEAR = ("share", "priority", "preference")
LOGARITHMIC: Mapping[str, tuple[float, str]] = {
    "request": (1.0, "n: devices where the job takes the fewest device-seconds"),
    "size": (10.0, "r: seconds there"),
    "area": (10.0, "r·n (device-seconds)"),
    "ideal": (10.0, "least seconds on any placement"),
    "runtime": (10.0, "seconds on this placement"),
    "slower": (0.1, "runtime ÷ ideal, minus 1"),
    "dollars": (0.01, "of the attempt"),
    "worth": (10.0, "dollars as seconds of one device of the dearest pool"),
    "dearer": (0.1, "dollars ÷ the job's least, minus 1"),
    "hungrier": (0.1, "joules ÷ the job's least, minus 1"),
}
"""Name → (unit, meaning), in the order of `StaticFeatures.columns` after `LINEAR`."""
_UNITS = np.array([[unit] for unit, _ in LOGARITHMIC.values()], dtype=np.float32)


class StaticFeatures:
    """Facts about every row of one layout of a queue; grows with it."""

    def __init__(self, layout: int, shapes: tuple[Shape, ...], pools: tuple[Pool, ...]) -> None:
        self.layout = layout
        self._counts = np.array([pool.count for pool in pools], dtype=np.float64)
        self._second = seconds_per_dollar(pools)
        self._look_at(shapes)
        self._rows = self._slots = 0
        self.columns: Floats32 = np.zeros((len(LINEAR) + len(LOGARITHMIC), 64), dtype=np.float32)
        """(13, ≥ rows) Finished columns of the encoding."""
        self.base: Floats = np.zeros((4, 64))
        self.slope: Floats = _slopes(64)
        """(4, ≥ rows) base + slope · x: wait (s), expansion and deadline (s from now) with the time
        as x; slowdown inflicted with the urgency of the whole queue as x."""
        self.price: Floats = np.zeros((4, 64))
        """(4, ≥ rows) Parts of a placement's price, see `prices`: p · v; (1 - p) · dollars as
        seconds; p · runtime · share; and 1 ÷ (ideal + 30 s)."""
        self.orders: Ints = np.empty((len(ORDERS), 0), dtype=np.int64)
        """(orders, slots) Slots, least first; equal ones oldest first."""
        self._scores: Floats = np.zeros((len(ORDERS), 64))
        self.weights: Floats = np.zeros((4, 64))
        """(4, ≥ slots) r·n (device-seconds); slowdown per second of waiting, by priority; v; and
        v ÷ (ideal + 30 s)."""

    def serves(self, queue: Queue) -> bool:
        """Whether what is known holds for that queue; afterwards it is known of all its rows."""
        if queue.layout != self.layout or not queue.layout:
            return False
        if queue.shapes is not self.shapes:
            if queue.shapes[: len(self.shapes)] != self.shapes:
                return False
            self._look_at(queue.shapes)
        self.learn(queue)
        return True

    def learn(self, queue: Queue) -> None:
        """Look at the rows that were not there before."""
        rows, slots = len(queue.slot), len(queue.id)
        if rows <= self._rows:
            return
        while rows > self.columns.shape[1]:
            self.columns = _doubled(self.columns)
            self.base = _doubled(self.base)
            self.slope = np.concatenate([self.slope, _slopes(self.slope.shape[1])], axis=1)
            self.price = _doubled(self.price)
        while slots > self._scores.shape[1]:
            self._scores, self.weights = _doubled(self._scores), _doubled(self.weights)
        self._describe(queue, slice(self._slots, slots), slice(self._rows, rows))
        self.orders = ranks.extended(self.orders, self._scores[:, :slots])
        self._rows, self._slots = rows, slots

    def passing(
        self, rows: Ints, ends: Floats, now: float, urgency: float, columns: int
    ) -> Floats32:
        """(columns, rows) What changes while a job waits, the first five columns filled in.

        Wait and expansion, slack (s, from `ends`), slowdown inflicted, and seconds too late.
        """
        moved = self.slope.take(rows, axis=1)
        moved *= np.array(((now,), (now,), (now,), (urgency,)))
        moved += self.base.take(rows, axis=1)
        moved[2] -= ends
        passing = np.empty((columns, len(rows)), dtype=np.float32)
        passing[:4] = moved
        np.negative(moved[2], out=passing[4], casting="same_kind")
        return passing

    def prices(self, ends: Floats, weight: float, urgency: float, out: Floats) -> None:
        """(2, rows) into `out`: what each placement costs the job and who wait, lower is better.

        In seconds: p · v · end + (1 - p) · dollars + p · V · runtime · share, dollars as seconds
        of one device of the dearest pool, v = priority ÷ 50. In slowdown: each job's own part
        ÷ (ideal + 30 s), and U instead of V. `ends`: seconds from now, of all rows; `weight`: V,
        Σ v of those who wait; `urgency`: U, Σ v ÷ (ideal + 30 s).
        """
        light, dollars, held, rate = self.price[:, : len(ends)]
        own, slow = out
        np.multiply(light, ends, out=own)
        own += dollars
        np.multiply(own, rate, out=slow)
        slow += urgency * held
        own += weight * held

    def _look_at(self, shapes: tuple[Shape, ...]) -> None:
        self.shapes = shapes
        self.pool: Ints = np.array([shape[0] for shape in shapes], dtype=np.int64)
        """(shapes,)"""
        self._share: Floats = np.array([shape[1] for shape in shapes]) / self._counts[self.pool]

    def _describe(self, queue: Queue, slots: slice, rows: slice) -> None:
        size, request, ideal = queue.size[slots], queue.request[slots], queue.ideal[slots]
        priority, preference = queue.priority[slots], queue.preference[slots]
        submitted = queue.submitted[slots]
        for score, order in zip(self._scores, ORDERS.values(), strict=True):
            score[slots] = order(queue, slots)
        area, urgency, weight = size * request, _urgency(priority, ideal), priority / 50.0
        rate, slope = 1.0 / (ideal + SOFTENING_S), 1.0 / np.maximum(size, SHORT_S)
        self.weights[0, slots] = area
        self.weights[1, slots] = urgency
        self.weights[2, slots] = weight
        self.weights[3, slots] = weight / (ideal + SOFTENING_S)

        runtime, dollars = queue.runtime[rows], queue.dollars[rows]
        joules = queue.joules[rows]
        least = np.minimum.reduceat(joules, queue.first[slots] - rows.start)
        worth = dollars * self._second
        share = self._share.take(queue.shape[rows])
        held = runtime * share
        of_job = np.array(
            (
                (priority / 100.0),
                preference,
                request,
                size,
                area,
                ideal,
                np.maximum(ideal, _LEAST),
                queue.cheapest[slots] + _LEAST,
                least + _LEAST,
                slope,
                -submitted,
                -submitted * slope,
                queue.deadline[slots],
                -urgency,
                preference * priority / 50.0,
                1.0 - preference,
                rate,
            )
        ).take(queue.slot[rows] - slots.start, axis=1)

        columns = self.columns[:, rows]
        columns[0] = share
        columns[1:3] = of_job[:2]
        logs = columns[len(LINEAR) :]
        logs[:4] = of_job[2:6]
        logs[4] = runtime
        logs[5] = runtime / of_job[6] - 1
        logs[6] = dollars
        logs[7] = worth
        logs[8] = (dollars + _LEAST) / of_job[7] - 1
        logs[9] = (joules + _LEAST) / of_job[8] - 1
        squash(logs, _UNITS)
        self.slope[1, rows] = of_job[9]
        self.slope[3, rows] = held
        base = self.base[:, rows]
        base[:3] = of_job[10:13]
        base[3] = of_job[13] * held
        price = self.price[:, rows]
        price[0] = of_job[14]
        price[1] = of_job[15] * dollars * self._second
        price[2] = of_job[1] * held
        price[3] = of_job[16]


def _slopes(rows: int) -> Floats:
    """Those that all rows share are there from the start."""
    slope = np.ones((4, rows))
    slope[2] = -1.0
    return slope


def seconds_per_dollar(pools: tuple[Pool, ...]) -> float:
    """Seconds of one device of the dearest pool; where nothing has a price, of one for $1/h."""
    dearest = max((pool.dollars_per_device_hour for pool in pools), default=0.0)
    return 3600.0 / (dearest or 1.0)


def _urgency(priority: Floats, ideal: Floats) -> Floats:
    """Slowdown per second of waiting, weighed by priority (50 counts once)."""
    return priority / 50.0 / np.maximum(ideal, SHORT_S)


def _doubled(values: _Values) -> _Values:
    return np.concatenate([values, np.zeros_like(values)], axis=1)
