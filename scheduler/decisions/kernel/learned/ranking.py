"""How many jobs, or rows, of the table come before another one.

Jobs stand in lines, one for each order, which only new jobs change. Rows are counted by classes of
their prices, and compared only within the classes of the rows that are shown.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import (
    GONE,
    ORDERED_SLOTS,
    SHOWN,
    SLOTS_USED,
    Columns,
)
from scheduler.decisions.kernel.learned.positions import ORDERS

SCRATCH = len(ORDERS)
"""The row of `order_line` that sorting uses."""
_FEW = 24
_CLASSES = 4096
"""Most classes of prices."""


@compiled
def join_orders(w: Columns) -> None:
    """Put the jobs that have entered since into the lines; equal ones stand as they entered."""
    used, known = w.count[SLOTS_USED], w.state[ORDERED_SLOTS]
    if known == used:
        return
    for order in range(len(ORDERS)):
        kept = 0
        if known:
            for at in range(w.order_length[order]):
                if w.job_state[w.order_line[order, at]] != GONE:
                    w.order_line[order, kept] = w.order_line[order, at]
                    kept += 1
        new = kept
        for slot in range(max(known, 1), used):
            if w.job_state[slot] != GONE:
                w.order_line[order, new] = slot
                new += 1
        _sort(w, order, kept, new)
        _merge(w, order, 0, kept, new)
        w.order_length[order] = new
    w.state[ORDERED_SLOTS] = used


@compiled
def _sort(w: Columns, order: int, begin: int, end: int) -> None:
    """Sort a range: runs by insertion, then runs merged two by two."""
    for first in range(begin, end, _FEW):
        for at in range(first + 1, min(first + _FEW, end)):
            slot, to = w.order_line[order, at], at
            score = w.job_order_score[order, slot]
            while to > first and score > w.job_order_score[order, w.order_line[order, to - 1]]:
                w.order_line[order, to] = w.order_line[order, to - 1]
                to -= 1
            w.order_line[order, to] = slot
    size = _FEW
    while size < end - begin:
        for first in range(begin, end - size, 2 * size):
            _merge(w, order, first, first + size, min(first + 2 * size, end))
        size *= 2


@compiled
def _merge(w: Columns, order: int, begin: int, middle: int, end: int) -> None:
    """Merge two sorted ranges that follow each other; of equal jobs the first range's go first."""
    if middle == begin or middle == end:
        return
    for at in range(middle, end):
        w.order_line[SCRATCH, at] = w.order_line[order, at]
    left, right, to = middle - 1, end - 1, end - 1
    while right >= middle:
        last = w.order_line[SCRATCH, right]
        score = w.job_order_score[order, last]
        if left >= begin and score > w.job_order_score[order, w.order_line[order, left]]:
            last = w.order_line[order, left]
            left -= 1
        else:
            right -= 1
        w.order_line[order, to] = last
        to -= 1


@compiled
def rank_jobs(w: Columns) -> None:
    """Into `job_rank` and `job_near`: jobs of the table before each one, and 1 + the best rank."""
    for order in range(len(ORDERS)):
        before = 0
        for at in range(w.order_length[order]):
            slot = w.order_line[order, at]
            if w.job_listed[slot]:
                w.job_rank[order, slot] = before
                before += 1
                if order == 0 or before < w.job_near[slot]:
                    w.job_near[slot] = before


@compiled
def rank_shown(w: Columns, price: int, count: int) -> None:
    """Into `shown_rank`: how many rows of the table come before each shown one by a price.

    Equal ones stand as in the table.
    """
    least = most = w.table_price[price, 1]
    for at in range(2, count):
        least, most = min(least, w.table_price[price, at]), max(most, w.table_price[price, at])
    base, classes, shift = _bits(least), min(_CLASSES, len(w.class_count)), 0
    while (_bits(most) - base) >> shift >= classes:
        shift += 1
    for at in range(classes):
        w.class_count[at] = w.class_first[at] = 0
    for at in range(1, count):
        w.class_count[(_bits(w.table_price[price, at]) - base) >> shift] += 1
    for index in range(1, w.count[SHOWN]):
        at = (_bits(w.table_price[price, w.shown[index]]) - base) >> shift
        w.shown_next[index], w.class_first[at] = w.class_first[at], index
    before = 0
    for at in range(classes):
        index = w.class_first[at]
        while index:
            w.shown_rank[price, index] = before
            index = w.shown_next[index]
        before += w.class_count[at]
    for at in range(1, count):
        index = w.class_first[(_bits(w.table_price[price, at]) - base) >> shift]
        if index:
            _count_within(w, price, at, index)


@compiled
def _count_within(w: Columns, price: int, position: int, index: int) -> None:
    """Count a row for those shown rows of its class that it comes before."""
    own = w.table_price[price, position]
    while index:
        rival = w.shown[index]
        its = w.table_price[price, rival]
        if own < its or (own == its and position < rival):
            w.shown_rank[price, index] += 1
        index = w.shown_next[index]


@compiled
def _bits(value: float) -> int:
    """An integer that rises with a value that is not negative: exponent first, then mantissa."""
    return np.float64(max(value, 0.0)).view(np.int64)  # type: ignore[no-any-return]
