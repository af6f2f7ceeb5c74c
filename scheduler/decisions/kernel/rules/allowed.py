"""The modes' rules: which rows may be chosen now.

Without a reservation every row may be chosen: one that does not fit reserves its pool. Behind a
reservation EASY's two rules hold (Lifka, "The ANL/IBM SP scheduling system", 1995): a row may start
if it ends before the reservation starts, or leaves the reserved devices alone.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Ints
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.cluster.nodes import boot_of, fit, refresh_beside
from scheduler.decisions.kernel.cluster.starts import look_now
from scheduler.decisions.kernel.columns import (
    BESIDE,
    CLOSED,
    HELD,
    IN_TIME,
    LIMITED,
    LIVE,
    MODE,
    NEXT_PROMISED,
    NOW,
    OPEN,
    PROMISED,
    SHAPES_USED,
    SLOTS_USED,
    STARVATION_S,
    WAITS,
    Columns,
)

NONE, EASY, COMMIT, COMMIT_EASY, COMMIT_FCFS, GREEDY = range(6)
"""Values of `MODE`."""
_ALL_OPEN = -2
"""In place of the version of a pool whose rules hold for every version."""


@compiled
def keeps_promises(mode: int) -> bool:
    """Whether a reservation outlives its round."""
    return mode in (COMMIT, COMMIT_EASY, COMMIT_FCFS)


@compiled
def backfills(mode: int) -> bool:
    """Whether EASY's two rules say what may start beside a reservation."""
    return mode in (EASY, COMMIT_EASY, GREEDY)


@entry_point
def refresh_rules(w: Columns) -> None:
    """What the round says of each shape: CLOSED, OPEN or IN_TIME.

    In every mode but GREEDY a shape is OPEN in a pool without a reservation even if it does not
    fit: then it may be reserved.
    """
    greedy = w.state[MODE] == GREEDY
    for pool in range(len(w.pool_nodes)):
        held = w.pool_held[pool] != 0
        version = w.pool_version[pool] if greedy or held else _ALL_OPEN
        now = w.figure[NOW] if held else -np.inf
        if w.pool_rules_seen[pool] == version and w.pool_rules_now[pool] == now:
            continue
        w.pool_rules_seen[pool], w.pool_rules_now[pool] = version, now
        if greedy or held:
            look_now(w, pool)
        for shape in range(1, w.count[SHAPES_USED]):
            if w.shape_pool[shape] == pool and (w.shape_users[shape] or not held):
                _refresh_shape(w, shape, greedy)


@compiled
def forget_rules(w: Columns, pool: int) -> None:
    """Note that the pool was reserved, or that a job now waits for another shape of it."""
    if w.pool_rules_seen[pool] != _ALL_OPEN:
        w.pool_rules_seen[pool] = -1


@compiled
def all_closed(w: Columns) -> bool:
    """Whether no row may be chosen in any mode but GREEDY, which may reserve what is CLOSED."""
    for shape in range(1, w.count[SHAPES_USED]):
        if w.shape_users[shape] and w.shape_rule[shape] != CLOSED:
            return False
    return w.state[MODE] != GREEDY


@compiled
def _refresh_shape(w: Columns, shape: int, greedy: bool) -> None:
    pool = w.shape_pool[shape]
    if not w.shape_possible[shape]:
        w.shape_rule[shape] = CLOSED
    elif not w.pool_held[pool]:
        w.shape_rule[shape] = OPEN if w.shape_fits[shape] or not greedy else CLOSED
    elif w.state[MODE] == NONE or w.state[MODE] == COMMIT or not w.shape_fits[shape]:
        w.shape_rule[shape] = CLOSED
    else:
        width, memory = w.shape_width[shape], w.shape_memory[shape]
        if _fits_beside(w, pool, width, memory):
            w.shape_rule[shape] = OPEN
        else:
            fit(w, LIVE, pool, width, memory)
            w.shape_rule[shape] = IN_TIME
            w.shape_begin[shape] = begin_of(w, pool)
            w.shape_latest[shape] = w.pool_until[pool]


@compiled
def _fits_beside(w: Columns, pool: int, width: int, memory: int) -> bool:
    if not backfills(w.state[MODE]):
        return False
    refresh_beside(w, pool)
    return fit(w, BESIDE, pool, width, memory)


@compiled
def begin_of(w: Columns, pool: int) -> float:
    """When an attempt on the nodes found would begin to run.

    Every comparison with an end adds up in this order. One ulp apart, a job would count as ending
    in time here and as occupying the reserved devices there.
    """
    return w.figure[NOW] + boot_of(w, LIVE, pool)


@compiled
def in_time(w: Columns, end: float, latest: float) -> bool:
    """Whether an end is early enough: RLScheduler's rule is strict, EASY's is not."""
    return end < latest or (end == latest and w.state[MODE] != COMMIT_FCFS)


@compiled
def startable(w: Columns, row: int) -> bool:
    """Whether a row may be chosen whose job waits; rows that GREEDY may reserve are left out."""
    shape = w.row_shape[row]
    rule = w.shape_rule[shape]
    if w.state[LIMITED] and not within_quota(w, row):
        return False
    if rule == IN_TIME:
        end = w.shape_begin[shape] + w.row_runtime[row]
        return in_time(w, end, w.shape_latest[shape])
    return rule == OPEN


@compiled
def reservable(w: Columns, row: int) -> bool:
    """Whether GREEDY may reserve a row of a job that can start nowhere now.

    Wide rows may, and those of starving jobs: narrow jobs would take each device that they need as
    soon as it is free.
    """
    shape, slot = w.row_shape[row], w.row_slot[row]
    if not w.shape_possible[shape] or w.pool_held[w.shape_pool[shape]]:
        return False
    if w.state[LIMITED] and not within_quota(w, row):
        return False
    return w.shape_width[shape] > 1 or starves(w, slot)


@compiled
def within_quota(w: Columns, row: int) -> bool:
    """Whether a start on a row leaves its project within its devices and dollars."""
    project = w.job_project[w.row_slot[row]]
    devices = w.project_devices[project] + w.shape_width[w.row_shape[row]]
    return bool(
        devices <= w.project_most[project] and w.row_dollars[row] <= w.project_dollars[project]
    )


@compiled
def starves(w: Columns, slot: int) -> bool:
    """Whether a job has waited longer than the starvation bound."""
    return w.figure[NOW] - w.job_submitted[slot] > w.figure[STARVATION_S]


@compiled
def has_row(w: Columns, slot: int) -> bool:
    """Whether a job has a row that may be chosen now. Valid after `refresh_rules`."""
    return w.job_state[slot] == WAITS and choosable(w, slot)


@compiled
def choosable(w: Columns, slot: int) -> bool:
    """Whether a waiting job has such a row, whoever has the turn."""
    for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
        if startable(w, row) or (w.state[MODE] == GREEDY and reservable(w, row)):
            return True
    return False


@compiled
def rows_of_job(w: Columns, slot: int, rows: Ints, count: int) -> int:
    """Append the rows of a waiting job that may be chosen; returns how many `rows` has then."""
    before = count
    for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
        if startable(w, row):
            rows[count] = row
            count += 1
    if count == before and w.state[MODE] == GREEDY:
        for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
            if reservable(w, row):
                rows[count] = row
                count += 1
    return count


@compiled
def list_rows(w: Columns, rows: Ints) -> int:
    """All rows that may be chosen, ascending, WAIT first; returns their number.

    Valid after `refresh_rules` and `turns.refresh_turn`.
    """
    rows[0], count = 0, 1
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] == WAITS:
            count = rows_of_job(w, slot, rows, count)
    return count


@compiled
def _may_start(w: Columns, row: int) -> bool:
    """Whether the empty pool could hold a row, and its project may have it now."""
    if w.state[LIMITED] and not within_quota(w, row):
        return False
    return bool(w.shape_possible[w.row_shape[row]])


@compiled
def next_promised(w: Columns) -> int:
    """The row of a job that was committed to in an earlier round and must be taken next; or 0."""
    while w.count[NEXT_PROMISED] < w.count[PROMISED]:
        row = w.promised_row[w.count[NEXT_PROMISED]]
        if row and w.job_state[w.row_slot[row]] == WAITS and _may_start(w, row):
            return row
        w.count[NEXT_PROMISED] += 1
    return 0


@entry_point
def free_to_choose(w: Columns) -> bool:
    """Whether the policy has a choice now."""
    if next_promised(w):
        return False
    return not (w.state[MODE] == COMMIT_FCFS and w.count[HELD] > 0)


@entry_point
def forced_row(w: Columns) -> int:
    """The one row that may be taken when the policy has no choice; 0: none.

    It is a promised one; else the oldest that may start beside the reservation.
    """
    row = next_promised(w)
    if row:
        return row
    refresh_rules(w)
    oldest, first = np.inf, 0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] == WAITS and w.job_submitted[slot] < oldest:
            for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
                if startable(w, row):
                    oldest, first = w.job_submitted[slot], row
                    break
    return first
