"""Applying one choice: a row starts, reserves its pool, or ends the turn or the round."""

from __future__ import annotations

import numpy as np

from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.cluster.attempts import begin
from scheduler.decisions.kernel.cluster.nodes import fit, occupy, refresh_beside
from scheduler.decisions.kernel.cluster.starts import reserve
from scheduler.decisions.kernel.columns import (
    BESIDE,
    HELD,
    LIVE,
    MODE,
    NEXT_PROMISED,
    NOW,
    OVER,
    PLACED,
    PROMISED,
    RESERVED,
    ROWS_USED,
    SCORED,
    TAKEN,
    TOTALLED,
    WAITS,
    Columns,
)
from scheduler.decisions.kernel.queue.jobs import drop_reservations
from scheduler.decisions.kernel.rules.allowed import (
    COMMIT,
    GREEDY,
    NONE,
    backfills,
    begin_of,
    forced_row,
    forget_rules,
    free_to_choose,
    in_time,
    reservable,
)
from scheduler.decisions.kernel.rules.turns import charge_start, open_turns, pass_turn

START, BACKFILL, RESERVE, WAIT, REFUSED = range(5)
"""What becomes of a row."""


@entry_point
def open_round(w: Columns, now: float, mode: int) -> None:
    """Begin a round: what the round before has chosen and nobody carried out waits again."""
    drop_reservations(w)
    w.count[PROMISED] = w.count[NEXT_PROMISED] = 0
    w.state[OVER], w.state[SCORED], w.state[TOTALLED], w.state[MODE] = 0, 0, 0, mode
    w.figure[NOW] = now
    open_turns(w)


@entry_point
def outcome(w: Columns, row: int) -> int:
    """What `take` would do with a row. Valid after `refresh_rules`; it leaves the nodes found."""
    if row == 0:
        return WAIT
    if row < 0 or row >= w.count[ROWS_USED]:
        return REFUSED
    slot = w.row_slot[row]
    if w.state[OVER] or w.job_state[slot] != WAITS:
        return REFUSED
    if not w.shape_possible[w.row_shape[row]]:
        return REFUSED
    if not free_to_choose(w) and row != forced_row(w):
        return REFUSED
    return _effect(w, row)


@compiled
def _effect(w: Columns, row: int) -> int:
    shape = w.row_shape[row]
    pool, width, memory = w.shape_pool[shape], w.shape_width[shape], w.shape_memory[shape]
    if not w.pool_held[pool]:
        if fit(w, LIVE, pool, width, memory):
            return START
        if w.state[MODE] != GREEDY or reservable(w, row):
            return RESERVE
        return REFUSED
    if w.state[MODE] == NONE or w.state[MODE] == COMMIT:
        return REFUSED
    if not fit(w, LIVE, pool, width, memory):
        return REFUSED
    if in_time(w, begin_of(w, pool) + w.row_runtime[row], w.pool_until[pool]):
        return BACKFILL
    if backfills(w.state[MODE]):
        refresh_beside(w, pool)
        if fit(w, BESIDE, pool, width, memory):
            return BACKFILL
    return REFUSED


@entry_point
def take(w: Columns, row: int) -> int:
    """Apply the choice of a row; returns what became of it (REFUSED: nothing has changed)."""
    action = outcome(w, row)
    if action == WAIT:
        pass_turn(w)
    elif action == RESERVE:
        _reserve(w, row)
    elif action != REFUSED:
        _start(w, row, action)
    return action


@compiled
def _start(w: Columns, row: int, action: int) -> None:
    """Start on the nodes found."""
    slot, shape = w.row_slot[row], w.row_shape[row]
    pool, width, memory = w.shape_pool[shape], w.shape_width[shape], w.shape_memory[shape]
    end = begin_of(w, pool) + w.row_runtime[row]
    attempt = begin(w, w.job_id[slot], pool, width, memory, end)
    if w.pool_held[pool] and backfills(w.state[MODE]):
        w.pool_beside[pool] = 0
        if end > w.pool_until[pool]:
            occupy(w, RESERVED, pool, width, memory)
    index = w.count[PLACED]
    w.placed_row[index], w.placed_attempt[index], w.placed_action[index] = row, attempt, action
    w.count[PLACED] = index + 1
    w.job_state[slot] = TAKEN
    charge_start(w, row, attempt)


@compiled
def _reserve(w: Columns, row: int) -> None:
    shape = w.row_shape[row]
    pool, width, memory = w.shape_pool[shape], w.shape_width[shape], w.shape_memory[shape]
    start = np.nan if backfills(w.state[MODE]) else _promised_start(w, row)
    if np.isnan(start) and w.state[MODE] != NONE:
        start = reserve(w, pool, width, memory)
    if backfills(w.state[MODE]):
        occupy(w, RESERVED, pool, width, memory)
    w.pool_held[pool], w.pool_until[pool], w.pool_beside[pool] = row, start, 0
    forget_rules(w, pool)
    w.held_pool[w.count[HELD]] = pool
    w.count[HELD] += 1
    w.job_state[w.row_slot[row]] = TAKEN


@entry_point
def reserved_start(w: Columns, pool: int) -> float:
    """When a pool's reservation starts, by estimates.

    In mode NONE no choice depends on it, so it is computed here.
    """
    if np.isnan(w.pool_until[pool]):
        shape = w.row_shape[w.pool_held[pool]]
        w.pool_until[pool] = reserve(w, pool, w.shape_width[shape], w.shape_memory[shape])
    return float(w.pool_until[pool])


@compiled
def _promised_start(w: Columns, row: int) -> float:
    """The start that the job was promised in an earlier round; NaN: none."""
    for index in range(w.count[PROMISED]):
        promised = w.promised_row[index]
        if promised and w.row_slot[promised] == w.row_slot[row]:
            return float(w.promised_start[index])
    return np.nan
