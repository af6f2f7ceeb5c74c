"""Which row a scorer chooses, and whole rounds in which it chooses.

The job of the highest score goes first; among equal ones the oldest, then the most urgent. It
starts on its row of least cost; among equal ones on the one that ends soonest.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Floats2D, Floats32, Ints
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.choices import REFUSED, take
from scheduler.decisions.kernel.cluster.starts import delay_of, look_ahead
from scheduler.decisions.kernel.columns import (
    GONE,
    HELD,
    LINE_FIRST,
    LINED,
    LINED_SLOTS,
    MODE,
    OVER,
    PREPARED,
    SCORED,
    SCORER,
    SLOTS_USED,
    STARVATION_S,
    WAITS,
    Columns,
)
from scheduler.decisions.kernel.learned.choice import NOT_A_NUMBER, choose_by_network
from scheduler.decisions.kernel.learned.job_index import BY_WGC, first_by_learned_index
from scheduler.decisions.kernel.queue.line import join_line
from scheduler.decisions.kernel.queue.orders import PRICE, SJBF, WFP3, cost_of, score_of
from scheduler.decisions.kernel.rules.allowed import (
    COMMIT,
    NONE,
    all_closed,
    forced_row,
    free_to_choose,
    has_row,
    list_rows,
    refresh_rules,
    reservable,
    startable,
    starves,
)
from scheduler.decisions.kernel.rules.precedence import earlier, preceding
from scheduler.decisions.kernel.rules.turns import refresh_turn
from scheduler.decisions.kernel.wgc import NOBODY, first_by_index, see_pools, wgc_cost

ORDERED, WGC, NETWORK, LEARNED_INDEX = range(4)
KIND, NUMBER, ORDER, PLACEMENT, HEEDS = range(5)
"""Positions in a scorer's codes: its kind, a number that no other scorer has, and for a textbook
order, or a learned index on one, the order and the placement; whether urgency decides among jobs
that are alike."""
NOTHING, INVALID = NOBODY, NOT_A_NUMBER
"""In place of a row: none may be chosen; the scorer's scores are not numbers."""


@entry_point
def choose(w: Columns, codes: Ints, constants: Floats2D, weights: Floats32) -> int:
    """The row that the scorer chooses now: 0 to wait, NOTHING if none may be chosen."""
    if w.state[OVER]:
        return NOTHING
    if not free_to_choose(w):
        row = forced_row(w)
        return row if row else NOTHING
    if w.count[HELD] == len(w.pool_nodes) and (w.state[MODE] == NONE or w.state[MODE] == COMMIT):
        return NOTHING
    refresh_rules(w)
    if all_closed(w):
        return NOTHING
    refresh_turn(w)
    use_scorer(w, codes[NUMBER])
    slot = _starving(w)
    if slot == 0 and codes[KIND] == NETWORK:
        count = list_rows(w, w.table_row)
        if count == 1:
            return NOTHING
        row = choose_by_network(w, count, constants, weights)
        return row if row <= 0 else preceding(w, row, codes[HEEDS] != 0)
    if slot == 0:
        slot = _chosen_job(w, codes, constants, weights)
    elif _by_price(codes):
        see_pools(w, constants, weights)
    if slot <= 0:
        return slot
    return preceding(w, _row_of(w, slot, codes), codes[HEEDS] != 0)


@entry_point
def use_scorer(w: Columns, number: int) -> None:
    """Drop what another scorer has computed."""
    if w.state[SCORER] != number:
        w.state[SCORER] = number
        w.state[SCORED] = w.state[PREPARED] = w.state[LINED_SLOTS] = 0
        w.count[LINED] = w.count[LINE_FIRST] = 0


@entry_point
def play(w: Columns, codes: Ints, constants: Floats2D, weights: Floats32) -> int:
    """Let the scorer choose until the round is over, or until it fails.

    Returns the number of choices, or INVALID.
    """
    choices = 0
    row = choose(w, codes, constants, weights)
    while row >= 0:
        choices += 1
        action = take(w, row)
        if action == REFUSED:
            break
        row = choose(w, codes, constants, weights)
    return INVALID if row == INVALID else choices


@compiled
def _by_price(codes: Ints) -> bool:
    """Whether wgc's price decides where a job starts."""
    if codes[KIND] == LEARNED_INDEX:
        return bool(codes[ORDER] == BY_WGC)
    return bool(codes[KIND] == WGC or codes[PLACEMENT] == PRICE)


@compiled
def _chosen_job(w: Columns, codes: Ints, constants: Floats2D, weights: Floats32) -> int:
    """The job to start; 0 to wait, NOTHING if none has a row that may be chosen."""
    if codes[KIND] == WGC:
        return first_by_index(w, constants, weights)
    if codes[KIND] == LEARNED_INDEX:
        return first_by_learned_index(w, codes[ORDER], constants, weights)
    slot = _first_by_order(w, codes[ORDER], _by_price(codes))
    if _by_price(codes):
        see_pools(w, constants, weights)
    return slot


@compiled
def _first_by_order(w: Columns, order: int, priced: bool) -> int:
    """The job that a textbook order puts first; NOTHING: none has a row that may be chosen.

    `priced`: wgc's price decides where it starts, and takes `job_score` for itself.
    """
    if order < WFP3 and join_line(w, order):
        return _first_in_line(w)
    if w.state[SCORED] == 0 or order == SJBF or priced:
        w.state[SCORED] = w.state[SCORED] if priced else 1
        for slot in range(1, w.count[SLOTS_USED]):
            w.job_score[slot] = score_of(w, order, slot)
    return _best_job(w)


@compiled
def _first_in_line(w: Columns) -> int:
    """The first job in the line that has a row which may be chosen; NOTHING: there is none."""
    for at in range(w.count[LINE_FIRST], w.count[LINED]):
        slot = w.line[at]
        if at == w.count[LINE_FIRST] and w.job_state[slot] == GONE:
            w.count[LINE_FIRST] = at + 1
        elif has_row(w, slot):
            return int(slot)
    return NOTHING


@compiled
def _best_job(w: Columns) -> int:
    """The job of the highest score that has a row which may be chosen; NOTHING: there is none."""
    best = 0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] != WAITS or w.job_score[slot] == -np.inf:
            continue
        if best:
            if w.job_score[slot] < w.job_score[best]:
                continue
            if w.job_score[slot] == w.job_score[best] and not earlier(w, slot, best):
                continue
        if has_row(w, slot):
            best = slot
    return best if best else NOTHING


@compiled
def _starving(w: Columns) -> int:
    """The starving job that goes before all others: the one that has waited longest; 0: none."""
    if w.figure[STARVATION_S] == np.inf:
        return 0
    first = 0
    for slot in range(1, w.count[SLOTS_USED]):
        hungry = w.job_state[slot] == WAITS and starves(w, slot)
        if hungry and (first == 0 or earlier(w, slot, first)) and has_row(w, slot):
            first = slot
    return first


@compiled
def _row_of(w: Columns, slot: int, codes: Ints) -> int:
    """The row on which the chosen job starts."""
    first, last = w.job_first[slot], w.job_first[slot] + w.job_count[slot]
    able, only, some = 0, 0, False
    for row in range(first, last):
        if startable(w, row):
            able, only, some = able + 1, row, True
    if able == 1:
        return only
    best, least, soonest = 0, 0.0, 0.0
    for row in range(first, last):
        if not (startable(w, row) if some else reservable(w, row)):
            continue
        look_ahead(w, w.shape_pool[w.row_shape[row]])
        cost = wgc_cost(w, row) if _by_price(codes) else cost_of(w, codes[PLACEMENT], row)
        end = delay_of(w, w.row_shape[row]) + w.row_runtime[row]
        if best == 0 or cost < least or (cost == least and end < soonest):
            best, least, soonest = row, cost, end
    return best
