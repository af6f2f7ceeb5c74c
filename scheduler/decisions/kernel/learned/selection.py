"""Which rows of a long table are shown, when not all can be.

The oldest would be the wrong ones: the small job that should go first may stand behind a thousand
old large ones. So jobs are ranked by several orders, each of which is right for some queue, and a
job is as near to the front as its best rank says.

A row is nearer, the less (1 + best rank of its job by any order) · (1 + its own rank among the
job's rows) is: the first jobs show all their placements, later ones their best. A job's rows are
ranked by its own preference. A row is no farther than its best rank by any of the prices says.
"""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import (
    BROUGHT,
    BROUGHT_JOBS,
    INDEXED,
    LEARNED_ORDERS,
    PREFERENCE_COST,
    PRICES,
    SHOWN,
    Columns,
)
from scheduler.decisions.kernel.learned.pricing import price_row
from scheduler.decisions.kernel.learned.ranking import find_least
from scheduler.decisions.kernel.queue.features import LEAST


@compiled
def show_all(w: Columns, count: int) -> None:
    """Into `shown`: all positions of a short table of `count`; its rows are priced."""
    w.shown[0] = w.shown_row[0] = 0
    for position in range(1, count):
        row = w.table_row[position]
        w.shown[position], w.shown_row[position] = position, row
        price_row(w, row)
    # An index could not tell which of its prices these have replaced.
    w.count[SHOWN], w.count[INDEXED] = count, 0


@compiled
def show_nearest(w: Columns, count: int, limit: int) -> None:
    """Into `shown`: positions of `limit` rows of a table of `count`, ascending, WAIT first.

    Valid after `refresh_index`.
    """
    # The cheapest rows alone are as many as wanted, so no row that is farther is shown.
    wanted = limit - 1
    w.count[BROUGHT] = w.count[BROUGHT_JOBS] = 0
    for near in range(limit):
        w.near_count[near] = 0
    for price in range(PRICES):
        kind, values, links = LEARNED_ORDERS + price, w.row_price[price], w.row_next[price]
        size = find_least(w, kind, values, links, w.row_indexed, wanted)
        for at in range(size):
            _bring(w, w.nearest[at], 1 + at)
    for order in range(LEARNED_ORDERS):
        values, links = w.job_order_score[order], w.job_next[order]
        size = find_least(w, order, values, links, w.job_indexed, wanted)
        for at in range(size):
            _note_job(w, w.nearest[at], 1 + at)
    for at in range(w.count[BROUGHT_JOBS]):
        slot = w.brought_job[at]
        _bring_job(w, slot, w.job_near[slot], wanted)
        w.job_near[slot] = 0
    _keep_nearest(w, wanted)
    _find_positions(w, count)


@compiled
def _note_job(w: Columns, slot: int, near: int) -> None:
    if w.job_near[slot] == 0:
        w.brought_job[w.count[BROUGHT_JOBS]] = slot
        w.count[BROUGHT_JOBS] += 1
        w.job_near[slot] = near
    w.job_near[slot] = min(w.job_near[slot], near)


@compiled
def _bring_job(w: Columns, slot: int, job_near: int, wanted: int) -> None:
    """Rows of a job near the front."""
    first, last = w.job_first[slot], w.job_first[slot] + w.job_count[slot]
    preference, costs = w.job_preference[slot], w.row_price[PREFERENCE_COST]
    for row in range(first, last):
        end = w.shape_delay[w.row_shape[row]] + w.row_runtime[row]
        cost = preference * end / max(w.job_ideal[slot], LEAST)
        money = (1.0 - preference) * (w.row_dollars[row] + LEAST)
        costs[row] = cost + money / (w.job_cheapest[slot] + LEAST)
    for row in range(first, last):
        if not w.row_indexed[row]:
            continue
        near = job_near
        for rival in range(first, last):
            before = costs[rival] < costs[row] or (costs[rival] == costs[row] and rival < row)
            if before and w.row_indexed[rival]:
                near += job_near
        if near <= wanted:
            _bring(w, row, near)


@compiled
def _bring(w: Columns, row: int, near: int) -> None:
    old = w.row_near[row]
    if old == 0:
        w.brought_row[w.count[BROUGHT]] = row
        w.count[BROUGHT] += 1
    elif old <= near:
        return
    else:
        w.near_count[old] -= 1
    w.near_count[near] += 1
    w.row_near[row] = near


@compiled
def _keep_nearest(w: Columns, wanted: int) -> None:
    """Into `shown_row`: the nearest rows, ascending; of equally near ones the first."""
    bound, left = 1, wanted
    while left > w.near_count[bound]:
        left -= w.near_count[bound]
        bound += 1
    kept = 0
    for at in range(w.count[BROUGHT]):
        row = w.brought_row[at]
        if w.row_near[row] > bound:
            w.row_near[row] = 0
            continue
        to = kept
        while to > 0 and row < w.brought_row[to - 1]:
            w.brought_row[to] = w.brought_row[to - 1]
            to -= 1
        w.brought_row[to] = row
        kept += 1
    w.shown_row[0], shown = 0, 1
    for at in range(kept):
        row = w.brought_row[at]
        if w.row_near[row] < bound or left > 0:
            left -= w.row_near[row] == bound
            w.shown_row[shown] = row
            shown += 1
        w.row_near[row] = 0
    w.count[SHOWN] = shown


@compiled
def _find_positions(w: Columns, count: int) -> None:
    """Into `shown`: where the shown rows stand in the table."""
    first = 0
    for index in range(w.count[SHOWN]):
        last = count
        while first < last:
            middle = (first + last) // 2
            if w.table_row[middle] < w.shown_row[index]:
                first = middle + 1
            else:
                last = middle
        w.shown[index] = first
