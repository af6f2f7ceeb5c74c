"""A candidate table as numbers of one size, for policies that are learned.

The same table gives the same numbers in every simulation and in every service. Nothing here knows
a true runtime, the future, or how far an episode has come.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Ints
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.cluster.starts import free_ahead, look_ahead
from scheduler.decisions.kernel.columns import (
    HELD,
    LEARNED_ORDERS,
    NOW,
    PRICES,
    QUEUE_DEPTH,
    QUEUE_URGENCY,
    QUEUE_WORK,
    READY,
    SHAPES_USED,
    SHOWN,
    STATIC_FEATURES,
    Columns,
)
from scheduler.decisions.kernel.learned.pricing import price_row
from scheduler.decisions.kernel.learned.queue_totals import SHORT_S, refresh_totals
from scheduler.decisions.kernel.learned.ranking import rank, sort_asked
from scheduler.decisions.kernel.learned.selection import show_all, show_nearest
from scheduler.decisions.kernel.learned.table_index import refresh_index
from scheduler.decisions.kernel.queue.features import LEAST, describe_jobs, describe_row, squashed
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
    POOLS,
    PREFERENCE,
    PRESENT,
    PRICE,
    RANK_FCFS,
    RANK_PRICE,
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
    describe_jobs(w)
    refresh_totals(w)
    _refresh_delays(w)
    if count <= limit:
        show_all(w, count)
    else:
        refresh_index(w, count)
        show_nearest(w, count, limit)
    _rank_shown(w, count)
    _see_wait(w)
    w.state[READY], slot, job = 0, 0, 0
    for index in range(1, w.count[SHOWN]):
        row = w.shown_row[index]
        if w.row_slot[row] != slot:
            slot, job = w.row_slot[row], job + 1
            _find_least(w, slot)
        _see_row(w, index, row, job)
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
def _rank_shown(w: Columns, count: int) -> None:
    """Into `shown_rank`: jobs before each shown job by each order, then rows by each price."""
    shown, jobs = w.count[SHOWN], 1
    for index in range(1, shown):
        slot = w.row_slot[w.shown_row[index]]
        if jobs == 1 or w.shown_job[jobs - 1] != slot:
            w.shown_job[jobs] = slot
            jobs += 1
    for order in range(LEARNED_ORDERS):
        values, links, ranks = w.job_order_score[order], w.job_next[order], w.shown_rank[order]
        sort_asked(values, w.shown_job, jobs, w.shown_order)
        if shown == count:
            _rank_all(w, jobs, ranks)
        else:
            rank(w, order, values, links, w.job_indexed, w.shown_job, jobs, ranks)
    for price in range(PRICES):
        kind, values, links = LEARNED_ORDERS + price, w.row_price[price], w.row_next[price]
        sort_asked(values, w.shown_row, shown, w.shown_order)
        if shown == count:
            _rank_all(w, shown, w.shown_rank[kind])
        else:
            ranks = w.shown_rank[kind]
            rank(w, kind, values, links, w.row_indexed, w.shown_row, shown, ranks)


@compiled
def _rank_all(w: Columns, count: int, ranks: Ints) -> None:
    """Into `ranks`: the order of those that are shown, where the table has no others."""
    for at in range(1, count):
        ranks[w.shown_order[at]] = at - 1


@compiled
def _find_least(w: Columns, slot: int) -> None:
    """Into `least`: the soonest end and least prices of a job, on closed pools too."""
    for index in range(1 + PRICES):
        w.least[index] = np.inf
    for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
        end = w.shape_delay[w.row_shape[row]] + w.row_runtime[row]
        w.least[PRICES] = min(w.least[PRICES], end)
        price_row(w, row)
        for price in range(PRICES):
            w.least[price] = min(w.least[price], w.row_price[price, row])


@compiled
def _see_wait(w: Columns) -> None:
    for column in range(w.seen.shape[0]):
        w.seen[column, 0] = 0.0
    w.seen[PRESENT, 0] = w.seen[IS_WAIT, 0] = w.seen[FITS, 0] = 1.0


@compiled
def _see_row(w: Columns, index: int, row: int, job: int) -> None:
    """`job`: its position in `shown_job`."""
    slot, shape = w.row_slot[row], w.row_shape[row]
    pool, fits = w.shape_pool[shape], w.shape_start[shape] == -np.inf
    w.seen[PRESENT, index], w.seen[IS_WAIT, index] = 1.0, 0.0
    w.seen[FITS, index] = 1.0 if fits else 0.0
    for ahead in range(MOMENTS):
        w.seen[FREE_0S + ahead, index] = w.pool_ahead[ahead, pool]
    describe_row(w, row)
    for column in range(STATIC_FEATURES):
        w.seen[SHARE + column, index] = w.row_static[column, row]
    _see_times(w, index, row, slot, w.shape_delay[shape])
    if fits and w.row_price[0, row] <= w.least[0]:
        w.state[READY] = 1
    for price in range(PRICES):
        own = w.row_price[price, row]
        _write(w, PRICE + price, index, own)
        _write(w, REGRET + price, index, own - w.least[price])
    for order in range(LEARNED_ORDERS):
        _write(w, RANK_FCFS + order, index, float(w.shown_rank[order, job]))
    for price in range(PRICES):
        before = float(w.shown_rank[LEARNED_ORDERS + price, index])
        _write(w, RANK_PRICE + price, index, before)


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
