"""The positions of the columns of an encoding, and their units.

What each column means is in `scheduler.decisions.features.columns`.
"""

from __future__ import annotations

from scheduler.decisions.kernel.columns import (
    LEARNED_ORDERS,
    PRICES,
    ROW_FEATURES,
    STATIC_FEATURES,
    WHOLE_FEATURES,
)
from scheduler.decisions.kernel.queue.orders import F1, FCFS, PRIORITY, SAF, SJF

(
    PRESENT,
    IS_WAIT,
    FITS,
    FREE_0S,
    FREE_600S,
    FREE_3600S,
    FREE_14400S,
    SHARE,
    JOB_PRIORITY,
    JOB_PREFERENCE,
    REQUEST,
    SIZE,
    AREA,
    IDEAL,
    RUNTIME,
    SLOWER,
    DOLLARS,
    WORTH,
    DEARER,
    HUNGRIER,
    WAIT_S,
    EXPANSION,
    SLACK,
    INFLICTED,
    LATE,
    DELAY,
    LATER,
    PRICE,
    PRICE_SLOWDOWN,
    REGRET,
    REGRET_SLOWDOWN,
    RANK_FCFS,
    RANK_SJF,
    RANK_SAF,
    RANK_F1,
    RANK_PRIORITY,
    RANK_PRICE,
    RANK_PRICE_SLOWDOWN,
) = range(ROW_FEATURES)
"""Columns of each row. From `SHARE` on they are static, from `WAIT_S` on they change."""
(
    PREFERENCE,
    BACKFILLING,
    TOTAL_FREE_0S,
    LEAST_FREE_0S,
    MOST_FREE_0S,
    TOTAL_FREE_600S,
    LEAST_FREE_600S,
    MOST_FREE_600S,
    TOTAL_FREE_3600S,
    LEAST_FREE_3600S,
    MOST_FREE_3600S,
    TOTAL_FREE_14400S,
    LEAST_FREE_14400S,
    MOST_FREE_14400S,
    DEPTH,
    WORK,
    URGENCY,
    DEVICES,
    POOLS,
    SPREAD,
    BEYOND,
) = range(WHOLE_FEATURES)
"""Columns of the whole table."""
assert SHARE + STATIC_FEATURES == WAIT_S
ORDERS = (FCFS, SJF, SAF, F1, PRIORITY)
"""The orders of `kernel.queue.orders` by which jobs are ranked, in the order of the columns."""
assert len(ORDERS) == LEARNED_ORDERS == RANK_PRICE - RANK_FCFS

_STATIC_UNITS = (0.0, 0.0, 0.0, 1.0, 10.0, 10.0, 10.0, 10.0, 0.1, 0.01, 10.0, 0.1, 0.1)
_CHANGING_UNITS = (10.0, 1.0, 60.0, 0.1, 60.0, 10.0, 0.1, 10.0, 0.1, 10.0, 0.1)
ROW_UNITS = (0.0,) * SHARE + _STATIC_UNITS + _CHANGING_UNITS + (1.0,) * (LEARNED_ORDERS + PRICES)
"""A column holds GAIN · ln(1 + x / unit); 0: it holds x itself, which is 0 … 1."""
WHOLE_UNITS = (0.0,) * DEPTH + (1.0, 10.0, 1.0, 1.0, 1.0, 0.1, 1.0)
assert len(ROW_UNITS) == ROW_FEATURES
assert len(WHOLE_UNITS) == WHOLE_FEATURES
