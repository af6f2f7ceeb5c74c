"""One play-out: a choice is made, and a scorer decides all that follows in one future.

Time goes from one end of an attempt or arrival to the next. Attempts end when the future says, as
estimates need not be right; nothing fails. A play-out ends when all jobs of the future have come
and have started, so that all choices of one future are charged for the same jobs.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Floats2D, Floats32, Ints
from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.choices import REFUSED, open_round, take
from scheduler.decisions.kernel.choosing import INVALID, play
from scheduler.decisions.kernel.cluster.attempts import finish
from scheduler.decisions.kernel.cluster.nodes import fit, mark_cold
from scheduler.decisions.kernel.cluster.starts import look_now
from scheduler.decisions.kernel.columns import (
    GONE,
    HELD,
    LINED,
    LIVE,
    NOW,
    PLACED,
    PROMISED,
    SHAPES_USED,
    SLOTS_USED,
    WAITING,
    Columns,
)
from scheduler.decisions.kernel.playouts.columns import (
    ENDED,
    EVERY_EVENT,
    FIRST_SLOT,
    KEPT,
    LENGTH,
    LINE_USED,
    MOST_ROUNDS,
    PLAYED_MODE,
    RUNNING_AT_FIRST,
    STARTED,
    PlayoutColumns,
)
from scheduler.decisions.kernel.playouts.heap import pop, push
from scheduler.decisions.kernel.playouts.objective import charge
from scheduler.decisions.kernel.queue.jobs import join_queue, leave
from scheduler.decisions.kernel.rules.allowed import (
    COMMIT_EASY,
    COMMIT_FCFS,
    keeps_promises,
    refresh_rules,
)

NEVER = np.inf


@compiled
def play_out(
    w: Columns, f: PlayoutColumns, row: int, codes: Ints, constants: Floats2D, weights: Floats32
) -> float:
    """The charge of all jobs that wait or come, if `row` is chosen now; NaN if the scorer fails."""
    rewind(w, f)
    refresh_rules(w)
    action = take(w, row)
    if action == REFUSED:
        return np.nan
    total, rounds = 0.0, 0
    played = play(w, codes, constants, weights)
    while played != INVALID:
        total += _commit(w, f)
        rounds += 1
        if not _advance(w, f):
            return total
        if rounds == f.number[MOST_ROUNDS]:
            return total + _charge_left(w, f)
        _open(w, f)
        played = play(w, codes, constants, weights)
    return np.nan


@compiled
def rewind(w: Columns, f: PlayoutColumns) -> None:
    """Let the world be as it was when the choice came up."""
    for at in range(len(f.image)):
        f.live[at] = f.image[at]
    for at in range(f.number[LINE_USED]):
        w.line[at] = f.line_kept[at]
    f.number[ENDED] = f.number[STARTED] = 0


@compiled
def _advance(w: Columns, f: PlayoutColumns) -> bool:
    """Let time pass until a round is due; False if none will be."""
    while True:
        arrived = w.count[SLOTS_USED] - f.number[FIRST_SLOT]
        if w.count[WAITING] == 0 and arrived == f.number[LENGTH]:
            return False
        time = _next_time(f, arrived)
        if time == NEVER:
            return False
        w.figure[NOW] = time
        _happen(w, f)
        while not f.number[EVERY_EVENT] and _next_time(f, _arrived(w, f)) == time:
            _happen(w, f)
        if w.count[WAITING] and _may_start(w, f):
            return True


@compiled
def _arrived(w: Columns, f: PlayoutColumns) -> int:
    return w.count[SLOTS_USED] - f.number[FIRST_SLOT]


@compiled
def _may_start(w: Columns, f: PlayoutColumns) -> bool:
    """Whether a round now could start a job, or make a promise.

    All else that a round decides is decided again in the next one.
    """
    mode = f.number[PLAYED_MODE]
    if not keeps_promises(mode):
        return _some_fit(w)
    if f.number[KEPT] < len(w.pool_nodes):
        return True
    for index in range(f.number[KEPT]):
        shape = w.row_shape[f.promised[index]]
        pool = w.shape_pool[shape]
        if fit(w, LIVE, pool, w.shape_width[shape], w.shape_memory[shape]):
            return True
        if mode == COMMIT_FCFS and _some_in_time(w, pool, f.promised_start[index]):
            return True
    return bool(mode == COMMIT_EASY and _some_fit(w))


@compiled
def _some_fit(w: Columns) -> bool:
    """Whether a placement of some waiting job has its devices now."""
    for pool in range(len(w.pool_nodes)):
        if w.plane_free[LIVE, pool]:
            look_now(w, pool)
    for shape in range(1, w.count[SHAPES_USED]):
        if w.shape_users[shape] and w.plane_free[LIVE, w.shape_pool[shape]] and w.shape_fits[shape]:
            return True
    return False


@compiled
def _some_in_time(w: Columns, pool: int, latest: float) -> bool:
    """Whether a waiting job asks for no more than is free in a pool, and may end in time."""
    free = w.plane_free[LIVE, pool]
    if free == 0:
        return False
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] == GONE:
            continue
        for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
            shape = w.row_shape[row]
            if (
                w.shape_pool[shape] == pool
                and w.shape_width[shape] <= free
                and w.figure[NOW] + w.row_runtime[row] < latest
            ):
                return True
    return False


@compiled
def _next_time(f: PlayoutColumns, arrived: int) -> float:
    time = NEVER
    if f.number[ENDED] < f.number[RUNNING_AT_FIRST]:
        time = f.end_time[f.number[ENDED]]
    if f.number[STARTED]:
        time = min(time, f.heap_time[0])
    if arrived < f.number[LENGTH]:
        time = min(time, f.slot_time[arrived])
    return time


@compiled
def _happen(w: Columns, f: PlayoutColumns) -> None:
    """Let the next event happen: what ends now ends before others come."""
    time, ended = w.figure[NOW], f.number[ENDED]
    if ended < f.number[RUNNING_AT_FIRST] and f.end_time[ended] == time:
        f.number[ENDED] = ended + 1
        finish(w, f.ending[ended])
    elif f.number[STARTED] and f.heap_time[0] == time:
        finish(w, pop(f))
    else:
        join_queue(w)


@compiled
def _open(w: Columns, f: PlayoutColumns) -> None:
    """Open a round, with the promises that the last one made."""
    open_round(w, w.figure[NOW], f.number[PLAYED_MODE])
    for index in range(f.number[KEPT]):
        w.promised_row[index] = f.promised[index]
        w.promised_start[index] = f.promised_start[index]
    w.count[PROMISED] = f.number[KEPT]


@compiled
def _commit(w: Columns, f: PlayoutColumns) -> float:
    """Carry out what the round has decided; returns the charge of the jobs that start."""
    f.number[KEPT] = 0
    if keeps_promises(f.number[PLAYED_MODE]):
        for index in range(w.count[HELD]):
            pool = w.held_pool[index]
            f.promised[index] = w.pool_held[pool]
            f.promised_start[index] = w.pool_until[pool]
        f.number[KEPT] = w.count[HELD]
    total = 0.0
    for index in range(w.count[PLACED]):
        row, attempt = w.placed_row[index], w.placed_attempt[index]
        slot, end = w.row_slot[row], w.attempt_end[attempt]
        if f.slot_ratio[slot] != 1.0:
            end += (f.slot_ratio[slot] - 1.0) * w.row_runtime[row]
        total += charge(w, f, slot, row, end)
        leave(w, slot)
        push(f, end, attempt)
        _warm(w, f, attempt)
    w.count[PLACED] = 0
    return total


@compiled
def _warm(w: Columns, f: PlayoutColumns, attempt: int) -> None:
    """Nodes that an attempt boots stay up, in pools where nodes are up at times."""
    pool, part = w.attempt_pool[attempt], w.attempt_part[attempt]
    if not f.pool_boots[pool]:
        return
    while part >= 0:
        node = w.part_node[part]
        if w.node_cold[LIVE, w.pool_first_node[pool] + node]:
            mark_cold(w, pool, node, 0)
            w.pool_version[pool] += 1
        part = w.part_next[part]


@compiled
def _charge_left(w: Columns, f: PlayoutColumns) -> float:
    """The charge of jobs that still wait, as if the whole cluster served them evenly.

    Each starts when half of the work that is left is done, on the row with the least runtime.
    """
    work, devices = 0.0, 0.0
    for pool in range(len(w.pool_count)):
        devices += w.pool_count[pool]
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] != GONE:
            work += w.job_size[slot] * w.job_request[slot] * f.slot_ratio[slot]
    start, total = w.figure[NOW] + 0.5 * work / devices, 0.0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] == GONE:
            continue
        best = w.job_first[slot]
        for row in range(best + 1, best + w.job_count[slot]):
            if w.row_runtime[row] < w.row_runtime[best]:
                best = row
        end = start + w.row_runtime[best] * f.slot_ratio[slot]
        total += charge(w, f, slot, best, end)
    return total


@compiled
def keep(w: Columns, f: PlayoutColumns) -> None:
    """Let play-outs begin with the world as it is now."""
    for at in range(len(f.image)):
        f.image[at] = f.live[at]
    f.number[LINE_USED] = w.count[LINED]
    for at in range(w.count[LINED]):
        f.line_kept[at] = w.line[at]
