"""A learned index of jobs: a known order, and a bounded correction by a small network.

    index(j) = base(j) + B · s(a · x_j + Σ_h v_h · s(p_h · x_j + q_h · c + d_h))

with s(x) = x / (1 + |x|), x_j the columns of job j and c those of the cluster (`job_features`). The
base is wgc's index, with wgc's eligibility and price, or a textbook order, see `_rescaled`.
Without hidden units the correction is linear. With a and v zero the policy is the base, exactly.

Every waiting job is in play. As no correction exceeds B, a job whose base is more than 2B behind
another one's need not be looked at. The correction knows no priorities: among jobs that differ only
in priority the base and `rules.precedence` decide.

Networks learn best from small corrections of a good policy (residual policy learning: Silver,
Allen, Tenenbaum, Kaelbling, 2018; Johannink et al., ICRA 2019).
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Floats, Floats2D, Floats32, Ints
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.arithmetic import ln1p
from scheduler.decisions.kernel.cluster.starts import look_ahead
from scheduler.decisions.kernel.columns import (
    GONE,
    SLOTS_USED,
    WAITS,
    Columns,
)
from scheduler.decisions.kernel.learned.job_features import (
    CLUSTER_WIDTH,
    JOB_WIDTH,
    SUMMARY,
    job_columns,
    see_cluster,
    softened,
    summarise_queue,
)
from scheduler.decisions.kernel.queue.orders import (
    AGE_WEIGHTS,
    EDF,
    F1,
    F4,
    FCFS,
    LLF,
    score_of,
)
from scheduler.decisions.kernel.rules.allowed import has_row, refresh_rules
from scheduler.decisions.kernel.rules.precedence import ageing_of, earlier
from scheduler.decisions.kernel.wgc import (
    NOBODY,
    PATIENCE,
    bound_of,
    first_by_index,
    index_of,
    refresh_bounds,
    score_jobs,
    see_pools,
)
from scheduler.decisions.kernel.wgc_adjustment import ADJUSTMENT

BY_WGC = -1
"""In place of an order: wgc's index is the base."""
LIMIT = 0
"""Position of B among the weights; a (`JOB_WIDTH`) follows, then d, v, p and q of the units."""
_LN10 = 2.302585092994046
_PER_UNIT = JOB_WIDTH + CLUSTER_WIDTH + 2


@compiled
def hidden_units(order: int, weights: Floats32) -> int:
    """How many hidden units the network has among the weights of a base with this order."""
    own = len(weights) - ADJUSTMENT if order == BY_WGC else len(weights)
    return (own - 1 - JOB_WIDTH) // _PER_UNIT


def size_of(order: int, hidden: int) -> int:
    """How many weights there are with so many hidden units."""
    size = 1 + JOB_WIDTH + hidden * _PER_UNIT
    return size + ADJUSTMENT if order == BY_WGC else size


@compiled
def first_by_learned_index(w: Columns, order: int, constants: Floats2D, weights: Floats32) -> int:
    """The job to start now; 0: none is eligible; NOBODY. Valid after `refresh_rules`."""
    slots, limit = w.count[SLOTS_USED], float(weights[LIMIT])
    if order == BY_WGC and limit == 0.0:
        # Only wgc's constants are learned.
        return first_by_index(w, constants, weights)
    quick, summary, found = np.empty(slots), np.empty(SUMMARY), np.empty(JOB_WIDTH)
    units = np.empty(hidden_units(order, weights))
    _prepare(w, order, constants, weights, quick, summary, units)
    best, most, best_base, before = NOBODY, -np.inf, -np.inf, -1
    for slot in range(1, slots):
        if w.job_state[slot] != WAITS:
            continue
        before += 1
        if order == BY_WGC:
            if bound_of(w, slot) + limit < most:
                continue
            base = index_of(w, slot)
        else:
            base = quick[slot] if quick[slot] + limit >= most and has_row(w, slot) else -np.inf
        if base == -np.inf:
            continue
        score = base
        if base > PATIENCE:
            job_columns(w, slot, quick[slot], before, summary, found)
            score += limit * _correction(weights, found, units)
        if best > 0 and score == most and base == best_base:
            first = _goes_first(w, order, slot, best)
        else:
            first = score > most or (score == most and base > best_base)
        if first:
            best, most, best_base = slot, score, base
    return 0 if best > 0 and most < PATIENCE else best


@compiled
def _goes_first(w: Columns, order: int, slot: int, other: int) -> bool:
    """Of two jobs of equal index: by the base before it was rounded, then as among equals."""
    if order != BY_WGC:
        own, its = score_of(w, order, slot), score_of(w, order, other)
        if own != its:
            return bool(own > its)
    return bool(earlier(w, slot, other))


@entry_point
def score_by_learned_index(w: Columns, order: int, constants: Floats2D, weights: Floats32) -> None:
    """Into `job_score`: the learned index of each job that waits.

    With wgc as the base: for jobs with rows in `row_listed`, and as `wgc.score_jobs` for others.
    """
    refresh_rules(w)
    slots, limit = w.count[SLOTS_USED], float(weights[LIMIT])
    quick, summary, found = np.empty(slots), np.empty(SUMMARY), np.empty(JOB_WIDTH)
    units = np.empty(hidden_units(order, weights))
    _prepare(w, order, constants, weights, quick, summary, units)
    if order == BY_WGC:
        score_jobs(w, constants, weights)
    before = 0
    for slot in range(1, slots):
        if w.job_state[slot] == GONE:
            continue
        base = w.job_score[slot] if order == BY_WGC else quick[slot]
        if w.job_state[slot] == WAITS:
            if base > PATIENCE:
                job_columns(w, slot, quick[slot], before, summary, found)
                base += limit * _correction(weights, found, units)
            before += 1
        w.job_score[slot] = base


@entry_point
def describe_jobs(
    w: Columns,
    order: int,
    constants: Floats2D,
    weights: Floats32,
    slots: Ints,
    bases: Floats,
    found: Floats2D,
) -> None:
    """What the network sees of (n,) jobs, and their base: into (n,) and (n, JOB + CLUSTER).

    The base of a job that is not eligible is less than `wgc.PATIENCE`.
    """
    refresh_rules(w)
    used = w.count[SLOTS_USED]
    quick, summary = np.empty(used), np.empty(SUMMARY)
    fitting = _compare(w, order, constants, weights, quick, summary)
    cluster = np.empty(CLUSTER_WIDTH)
    see_cluster(w, summary, fitting, cluster)
    for at in range(len(slots)):
        slot, before = slots[at], 0
        for other in range(1, slot):
            if w.job_state[other] == WAITS:
                before += 1
        job_columns(w, slot, quick[slot], before, summary, found[at])
        for column in range(CLUSTER_WIDTH):
            found[at, JOB_WIDTH + column] = cluster[column]
        bases[at] = index_of(w, slot) if order == BY_WGC else quick[slot]


@compiled
def _prepare(
    w: Columns,
    order: int,
    constants: Floats2D,
    weights: Floats32,
    quick: Floats,
    summary: Floats,
    units: Floats,
) -> None:
    """Compute what all jobs share: the summary, and what each hidden unit gets of the cluster."""
    fitting = _compare(w, order, constants, weights, quick, summary)
    hidden = len(units)
    if hidden == 0:
        return
    cluster = np.empty(CLUSTER_WIDTH)
    see_cluster(w, summary, fitting, cluster)
    first = 1 + JOB_WIDTH
    for unit in range(hidden):
        total = float(weights[first + unit])
        at = first + hidden * (2 + JOB_WIDTH) + unit * CLUSTER_WIDTH
        for column in range(CLUSTER_WIDTH):
            total += float(weights[at + column]) * cluster[column]
        units[unit] = total


@compiled
def _compare(
    w: Columns,
    order: int,
    constants: Floats2D,
    weights: Floats32,
    quick: Floats,
    summary: Floats,
) -> float:
    """See all pools, and compare the jobs that wait; returns the share that fits now."""
    if order == BY_WGC:
        see_pools(w, constants, weights)
        refresh_bounds(w)
    else:
        for pool in range(len(w.pool_nodes)):
            look_ahead(w, pool)
    for slot in range(1, w.count[SLOTS_USED]):
        quick[slot] = 0.0
        if w.job_state[slot] == GONE:
            continue
        if order == BY_WGC:
            quick[slot] = ageing_of(w, slot) - w.job_shortest[slot]
        else:
            quick[slot] = _rescaled(order, score_of(w, order, slot))
    return summarise_queue(w, quick, summary)


@compiled
def _rescaled(order: int, score: float) -> float:
    """An order's score on a scale on which jobs differ by about 1.

    Logarithms, so that a correction means a factor; hours of those that are times; of the F family
    multiples of the weight of its own logarithm.
    """
    if order in (FCFS, EDF, LLF):
        return score / 3600.0
    if F1 <= order <= F4:
        return score * _LN10 / AGE_WEIGHTS[order - F1]
    return -ln1p(-score) if score < 0.0 else ln1p(score)


@compiled
def _correction(weights: Floats32, columns: Floats, units: Floats) -> float:
    """The network's answer for one job, within ±1."""
    hidden, first = len(units), 1 + JOB_WIDTH
    total = 0.0
    for column in range(JOB_WIDTH):
        total += float(weights[1 + column]) * columns[column]
    for unit in range(hidden):
        inner = units[unit]
        at = first + 2 * hidden + unit * JOB_WIDTH
        for column in range(JOB_WIDTH):
            inner += float(weights[at + column]) * columns[column]
        total += float(weights[first + hidden + unit]) * softened(inner)
    return softened(total)
