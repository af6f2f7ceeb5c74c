"""What an encoding says of a placement that does not change while its job waits."""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.arithmetic import ln1p
from scheduler.decisions.kernel.columns import DESCRIBED, GONE, SLOTS_USED, TOP_PRICE, Columns
from scheduler.decisions.kernel.queue.orders import score_of
from scheduler.decisions.kernel.queue.positions import (
    AREA,
    DEARER,
    DOLLARS,
    HUNGRIER,
    IDEAL,
    JOB_PREFERENCE,
    JOB_PRIORITY,
    ORDERS,
    REQUEST,
    ROW_UNITS,
    RUNTIME,
    SHARE,
    SIZE,
    SLOWER,
    WORTH,
)

GAIN = 0.4
"""A logarithmic column holds GAIN · ln(1 + x / unit): doubling a large x adds 0.28."""
TOP = 5.0
"""No number of an encoding is above this (268,000 units) or below 0."""
LEAST = 1e-9
"""Keeps divisions by zero away."""


@compiled
def squashed(value: float, unit: float) -> float:
    """GAIN · ln(1 + x / unit), between 0 and TOP."""
    return min(GAIN * ln1p(max(value, 0.0) / unit), TOP)


@compiled
def describe_new(w: Columns) -> None:
    """Write what does not change of the jobs that have entered since the last encoding."""
    for slot in range(max(w.state[DESCRIBED], 1), w.count[SLOTS_USED]):
        if w.job_state[slot] != GONE:
            _describe(w, slot)
    w.state[DESCRIBED] = w.count[SLOTS_USED]


@compiled
def _describe(w: Columns, slot: int) -> None:
    """Write the static columns of the rows of a job that has entered, and its scores by order."""
    for index in range(len(ORDERS)):
        w.job_order_score[index, slot] = score_of(w, ORDERS[index], slot)
    for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
        _describe_row(w, slot, row)


@compiled
def _describe_row(w: Columns, slot: int, row: int) -> None:
    shape, dollars, preference = w.row_shape[row], w.row_dollars[row], w.job_preference[slot]
    share = w.shape_width[shape] / w.pool_count[w.shape_pool[shape]]
    worth = dollars * seconds_per_dollar(w)
    w.row_paid[row] = (1.0 - preference) * worth
    w.row_held[row] = w.row_runtime[row] * share
    _write(w, row, SHARE, share)
    _write(w, row, JOB_PRIORITY, w.job_priority[slot] / 100.0)
    _write(w, row, JOB_PREFERENCE, preference)
    _write(w, row, REQUEST, w.job_request[slot])
    _write(w, row, SIZE, w.job_size[slot])
    _write(w, row, AREA, w.job_size[slot] * w.job_request[slot])
    _write(w, row, IDEAL, w.job_ideal[slot])
    _write(w, row, RUNTIME, w.row_runtime[row])
    _write(w, row, SLOWER, w.row_runtime[row] / max(w.job_ideal[slot], LEAST) - 1.0)
    _write(w, row, DOLLARS, dollars)
    _write(w, row, WORTH, worth)
    _write(w, row, DEARER, (dollars + LEAST) / (w.job_cheapest[slot] + LEAST) - 1.0)
    _write(w, row, HUNGRIER, (w.row_joules[row] + LEAST) / (w.job_frugal[slot] + LEAST) - 1.0)


@compiled
def seconds_per_dollar(w: Columns) -> float:
    """Seconds of one device of the most expensive pool; where nothing has a price, of $1/h."""
    highest = w.figure[TOP_PRICE]
    return 3600.0 / (highest if highest > 0.0 else 1.0)


@compiled
def _write(w: Columns, row: int, column: int, value: float) -> None:
    unit = ROW_UNITS[column]
    w.row_static[column - SHARE, row] = squashed(value, unit) if unit > 0.0 else value
