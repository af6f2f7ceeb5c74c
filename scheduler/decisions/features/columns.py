"""The columns of an encoding: each has a name, a meaning, a unit and the function that computes it.

The encoder writes the result of each function under its column's name; no code names a column by
its number. All scales are fixed: the same facts give the same numbers in every simulation, every
service and every training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from scheduler.arrays import Floats, Ints
from scheduler.decisions.kernel.starts import AHEAD_S
from scheduler.decisions.state.queue import Queue

Floats32 = NDArray[np.float32]
GAIN = 0.4
"""A logarithmic column holds GAIN · ln(1 + x / unit): doubling a large x adds 0.28."""
TOP = 5.0
"""No number of an encoding is above this (268,000 units) or below 0."""
_LEAST = 1e-9
_Facts = TypeVar("_Facts")


def squash(values: Floats32, units: Floats32) -> None:
    """GAIN · ln(1 + x / unit) in place, between 0 and TOP."""
    values /= units
    np.maximum(values, 0.0, out=values)
    values += 1.0
    np.log(values, out=values)
    values *= GAIN
    np.minimum(values, TOP, out=values)


@dataclass(frozen=True, slots=True)
class Column(Generic[_Facts]):
    """One number of a row, or of the whole observation."""

    name: str
    meaning: str
    value: Callable[[_Facts], Any]
    """The facts → x: an array with an entry per row, or a number."""
    unit: float = 0.0
    """The column holds GAIN · ln(1 + x / unit); 0: it holds x itself, which is 0 … 1."""


def units(columns: Sequence[Column[Any]]) -> Floats32:
    """(columns, 1) The units of columns, for `squash`."""
    return np.array([[column.unit] for column in columns], dtype=np.float32)


class StaticRows(NamedTuple):
    """Facts about placements that do not change while their jobs wait; (rows,) each."""

    share: Floats
    """Devices it takes ÷ devices of the pool."""
    runtime: Floats
    """Estimated seconds."""
    dollars: Floats
    joules: Floats
    worth: Floats
    """The dollars as seconds of one device of the most expensive pool."""
    priority: Floats
    """0 … 100."""
    preference: Floats
    """0 cheapest … 1 fastest."""
    request: Floats
    """Devices where the job takes the fewest device-seconds."""
    size: Floats
    """Seconds there."""
    ideal: Floats
    """The job's least estimated seconds on any placement."""
    cheapest: Floats
    """The job's least dollars on any placement."""
    frugal: Floats
    """The job's least joules on any placement."""


class Timing(NamedTuple):
    """Facts of a row that dynamic columns combine with the time; (rows,) each."""

    submitted: Floats
    """Unix seconds."""
    pace: Floats
    """1 ÷ size, at least 10 s."""
    deadline: Floats
    """Unix seconds; inf: none."""
    held: Floats
    """Runtime · share of the pool (s)."""
    urgency: Floats
    """Slowdown per second of waiting, weighted by priority."""


class ShownRows(NamedTuple):
    """Facts about the rows that are shown, WAIT left out; (shown,) each unless said otherwise."""

    now: float
    """Unix seconds."""
    urgency: float
    """Slowdown that the whole queue gains per second, weighted by priority."""
    start: Floats
    """Unix seconds when its devices are free; -inf: now."""
    delay: Floats
    """Seconds until it could start, boot included."""
    free: Floats32
    """(AHEAD_S, shown) Share of its pool that is free so many seconds ahead."""
    timing: Timing
    slack: Floats
    """Seconds to spare to the deadline if it starts as soon as it can; inf: there is none."""
    end: Floats
    """Seconds from now until its end, if it starts as soon as it can."""
    soonest: Floats
    """The least `end` of its job on any placement."""
    prices: Floats
    """(2, shown) In seconds and in slowdown, see `StaticFeatures.prices`."""
    regrets: Floats
    """(2, shown) Prices less the least ones of its job on any placement."""
    before: Ints
    """(ORDERS, shown) Jobs before its job, by each order."""
    cheaper: Ints
    """(2, shown) Rows before it, by each price."""


class Whole(NamedTuple):
    """Facts about the whole table, in a way that does not depend on the order of pools."""

    preference: float
    backfilling: bool
    free: Mapping[str, Sequence[float]]
    """`total`, `least` and `most` → share free, for each of AHEAD_S."""
    depth: int
    """Jobs that wait as the round begins."""
    work: float
    """Their device-seconds."""
    urgency: float
    """Slowdown that all of them gain per second, weighted by priority."""
    devices: int
    pools: int
    spread: float
    """Price of the most expensive pool ÷ the cheapest, minus 1."""
    beyond: int
    """Rows that are not shown."""


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


def _free(ahead: int) -> Callable[[ShownRows], Floats32]:
    return lambda rows: rows.free[ahead]


def _before(order: int) -> Callable[[ShownRows], Ints]:
    return lambda rows: rows.before[order]


def _whole_free(which: str, ahead: int) -> Callable[[Whole], float]:
    return lambda whole: whole.free[which][ahead]


NOW_COLUMNS: tuple[Column[ShownRows], ...] = (
    Column("present", "1 for a row of the table, 0 for padding", lambda _: 1.0),
    Column("waits", "1 for WAIT", lambda _: 0.0),
    Column("fits", "1 if it could start now", lambda rows: rows.start == -np.inf),
    *(
        Column(
            f"free_{ahead:g}s", f"share of its pool free in {ahead:g} s, by estimates", _free(at)
        )
        for at, ahead in enumerate(AHEAD_S)
    ),
)
OF_WAIT = ("present", "waits", "fits")
"""The columns that are 1 for WAIT; all others are 0."""
STATIC_COLUMNS: tuple[Column[StaticRows], ...] = (
    Column("share", "devices it takes ÷ devices of the pool", lambda rows: rows.share),
    Column("priority", "÷ 100", lambda rows: rows.priority / 100.0),
    Column("preference", "of the job: 0 cheapest … 1 fastest", lambda rows: rows.preference),
    Column(
        "request",
        "n: devices where the job takes the fewest device-seconds",
        lambda rows: rows.request,
        1.0,
    ),
    Column("size", "r: seconds there", lambda rows: rows.size, 10.0),
    Column("area", "r·n (device-seconds)", lambda rows: rows.size * rows.request, 10.0),
    Column("ideal", "least seconds on any placement", lambda rows: rows.ideal, 10.0),
    Column("runtime", "seconds on this placement", lambda rows: rows.runtime, 10.0),
    Column(
        "slower",
        "runtime ÷ ideal, minus 1",
        lambda rows: rows.runtime / np.maximum(rows.ideal, _LEAST) - 1,
        0.1,
    ),
    Column("dollars", "of the attempt", lambda rows: rows.dollars, 0.01),
    Column(
        "worth",
        "dollars as seconds of one device of the most expensive pool",
        lambda rows: rows.worth,
        10.0,
    ),
    Column(
        "dearer",
        "dollars ÷ the job's least, minus 1",
        lambda rows: (rows.dollars + _LEAST) / (rows.cheapest + _LEAST) - 1,
        0.1,
    ),
    Column(
        "hungrier",
        "joules ÷ the job's least, minus 1",
        lambda rows: (rows.joules + _LEAST) / (rows.frugal + _LEAST) - 1,
        0.1,
    ),
)
"""Computed once for each row of the queue; the linear ones first."""
DYNAMIC_COLUMNS: tuple[Column[ShownRows], ...] = (
    Column(
        "wait", "seconds since the submission", lambda rows: rows.now - rows.timing.submitted, 10.0
    ),
    Column(
        "expansion",
        "wait ÷ r, r at least 10 s",
        lambda rows: rows.timing.pace * rows.now - rows.timing.submitted * rows.timing.pace,
        1.0,
    ),
    Column(
        "slack",
        "seconds to spare to the deadline; the top without one",
        lambda rows: rows.slack,
        60.0,
    ),
    Column(
        "inflicted",
        "slowdown of the others while it holds its share of the pool",
        lambda rows: rows.timing.held * rows.urgency - rows.timing.urgency * rows.timing.held,
        0.1,
    ),
    Column("late", "seconds beyond the deadline", lambda rows: -rows.slack, 60.0),
    Column("delay", "seconds until it could start, boot included", lambda rows: rows.delay, 10.0),
    Column(
        "later",
        "end here ÷ the job's soonest end anywhere, both from now, minus 1",
        lambda rows: rows.end / np.maximum(rows.soonest, _LEAST) - 1,
        0.1,
    ),
    Column(
        "price",
        "in seconds, what it costs the job and those that wait (`StaticFeatures.prices`)",
        lambda rows: rows.prices[0],
        10.0,
    ),
    Column("price_slowdown", "the same in slowdown", lambda rows: rows.prices[1], 0.1),
    Column(
        "regret",
        "price - the job's least price anywhere (s)",
        lambda rows: rows.regrets[0],
        10.0,
    ),
    Column("regret_slowdown", "the same in slowdown", lambda rows: rows.regrets[1], 0.1),
    *(
        Column(f"rank_{order}", f"jobs before this one by {order}", _before(at), 1.0)
        for at, order in enumerate(ORDERS)
    ),
    Column("rank_price", "rows before this one by price", lambda rows: rows.cheaper[0], 1.0),
    Column(
        "rank_price_slowdown",
        "rows before this one by price in slowdown",
        lambda rows: rows.cheaper[1],
        1.0,
    ),
)
"""Computed for each table; all are logarithmic."""
ROW_COLUMNS: tuple[Column[Any], ...] = (*NOW_COLUMNS, *STATIC_COLUMNS, *DYNAMIC_COLUMNS)
"""The columns of each row, in the order in which an encoding holds them."""
GLOBAL_COLUMNS: tuple[Column[Whole], ...] = (
    Column("preference", "w: 0 cheapest … 1 fastest", lambda whole: whole.preference),
    Column(
        "backfilling",
        "1 if a pool is reserved: what is chosen starts beside that job",
        lambda whole: whole.backfilling,
    ),
    *(
        Column(
            f"{which}_free_{ahead:g}s",
            f"{which} share free in {ahead:g} s, by estimates",
            _whole_free(which, at),
        )
        for at, ahead in enumerate(AHEAD_S)
        for which in ("total", "least", "most")
    ),
    Column("depth", "jobs that wait as the round begins", lambda whole: whole.depth, 1.0),
    Column(
        "work",
        "their device-seconds ÷ all devices (s)",
        lambda whole: whole.work / whole.devices,
        10.0,
    ),
    Column(
        "urgency",
        "slowdown that all of them gain in an hour",
        lambda whole: whole.urgency * 3600.0,
        1.0,
    ),
    Column("devices", "of all pools", lambda whole: whole.devices, 1.0),
    Column("pools", "number of pools", lambda whole: whole.pools, 1.0),
    Column(
        "spread",
        "price of the most expensive pool ÷ the cheapest, minus 1",
        lambda whole: whole.spread,
        0.1,
    ),
    Column("beyond", "rows of the table that are not shown", lambda whole: whole.beyond, 1.0),
)
"""The columns of the whole observation, which follow the rows."""
