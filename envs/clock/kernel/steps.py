"""Time moves on: one event after another until something may be decided, or until all has ended."""

from __future__ import annotations

import numpy as np

from envs.clock.kernel.arrivals import arrive
from envs.clock.kernel.attempts import draw, fail, finish, overrun, start
from envs.clock.kernel.columns import (
    ARRIVING,
    ATTEMPTS,
    BEYOND,
    CHOICES,
    COMMITTED,
    COUNTED,
    COUNTED_ENDED,
    DECIDING,
    DUE,
    EVENTS,
    EVERY_EVENT,
    HELD_ATTEMPTS,
    HELD_PARTS,
    LIVES,
    NEVER,
    NODE_DEVICES,
    PER_ATTEMPT,
    QUIET,
    ROUNDS,
    TIME,
    EpisodeColumns,
    WorkloadColumns,
)
from envs.clock.kernel.events import ARRIVE, DRAW, FAIL, FINISH, OVERRUN, WAKE, pop
from envs.clock.kernel.lives import change_node, index_of
from envs.clock.kernel.shortcuts import is_settled, may_skip, note_round
from scheduler.compilation.columns import Floats2D, Floats32, Ints
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel import choosing
from scheduler.decisions.kernel.choices import open_round
from scheduler.decisions.kernel.columns import (
    HELD,
    PLACED,
    PROMISED,
    ROWS_USED,
    SLOTS_USED,
    STARVATION_S,
    WAITING,
    Columns,
)
from scheduler.decisions.kernel.queue.jobs import compact, is_sparse, leave, slot_of
from scheduler.decisions.kernel.rules.allowed import keeps_promises

DECIDE, END, UNSCORED, MORE_EVENTS, MORE_QUEUE, MORE_HELD, MORE_FAILURES, MORE_LIVES = range(8)
"""Why a function came back: something may be decided; nothing will happen any more; the scorer
failed in a round that is still open; or which columns have to grow before it is called again."""


@entry_point
def advance(w: Columns, e: EpisodeColumns, t: WorkloadColumns) -> int:
    """Run until something may be decided; returns DECIDE, END or what has to grow."""
    jobs = t.setting[BEYOND] - t.setting[COUNTED]
    while e.count[COUNTED_ENDED] < jobs:
        lacking = _lacking(w, e, t)
        if lacking:
            return lacking
        if e.count[ARRIVING] and not arrive(w, e, t):
            return MORE_QUEUE
        none_left = e.count[EVENTS] == 0
        if e.count[DUE] and (
            t.setting[EVERY_EVENT] or none_left or e.event_time[0] > e.figure[TIME]
        ):
            e.count[DUE] = 0
            if w.count[WAITING]:
                return DECIDE
        if none_left:
            return END
        if not _step(w, e, t):
            return MORE_QUEUE
    return END


@entry_point
def play(
    w: Columns,
    e: EpisodeColumns,
    t: WorkloadColumns,
    mode: int,
    starvation_s: float,
    codes: Ints,
    constants: Floats2D,
    weights: Floats32,
) -> int:
    """Let a scorer decide everything; returns END, UNSCORED or what has to grow."""
    skips = may_skip(w, mode, starvation_s, codes)
    code = advance(w, e, t)
    while code == DECIDE:
        if skips and is_settled(w, e, mode, codes):
            code = advance(w, e, t)
            continue
        begin_round(w, e, mode)
        w.figure[STARVATION_S] = starvation_s
        choices = choosing.play(w, codes, constants, weights)
        if choices == choosing.INVALID:
            return UNSCORED
        e.count[CHOICES] += choices
        placed = w.count[PLACED]
        commit(w, e, t, mode)
        note_round(w, e, mode, placed)
        code = advance(w, e, t)
    return code


@entry_point
def play_out(
    w: Columns,
    e: EpisodeColumns,
    t: WorkloadColumns,
    mode: int,
    horizon_s: float,
    codes: Ints,
    constants: Floats2D,
    weights: Floats32,
) -> int:
    """Let a scorer go on with an open round, and decide all that follow until the horizon.

    Returns DECIDE at the horizon, END, UNSCORED or what has to grow.
    """
    code = DECIDE if e.count[DECIDING] else advance(w, e, t)
    while code == DECIDE and e.figure[TIME] < horizon_s:
        if not e.count[DECIDING]:
            begin_round(w, e, mode)
        e.count[DECIDING] = 0
        choices = choosing.play(w, codes, constants, weights)
        if choices == choosing.INVALID:
            return UNSCORED
        e.count[CHOICES] += choices
        commit(w, e, t, mode)
        code = advance(w, e, t)
    if code == DECIDE:
        e.count[DUE] = 1  # the decision is still to be made
    return code


@entry_point
def begin_round(w: Columns, e: EpisodeColumns, mode: int) -> None:
    """Open a round, with the promises that the last one made."""
    if is_sparse(w):
        compact(w)
    open_round(w, e.figure[TIME], mode)
    w.figure[STARVATION_S] = np.inf
    e.count[ROUNDS] += 1
    e.count[QUIET] = 0
    for index in range(e.count[COMMITTED]):
        slot, job = e.committed_slot[index], e.committed_job[index]
        if slot >= w.count[SLOTS_USED] or w.job_id[slot] != job:
            slot = slot_of(w, job)
        w.promised_row[index] = w.job_first[slot] + e.committed_row[index] if slot else 0
        w.promised_start[index] = e.committed_start[index]
    w.count[PROMISED] = e.count[COMMITTED]


@entry_point
def commit(w: Columns, e: EpisodeColumns, t: WorkloadColumns, mode: int) -> None:
    """Carry out what the round decided; the world holds it already."""
    e.count[COMMITTED] = 0
    if keeps_promises(mode):
        for index in range(w.count[HELD]):
            pool = w.held_pool[index]
            row = w.pool_held[pool]
            slot = w.row_slot[row]
            e.committed_job[index], e.committed_slot[index] = w.job_id[slot], slot
            e.committed_row[index] = row - w.job_first[slot]
            e.committed_start[index] = w.pool_until[pool]
        e.count[COMMITTED] = w.count[HELD]
    for index in range(w.count[PLACED]):
        row = w.placed_row[index]
        slot = w.row_slot[row]
        leave(w, slot)
        job = index_of(t, w.job_id[slot])
        e.job_action[job] = w.placed_action[index]
        own = t.job_first[job] + row - w.job_first[slot]
        start(w, e, t, job, own, w.placed_attempt[index], w.row_runtime[row])
    w.count[PLACED] = 0


@compiled
def _lacking(w: Columns, e: EpisodeColumns, t: WorkloadColumns) -> int:
    """What has to grow before one more event and one more round; 0: nothing."""
    devices, jobs = len(w.attempt_job), t.setting[NODE_DEVICES]
    held = max(
        e.count[HELD_ATTEMPTS] + jobs - len(e.held_job),
        e.count[HELD_PARTS] + devices - len(e.part_node),
    )
    slots = w.count[SLOTS_USED] + jobs - len(w.job_id)
    rows = w.count[ROWS_USED] + jobs * e.enter_figures.shape[1] - len(w.row_slot)
    lacking = 0
    if e.count[EVENTS] + 3 * devices + 8 > len(e.event_time):
        lacking = MORE_EVENTS
    elif held > 0:
        lacking = MORE_HELD
    elif slots > 0 or rows > 0:
        lacking = MORE_QUEUE
    elif t.number[PER_ATTEMPT] > 0.0 and e.count[ATTEMPTS] >= t.failure_share.shape[0]:
        lacking = MORE_FAILURES
    elif e.count[LIVES] >= t.life_s.shape[0]:
        lacking = MORE_LIVES
    return lacking


@compiled
def _step(w: Columns, e: EpisodeColumns, t: WorkloadColumns) -> bool:
    """Let the next event happen; False if the queue has to grow before it is over."""
    kind, subject, stamp = e.event_kind[0], e.event_subject[0], e.event_stamp[0]
    e.figure[TIME] = e.event_time[0]
    pop(e)
    if kind == ARRIVE:
        e.count[ARRIVING] = stamp
        return arrive(w, e, t)
    if kind == WAKE:
        e.count[DUE] = 1
    elif kind > OVERRUN and kind != DRAW:
        change_node(w, e, t, kind, subject, stamp)
    elif e.job_entry[subject] != NEVER and e.job_attempts[subject] == stamp:
        if kind == FINISH:
            finish(w, e, t, subject)
        elif kind == FAIL:
            fail(w, e, t, subject)
        elif kind == OVERRUN:
            overrun(w, e, t, subject)
        else:
            draw(w, e, t, subject)
    return True
