"""The waiting jobs: each has one row per placement that it accepts.

What does not change while a job waits (estimates, widths, requests) is written once, when the job
enters. Slots are in the order of entering; a slot that was left stays empty until `compact`.
"""

from __future__ import annotations

from scheduler.compilation.columns import Floats, Floats2D, Ints
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.arithmetic import ln
from scheduler.decisions.kernel.columns import (
    DEAD_ROWS,
    GONE,
    HELD,
    LINED_SLOTS,
    PLACED,
    PREPARED,
    ROWS_USED,
    SLOTS_USED,
    TAKEN,
    TOTALLED,
    WAITING,
    WAITS,
    Columns,
)
from scheduler.decisions.kernel.queue.line import renumber_line
from scheduler.decisions.kernel.rules.allowed import forget_rules
from scheduler.decisions.kernel.rules.chains import chain_all, join_chain
from scheduler.domain.jobs import MIDDLE_PRIORITY

SHORT_S = 300.0
"""Added to runtimes where jobs are compared by length: much shorter ones count alike."""
FULL = -1
ID, SUBMITTED, PRIORITY, DEADLINE, PREFERENCE = range(5)
"""Positions of a job's numbers."""
RUNTIME, DOLLARS, JOULES = range(3)
"""Rows of a job's figures."""
_SPARSE = 64


@entry_point
def enter(w: Columns, numbers: Floats, shapes: Ints, figures: Floats2D) -> int:
    """A job enters; returns its slot, or FULL if the columns have to grow first.

    (5,) `numbers`: id, submission, priority, deadline, preference. (n,) `shapes` and (3, n)
    `figures`: runtime, dollars and joules, of its rows.
    """
    slot, first, count = w.count[SLOTS_USED], w.count[ROWS_USED], len(shapes)
    if slot >= len(w.job_id) or first + count > len(w.row_slot):
        return FULL
    w.job_id[slot] = int(numbers[ID])
    w.job_submitted[slot], w.job_priority[slot] = numbers[SUBMITTED], numbers[PRIORITY]
    w.job_deadline[slot], w.job_preference[slot] = numbers[DEADLINE], numbers[PREFERENCE]
    w.job_first[slot], w.job_count[slot], w.job_described[slot] = first, count, 0
    w.job_project[slot] = 0
    for index in range(count):
        row, shape = first + index, shapes[index]
        w.row_slot[row], w.row_shape[row], w.row_described[row] = slot, shape, 0
        w.row_runtime[row] = figures[RUNTIME, index]
        w.row_dollars[row], w.row_joules[row] = figures[DOLLARS, index], figures[JOULES, index]
        share = w.shape_width[shape] / w.pool_count[w.shape_pool[shape]]
        w.row_length[row] = ln((w.row_runtime[row] + SHORT_S) * share)
    w.job_weight[slot] = ln(max(w.job_priority[slot], 1.0) / MIDDLE_PRIORITY)
    _summarise(w, slot)
    join_queue(w)
    return slot


@compiled
def join_queue(w: Columns) -> None:
    """The job that is written into the first unused slot waits."""
    slot = w.count[SLOTS_USED]
    first, count = w.job_first[slot], w.job_count[slot]
    w.job_state[slot] = WAITS
    for row in range(first, first + count):
        shape = w.row_shape[row]
        if w.shape_users[shape] == 0:
            _unsee(w, shape)
        w.shape_users[shape] += 1
    w.count[SLOTS_USED], w.count[ROWS_USED] = slot + 1, first + count
    w.count[WAITING] += 1
    join_chain(w, slot)


@compiled
def _unsee(w: Columns, shape: int) -> None:
    pool = w.shape_pool[shape]
    w.pool_fits_seen[pool] = w.pool_starts_seen[pool] = -1
    forget_rules(w, pool)


@compiled
def _summarise(w: Columns, slot: int) -> None:
    """What the rows of a job say about it."""
    first = w.job_first[slot]
    area = w.row_runtime[first] * w.shape_width[w.row_shape[first]]
    request, size = w.shape_width[w.row_shape[first]], w.row_runtime[first]
    ideal, cheapest, frugal = size, w.row_dollars[first], w.row_joules[first]
    signature, slowest, shortest = w.job_preference[slot], size, w.row_length[first]
    for row in range(first, first + w.job_count[slot]):
        runtime, width = w.row_runtime[row], w.shape_width[w.row_shape[row]]
        own = runtime * width
        if own < area or (own == area and (width, runtime) < (request, size)):
            area, request, size = own, width, runtime
        slowest, shortest = max(slowest, runtime), min(shortest, w.row_length[row])
        ideal, cheapest = min(ideal, runtime), min(cheapest, w.row_dollars[row])
        frugal = min(frugal, w.row_joules[row])
        # Seconds and shapes are often small whole numbers: their sums should differ all the same.
        signature = 0.61 * signature + runtime + 1.7 * w.row_dollars[row] + 0.37 * w.row_shape[row]
    w.job_ideal[slot], w.job_cheapest[slot], w.job_frugal[slot] = ideal, cheapest, frugal
    w.job_size[slot], w.job_request[slot], w.job_signature[slot] = size, request, signature
    w.job_slowest[slot], w.job_shortest[slot] = slowest, shortest


@entry_point
def leave(w: Columns, slot: int) -> None:
    """A job leaves."""
    w.job_state[slot] = GONE
    for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
        w.shape_users[w.row_shape[row]] -= 1
    w.count[DEAD_ROWS] += w.job_count[slot]
    w.count[WAITING] -= 1


@entry_point
def slot_of(w: Columns, job: int) -> int:
    """The slot of a waiting job, by its id; 0: it does not wait."""
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_id[slot] == job and w.job_state[slot] != GONE:
            return slot
    return 0


@entry_point
def is_sparse(w: Columns) -> bool:
    """Whether so many slots are empty that `compact` pays."""
    return w.count[DEAD_ROWS] > _SPARSE and 2 * w.count[DEAD_ROWS] > w.count[ROWS_USED]


@entry_point
def compact(w: Columns) -> None:
    """Drop empty slots: slots and rows get other numbers, and a round is over."""
    drop_reservations(w)
    slots, rows, lined = 1, 1, 0
    for slot in range(1, w.count[SLOTS_USED]):
        w.job_moved[slot] = 0 if w.job_state[slot] == GONE else slots
        if w.job_state[slot] == GONE:
            continue
        w.job_score[slots] = w.job_score[slot]
        lined = slots + 1 if slot < w.state[LINED_SLOTS] else lined
        first = w.job_first[slot]
        _move_job(w, slot, slots)
        w.job_first[slots], w.job_described[slots] = rows, 0
        for row in range(first, first + w.job_count[slots]):
            _move_row(w, row, rows)
            w.row_slot[rows], w.row_described[rows] = slots, 0
            rows += 1
        _summarise(w, slots)
        slots += 1
    w.count[SLOTS_USED], w.count[ROWS_USED], w.count[DEAD_ROWS] = slots, rows, 0
    w.state[PREPARED], w.state[LINED_SLOTS] = 0, lined
    renumber_line(w)
    chain_all(w)
    w.state[TOTALLED] = 0


@compiled
def drop_reservations(w: Columns) -> None:
    """Let jobs that a round has reserved for wait again."""
    for index in range(w.count[HELD]):
        pool = w.held_pool[index]
        slot = w.row_slot[w.pool_held[pool]]
        if w.job_state[slot] == TAKEN:
            w.job_state[slot] = WAITS
        w.pool_held[pool] = 0
    w.count[HELD] = w.count[PLACED] = 0


@compiled
def _move_job(w: Columns, source: int, target: int) -> None:
    w.job_id[target], w.job_state[target] = w.job_id[source], w.job_state[source]
    w.job_count[target], w.job_submitted[target] = w.job_count[source], w.job_submitted[source]
    w.job_priority[target], w.job_deadline[target] = (
        w.job_priority[source],
        w.job_deadline[source],
    )
    w.job_preference[target], w.job_weight[target] = (
        w.job_preference[source],
        w.job_weight[source],
    )
    w.job_project[target] = w.job_project[source]


@compiled
def _move_row(w: Columns, source: int, target: int) -> None:
    if source == target:
        return
    w.row_shape[target], w.row_runtime[target] = w.row_shape[source], w.row_runtime[source]
    w.row_dollars[target], w.row_joules[target] = w.row_dollars[source], w.row_joules[source]
    w.row_length[target] = w.row_length[source]
