"""The whole queue as a round begins: sums that encodings and prices use."""

from __future__ import annotations

import numpy as np

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import (
    GONE,
    INDEXED,
    MIDDLE_PREFERENCE,
    PREFERENCE_COST,
    QUEUE_DEPTH,
    QUEUE_PRESSURE,
    QUEUE_URGENCY,
    QUEUE_WEIGHT,
    QUEUE_WORK,
    SLOTS_USED,
    TOTALLED,
    Columns,
)
from scheduler.decisions.kernel.queue.features import SOFTENING_S
from scheduler.domain.jobs import MIDDLE_PRIORITY

SHORT_S = 10.0
"""Jobs shorter than this count as this long where something is divided by their length."""


@compiled
def refresh_totals(w: Columns) -> None:
    """Sum up the jobs that wait as the round begins; once a round."""
    if w.state[TOTALLED]:
        return
    w.state[TOTALLED] = 1
    depth = work = urgency = weight = pressure = 0.0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] == GONE:
            continue
        own = w.job_priority[slot] / MIDDLE_PRIORITY
        depth += 1.0
        work += w.job_size[slot] * w.job_request[slot]
        urgency += own / max(w.job_ideal[slot], SHORT_S)
        weight += own
        pressure += own / (w.job_ideal[slot] + SOFTENING_S)
    w.figure[QUEUE_DEPTH], w.figure[QUEUE_WORK], w.figure[QUEUE_URGENCY] = depth, work, urgency
    w.figure[QUEUE_WEIGHT], w.figure[QUEUE_PRESSURE] = weight, pressure
    w.figure[MIDDLE_PREFERENCE] = np.nan
    w.count[INDEXED] = 0
    for pool in range(len(w.pool_nodes)):
        w.pool_ahead_seen[pool] = -1


@compiled
def middle_preference(w: Columns) -> float:
    """The median preference of the jobs that wait; 0.5 without any. Valid after `refresh_totals`.

    Computed once a round, without sorting: Hoare's selection (1961).
    """
    if np.isnan(w.figure[MIDDLE_PREFERENCE]):
        count = 0
        for slot in range(1, w.count[SLOTS_USED]):
            if w.job_state[slot] != GONE:
                w.row_price[PREFERENCE_COST, count] = w.job_preference[slot]
                count += 1
        middle = 0.5
        if count:
            high = _select(w, count, count // 2)
            low = high
            if count % 2 == 0:
                low = w.row_price[PREFERENCE_COST, 0]
                for at in range(count // 2):
                    low = max(low, w.row_price[PREFERENCE_COST, at])
            middle = (high + low) / 2.0
        w.figure[MIDDLE_PREFERENCE] = middle
    return w.figure[MIDDLE_PREFERENCE]


@compiled
def _select(w: Columns, count: int, rank: int) -> float:
    """The value of that rank (from 0) in the scratch row; smaller ones stand before it then."""
    first, last = 0, count - 1
    while first < last:
        pivot, left, right = w.row_price[PREFERENCE_COST, (first + last) // 2], first, last
        while left <= right:
            while w.row_price[PREFERENCE_COST, left] < pivot:
                left += 1
            while pivot < w.row_price[PREFERENCE_COST, right]:
                right -= 1
            if left <= right:
                own = w.row_price[PREFERENCE_COST, left]
                w.row_price[PREFERENCE_COST, left] = w.row_price[PREFERENCE_COST, right]
                w.row_price[PREFERENCE_COST, right] = own
                left, right = left + 1, right - 1
        if rank <= right:
            last = right
        elif rank >= left:
            first = left
        else:
            break
    return w.row_price[PREFERENCE_COST, rank]
