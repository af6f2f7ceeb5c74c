"""Facts about a waiting job that do not change while it waits.

Computed once for each row of the queue, however many rounds look at it.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np

from scheduler.arrays import Floats, Floats32, Ints
from scheduler.decisions.features import ranks
from scheduler.decisions.features.columns import (
    ORDERS,
    STATIC_COLUMNS,
    StaticRows,
    Timing,
    squash,
    units,
)
from scheduler.decisions.rounds.congestion import congestion_price, own_cost
from scheduler.decisions.state.queue import Queue
from scheduler.decisions.state.world import Shape
from scheduler.domain.jobs import MIDDLE_PRIORITY
from scheduler.domain.pools import Pool

SHORT_S = 10.0
"""Jobs shorter than this count as this long where something is divided by their length."""
SOFTENING_S = 30.0
"""Added to the ideal runtime where seconds are turned into slowdown."""
_LINEAR = sum(not column.unit for column in STATIC_COLUMNS)
_UNITS = units(STATIC_COLUMNS[_LINEAR:])
_Values = TypeVar("_Values", Floats, Floats32)


class PriceParts(NamedTuple):
    """Parts of a placement's price; (rows,) each. v = priority ÷ 50, p: the job's preference."""

    rate: Floats
    """p · v."""
    money: Floats
    """(1 - p) · dollars, as seconds of one device of the most expensive pool."""
    held: Floats
    """p · runtime · share of the pool (s)."""
    unit: Floats
    """1 ÷ (ideal + 30 s): turns seconds into slowdown."""


class Weights(NamedTuple):
    """What a job adds to totals over the queue; (slots,) each."""

    area: Floats
    """r·n (device-seconds)."""
    urgency: Floats
    """Slowdown per second of waiting, weighted by priority."""
    weight: Floats
    """v = priority ÷ 50."""
    pressure: Floats
    """v ÷ (ideal + 30 s)."""


class StaticFeatures:
    """Facts about every row of one layout of a queue; grows with it."""

    def __init__(self, layout: int, shapes: tuple[Shape, ...], pools: tuple[Pool, ...]) -> None:
        self.layout = layout
        self._counts = np.array([pool.count for pool in pools], dtype=np.float64)
        self._second = seconds_per_dollar(pools)
        self._set_shapes(shapes)
        self._rows = self._slots = 0
        self.columns: Floats32 = np.zeros((len(STATIC_COLUMNS), 64), dtype=np.float32)
        """(STATIC_COLUMNS, ≥ rows) Finished columns of the encoding."""
        self.timing: Floats = np.zeros((len(Timing._fields), 64))
        """(fields of `Timing`, ≥ rows)"""
        self.price: Floats = np.zeros((len(PriceParts._fields), 64))
        """(fields of `PriceParts`, ≥ rows)"""
        self.weights: Floats = np.zeros((len(Weights._fields), 64))
        """(fields of `Weights`, ≥ slots)"""
        self.orders: Ints = np.empty((len(ORDERS), 0), dtype=np.int64)
        """(orders, slots) Slots, least first; equal ones oldest first."""
        self._scores: Floats = np.zeros((len(ORDERS), 64))

    def serves(self, queue: Queue) -> bool:
        """Whether the facts hold for that queue; afterwards all its rows are known."""
        if queue.layout != self.layout or not queue.layout:
            return False
        if queue.shapes is not self.shapes:
            if queue.shapes[: len(self.shapes)] != self.shapes:
                return False
            self._set_shapes(queue.shapes)
        self.learn(queue)
        return True

    def learn(self, queue: Queue) -> None:
        """Compute the facts about rows that were not there before."""
        rows, slots = len(queue.slot), len(queue.id)
        if rows <= self._rows:
            return
        while rows > self.columns.shape[1]:
            self.columns = _doubled(self.columns)
            self.timing, self.price = _doubled(self.timing), _doubled(self.price)
        while slots > self._scores.shape[1]:
            self._scores, self.weights = _doubled(self._scores), _doubled(self.weights)
        self._describe(queue, slice(self._slots, slots), slice(self._rows, rows))
        self.orders = ranks.extended(self.orders, self._scores[:, :slots])
        self._rows, self._slots = rows, slots

    def prices(self, ends: Floats, weight: float, pressure: float, out: Floats) -> None:
        """(2, rows) into `out`: what each placement costs the job and those that wait.

        In seconds: p · v · end + (1 - p) · dollars + p · V · runtime · share, dollars as seconds
        of one device of the most expensive pool, v = priority ÷ 50. In slowdown: each job's own
        part ÷ (ideal + 30 s), and U instead of V. `ends`: seconds from now, of all rows; `weight`:
        V, Σ v of the jobs that wait; `pressure`: U, Σ v ÷ (ideal + 30 s).
        """
        rate, money, held, unit = PriceParts(*self.price[:, : len(ends)])
        own = own_cost(rate, ends, money)
        out[0] = congestion_price(own, weight, held)
        out[1] = congestion_price(own * unit, pressure, held)

    def _set_shapes(self, shapes: tuple[Shape, ...]) -> None:
        self.shapes = shapes
        self.pool: Ints = np.array([shape.pool for shape in shapes], dtype=np.int64)
        """(shapes,)"""
        self._share: Floats = np.array([shape.width for shape in shapes]) / self._counts[self.pool]

    def _describe(self, queue: Queue, slots: slice, rows: slice) -> None:
        for score, order in zip(self._scores, ORDERS.values(), strict=True):
            score[slots] = order(queue, slots)
        weights = self._weigh(queue, slots)
        local = queue.slot[rows] - slots.start
        joules = queue.joules[rows]
        of_job = np.array(
            (
                queue.priority[slots],
                queue.preference[slots],
                queue.request[slots],
                queue.size[slots],
                queue.ideal[slots],
                queue.cheapest[slots],
                np.minimum.reduceat(joules, queue.first[slots] - rows.start),
            )
        ).take(local, axis=1)
        dollars = queue.dollars[rows]
        facts = StaticRows(
            self._share.take(queue.shape[rows]),
            queue.runtime[rows],
            dollars,
            joules,
            dollars * self._second,
            *of_job,
        )
        columns = self.columns[:, rows]
        for target, column in zip(columns, STATIC_COLUMNS, strict=True):
            target[:] = column.value(facts)
        squash(columns[_LINEAR:], _UNITS)

        timing = Timing(*self.timing[:, rows])
        timing.submitted[:] = queue.submitted[slots].take(local)
        timing.pace[:] = 1.0 / np.maximum(facts.size, SHORT_S)
        timing.deadline[:] = queue.deadline[slots].take(local)
        timing.held[:] = facts.runtime * facts.share
        timing.urgency[:] = weights.urgency.take(local)
        price = PriceParts(*self.price[:, rows])
        price.rate[:] = facts.preference * facts.priority / MIDDLE_PRIORITY
        price.money[:] = (1.0 - facts.preference) * facts.dollars * self._second
        price.held[:] = facts.preference * timing.held
        price.unit[:] = 1.0 / (facts.ideal + SOFTENING_S)

    def _weigh(self, queue: Queue, slots: slice) -> Weights:
        weights = Weights(*self.weights[:, slots])
        ideal = queue.ideal[slots]
        weights.area[:] = queue.size[slots] * queue.request[slots]
        weights.weight[:] = queue.priority[slots] / MIDDLE_PRIORITY
        weights.urgency[:] = weights.weight / np.maximum(ideal, SHORT_S)
        weights.pressure[:] = weights.weight / (ideal + SOFTENING_S)
        return weights


def seconds_per_dollar(pools: tuple[Pool, ...]) -> float:
    """Seconds of one device of the most expensive pool; where nothing has a price, of $1/h."""
    highest = max((pool.dollars_per_device_hour for pool in pools), default=0.0)
    return 3600.0 / (highest or 1.0)


def _doubled(values: _Values) -> _Values:
    return np.concatenate([values, np.zeros_like(values)], axis=1)
