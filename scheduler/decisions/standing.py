"""What an encoding says of a waiting job that does not change while it waits.

Computed once for each row of the queue, however many rounds it is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scheduler.decisions.queue import Floats, Ints, Queue, Shape
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


def _f1(queue: Queue, slot: Ints) -> Floats:
    """log10(r)·n + 870·log10(s), Carastan-Santos and de Camargo, SC 2017."""
    r = np.log10(np.maximum(queue.size[slot], 1.0))
    born = np.log10(np.maximum(queue.submitted[slot] - queue.origin, 1.0))
    return r * queue.request[slot] + 870.0 * born


ORDERS: Mapping[str, Callable[[Queue, Ints], Floats]] = {
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
"""Name → (unit, meaning), in the order of `Standing.columns` after `LINEAR`."""
_UNITS = np.array([[unit] for unit, _ in LOGARITHMIC.values()], dtype=np.float32)


class Standing:
    """Facts about every row of one layout of a queue; grows with it."""

    def __init__(self, layout: int, shapes: tuple[Shape, ...], pools: tuple[Pool, ...]) -> None:
        self.layout = layout
        self.shapes = shapes
        counts = np.array([pool.count for pool in pools], dtype=np.float64)
        self._second = seconds_per_dollar(pools)
        self.pool: Ints = np.array([shape.pool for shape in shapes], dtype=np.int64)
        """(shapes,)"""
        self._share: Floats = np.array([shape.width for shape in shapes]) / counts[self.pool]
        self._rows = self._slots = 0
        self.columns: Floats32 = np.zeros((len(LINEAR) + len(LOGARITHMIC), 64), dtype=np.float32)
        """(13, ≥ rows) Finished columns of the encoding."""
        self.base: Floats = np.zeros((4, 64))
        self.slope: Floats = np.zeros((4, 64))
        """(4, ≥ rows) base + slope · x: wait (s), expansion and deadline (s from now) with the time
        as x; slowdown inflicted with the urgency of the whole queue as x."""
        self.price: Floats = np.zeros((4, 64))
        """(4, ≥ rows) Parts of a placement's price, see `prices`: p · v; (1 - p) · dollars as
        seconds; p · runtime · share; and 1 ÷ (ideal + 30 s)."""
        self.scores: Floats = np.zeros((len(ORDERS), 64))
        """(orders, ≥ slots)"""
        self.weights: Floats = np.zeros((4, 64))
        """(4, ≥ slots) r·n (device-seconds); slowdown per second of waiting, by priority; v; and
        v ÷ (ideal + 30 s)."""

    def serves(self, queue: Queue) -> bool:
        """Whether what is known holds for that queue; afterwards it is known of all its rows."""
        if queue.layout != self.layout or not queue.layout:
            return False
        if queue.shapes != self.shapes:
            return False
        self.learn(queue)
        return True

    def learn(self, queue: Queue) -> None:
        """Look at the rows that were not there before."""
        rows, slots = len(queue.slot), len(queue.id)
        if rows <= self._rows:
            return
        while rows > self.columns.shape[1]:
            self.columns = _doubled(self.columns)
            self.base, self.slope = _doubled(self.base), _doubled(self.slope)
            self.price = _doubled(self.price)
        while slots > self.scores.shape[1]:
            self.scores, self.weights = _doubled(self.scores), _doubled(self.weights)
        self._describe(queue, np.arange(self._rows, rows))
        new = np.arange(self._slots, slots)
        for score, order in zip(self.scores, ORDERS.values(), strict=True):
            score[self._slots : slots] = order(queue, new)
        self.weights[0, self._slots : slots] = queue.size[new] * queue.request[new]
        self.weights[1, self._slots : slots] = _urgency(queue.priority[new], queue.ideal[new])
        weight = queue.priority[new] / 50.0
        self.weights[2, self._slots : slots] = weight
        self.weights[3, self._slots : slots] = weight / (queue.ideal[new] + SOFTENING_S)
        self._rows, self._slots = rows, slots

    def _describe(self, queue: Queue, rows: Ints) -> None:
        slot = queue.slot[rows]
        share = self._share[queue.shape[rows]]
        size, request, ideal = queue.size[slot], queue.request[slot], queue.ideal[slot]
        runtime, dollars, priority = queue.runtime[rows], queue.dollars[rows], queue.priority[slot]
        least = np.minimum.reduceat(queue.joules, queue.first)[slot]

        columns = self.columns[:, rows[0] : rows[-1] + 1]
        columns[0] = share
        columns[1] = priority / 100.0
        columns[2] = queue.preference[slot]
        logs = columns[len(LINEAR) :]
        logs[0] = request
        logs[1] = size
        logs[2] = size * request
        logs[3] = ideal
        logs[4] = runtime
        logs[5] = runtime / np.maximum(ideal, _LEAST) - 1
        logs[6] = dollars
        logs[7] = dollars * self._second
        logs[8] = (dollars + _LEAST) / (queue.cheapest[slot] + _LEAST) - 1
        logs[9] = (queue.joules[rows] + _LEAST) / (least + _LEAST) - 1
        squash(logs, _UNITS)

        base, slope = self.base[:, rows[0] : rows[-1] + 1], self.slope[:, rows[0] : rows[-1] + 1]
        held, submitted = runtime * share, queue.submitted[slot]
        slope[0] = 1.0
        slope[1] = 1.0 / np.maximum(size, SHORT_S)
        slope[2] = -1.0
        slope[3] = held
        base[0] = -submitted
        base[1] = -submitted * slope[1]
        base[2] = queue.deadline[slot]
        base[3] = -_urgency(priority, ideal) * held

        price, preference = self.price[:, rows[0] : rows[-1] + 1], queue.preference[slot]
        price[0] = preference * priority / 50.0
        price[1] = (1.0 - preference) * dollars * self._second
        price[2] = preference * held
        price[3] = 1.0 / (ideal + SOFTENING_S)

    def prices(self, ends: Floats, weight: float, urgency: float) -> tuple[Floats, Floats]:
        """(rows,) twice: what each placement costs the job and all who wait, lower is better.

        In seconds: p · v · end + (1 - p) · dollars + p · V · runtime · share, dollars as seconds
        of one device of the dearest pool, v = priority ÷ 50. In slowdown: each job's own part
        ÷ (ideal + 30 s), and U instead of V. `ends`: seconds from now, of all rows; `weight`: V,
        Σ v of those who wait; `urgency`: U, Σ v ÷ (ideal + 30 s).
        """
        light, dollars, held, rate = self.price[:, : len(ends)]
        own = light * ends
        own += dollars
        slow = own * rate
        slow += urgency * held
        own += weight * held
        return own, slow


def seconds_per_dollar(pools: tuple[Pool, ...]) -> float:
    """Seconds of one device of the dearest pool; where nothing has a price, of one for $1/h."""
    dearest = max((pool.dollars_per_device_hour for pool in pools), default=0.0)
    return 3600.0 / (dearest or 1.0)


def _urgency(priority: Floats, ideal: Floats) -> Floats:
    """Slowdown per second of waiting, weighed by priority (50 counts once)."""
    return priority / 50.0 / np.maximum(ideal, SHORT_S)


def _doubled(values: _Values) -> _Values:
    return np.concatenate([values, np.zeros_like(values)], axis=1)
