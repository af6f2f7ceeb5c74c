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
from scheduler.decisions.kernel.columns import BROUGHT, LISTED, SHOWN, Columns
from scheduler.decisions.kernel.learned.ranking import find_least
from scheduler.decisions.kernel.queue.features import LEAST
from scheduler.decisions.kernel.queue.positions import ORDERS, PRICES

PREFERENCE_COST = PRICES
"""The row of `table_price` for the costs by a job's own preference."""


@compiled
def show(w: Columns, count: int, limit: int) -> None:
    """Into `shown`: positions of at most `limit` rows of a table of `count`, ascending, WAIT first.

    Valid after `list_jobs`.
    """
    if count <= limit:
        for position in range(count):
            w.shown[position] = position
        w.count[SHOWN] = count
        return
    # The cheapest rows alone are as many as wanted, so no row that is farther is shown.
    wanted = limit - 1
    w.count[BROUGHT] = 0
    for near in range(limit):
        w.near_count[near] = 0
    for price in range(PRICES):
        size = find_least(w.table_price[price], 1, count, wanted, w.nearest)
        for rank in range(size):
            _bring(w, w.nearest[rank], 1 + rank)
    for index in range(w.count[LISTED]):
        w.listed_near[index] = limit
    for order in range(len(ORDERS)):
        size = find_least(w.listed_score[order], 0, w.count[LISTED], wanted, w.nearest)
        for rank in range(size):
            index = w.nearest[rank]
            w.listed_near[index] = min(w.listed_near[index], 1 + rank)
    for index in range(w.count[LISTED]):
        if w.listed_near[index] <= wanted:
            _bring_job(w, index, wanted)
    _show_nearest(w, wanted)


@compiled
def _bring_job(w: Columns, index: int, wanted: int) -> None:
    """Rows of a job near the front."""
    slot, first, last = w.listed_slot[index], w.listed_first[index], w.listed_first[index + 1]
    preference = w.job_preference[slot]
    for position in range(first, last):
        row = w.table_row[position]
        end = w.shape_delay[w.row_shape[row]] + w.row_runtime[row]
        cost = preference * end / max(w.job_ideal[slot], LEAST)
        money = (1.0 - preference) * (w.row_dollars[row] + LEAST)
        w.table_price[PREFERENCE_COST, position] = cost + money / (w.job_cheapest[slot] + LEAST)
    for position in range(first, last):
        own, before = w.table_price[PREFERENCE_COST, position], 0
        for rival in range(first, last):
            its = w.table_price[PREFERENCE_COST, rival]
            before += its < own or (its == own and rival < position)
        near = w.listed_near[index] * (1 + before)
        if near <= wanted:
            _bring(w, position, near)


@compiled
def _bring(w: Columns, position: int, near: int) -> None:
    old = w.table_near[position]
    if old == 0:
        w.table_brought[w.count[BROUGHT]] = position
        w.count[BROUGHT] += 1
    elif old <= near:
        return
    else:
        w.near_count[old] -= 1
    w.near_count[near] += 1
    w.table_near[position] = near


@compiled
def _show_nearest(w: Columns, wanted: int) -> None:
    """Of equally near rows the first ones are shown."""
    bound, left = 1, wanted
    while left > w.near_count[bound]:
        left -= w.near_count[bound]
        bound += 1
    kept = 0
    for at in range(w.count[BROUGHT]):
        position = w.table_brought[at]
        if w.table_near[position] > bound:
            w.table_near[position] = 0
            continue
        to = kept
        while to > 0 and position < w.table_brought[to - 1]:
            w.table_brought[to] = w.table_brought[to - 1]
            to -= 1
        w.table_brought[to] = position
        kept += 1
    w.shown[0], shown = 0, 1
    for at in range(kept):
        position = w.table_brought[at]
        if w.table_near[position] < bound or left > 0:
            left -= w.table_near[position] == bound
            w.shown[shown] = position
            shown += 1
        w.table_near[position] = 0
    w.count[SHOWN] = shown
