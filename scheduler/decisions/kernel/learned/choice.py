"""The row that a network chooses, and when it may choose to wait."""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Floats2D, Floats32
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.arithmetic import exp, ln
from scheduler.decisions.kernel.columns import (
    MODE,
    READY,
    RUNNING,
    SHOWN,
    SLOTS_USED,
    STARVATION_S,
    WAITS,
    Columns,
)
from scheduler.decisions.kernel.learned.encoding import encode
from scheduler.decisions.kernel.learned.network import score_rows
from scheduler.decisions.kernel.learned.queue_totals import middle_preference, refresh_totals
from scheduler.decisions.kernel.rules.allowed import COMMIT_FCFS, GREEDY, starves
from scheduler.decisions.kernel.rules.precedence import earlier

CONSTANTS = 4
SHOWN_LIMIT, PREFERENCE, HIDDEN, WAITING = range(CONSTANTS)
"""Rows of the constants, (CONSTANTS, 1): most rows shown; the cluster's preference, NaN for the
median of the jobs that wait; hidden units; the rule of waiting."""
BESIDE_BEST, FREE = range(2)
"""Rules of waiting: not while a job can start where its price is least; whenever something runs."""
NOT_A_NUMBER = -2


@compiled
def choose_by_network(w: Columns, count: int, constants: Floats2D, weights: Floats32) -> int:
    """The row that the network chooses from the first `count` rows of `table_row`; 0: wait.

    NOT_A_NUMBER if a score is none. Between equal scores the oldest job goes first, then the most
    urgent; between its rows the cheapest, then the one that ends soonest.
    """
    see(w, count, constants)
    score(w, constants, weights)
    return _best_row(w, int(constants[WAITING, 0]))


@entry_point
def see(w: Columns, count: int, constants: Floats2D) -> None:
    """Encode the table of the first `count` rows of `table_row` as the constants say."""
    refresh_totals(w)
    preference = constants[PREFERENCE, 0]
    if np.isnan(preference):
        preference = middle_preference(w)
    # Without room for all of them fewer are shown: nothing is written beyond the columns.
    encode(w, count, min(int(constants[SHOWN_LIMIT, 0]), len(w.shown)), preference)


@entry_point
def score(w: Columns, constants: Floats2D, weights: Floats32) -> None:
    """Into `shown_score`: what the network says of the rows that are shown."""
    hidden = int(constants[HIDDEN, 0])
    score_rows(w.seen, w.count[SHOWN], w.seen_whole, hidden, weights, w.shown_score)


@compiled
def _best_row(w: Columns, waiting: int) -> int:
    best, numbers = 0, True
    for index in range(w.count[SHOWN]):
        score = w.shown_score[index]
        numbers = numbers and not np.isnan(score)
        if index and (best == 0 or _goes_first(w, index, best)):
            best = index
    if not numbers:
        return NOT_A_NUMBER
    if may_wait(w, waiting) and wait_score(w.shown_score, w.count[SHOWN]) >= w.shown_score[best]:
        return 0
    return w.table_row[w.shown[best]]


@compiled
def _goes_first(w: Columns, index: int, than: int) -> bool:
    own, its = w.shown_score[index], w.shown_score[than]
    if own != its:
        return bool(own > its)
    row, rival = w.table_row[w.shown[index]], w.table_row[w.shown[than]]
    slot = w.row_slot[row]
    if slot != w.row_slot[rival]:
        return earlier(w, slot, w.row_slot[rival])
    if w.row_dollars[row] != w.row_dollars[rival]:
        return bool(w.row_dollars[row] < w.row_dollars[rival])
    end = w.shape_delay[w.row_shape[row]] + w.row_runtime[row]
    return bool(end < w.shape_delay[w.row_shape[rival]] + w.row_runtime[rival])


@entry_point
def may_wait(w: Columns, rule: int) -> bool:
    """Whether WAIT is legal under a rule of waiting. Valid after `encode`.

    It is not while nothing runs: no event would end the waiting. Under BESIDE_BEST it is not while
    a job can start where its price is least: a policy that waits once too often would do so at
    every later event, and leave the cluster idle behind one long job. Under FREE it is not while a
    waiting job starves. Otherwise it is, in GREEDY and where there is another pool to wait for.
    With a single pool and reservations, a policy waits for a job's devices by reserving them.
    """
    if w.count[RUNNING] == 0 or w.state[MODE] == COMMIT_FCFS:
        return False
    if w.state[READY] if rule == BESIDE_BEST else _starving(w):
        return False
    return bool(w.state[MODE] == GREEDY or len(w.pool_nodes) > 1)


@compiled
def _starving(w: Columns) -> bool:
    """Whether a waiting job starves."""
    if w.figure[STARVATION_S] == np.inf:
        return False
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] == WAITS and starves(w, slot):
            return True
    return False


@entry_point
def wait_score(scores: Floats32, count: int) -> float:
    """The score of WAIT, the first of `count`: best only if waiting is likelier than acting.

    The probability of acting is spread over several rows that are almost as good, that of waiting
    is in one row. So waiting can be the likeliest single choice although acting is far likelier.
    """
    most = -np.inf
    for index in range(1, count):
        most = max(most, float(scores[index]))
    if not np.isfinite(most):
        return float(scores[0])
    total = 0.0
    for index in range(1, count):
        total += exp(float(scores[index]) - most)
    return float(scores[0]) - ln(total)
