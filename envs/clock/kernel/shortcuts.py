"""When a round would decide nothing: it need not be played then.

Under an order that never changes, a job that blocks the only pool blocks it until devices are
released. Behind its reservation, jobs that could not start still cannot: as time passes, fewer of
them end before the reservation starts. So only jobs that have arrived since can change anything.
"""

from __future__ import annotations

import numpy as np

from envs.clock.kernel.columns import QUIET, TIME, VERSION, VIEWED, EpisodeColumns
from scheduler.compilation.columns import Ints
from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.choosing import (
    HEEDS,
    KIND,
    NUMBER,
    ORDER,
    ORDERED,
    PLACEMENT,
)
from scheduler.decisions.kernel.columns import (
    HELD,
    NOW,
    SCORER,
    SLOTS_USED,
    WAITS,
    Columns,
)
from scheduler.decisions.kernel.queue.orders import PRICE, WFP3, score_of
from scheduler.decisions.kernel.rules.allowed import COMMIT, EASY, NONE, has_row, refresh_rules


@compiled
def may_skip(w: Columns, mode: int, starvation_s: float, codes: Ints) -> bool:
    """Whether rounds of this kind can be skipped at all."""
    if len(w.pool_nodes) != 1 or starvation_s != np.inf or mode not in (NONE, EASY, COMMIT):
        return False
    if codes[PLACEMENT] == PRICE:
        return False  # every arrival changes prices, and so which width is reserved
    return bool(codes[KIND] == ORDERED and codes[ORDER] < WFP3 and codes[HEEDS] == 0)


@compiled
def note_round(w: Columns, e: EpisodeColumns, mode: int, placed: int) -> None:
    """Remember what a round has seen that was carried out, and has placed so many jobs.

    Under EASY a job that has started may change which devices a new reservation takes.
    """
    e.count[QUIET] = w.count[HELD] == 1 and (placed == 0 or mode != EASY)
    e.count[VIEWED], e.count[VERSION] = w.count[SLOTS_USED], w.pool_version[0]


@compiled
def is_settled(w: Columns, e: EpisodeColumns, mode: int, codes: Ints) -> bool:
    """Whether a round now would decide what the last one did. `may_skip` holds."""
    if not e.count[QUIET] or w.state[SCORER] != codes[NUMBER]:
        return False
    if e.count[VERSION] != w.pool_version[0]:
        return False
    first = e.count[VIEWED]
    if mode != COMMIT:
        if mode == EASY:
            if w.pool_until[0] <= e.figure[TIME]:
                return False
            w.figure[NOW] = e.figure[TIME]
            refresh_rules(w)
        held = w.row_slot[w.pool_held[0]]
        score = score_of(w, codes[ORDER], held)
        for slot in range(first, w.count[SLOTS_USED]):
            if w.job_state[slot] == WAITS and not _behind(w, slot, held, score, mode, codes[ORDER]):
                return False
    e.count[VIEWED] = w.count[SLOTS_USED]
    return True


@compiled
def _behind(w: Columns, slot: int, held: int, score: float, mode: int, order: int) -> bool:
    """Whether a job that has arrived since comes after the reserved one, and cannot start."""
    if w.job_submitted[slot] <= w.job_submitted[held] or score_of(w, order, slot) >= score:
        return False
    return not (mode == EASY and has_row(w, slot))
