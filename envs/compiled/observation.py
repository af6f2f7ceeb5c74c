"""What a policy sees of one episode: `scheduler.decisions.features.encoder`, compiled.

The columns are the encoding's own, by name; nothing is defined here that is not defined there.
"""

from __future__ import annotations

import numpy as np

from envs.compiled.compiling import compiled
from envs.compiled.facts import Facts
from envs.compiled.kernel import earliest
from envs.compiled.state import Setting, State
from scheduler.decisions.features.encoder import GLOBAL_COLUMNS, ROW_COLUMNS
from scheduler.decisions.features.static_features import GAIN, ORDERS, TOP, Floats32
from scheduler.decisions.state.queue import Floats, Ints

_AT = {column.name: index for index, column in enumerate(ROW_COLUMNS)}
_FITS, _FREE, _STANDING = _AT["fits"], _AT["free_0s"], _AT["share"]
_WAIT, _EXPANSION, _SLACK = _AT["wait"], _AT["expansion"], _AT["slack"]
_INFLICTED, _LATE, _DELAY = _AT["inflicted"], _AT["late"], _AT["delay"]
_PRICE, _RANKS, _PRICED = _AT["price"], _AT["rank_fcfs"], _AT["rank_price"]
_ORDERS, _ROW, _GLOBALS = len(ORDERS), len(ROW_COLUMNS), len(GLOBAL_COLUMNS)
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
    now, urgency = state.now[b], state.crowd[b, 1]
    for index in range(len(positions)):
        position = positions[index]
        slot, at = rows[position], index + 1
        state.shown[b, at] = slot
        seen[at] = 1.0
        seen[_FITS * k + at] = jobs.width[b, slot] <= state.free[b]
        for ahead in range(len(free)):
            seen[(_FREE + ahead) * k + at] = free[ahead]
        for column in range(jobs.columns.shape[1]):
            seen[(_STANDING + column) * k + at] = jobs.columns[b, column, slot]
        slack = jobs.slope[b, 2, slot] * now + jobs.base[b, 2, slot] - ends[position]
        values = (
            (_WAIT, jobs.slope[b, 0, slot] * now + jobs.base[b, 0, slot]),
            (_EXPANSION, jobs.slope[b, 1, slot] * now + jobs.base[b, 1, slot]),
            (_SLACK, slack),
            (_INFLICTED, jobs.slope[b, 3, slot] * urgency + jobs.base[b, 3, slot]),
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
    weight, urgency = state.crowd[b, 2], state.crowd[b, 3]
    where = np.full(state.queue.shape[1], -1)
    for index in range(count):
        slot = rows[index]
        where[slot] = index
        start, _ = earliest(b, jobs.width[b, slot], jobs, state)
        ends[index] = max(0.0, start - state.now[b]) + jobs.estimate[b, slot]
        light, dollars = jobs.price[b, 0, slot], jobs.price[b, 1, slot]
        held, rate = jobs.price[b, 2, slot], jobs.price[b, 3, slot]
        own = light * ends[index] + dollars
        prices[1, index] = own * rate + urgency * held
        prices[0, index] = own + weight * held
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
    figures = (crowd[4], crowd[0] / setting.devices, crowd[1] * 3600.0)
    for index, figure in enumerate(figures):
        seen[at + index] = min(GAIN * np.log1p(max(figure, 0.0) / setting.globals[index]), TOP)
    seen[at + 3 : at + 6] = setting.site
    seen[at + 6] = min(GAIN * np.log1p(beyond / setting.globals[3]), TOP)


@compiled
def _squashed(value: float, unit: np.float32) -> np.float32:
    """`static_features.squash` in the same precision."""
    x = max(np.float32(value) / unit, np.float32(0.0)) + np.float32(1.0)
    return min(np.log(x) * _GAIN, _TOP)
