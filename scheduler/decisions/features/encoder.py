"""A candidate table as numbers of one size, for policies that are learned.

The same table gives the same numbers in every simulation and in every service, today and after the
next training. Nothing here knows a true runtime, the future, or how far an episode has come. What
the numbers mean is in `columns`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import mul

import numpy as np

from scheduler.arrays import Floats, Floats32, Ints
from scheduler.decisions.features import ranks
from scheduler.decisions.features.columns import (
    DYNAMIC_COLUMNS,
    GAIN,
    GLOBAL_COLUMNS,
    NOW_COLUMNS,
    OF_WAIT,
    ROW_COLUMNS,
    STATIC_COLUMNS,
    TOP,
    ShownRows,
    Timing,
    Whole,
    squash,
    units,
)
from scheduler.decisions.features.row_selection import nearest
from scheduler.decisions.features.static_features import StaticFeatures, Weights
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.availability import ahead
from scheduler.decisions.state.queue import Queue
from scheduler.domain.pools import Pool

_UNITS = units(DYNAMIC_COLUMNS)
_NOW = slice(len(NOW_COLUMNS))
_STATIC = slice(_NOW.stop, _NOW.stop + len(STATIC_COLUMNS))
_DYNAMIC = slice(_STATIC.stop, None)
_OF_WAIT = [at for at, column in enumerate(ROW_COLUMNS) if column.name in OF_WAIT]
_FAR_S = 1e12
"""Stands for never, where an infinity would make a NaN."""
_SHORT_QUEUE = 512
"""Rows of a queue up to which it is faster to look at all of them than to pick those asked for."""


def size(rows: int) -> int:
    """Numbers in an encoding of so many rows."""
    return rows * len(ROW_COLUMNS) + len(GLOBAL_COLUMNS)


def unflatten(values: Floats32, rows: int) -> tuple[Floats32, Floats32]:
    """(…, rows, columns) and (…, globals): views of encodings of shape (…, size(rows))."""
    split = rows * len(ROW_COLUMNS)
    shown = values[..., :split].reshape(*values.shape[:-1], len(ROW_COLUMNS), rows)
    return np.swapaxes(shown, -1, -2), values[..., split:]


@dataclass(frozen=True, slots=True)
class Encoding:
    """A table as numbers."""

    values: Floats32
    """(size(rows),) float32 in [0, TOP]: column by column of the rows, then the globals."""
    positions: Ints
    """(shown,) The table's rows that are shown, in this order; the first is WAIT."""
    ready: bool = False
    """One of the rows could start now at the least price (`StaticFeatures.prices`, seconds)
    that its job has anywhere, on busy pools too."""


def may_wait(table: Candidates, mode: Mode, encoding: Encoding) -> bool:
    """Whether WAIT is a sensible choice.

    It is not while nothing runs: no event would end the waiting. It is not while a job can start
    where its price is least: a policy that waits once too often would do so at every later event,
    and leave the cluster idle behind one long job. Otherwise it is, in `Mode.GREEDY` and wherever
    there is another pool to wait for. With a single pool and reservations, a policy waits for a
    job's devices by reserving them.
    """
    if (
        encoding.ready
        or mode is Mode.COMMIT_FCFS
        or (mode is not Mode.GREEDY and len(table.cluster.pools) == 1)
    ):
        return False
    return next(iter(table.cluster.running()), None) is not None


class Encoder:
    """Encodes one table after another; remembers what does not change between them."""

    def __init__(self, rows: int = 64) -> None:
        self.rows = rows
        """K: rows shown, WAIT included."""
        self._static: StaticFeatures | None = None
        self._totals: _QueueTotals | None = None
        self._site: _Site | None = None

    def encode(self, table: Candidates, preference: float = 0.5) -> Encoding:
        """The table as it is; `preference` is w, of the cluster.

        Of a table with more rows than fit, those are shown that come first by several orders
        (see `row_selection`); the other columns and the globals still describe the whole queue.
        """
        static, totals, site = self._known(table)
        queue, cluster = table.queue, table.cluster
        starts, boots = cluster.starts(queue.shapes, totals.used)
        delays = _delays(starts, boots, table.now)
        # Of every row of the queue: the job's soonest end may be on a pool that is closed now.
        figures = np.empty((3, len(queue.shape)))
        ends, prices = figures[0], figures[1:]
        np.add(delays.take(queue.shape), queue.runtime, out=ends)
        static.prices(ends, totals.weight, totals.pressure, prices)

        rows = table.rows[1:]
        before = ranks.among(static.orders, queue.slot.take(rows))
        if len(table) <= self.rows:
            positions = np.arange(len(table))
            cheaper = ranks.everywhere(prices.take(rows, axis=1))
        else:
            of_table = prices.take(rows, axis=1)
            positions = nearest(table, before, ends, of_table, self.rows)
            rows = table.rows[positions[1:]]
            cheaper = np.array([ranks.ranks(price, positions[1:] - 1) for price in of_table])
        slot, shape = queue.slot.take(rows), queue.shape.take(rows)
        own, least = figures.take(rows, axis=1), _least(figures, queue, slot)
        free = ahead(cluster, table.now)
        timing = Timing(*static.timing.take(rows, axis=1))
        shown = ShownRows(
            now=table.now,
            urgency=totals.urgency,
            start=starts.take(shape),
            delay=delays.take(shape),
            free=np.array(free, dtype=np.float32).take(static.pool.take(shape), axis=0).T,
            timing=timing,
            slack=timing.deadline - table.now - own[0],
            end=own[0],
            soonest=least[0],
            prices=own[1:],
            regrets=own[1:] - least[1:],
            before=before.take(slot, axis=1),
            cheaper=cheaper,
        )
        whole = Whole(
            preference=preference,
            backfilling=table.backfilling,
            free=site.free(free),
            depth=totals.depth,
            work=totals.area,
            urgency=totals.urgency,
            devices=site.devices,
            pools=len(site.pools),
            spread=site.spread,
            beyond=len(table) - len(positions),
        )
        values = self._written(shown, static.columns.take(rows, axis=1), whole)
        ready = bool(((shown.start == -np.inf) & (own[1] <= least[1])).any())
        return Encoding(values, positions, ready)

    def _written(self, shown: ShownRows, static: Floats32, whole: Whole) -> Floats32:
        """(size(rows),) All columns, each by its function."""
        values = np.zeros(size(self.rows), dtype=np.float32)
        split, count = self.rows * len(ROW_COLUMNS), static.shape[1]
        rows = values[:split].reshape(len(ROW_COLUMNS), self.rows)
        for at in _OF_WAIT:
            rows[at, 0] = 1.0
        rows = rows[:, 1 : 1 + count]
        for target, column in zip(rows[_NOW], NOW_COLUMNS, strict=True):
            target[:] = column.value(shown)
        rows[_STATIC] = static
        dynamic = np.array([column.value(shown) for column in DYNAMIC_COLUMNS], dtype=np.float32)
        squash(dynamic, _UNITS)
        rows[_DYNAMIC] = dynamic
        values[split:] = [
            _squashed(column.value(whole), column.unit) if column.unit else column.value(whole)
            for column in GLOBAL_COLUMNS
        ]
        return values

    def _known(self, table: Candidates) -> tuple[StaticFeatures, _QueueTotals, _Site]:
        """What is known of this table's queue and pools; computed again where they are others."""
        queue, cluster = table.queue, table.cluster
        if self._site is None or self._site.pools is not cluster.pools:
            self._site, self._static = _Site(cluster.pools), None
        if self._static is None or not self._static.serves(queue):
            self._static = StaticFeatures(queue.layout, queue.shapes, cluster.pools)
            self._static.learn(queue)
        if self._totals is None or self._totals.queue is not queue:
            self._totals = _QueueTotals(queue, self._static)
        return self._static, self._totals, self._site


class _Site:
    """What is fixed about the pools."""

    def __init__(self, pools: tuple[Pool, ...]) -> None:
        self.pools = pools
        prices = [pool.dollars_per_device_hour for pool in pools]
        self.devices = sum(pool.count for pool in pools)
        self.spread = (max(prices) + 1e-6) / (min(prices) + 1e-6) - 1
        self._weights = [pool.count / self.devices for pool in pools]

    def free(self, shares: list[list[float]]) -> dict[str, list[float]]:
        """`total`, `least` and `most` share, at each time ahead; `shares`: per pool."""
        moments = list(zip(*shares, strict=True))
        return {
            # Rounding may lead beyond the whole.
            "total": [min(sum(map(mul, self._weights, moment)), 1.0) for moment in moments],
            "least": [min(moment) for moment in moments],
            "most": [max(moment) for moment in moments],
        }


class _QueueTotals:
    """The whole queue as the round begins."""

    def __init__(self, queue: Queue, static: StaticFeatures) -> None:
        self.queue = queue
        waits = queue.open[queue.first]
        waits[0] = False
        asked = np.bincount(queue.shape, queue.open, minlength=len(queue.shapes))
        self.used: list[int] = np.flatnonzero(asked).tolist()
        """Shapes that waiting jobs ask for."""
        totals: list[float] = (static.weights[:, : len(waits)] @ waits).tolist()
        total = dict(zip(Weights._fields, totals, strict=True))
        self.area, self.urgency = total["area"], total["urgency"]
        self.weight, self.pressure = total["weight"], total["pressure"]
        self.depth = int(np.count_nonzero(waits))


def _least(figures: Floats, queue: Queue, slot: Ints) -> Floats:
    """(figures, slot) The least over all rows of each job; `slot`: of rows, ascending."""
    if figures.shape[1] <= _SHORT_QUEUE:
        whole: Floats = np.minimum.reduceat(figures, queue.first, axis=1)
        return whole.take(slot, axis=1)
    new = np.ones(len(slot), dtype=np.bool_)
    np.not_equal(slot[1:], slot[:-1], out=new[1:])
    jobs = slot[new]
    counts = queue.count.take(jobs)
    starts = counts.cumsum() - counts
    # The rows of these jobs, one job after another.
    rows = np.arange(counts.sum()) + (queue.first.take(jobs) - starts).repeat(counts)
    least = np.minimum.reduceat(figures.take(rows, axis=1), starts, axis=1)
    return least.take(new.cumsum() - 1, axis=1)


def _delays(starts: Floats, boots: Floats, now: float) -> Floats:
    """Seconds from now, boot included."""
    delays = starts - now
    np.maximum(delays, 0.0, out=delays)
    np.minimum(delays, _FAR_S, out=delays)
    delays += boots
    return delays


def _squashed(value: float, unit: float) -> float:
    return min(GAIN * math.log1p(max(value, 0.0) / unit), TOP)
