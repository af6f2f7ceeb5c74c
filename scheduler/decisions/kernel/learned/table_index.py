"""The rows of a long table by their prices, and its jobs by several orders, in classes.

It is built when a round first needs it. From one choice to the next a table loses rows: those of
the job that was taken, and of shapes that fit no more. They are dropped, which costs little. If
rows have joined the table, or prices have changed much, the index is built again.
"""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import (
    INDEXED,
    LEARNED_ORDERS,
    LINKED,
    PRICES,
    ROWS_USED,
    SHAPES_USED,
    SLOTS_USED,
    Columns,
)
from scheduler.decisions.kernel.learned.pricing import price_row
from scheduler.decisions.kernel.learned.ranking import class_of, divide

_SECONDS, _SLOWDOWN = LEARNED_ORDERS, LEARNED_ORDERS + 1
"""The classes of the two prices."""
_MOST_DROPPED = 4
"""The index is built again when the table has so many times fewer rows than it was built for."""


@compiled
def refresh_index(w: Columns, count: int) -> None:
    """Index the rows of a table of `count`. Valid after `refresh_totals` and `refresh_delays`."""
    if w.count[INDEXED] == 0 or _MOST_DROPPED * count < w.count[LINKED] or not _follow(w, count):
        _build(w, count)


@compiled
def _build(w: Columns, count: int) -> None:
    for row in range(w.count[ROWS_USED]):
        w.row_indexed[row] = w.row_near[row] = 0
    for slot in range(w.count[SLOTS_USED]):
        w.job_indexed[slot] = w.job_near[slot] = 0
    for shape in range(1, w.count[SHAPES_USED]):
        w.shape_priced[shape] = w.shape_delay[shape]
    jobs = _price_rows(w, count)
    w.count[INDEXED] = w.count[LINKED] = count
    for order in range(LEARNED_ORDERS):
        divide(w, order, w.job_order_score[order], w.brought_job, jobs, w.job_next[order])
    for price in range(PRICES):
        kind, members = LEARNED_ORDERS + price, w.indexed_row[1:]
        divide(w, kind, w.row_price[price], members, count - 1, w.row_next[price])


@compiled
def _price_rows(w: Columns, count: int) -> int:
    """Copy the rows of the table, with their prices; list its jobs; returns their number."""
    slot, jobs = 0, 0
    for position in range(1, count):
        row = w.table_row[position]
        if w.row_slot[row] != slot:
            slot = w.row_slot[row]
            w.brought_job[jobs], w.job_indexed[slot] = slot, 1
            w.job_rows[slot] = 0
            jobs += 1
        w.job_rows[slot] += 1
        w.indexed_row[position], w.row_indexed[row] = row, 1
        price_row(w, row)
    return jobs


@compiled
def _follow(w: Columns, count: int) -> bool:
    """Bring the index in line with the table; False if it has to be built."""
    some, at, indexed = _notice_delays(w), 1, w.count[INDEXED]
    for position in range(1, count):
        row = w.table_row[position]
        while at < indexed and w.indexed_row[at] < row:
            _drop(w, w.indexed_row[at])
            at += 1
        if at == indexed or w.indexed_row[at] != row:
            return False
        at += 1
        if some and w.shape_repriced[w.row_shape[row]] and not _reprice(w, row):
            return False
        w.indexed_row[position] = row
    while at < indexed:
        _drop(w, w.indexed_row[at])
        at += 1
    w.count[INDEXED] = count
    return True


@compiled
def _notice_delays(w: Columns) -> bool:
    """Set `shape_repriced`; returns whether there is any."""
    some = False
    for shape in range(1, w.count[SHAPES_USED]):
        w.shape_repriced[shape] = w.shape_delay[shape] != w.shape_priced[shape]
        w.shape_priced[shape] = w.shape_delay[shape]
        some = some or w.shape_repriced[shape] != 0
    return some


@compiled
def _reprice(w: Columns, row: int) -> bool:
    """Write the prices of a row; False if one belongs to another class now."""
    seconds, slowdown = w.row_price[0, row], w.row_price[1, row]
    price_row(w, row)
    if class_of(w, _SECONDS, seconds) != class_of(w, _SECONDS, w.row_price[0, row]):
        return False
    return class_of(w, _SLOWDOWN, slowdown) == class_of(w, _SLOWDOWN, w.row_price[1, row])


@compiled
def _drop(w: Columns, row: int) -> None:
    """A row leaves the index, and its job with its last row."""
    slot = w.row_slot[row]
    w.row_indexed[row] = 0
    for price in range(PRICES):
        kind = LEARNED_ORDERS + price
        w.class_count[kind, class_of(w, kind, w.row_price[price, row])] -= 1
    w.job_rows[slot] -= 1
    if w.job_rows[slot]:
        return
    w.job_indexed[slot] = 0
    for order in range(LEARNED_ORDERS):
        w.class_count[order, class_of(w, order, w.job_order_score[order, slot])] -= 1
