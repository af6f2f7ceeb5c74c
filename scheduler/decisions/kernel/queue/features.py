"""What an encoding says of a placement that does not change while its job waits."""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.arithmetic import ln1p
from scheduler.decisions.kernel.columns import SLOTS_USED, TOP_PRICE, Columns
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
from scheduler.domain.jobs import MIDDLE_PRIORITY

GAIN = 0.4
"""A logarithmic column holds GAIN · ln(1 + x / unit): doubling a large x adds 0.28."""
TOP = 5.0
"""No number of an encoding is above this (268,000 units) or below 0."""
SOFTENING_S = 30.0
"""Added to the ideal runtime where seconds are turned into slowdown."""
LEAST = 1e-9
"""Keeps divisions by zero away."""


@compiled
def squashed(value: float, unit: float) -> float:
    """GAIN · ln(1 + x / unit), between 0 and TOP."""
    return min(GAIN * ln1p(max(value, 0.0) / unit), TOP)


@compiled
def describe_jobs(w: Columns) -> None:
    """Write what encodings need of all jobs and rows, for the jobs that have entered since."""
    for slot in range(1, w.count[SLOTS_USED]):
        if not w.job_described[slot]:
            _describe_job(w, slot)
            w.job_described[slot] = 1


@compiled
def _describe_job(w: Columns, slot: int) -> None:
    for index in range(len(ORDERS)):
        w.job_order_score[index, slot] = -score_of(w, ORDERS[index], slot)
    preference = w.job_preference[slot]
    w.job_rate[slot] = preference * w.job_priority[slot] / MIDDLE_PRIORITY
    w.job_unit[slot] = 1.0 / (w.job_ideal[slot] + SOFTENING_S)
    for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
        shape = w.row_shape[row]
        w.row_paid[row] = (1.0 - preference) * (w.row_dollars[row] * seconds_per_dollar(w))
        w.row_held[row] = w.row_runtime[row] * share_of(w, shape)


@compiled
def share_of(w: Columns, shape: int) -> float:
    """Share of its pool that a shape takes."""
    return w.shape_width[shape] / w.pool_count[w.shape_pool[shape]]


@compiled
def describe_row(w: Columns, row: int) -> None:
    """Write the static columns of a row, unless they are written."""
    if w.row_described[row]:
        return
    slot, dollars = w.row_slot[row], w.row_dollars[row]
    _write(w, row, SHARE, share_of(w, w.row_shape[row]))
    _write(w, row, JOB_PRIORITY, w.job_priority[slot] / 100.0)
    _write(w, row, JOB_PREFERENCE, w.job_preference[slot])
    _write(w, row, REQUEST, w.job_request[slot])
    _write(w, row, SIZE, w.job_size[slot])
    _write(w, row, AREA, w.job_size[slot] * w.job_request[slot])
    _write(w, row, IDEAL, w.job_ideal[slot])
    _write(w, row, RUNTIME, w.row_runtime[row])
    _write(w, row, SLOWER, w.row_runtime[row] / max(w.job_ideal[slot], LEAST) - 1.0)
    _write(w, row, DOLLARS, dollars)
    _write(w, row, WORTH, dollars * seconds_per_dollar(w))
    _write(w, row, DEARER, (dollars + LEAST) / (w.job_cheapest[slot] + LEAST) - 1.0)
    _write(w, row, HUNGRIER, (w.row_joules[row] + LEAST) / (w.job_frugal[slot] + LEAST) - 1.0)
    # Last, as copies of the world may read it meanwhile.
    w.row_described[row] = 1


@compiled
def seconds_per_dollar(w: Columns) -> float:
    """Seconds of one device of the most expensive pool; where nothing has a price, of $1/h."""
    highest = w.figure[TOP_PRICE]
    return 3600.0 / (highest if highest > 0.0 else 1.0)


@compiled
def _write(w: Columns, row: int, column: int, value: float) -> None:
    unit = ROW_UNITS[column]
    w.row_static[column - SHARE, row] = squashed(value, unit) if unit > 0.0 else value
