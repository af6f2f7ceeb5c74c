"""Time moves on: one event after another until something may be decided, or until all has ended."""

from __future__ import annotations

from envs.clock.arrivals import arrive
from envs.clock.attempts import draw, fail, finish, overrun, start
from envs.clock.columns import (
    ARRIVING,
    ATTEMPTS,
    CHOICES,
    COMMITTED,
    DUE,
    ENDED,
    EVENTS,
    EVERY_EVENT,
    HELD_ATTEMPTS,
    HELD_PARTS,
    LIVES,
    NEVER,
    PER_ATTEMPT,
    ROUNDS,
    TIME,
    EpisodeColumns,
    WorkloadColumns,
)
from envs.clock.events import ARRIVE, DRAW, FAIL, FINISH, OVERRUN, WAKE, pop
from envs.clock.lives import change_node, index_of
from scheduler.compilation.columns import Floats2D, Floats32, Ints
from scheduler.compilation.functions import compiled
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
from scheduler.decisions.kernel.queue import leave, slot_of
from scheduler.decisions.kernel.rules import keeps_promises

DECIDE, END, MORE_EVENTS, MORE_QUEUE, MORE_HELD, MORE_FAILURES, MORE_LIVES = range(7)
"""Why a function came back: something may be decided; nothing will happen any more; or which
columns have to grow before it is called again."""


@compiled
def advance(w: Columns, e: EpisodeColumns, t: WorkloadColumns) -> int:
    """Run until something may be decided; returns DECIDE, END or what has to grow."""
    jobs = len(t.job_id)
    while e.count[ENDED] < jobs:
        lacking = _lacking(w, e, t)
        if lacking:
            return lacking
        if e.count[ARRIVING]:
            if not arrive(w, e, t):
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


@compiled
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
    """Let a scorer decide everything; returns END or what has to grow."""
    code = advance(w, e, t)
    while code == DECIDE:
        begin_round(w, e, mode)
        w.figure[STARVATION_S] = starvation_s
        e.count[CHOICES] += choosing.play(w, codes, constants, weights)
        commit(w, e, t, mode)
        code = advance(w, e, t)
    return code


@compiled
def begin_round(w: Columns, e: EpisodeColumns, mode: int) -> None:
    """Open a round, with the promises that the last one made."""
    open_round(w, e.figure[TIME], mode)
    e.count[ROUNDS] += 1
    for index in range(e.count[COMMITTED]):
        slot, job = e.committed_slot[index], e.committed_job[index]
        if slot >= w.count[SLOTS_USED] or w.job_id[slot] != job:
            slot = slot_of(w, job)
        w.promised_row[index] = w.job_first[slot] + e.committed_row[index] if slot else 0
        w.promised_start[index] = e.committed_start[index]
    w.count[PROMISED] = e.count[COMMITTED]


@compiled
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
    devices = len(w.attempt_job)
    if e.count[EVENTS] + 3 * devices + 8 > len(e.event_time):
        return MORE_EVENTS
    if e.count[HELD_ATTEMPTS] + devices > len(e.held_job):
        return MORE_HELD
    if e.count[HELD_PARTS] + devices > len(e.part_node):
        return MORE_HELD
    jobs, rows = len(w.fit_node), e.enter_figures.shape[1]
    if w.count[SLOTS_USED] + jobs > len(w.job_id):
        return MORE_QUEUE
    if w.count[ROWS_USED] + jobs * rows > len(w.row_slot):
        return MORE_QUEUE
    if t.number[PER_ATTEMPT] > 0.0 and e.count[ATTEMPTS] >= t.failure_share.shape[0]:
        return MORE_FAILURES
    if e.count[LIVES] >= t.life_s.shape[0]:
        return MORE_LIVES
    return 0


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
