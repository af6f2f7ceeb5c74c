"""The waiting jobs in the order of a scorer whose scores never change.

A round then walks the line from the front instead of scoring all jobs. Jobs that have left stay in
it until there are many.
"""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import (
    GONE,
    LINE_FIRST,
    LINED,
    LINED_SLOTS,
    SLOTS_USED,
    WAITING,
    Columns,
)
from scheduler.decisions.kernel.queue.orders import score_of
from scheduler.decisions.kernel.rules.precedence import earlier

_SPARSE = 64
_MOST = 256


@compiled
def join_line(w: Columns, order: int) -> bool:
    """Put the jobs that have entered since into the line; False if they are too many.

    Scoring a long queue for one round takes less time than sorting it.
    """
    if w.count[SLOTS_USED] - w.state[LINED_SLOTS] > _MOST:
        return False
    if w.count[LINED] > 2 * w.count[WAITING] + _SPARSE:
        _close_gaps(w)
    for slot in range(max(w.state[LINED_SLOTS], 1), w.count[SLOTS_USED]):
        if w.job_state[slot] != GONE:
            w.job_score[slot] = score_of(w, order, slot)
            _insert(w, slot)
    w.state[LINED_SLOTS] = w.count[SLOTS_USED]
    return True


@compiled
def _insert(w: Columns, slot: int) -> None:
    first = w.count[LINE_FIRST]
    low, high = first, w.count[LINED]
    while low < high:
        middle = (low + high) // 2
        if _before(w, slot, w.line[middle]):
            high = middle
        else:
            low = middle + 1
    if low == first and first > 0:
        w.line[first - 1] = slot
        w.count[LINE_FIRST] = first - 1
        return
    for at in range(w.count[LINED], low, -1):
        w.line[at] = w.line[at - 1]
    w.line[low] = slot
    w.count[LINED] += 1


@compiled
def _before(w: Columns, slot: int, other: int) -> bool:
    if w.job_score[slot] != w.job_score[other]:
        return bool(w.job_score[slot] > w.job_score[other])
    return earlier(w, slot, other)


@compiled
def _close_gaps(w: Columns) -> None:
    kept = 0
    for at in range(w.count[LINE_FIRST], w.count[LINED]):
        if w.job_state[w.line[at]] != GONE:
            w.line[kept] = w.line[at]
            kept += 1
    w.count[LINED], w.count[LINE_FIRST] = kept, 0


@compiled
def renumber_line(w: Columns) -> None:
    """Name slots by the numbers in `job_moved`."""
    kept = 0
    for at in range(w.count[LINE_FIRST], w.count[LINED]):
        slot = w.job_moved[w.line[at]]
        if slot:
            w.line[kept] = slot
            kept += 1
    w.count[LINED], w.count[LINE_FIRST] = kept, 0
