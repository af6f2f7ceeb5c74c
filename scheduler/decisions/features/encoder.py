"""A candidate table as numbers of one size, for policies that are learned.

All scales are fixed: the same table gives the same numbers in every simulation and in every
service, today and after the next training. Nothing here knows a true runtime, the future, or how
far an episode has come. A column that is added, dropped or changed changes `digest()`; a policy
names the digest it was trained with and is refused under another.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import astuple, dataclass
from operator import mul

import numpy as np

from scheduler.decisions.features import ranks, static_features
from scheduler.decisions.features.row_selection import nearest
from scheduler.decisions.features.static_features import (
    GAIN,
    ORDERS,
    TOP,
    Floats32,
    StaticFeatures,
    squash,
)
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.round import Mode
from scheduler.decisions.state.availability import AHEAD_S, ahead
from scheduler.decisions.state.queue import Floats, Ints, Queue
from scheduler.domain.pools import Pool

ENCODING_VERSION = 2
"""Raised when the same columns come to mean something else."""


@dataclass(frozen=True, slots=True)
class Column:
    """One number of a row, or of the whole observation."""

    name: str
    meaning: str
    unit: float = 0.0
    """x in GAIN · ln(1 + x / unit); 0: the column holds the value itself, 0 … 1."""


_NOW = (
    Column("present", "1 for a row of the table, 0 for padding"),
    Column("waits", "1 for WAIT"),
    Column("fits", "1 if it could start now"),
    *(
        Column(f"free_{ahead:g}s", f"share of its pool free in {ahead:g} s, by estimates")
        for ahead in AHEAD_S
    ),
)
_STANDING = (
    Column("share", "devices it takes ÷ devices of the pool"),
    Column("priority", "÷ 100"),
    Column("preference", "of the job: 0 cheapest … 1 fastest"),
    *(Column(name, meaning, unit) for name, (unit, meaning) in static_features.LOGARITHMIC.items()),
)
_PASSING = (
    Column("wait", "seconds since the submission", 10.0),
    Column("expansion", "wait ÷ r, r at least 10 s", 1.0),
    Column("slack", "seconds to spare to the deadline; the top without one", 60.0),
    Column("inflicted", "slowdown of the others while it holds its share of the pool", 0.1),
    Column("late", "seconds beyond the deadline", 60.0),
    Column("delay", "seconds until it could start, boot included", 10.0),
    Column("later", "end here ÷ the job's soonest end anywhere, both from now, minus 1", 0.1),
    Column("price", "in seconds, what it costs the job and who waits (`Standing.prices`)", 10.0),
    Column("price_slowdown", "the same in slowdown", 0.1),
    Column("regret", "price - the job's least price anywhere (s)", 10.0),
    Column("regret_slowdown", "the same in slowdown", 0.1),
)
_RANKS = tuple(Column(f"rank_{order}", f"jobs before this one by {order}", 1.0) for order in ORDERS)
_PRICED = (
    Column("rank_price", "rows before this one by price", 1.0),
    Column("rank_price_slowdown", "rows before this one by price in slowdown", 1.0),
)
ROW_COLUMNS = _NOW + _STANDING + _PASSING + _RANKS + _PRICED
"""Of each row, in this order. For WAIT all are 0 but `present`, `waits` and `fits`."""

GLOBAL_COLUMNS = (
    Column("preference", "w: 0 cheapest … 1 fastest"),
    Column("backfilling", "1 if a pool is reserved: what is chosen starts beside that job"),
    *(
        Column(f"{which}_free_{ahead:g}s", f"{which} share free in {ahead:g} s, by estimates")
        for ahead in AHEAD_S
        for which in ("total", "least", "most")
    ),
    Column("depth", "jobs that wait as the round begins", 1.0),
    Column("work", "their device-seconds ÷ all devices (s)", 10.0),
    Column("urgency", "slowdown that all of them gain in an hour", 1.0),
    Column("devices", "of all pools", 1.0),
    Column("pools", "number of pools", 1.0),
    Column("spread", "price of the dearest pool ÷ the cheapest, minus 1", 0.1),
    Column("beyond", "rows of the table that are not shown", 1.0),
)
"""Of the whole; pools enter in a way that does not depend on their order."""

_UNITS = np.array([[column.unit] for column in _PASSING + _RANKS + _PRICED], dtype=np.float32)
_UNIT = {column.name: column.unit for column in GLOBAL_COLUMNS}
_FREE = slice(3, len(_NOW))
_STAND = slice(len(_NOW), len(_NOW) + len(_STANDING))
_PASS = slice(_STAND.stop, None)
_FAR_S = 1e12
"""Stands for never, where an infinity would make a NaN."""


def digest() -> str:
    """12 hexadecimal digits of all that decides what an encoding means."""
    content = (
        ENCODING_VERSION,
        GAIN,
        TOP,
        [astuple(column) for column in ROW_COLUMNS],
        [astuple(column) for column in GLOBAL_COLUMNS],
    )
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]


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

    Never while nothing runs: no event would end the waiting. Never while a job can start where it
    is best off: a policy that waits once too often would do so at every event that follows, and
    leave the cluster idle behind one long job. In `Mode.GREEDY` and wherever there is another pool
    to wait for, otherwise always. With a single pool and reservations, waiting for a job's devices
    is said by reserving them.
    """
    if (
        encoding.ready
        or mode is Mode.COMMIT_FCFS
        or (mode is not Mode.GREEDY and len(table.cluster.pools) == 1)
    ):
        return False
    return next(iter(table.cluster.running()), None) is not None


class Encoder:
    """Encodes one table after another; what did not change between them is remembered."""

    def __init__(self, rows: int = 64) -> None:
        self.rows = rows
        """K: rows shown, WAIT included."""
        self._standing: StaticFeatures | None = None
        self._crowd: _Crowd | None = None
        self._site: _Site | None = None

    def encode(self, table: Candidates, preference: float = 0.5) -> Encoding:
        """The table as it is; `preference` is w, of the cluster.

        Of a table with more rows than fit, those are shown that come first by several orders
        (see `preselection`); the other columns and the globals are of the whole queue still.
        """
        known, crowd, site = self._look(table)
        queue, cluster = table.queue, table.cluster
        starts, boots = cluster.starts(queue.shapes, crowd.used)
        delays = _delays(starts, boots, table.now)
        # Of every row of the queue: the job's soonest end may be on a pool that is closed now.
        figures = np.empty((3, len(queue.shape)))
        ends, prices = figures[0], figures[1:]
        np.add(delays.take(queue.shape), queue.runtime, out=ends)
        known.prices(ends, crowd.weight, crowd.pressure, prices)

        rows = table.rows[1:]
        before = ranks.among(known.orders, queue.slot.take(rows))
        if len(table) <= self.rows:
            positions = np.arange(len(table))
            priced = ranks.everywhere(prices.take(rows, axis=1))
        else:
            of_table = prices.take(rows, axis=1)
            positions = nearest(table, before, ends, of_table, self.rows)
            rows = table.rows[positions[1:]]
            priced = np.array([ranks.ranks(price, positions[1:] - 1) for price in of_table])
        slot, shape = queue.slot.take(rows), queue.shape.take(rows)
        own = figures.take(rows, axis=1)
        least = _least(figures, queue, slot)

        values = np.zeros(size(self.rows), dtype=np.float32)
        split = self.rows * len(ROW_COLUMNS)
        whole = values[:split].reshape(len(ROW_COLUMNS), self.rows)
        whole[0, : len(positions)] = 1.0
        whole[1:3, 0] = 1.0
        shown = whole[:, 1 : len(positions)]
        free = ahead(cluster, table.now)
        np.equal(starts.take(shape), -np.inf, out=shown[2], casting="unsafe")
        shown[_FREE] = np.array(free, dtype=np.float32).take(known.pool.take(shape), axis=0).T
        shown[_STAND] = known.columns.take(rows, axis=1)
        passing = known.passing(rows, own[0], table.now, crowd.urgency, len(_UNITS))
        passing[5] = delays.take(shape)
        passing[6] = own[0] / np.maximum(least[0], 1e-9) - 1
        passing[7:9] = own[1:]
        np.subtract(own[1:], least[1:], out=passing[9:11], casting="same_kind")
        ready = bool(((starts.take(shape) == -np.inf) & (own[1] <= least[1])).any())
        passing[11:-2] = before.take(slot, axis=1)
        passing[-2:] = priced
        squash(passing, _UNITS)
        shown[_PASS] = passing
        overall = [preference, float(table.backfilling)]
        overall += site.free(free)
        overall += crowd.figures(site.devices)
        overall += site.figures
        overall.append(_squashed("beyond", len(table) - len(positions)))
        values[split:] = overall
        return Encoding(values, positions, ready)

    def _look(self, table: Candidates) -> tuple[StaticFeatures, _Crowd, _Site]:
        """What is known of this table's world; learnt anew where that is another one."""
        queue, cluster = table.queue, table.cluster
        if self._site is None or self._site.pools is not cluster.pools:
            self._site, self._standing = _Site(cluster.pools), None
        if self._standing is None or not self._standing.serves(queue):
            self._standing = StaticFeatures(queue.layout, queue.shapes, cluster.pools)
            self._standing.learn(queue)
        if self._crowd is None or self._crowd.queue is not queue:
            self._crowd = _Crowd(queue, self._standing)
        return self._standing, self._crowd, self._site


class _Site:
    """What is fixed about the pools."""

    def __init__(self, pools: tuple[Pool, ...]) -> None:
        self.pools = pools
        prices = [pool.dollars_per_device_hour for pool in pools]
        self.devices = sum(pool.count for pool in pools)
        self._weights = [pool.count / self.devices for pool in pools]
        self.figures = [
            _squashed("devices", self.devices),
            _squashed("pools", len(pools)),
            _squashed("spread", (max(prices) + 1e-6) / (min(prices) + 1e-6) - 1),
        ]

    def free(self, shares: list[list[float]]) -> list[float]:
        """Total, least and most share, of each time ahead in turn."""
        figures: list[float] = []
        for moment in zip(*shares, strict=True):
            total = sum(map(mul, self._weights, moment))
            # Rounding may lead beyond the whole.
            figures += (min(total, 1.0), min(moment), max(moment))
        return figures


class _Crowd:
    """The whole queue as the round begins."""

    def __init__(self, queue: Queue, known: StaticFeatures) -> None:
        self.queue = queue
        waits = queue.open[queue.first]
        waits[0] = False
        asked = np.bincount(queue.shape, queue.open, minlength=len(queue.shapes))
        self.used: list[int] = np.flatnonzero(asked).tolist()
        """Shapes that waiting jobs ask for."""
        totals: list[float] = (known.weights[:, : len(waits)] @ waits).tolist()
        self._work, self.urgency, self.weight, self.pressure = totals
        self._depth = int(np.count_nonzero(waits))

    def figures(self, devices: int) -> list[float]:
        return [
            _squashed("depth", self._depth),
            _squashed("work", self._work / devices),
            _squashed("urgency", self.urgency * 3600.0),
        ]


def _least(figures: Floats, queue: Queue, slot: Ints) -> Floats:
    """(figures, slot) The least over all rows of each job; `slot`: of rows, ascending."""
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


def _squashed(name: str, value: float) -> float:
    return min(GAIN * math.log1p(max(value, 0.0) / _UNIT[name]), TOP)
