"""What a policy sees of one episode: `scheduler.decisions.features.encoder`, compiled.

The columns are the encoding's own, by name; nothing is defined here that is not defined there.
"""

from __future__ import annotations

import numpy as np

from envs.compiled.compiling import compiled
from envs.compiled.facts import Facts
from envs.compiled.kernel import earliest
from envs.compiled.state import Setting, State
from scheduler.arrays import Floats, Floats32, Ints
from scheduler.decisions.features.columns import (
    GAIN,
    GLOBAL_COLUMNS,
    ORDERS,
    ROW_COLUMNS,
    TOP,
    Timing,
)
from scheduler.decisions.features.static_features import PriceParts, Weights
from scheduler.decisions.rounds.congestion import congestion_price, own_cost

_AT = {column.name: index for index, column in enumerate(ROW_COLUMNS)}
_FITS, _FREE, _STATIC = _AT["fits"], _AT["free_0s"], _AT["share"]
_WAIT, _EXPANSION, _SLACK = _AT["wait"], _AT["expansion"], _AT["slack"]
_INFLICTED, _LATE, _DELAY = _AT["inflicted"], _AT["late"], _AT["delay"]
_PRICE, _RANKS, _PRICED = _AT["price"], _AT["rank_fcfs"], _AT["rank_price"]
_ORDERS, _ROW, _GLOBALS = len(ORDERS), len(ROW_COLUMNS), len(GLOBAL_COLUMNS)
_SUBMITTED, _PACE, _DEADLINE, _HELD, _OWN_URGENCY = map(
    Timing._fields.index, ("submitted", "pace", "deadline", "held", "urgency")
)
_RATE, _MONEY, _PRICE_HELD, _UNIT = map(PriceParts._fields.index, ("rate", "money", "held", "unit"))
_AREA, _URGENCY, _WEIGHT, _PRESSURE = map(
    Weights._fields.index, ("area", "urgency", "weight", "pressure")
)
_own_cost, _congestion_price = compiled(own_cost), compiled(congestion_price)
_GAIN, _TOP = np.float32(GAIN), np.float32(TOP)


@compiled
def encode(
    b: int, rows: Ints, count: int, w: float, jobs: Facts, state: State, setting: Setting,
    seen: Floats32,
) -> None:  # fmt: skip
    """Of the table of WAIT and `count` slots `rows`: the encoding into `seen` (size,).

    Which slots are shown goes into `state.shown`.
    """
    ends, prices, ranks = _figures(b, rows, count, jobs, state)
    positions = _shown(ranks, count, setting.rows - 1)
    k = setting.rows
    seen[:] = 0.0
    # WAIT: present, waits, fits.
    for column in range(3):
        seen[column * k] = 1.0
    state.shown[b] = 0
    state.rows[b] = len(positions) + 1
    free = _free(b, jobs, state, setting)
    now, urgency = state.now[b], state.crowd[b, _URGENCY]
    for index in range(len(positions)):
        position = positions[index]
        slot, at = rows[position], index + 1
        state.shown[b, at] = slot
        seen[at] = 1.0
        seen[_FITS * k + at] = jobs.width[b, slot] <= state.free[b]
        for ahead in range(len(free)):
            seen[(_FREE + ahead) * k + at] = free[ahead]
        for column in range(jobs.columns.shape[1]):
            seen[(_STATIC + column) * k + at] = jobs.columns[b, column, slot]
        timing = jobs.timing[b, :, slot]
        submitted, pace, held = timing[_SUBMITTED], timing[_PACE], timing[_HELD]
        slack = timing[_DEADLINE] - now - ends[position]
        values = (
            (_WAIT, now - submitted),
            (_EXPANSION, pace * now - submitted * pace),
            (_SLACK, slack),
            (_INFLICTED, held * urgency - timing[_OWN_URGENCY] * held),
            (_LATE, -slack),
            (_DELAY, ends[position] - jobs.estimate[b, slot]),
            (_PRICE, prices[0, position]),
            (_PRICE + 1, prices[1, position]),
        )
        for column, value in values:
            seen[column * k + at] = _squashed(value, setting.units[column])
        for order in range(_ORDERS):
            column = _RANKS + order
            seen[column * k + at] = _squashed(ranks[order, position], setting.units[column])
        for price in range(2):
            column = _PRICED + price
            rank = ranks[_ORDERS + price, position]
            seen[column * k + at] = _squashed(rank, setting.units[column])
    _whole(b, w, free, count - len(positions), state, setting, seen[_ROW * k :])


@compiled
def _figures(
    b: int, rows: Ints, count: int, jobs: Facts, state: State
) -> tuple[Floats, Floats, Ints]:
    """(count,) soonest ends (s from now), (2, count) prices, (orders + 2, count) ranks."""
    ends, prices = np.empty(count), np.empty((2, count))
    weight, pressure = state.crowd[b, _WEIGHT], state.crowd[b, _PRESSURE]
    where = np.full(state.queue.shape[1], -1)
    for index in range(count):
        slot = rows[index]
        where[slot] = index
        start, _ = earliest(b, jobs.width[b, slot], jobs, state)
        ends[index] = max(0.0, start - state.now[b]) + jobs.estimate[b, slot]
        parts = jobs.price[b, :, slot]
        own, held = _own_cost(parts[_RATE], ends[index], parts[_MONEY]), parts[_PRICE_HELD]
        prices[0, index] = _congestion_price(own, weight, held)
        prices[1, index] = _congestion_price(own * parts[_UNIT], pressure, held)
    ranks = np.empty((_ORDERS + 2, count), dtype=np.int64)
    for order in range(_ORDERS):
        before = 0
        for index in range(state.waiting[b]):
            position = where[state.sorted[b, order, index]]
            if position >= 0:
                ranks[order, position] = before
                before += 1
    for price in range(2):
        cheapest = prices[price].argsort(kind="mergesort")
        for rank in range(count):
            ranks[_ORDERS + price, cheapest[rank]] = rank
    return ends, prices, ranks


@compiled
def _shown(ranks: Ints, count: int, limit: int) -> Ints:
    """Positions that are shown, ascending: see `row_selection.nearest`."""
    if count <= limit:
        return np.arange(count)
    near = np.empty(count, dtype=np.int64)
    for position in range(count):
        near[position] = (1 + ranks[:, position].min()) * (count + 1) + position
    chosen = near.argsort()[:limit]
    chosen.sort()
    return chosen


@compiled
def _free(b: int, jobs: Facts, state: State, setting: Setting) -> Floats:
    """Share of the pool that is free so many seconds ahead, by estimates."""
    shares: Floats = np.empty(len(setting.ahead))
    for index in range(len(setting.ahead)):
        shares[index] = state.free[b]
        if index:
            for place in range(state.running[b]):
                if state.believed[b, place] > state.now[b] + setting.ahead[index]:
                    break
                shares[index] += jobs.width[b, state.slot[b, place]]
    shares /= setting.devices
    return shares


@compiled
def _whole(
    b: int, w: float, free: Floats, beyond: int, state: State, setting: Setting, seen: Floats32
) -> None:
    """The globals."""
    seen[0] = w
    seen[1] = state.held[b] != 0
    at = 2
    for share in free:
        # Total, least and most are the same in a single pool.
        seen[at : at + 3] = share
        at += 3
    crowd = state.crowd[b]
    figures = (crowd[4], crowd[_AREA] / setting.devices, crowd[_URGENCY] * 3600.0)
    for index, figure in enumerate(figures):
        seen[at + index] = min(GAIN * np.log1p(max(figure, 0.0) / setting.globals[index]), TOP)
    seen[at + 3 : at + 6] = setting.site
    seen[at + 6] = min(GAIN * np.log1p(beyond / setting.globals[3]), TOP)


@compiled
def _squashed(value: float, unit: np.float32) -> np.float32:
    """`columns.squash` in the same precision."""
    x = max(np.float32(value) / unit, np.float32(0.0)) + np.float32(1.0)
    return min(np.log(x) * _GAIN, _TOP)
