"""A candidate table as numbers of one size, for policies that are learned.

The same table gives the same numbers in every simulation and in every service. Nothing here knows
a true runtime, the future, or how far an episode has come.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.cluster.starts import free_ahead, look_ahead
from scheduler.decisions.kernel.columns import (
    HELD,
    LISTED,
    NOW,
    QUEUE_DEPTH,
    QUEUE_PRESSURE,
    QUEUE_URGENCY,
    QUEUE_WEIGHT,
    QUEUE_WORK,
    READY,
    SHAPES_USED,
    SHOWN,
    STATIC_FEATURES,
    Columns,
)
from scheduler.decisions.kernel.learned.queue_totals import SHORT_S, SOFTENING_S, refresh_totals
from scheduler.decisions.kernel.learned.ranking import rank
from scheduler.decisions.kernel.learned.selection import show
from scheduler.decisions.kernel.queue.features import LEAST, describe_new, squashed
from scheduler.decisions.kernel.queue.positions import (
    BACKFILLING,
    BEYOND,
    DELAY,
    DEPTH,
    DEVICES,
    EXPANSION,
    FITS,
    FREE_0S,
    INFLICTED,
    IS_WAIT,
    LATE,
    LATER,
    ORDERS,
    POOLS,
    PREFERENCE,
    PRESENT,
    PRICE,
    PRICES,
    RANK_FCFS,
    REGRET,
    ROW_UNITS,
    SHARE,
    SLACK,
    SPREAD,
    TOTAL_FREE_0S,
    URGENCY,
    WAIT_S,
    WHOLE_UNITS,
    WORK,
)
from scheduler.domain.jobs import MIDDLE_PRIORITY

MOMENTS = 4
"""Shares of pools are told for now and for so many moments less one ahead."""
_FAR_S = 1e12
"""Stands for never, where an infinity would make a NaN."""


@entry_point
def encode(w: Columns, count: int, limit: int, preference: float) -> None:
    """Write the encoding of a table: `seen`, `seen_whole`, `shown` and `READY`.

    The table is the first `count` of `table_row`: rows of the world, ascending, WAIT first. At most
    `limit` of them are shown (see `selection`); the other columns still describe the whole queue.
    `preference` is that of the cluster. Capacity of the group SHOWN: at least `limit`.
    """
    describe_new(w)
    refresh_totals(w)
    _refresh_delays(w)
    _price_table(w, count)
    show(w, count, limit)
    if count > 1:
        _rank_shown(w, count)
    _see_wait(w)
    w.state[READY], slot = 0, 0
    for index in range(1, w.count[SHOWN]):
        row = w.table_row[w.shown[index]]
        if w.row_slot[row] != slot:
            slot = w.row_slot[row]
            _find_least(w, slot)
        _see_row(w, index, row)
    _see_whole(w, count, preference)


@compiled
def _refresh_delays(w: Columns) -> None:
    """Seconds until each shape could run, boot included; finite."""
    for pool in range(len(w.pool_nodes)):
        look_ahead(w, pool)
        if w.pool_ahead_seen[pool] != w.pool_version[pool]:
            w.pool_ahead_seen[pool] = w.pool_version[pool]
            for ahead in range(MOMENTS):
                w.pool_ahead[ahead, pool] = free_ahead(w, pool, ahead)
    for shape in range(1, w.count[SHAPES_USED]):
        delay = min(max(w.shape_start[shape] - w.figure[NOW], 0.0), _FAR_S)
        w.shape_delay[shape] = delay + w.shape_boot[shape]


@compiled
def _price_table(w: Columns, count: int) -> None:
    """List the jobs of the table, and the prices of its rows."""
    slot, rate, unit, own, jobs = 0, 0.0, 0.0, 0.0, 0
    weight, pressure = w.figure[QUEUE_WEIGHT], w.figure[QUEUE_PRESSURE]
    for position in range(1, count):
        row = w.table_row[position]
        if w.row_slot[row] != slot:
            slot = w.row_slot[row]
            own, rate, unit = w.job_preference[slot], _rate(w, slot), _unit(w, slot)
            w.listed_slot[jobs], w.listed_first[jobs] = slot, position
            for order in range(len(ORDERS)):
                w.listed_score[order, jobs] = -w.job_order_score[order, slot]
            jobs += 1
        end = w.shape_delay[w.row_shape[row]] + w.row_runtime[row]
        cost, held = rate * end + w.row_paid[row], own * w.row_held[row]
        w.table_price[0, position] = cost + weight * held
        w.table_price[1, position] = cost * unit + pressure * held
    w.count[LISTED], w.listed_first[jobs] = jobs, count


@compiled
def _rank_shown(w: Columns, count: int) -> None:
    """Into `shown_rank`: jobs before each shown one by each order, then rows by each price."""
    shown, job = w.count[SHOWN], 0
    for index in range(1, shown):
        while w.listed_first[job + 1] <= w.shown[index]:
            job += 1
        w.shown_job[index] = job
    jobs = w.count[LISTED]
    for order in range(len(ORDERS)):
        scores, ranks = w.listed_score[order], w.shown_rank[order]
        rank(w, scores, 0, jobs, w.shown_job, shown, ranks)
    for price in range(PRICES):
        values, ranks = w.table_price[price], w.shown_rank[len(ORDERS) + price]
        rank(w, values, 1, count, w.shown, shown, ranks)


@compiled
def _rate(w: Columns, slot: int) -> float:
    """What a second costs a job: p · v, v = priority ÷ 50."""
    return w.job_preference[slot] * w.job_priority[slot] / MIDDLE_PRIORITY


@compiled
def _unit(w: Columns, slot: int) -> float:
    """Turns the seconds of a job into slowdown."""
    return 1.0 / (w.job_ideal[slot] + SOFTENING_S)


@compiled
def price_of(w: Columns, price: int, row: int) -> float:
    """What a placement costs the job and those that wait.

    In seconds (0): p · v · end + (1 - p) · dollars + p · V · runtime · share, dollars as seconds of
    one device of the most expensive pool, v = priority ÷ 50. In slowdown (1): the job's own part ÷
    (ideal + 30 s), and U instead of V. End: seconds from now; V: Σ v of the jobs that wait; U:
    Σ v ÷ (ideal + 30 s).
    """
    slot = w.row_slot[row]
    end = w.shape_delay[w.row_shape[row]] + w.row_runtime[row]
    cost = _rate(w, slot) * end + w.row_paid[row]
    held = w.job_preference[slot] * w.row_held[row]
    if price == 0:
        return cost + w.figure[QUEUE_WEIGHT] * held
    return cost * _unit(w, slot) + w.figure[QUEUE_PRESSURE] * held


@compiled
def _find_least(w: Columns, slot: int) -> None:
    """Into `least`: the soonest end and least prices of a job, on closed pools too."""
    for index in range(1 + PRICES):
        w.least[index] = np.inf
    for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
        end = w.shape_delay[w.row_shape[row]] + w.row_runtime[row]
        w.least[PRICES] = min(w.least[PRICES], end)
        for price in range(PRICES):
            w.least[price] = min(w.least[price], price_of(w, price, row))


@compiled
def _see_wait(w: Columns) -> None:
    for column in range(w.seen.shape[0]):
        w.seen[column, 0] = 0.0
    w.seen[PRESENT, 0] = w.seen[IS_WAIT, 0] = w.seen[FITS, 0] = 1.0


@compiled
def _see_row(w: Columns, index: int, row: int) -> None:
    slot, shape, position = w.row_slot[row], w.row_shape[row], w.shown[index]
    pool, fits = w.shape_pool[shape], w.shape_start[shape] == -np.inf
    w.seen[PRESENT, index], w.seen[IS_WAIT, index] = 1.0, 0.0
    w.seen[FITS, index] = 1.0 if fits else 0.0
    for ahead in range(MOMENTS):
        w.seen[FREE_0S + ahead, index] = w.pool_ahead[ahead, pool]
    for column in range(STATIC_FEATURES):
        w.seen[SHARE + column, index] = w.row_static[column, row]
    _see_times(w, index, row, slot, w.shape_delay[shape])
    if fits and w.table_price[0, position] <= w.least[0]:
        w.state[READY] = 1
    for price in range(PRICES):
        own = w.table_price[price, position]
        _write(w, PRICE + price, index, own)
        _write(w, REGRET + price, index, own - w.least[price])
    for each in range(len(ORDERS) + PRICES):
        _write(w, RANK_FCFS + each, index, float(w.shown_rank[each, index]))


@compiled
def _see_times(w: Columns, index: int, row: int, slot: int, delay: float) -> None:
    now, submitted = w.figure[NOW], w.job_submitted[slot]
    end, held = delay + w.row_runtime[row], w.row_held[row]
    pace = 1.0 / max(w.job_size[slot], SHORT_S)
    slack = w.job_deadline[slot] - now - end
    urgency = w.job_priority[slot] / MIDDLE_PRIORITY / max(w.job_ideal[slot], SHORT_S)
    _write(w, WAIT_S, index, now - submitted)
    _write(w, EXPANSION, index, (now - submitted) * pace)
    _write(w, SLACK, index, slack)
    _write(w, INFLICTED, index, held * (w.figure[QUEUE_URGENCY] - urgency))
    _write(w, LATE, index, -slack)
    _write(w, DELAY, index, delay)
    _write(w, LATER, index, end / max(w.least[PRICES], LEAST) - 1.0)


@compiled
def _write(w: Columns, column: int, index: int, value: float) -> None:
    w.seen[column, index] = squashed(value, ROW_UNITS[column])


@compiled
def _see_whole(w: Columns, count: int, preference: float) -> None:
    """Columns of the whole table, in a way that does not depend on the order of pools."""
    devices, highest, lowest = 0, w.pool_price[0], w.pool_price[0]
    for pool in range(len(w.pool_nodes)):
        devices += w.pool_count[pool]
        highest, lowest = max(highest, w.pool_price[pool]), min(lowest, w.pool_price[pool])
    w.seen_whole[PREFERENCE] = preference
    w.seen_whole[BACKFILLING] = 1.0 if w.count[HELD] else 0.0
    for ahead in range(MOMENTS):
        _see_free(w, ahead, devices)
    _write_whole(w, DEPTH, w.figure[QUEUE_DEPTH])
    _write_whole(w, WORK, w.figure[QUEUE_WORK] / devices)
    _write_whole(w, URGENCY, w.figure[QUEUE_URGENCY] * 3600.0)
    _write_whole(w, DEVICES, float(devices))
    _write_whole(w, POOLS, float(len(w.pool_nodes)))
    _write_whole(w, SPREAD, (highest + 1e-6) / (lowest + 1e-6) - 1.0)
    _write_whole(w, BEYOND, float(count - w.count[SHOWN]))


@compiled
def _see_free(w: Columns, ahead: int, devices: int) -> None:
    """The total, least and most share that is free at a moment."""
    total, least, most = 0.0, 1.0, 0.0
    for pool in range(len(w.pool_nodes)):
        share = w.pool_ahead[ahead, pool]
        total += w.pool_count[pool] / devices * share
        least, most = min(least, share), max(most, share)
    at = TOTAL_FREE_0S + 3 * ahead
    # Rounding may lead beyond the whole.
    w.seen_whole[at] = min(total, 1.0)
    w.seen_whole[at + 1], w.seen_whole[at + 2] = least, most


@compiled
def _write_whole(w: Columns, column: int, value: float) -> None:
    w.seen_whole[column] = squashed(value, WHOLE_UNITS[column])
