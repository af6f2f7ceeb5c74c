"""Textbook orders of jobs, and the costs by which the chosen job's placement is found.

Symbols as in the papers: w wait (s), r estimated runtime (s), n devices, s submission time (s) from
the start of the history; r and n are those of the job's placement with the fewest device-seconds.
"""

from __future__ import annotations

import math

import numpy as np

from scheduler.compilation.columns import Floats, Ints
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.arithmetic import ln
from scheduler.decisions.kernel.cluster.starts import delay_of, look_ahead
from scheduler.decisions.kernel.columns import (
    HELD,
    NOW,
    ORIGIN,
    Columns,
)

(FCFS, SJF, SMALLEST, SAF, F1, F2, F3, F4, EDF, LLF, PRIORITY, WFP3, UNICEP, LXF, SJBF) = range(15)
"""Orders; from WFP3 on they change with time."""
PREFERENCE, DOLLARS, SOONEST, VALUE, PRICE = range(5)
"""Placements; PRICE is wgc's price, which `kernel.wgc` computes."""
AGE_WEIGHTS = (870.0, 25_600.0, 6_860_000.0, 530_000.0)
"""c of F1 … F4."""
LAST = -1e300
"""Score of a job to which the order does not apply: after all others, but not never."""
_LOG10 = 1.0 / math.log(10.0)
_LOG2 = 1.0 / math.log(2.0)


@compiled
def score_of(w: Columns, order: int, slot: int) -> float:
    """How early an order puts a job: higher goes first."""
    size, request = w.job_size[slot], w.job_request[slot]
    if order >= WFP3:
        return _changing_score(w, order, slot)
    born = w.job_submitted[slot] - w.figure[ORIGIN]
    if order == FCFS:
        return -born
    if order == SJF:
        return -size
    if order == SMALLEST:
        return -request
    if order == SAF:
        return -size * request
    if order == EDF:
        return max(-w.job_deadline[slot], LAST)
    if order == LLF:
        return max(-(w.job_deadline[slot] - size), LAST)
    if order == PRIORITY:
        return w.job_priority[slot]
    return _f(order, size, request, born)


@compiled
def _f(order: int, size: float, request: float, born: float) -> float:
    """The F family: -(g(r) · h(n) + c · log10(s)).

    Carastan-Santos and de Camargo, "Obtaining dynamic scheduling policies with simulation and
    machine learning", SC 2017, table 3.
    """
    age = AGE_WEIGHTS[order - F1] * _log10(born)
    if order == F1:
        return -(_log10(size) * request + age)
    if order == F2:
        return -(math.sqrt(size) * request + age)
    if order == F3:
        return -(size * request + age)
    return -(size * math.sqrt(request) + age)


@compiled
def _changing_score(w: Columns, order: int, slot: int) -> float:
    """WFP3 (w / r)³ · n and UNICEP w / (log2(n) · r): Tang, Lan, Desai, Buettner, CLUSTER 2009.

    UNICEP's logarithm is at least 1e-6: serial jobs go first. LXF is (w + r) / r. SJBF, of Tsafrir,
    Etsion, Feitelson, TPDS 2007, is the oldest first, and behind a reservation the shortest.
    """
    wait, size = w.figure[NOW] - w.job_submitted[slot], w.job_size[slot]
    if order == LXF:
        return (wait + size) / max(size, 1e-9)
    if order == SJBF:
        return -size if w.count[HELD] else wait
    if order == WFP3:
        ratio = max(wait, 0.0) / max(size, 1.0)
        return ratio * ratio * ratio * w.job_request[slot]
    weight = max(ln(max(w.job_request[slot], 1.0)) * _LOG2, 1e-6)
    return max(wait, 0.0) / (weight * max(size, 1.0))


@compiled
def _log10(value: float) -> float:
    # Guarded: submission at second 0 and runtimes under a second must not give -inf.
    return ln(max(value, 1.0)) * _LOG10


@compiled
def cost_of(w: Columns, placement: int, row: int) -> float:
    """What a row costs its job; the least decides where it starts. Its pool is seen."""
    if placement == DOLLARS:
        return w.row_dollars[row]
    time = delay_of(w, w.row_shape[row]) + w.row_runtime[row]
    if placement == SOONEST or time == np.inf:
        return time
    if placement == VALUE:
        return w.row_dollars[row] * time
    return _preference_cost(w, row, time)


@compiled
def _preference_cost(w: Columns, row: int, time: float) -> float:
    """P · (start delay + runtime) / ideal runtime + (1 - p) · dollars / cheapest dollars.

    p is the job's preference; at best the cost is 1, and it has no unit.
    """
    slot = w.row_slot[row]
    p, cheapest = w.job_preference[slot], w.job_cheapest[slot]
    money = w.row_dollars[row] / cheapest if cheapest > 0.0 else 1.0 + w.row_dollars[row]
    slow = time / max(w.job_ideal[slot], 1e-9)
    return p * slow + (1.0 - p) * money


@entry_point
def scores_of(w: Columns, order: int, slots: Ints, scores: Floats) -> None:
    """(n,) slots → (n,) scores."""
    for at in range(len(slots)):
        scores[at] = score_of(w, order, slots[at])


@entry_point
def costs_of(w: Columns, placement: int, rows: Ints, costs: Floats) -> None:
    """(n,) rows, without WAIT → (n,) costs."""
    for at in range(len(rows)):
        look_ahead(w, w.shape_pool[w.row_shape[rows[at]]])
        costs[at] = cost_of(w, placement, rows[at])
