"""wgc (weighted greedy under congestion): which job by an index, where by a price, or wait.

Symbols: λ the preference (0 cheapest … 1 fastest); for a waiting job its wait t (s), its least
estimated runtime `ideal` (s) and its priority p; for a row its estimated runtime ρ (s), its start
delay δ (s), its share s, width ÷ devices of the pool, and the part c of its pool: of all that the
cluster can do for the jobs that wait. σ, μ, θ and κ are constants.

**Where: a price.** With u = p/50 / (ideal + σ), the rate at which a waiting job's weighted slowdown
grows, and U its sum over all waiting jobs, a row costs

    λ · u · (δ + ρ)  +  (1 - λ) · dollars / scale  +  μ · λ · U · ρ · s · c

The last term is what the placement inflicts on the jobs that wait: for as long as it runs, it takes
the share s · c of the cluster from them. For one job c is the jobs per second that the pool could
finish if it ran nothing else, at its best width, ÷ the same of all pools; c is the mean over the
jobs that wait. Without it a slow pool would count as much as a fast one. A job starts on its row of
least cost.

**Whether to wait: a regret.** The regret of a job is the cost of its best row that may be chosen
now less the cost of its best row on any pool, busy or not. A job is eligible if that is at most
θ + κ · λ · u · t: it holds out for the devices that suit it, and less so the longer it waits.
Regrets are computed as if every priority were 50, in u and in U. Otherwise an urgent job, whose
seconds cost more, would hold out longer and start later than an equal job of low priority.

**Which job: an index.** Of the eligible jobs the one with the largest index starts first:

    ln(p/50) - ln((ρ + 300) · s) + ¼ · ln(1 + t / (ideal + 600)) + exp(-slack / (ρ + 600))

with ρ, δ and s of its row of least regret. The first two terms are Smith's rule (1956): weight
gained per device-second held. The third grows with the wait. The last one counts only with a
deadline and slack = deadline - now - δ - ρ ≥ 0: it grows as a deadline that can be met comes near.
If no job is eligible, the policy waits.

So of two jobs that differ in nothing else, the one with the higher priority, the longer wait or the
nearer deadline that can be met never starts later.

With a σ far above all runtimes every job's seconds count alike, with a small one its slowdown
counts. The shadow price for capacity is in the spirit of Kelly, "Charging and rate control for
elastic traffic", 1997.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Floats, Floats2D, Floats32, Ints
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.arithmetic import exp, pairwise_sum, power
from scheduler.decisions.kernel.changes import notice_changes
from scheduler.decisions.kernel.cluster.starts import delay_of, look_ahead
from scheduler.decisions.kernel.columns import (
    BOUNDED_DELAY,
    GONE,
    NOW,
    PREPARED,
    PRESSURE,
    SCORED,
    SHAPES_USED,
    SLOTS_USED,
    TOP_PRICE,
    WAITS,
    WEIGHED_PRESSURE,
    Columns,
)
from scheduler.decisions.kernel.rules.allowed import reservable, startable
from scheduler.decisions.kernel.rules.precedence import (
    SOON_S,
    ageing_of,
    earlier,
    nearness_of,
)
from scheduler.decisions.kernel.wgc_adjustment import (
    ADJUSTMENT,
    AGEING_BY,
    CONGESTION_BY,
    OUTPUTS,
    PATIENCE_BY,
    PREFERENCE_BY,
    bounded,
    see_shape,
    see_state,
    shifted_odds,
)
from scheduler.domain.jobs import MIDDLE_PRIORITY

PATIENCE = -1e200
"""Score of WAIT: below every job that is eligible, above those that are not."""
NOBODY = -1
"""In place of a job: none has a row that may be chosen."""
(LAMBDA, MU, THETA, KAPPA, SIGMA, DOLLARS, CHEAPEST, EXCHANGE) = range(8)
"""Rows of the constants: (8, 1) with NaN for λ if it is each job's own, or (8, n) for n
preferences from 0 to 1."""
(_SPEED, _THETA, _HELD, _SOFTENED, _CONGESTION, _OWN, _SCALE) = range(7)
_AGEING, BOUND, _SEEN = range(7, 10)
_ADJUSTED = (_SPEED, _THETA, _HELD, _CONGESTION, _OWN)
_UNADJUSTED, _SHAPE = 10, 15
"""`job_terms`: λu⁰, θ, κλu⁰, ideal + σ, μλ, λ and what dollars are divided by; of the round: the
term of the wait, a bound of the index, and `state[SCORED]` when it was scored; if constants are
adjusted, first those of `_ADJUSTED` before that, and what the job's shape says. u⁰ is u at priority
50."""
_SHORTEST_S = 1e-3
_ROUNDING = 1e-9
"""Added to bounds; more than what rounding takes from the inequalities behind them."""


@entry_point
def score_jobs(w: Columns, constants: Floats2D, weights: Floats32) -> None:
    """Into `job_score`: the index of each eligible job, less than WAIT for others: by their regret.

    -inf for jobs that have no row in `row_listed` on which they could ever start.
    """
    see_pools(w, constants, weights)
    w.state[SCORED] += 1
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] != GONE:
            w.job_score[slot] = _score(w, slot, True)


@compiled
def see_pools(w: Columns, constants: Floats2D, weights: Floats32) -> None:
    """Bring up to date what holds for all jobs. `state[SCORED]` rises if scores may change."""
    if w.state[SCORED] == 0:
        _open_round(w, constants, weights)
    for pool in range(len(w.pool_nodes)):
        look_ahead(w, pool)
    if notice_changes(w):
        w.state[SCORED] += 1


@compiled
def first_by_index(w: Columns, constants: Floats2D, weights: Floats32) -> int:
    """The job to start now; 0: none is eligible; NOBODY. Valid after `refresh_rules`.

    Most jobs need no score: their bound is below the best index so far.
    """
    see_pools(w, constants, weights)
    refresh_bounds(w)
    best, most = NOBODY, -np.inf
    for slot in range(1, w.count[SLOTS_USED]):
        if bound_of(w, slot) < most or w.job_state[slot] != WAITS:
            continue
        score = index_of(w, slot)
        if score > most or (score == most and best > 0 and earlier(w, slot, best)):
            best, most = slot, score
    return 0 if best > 0 and most < PATIENCE else best


@compiled
def index_of(w: Columns, slot: int) -> float:
    """The index of an eligible job, less than WAIT for others. Valid after `see_pools`."""
    stamp = float(w.state[SCORED])
    if w.job_terms[_SEEN, slot] != stamp:
        w.job_score[slot], w.job_terms[_SEEN, slot] = _score(w, slot, False), stamp
    return float(w.job_score[slot])


@compiled
def bound_of(w: Columns, slot: int) -> float:
    """No index of a job is above this. Valid after `refresh_bounds`."""
    return float(w.job_terms[BOUND, slot])


@compiled
def refresh_bounds(w: Columns) -> None:
    """Bounds hold while no start is farther off than a certain delay, and grow with it."""
    longest = 0.0
    for shape in range(1, w.count[SHAPES_USED]):
        if w.shape_users[shape] and delay_of(w, shape) < np.inf:
            longest = max(longest, delay_of(w, shape))
    if longest <= w.figure[BOUNDED_DELAY]:
        return
    w.figure[BOUNDED_DELAY] = 2.0 * longest + SOON_S
    for slot in range(1, w.count[SLOTS_USED]):
        w.job_terms[BOUND, slot] = -np.inf if w.job_state[slot] == GONE else _bound(w, slot)


@compiled
def _bound(w: Columns, slot: int) -> float:
    """No index of a job is above this, on any row with a start within `BOUNDED_DELAY`.

    The slack of a row is at least that of the longest runtime after the longest delay, it counts
    less the shorter the runtime, and exp(-x) <= 1 / (1 + x) for x >= 0. A row that meets the
    deadline exists only if the least runtime does.
    """
    slowest, near = w.job_slowest[slot], 0.0
    left = w.job_deadline[slot] - w.figure[NOW]
    if w.job_ideal[slot] <= left < np.inf:
        slack = max(left - (w.figure[BOUNDED_DELAY] + slowest), 0.0)
        near = 1.0 / (1.0 + slack / (slowest + SOON_S))
    urgency = w.job_weight[slot] + w.job_terms[_AGEING, slot] + near
    return urgency - w.job_shortest[slot] + _ROUNDING


@compiled
def _score(w: Columns, slot: int, listed: bool) -> float:
    """Over the rows of `row_listed`, or those that may be chosen."""
    first, last = w.job_first[slot], w.job_first[slot] + w.job_count[slot]
    speed, pressure = w.job_terms[_SPEED, slot], w.figure[PRESSURE]
    least, best, best_row = np.inf, np.inf, 0
    for row in range(first, last):
        cost = _price(w, slot, row, speed, pressure)
        least = min(least, cost)
        if cost < best and (w.row_listed[row] if listed else startable(w, row)):
            best, best_row = cost, row
    if best_row == 0 and not listed:
        for row in range(first, last):
            cost = _price(w, slot, row, speed, pressure)
            if cost < best and reservable(w, row) and not startable(w, row):
                best, best_row = cost, row
    if best_row == 0:
        return -np.inf
    wait = max(w.figure[NOW] - w.job_submitted[slot], 0.0)
    regret = best - least
    if regret > w.job_terms[_THETA, slot] + w.job_terms[_HELD, slot] * wait:
        return PATIENCE * (2.0 + regret / (1.0 + regret))
    near = nearness_of(w, slot, best_row)
    return w.job_weight[slot] + w.job_terms[_AGEING, slot] + near - w.row_length[best_row]


@compiled
def wgc_cost(w: Columns, row: int) -> float:
    """The price of a row, by which the chosen job's placement is found."""
    slot = w.row_slot[row]
    rate = 1.0 / w.job_terms[_SOFTENED, slot] * w.job_priority[slot] / MIDDLE_PRIORITY
    return _price(w, slot, row, w.job_terms[_OWN, slot] * rate, w.figure[WEIGHED_PRESSURE])


@compiled
def _price(w: Columns, slot: int, row: int, speed: float, pressure: float) -> float:
    shape = w.row_shape[row]
    end = delay_of(w, shape) + w.row_runtime[row]
    if end == np.inf:
        return np.inf
    inflicted = w.job_terms[_CONGESTION, slot] * pressure * w.row_runtime[row]
    pool = w.shape_pool[shape]
    share = w.shape_width[shape] / w.pool_count[pool] * w.pool_part[pool]
    money = (1.0 - w.job_terms[_OWN, slot]) * w.row_dollars[row] / w.job_terms[_SCALE, slot]
    return speed * end + money + inflicted * share


@compiled
def _open_round(w: Columns, constants: Floats2D, weights: Floats32) -> None:
    """Compute what holds for the whole round: the pressure, and the terms of the waits."""
    w.state[SCORED], w.figure[BOUNDED_DELAY] = 1, -1.0
    for slot in range(max(w.state[PREPARED], 1), w.count[SLOTS_USED]):
        _prepare(w, slot, constants)
    if len(weights) >= ADJUSTMENT:
        _adjust(w, weights, max(w.state[PREPARED], 1))
    w.state[PREPARED] = w.count[SLOTS_USED]
    waiting = 0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] != GONE:
            w.job_terms[_AGEING, slot], w.job_terms[_SEEN, slot] = ageing_of(w, slot), 0.0
            w.job_score[waiting] = 1.0 / w.job_terms[_SOFTENED, slot]
            waiting += 1
    w.figure[PRESSURE] = pairwise_sum(w.job_score, waiting)
    waiting = 0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] != GONE:
            weight = w.job_priority[slot] / MIDDLE_PRIORITY
            w.job_score[waiting] = weight / w.job_terms[_SOFTENED, slot]
            waiting += 1
    w.figure[WEIGHED_PRESSURE] = pairwise_sum(w.job_score, waiting)
    _see_parts(w)


@compiled
def _see_parts(w: Columns) -> None:
    """Into `pool_part`: c of each pool."""
    pools, waiting = len(w.pool_nodes), 0
    if pools == 1:
        w.pool_part[0] = 1.0
        return
    pace = np.empty(pools)
    for pool in range(pools):
        w.pool_part[pool] = 0.0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] == GONE:
            continue
        waiting += 1
        total = _see_paces(w, slot, pace)
        for pool in range(pools):
            w.pool_part[pool] += pace[pool] / total
    for pool in range(pools):
        w.pool_part[pool] /= max(waiting, 1)


@compiled
def _see_paces(w: Columns, slot: int, pace: Floats) -> float:
    """Into (pools,) `pace`: jobs per second of each if all were like this one; returns the sum."""
    for pool in range(len(pace)):
        pace[pool] = 0.0
    total = 0.0
    for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
        shape = w.row_shape[row]
        pool, seconds = w.shape_pool[shape], max(w.row_runtime[row], _SHORTEST_S)
        own = w.pool_count[pool] / (w.shape_width[shape] * seconds)
        if own > pace[pool]:
            total, pace[pool] = total + own - pace[pool], own
    return total


@compiled
def _prepare(w: Columns, slot: int, constants: Floats2D) -> None:
    """Compute what the constants say of a job."""
    own, columns = w.job_preference[slot], constants.shape[1]
    at = int(np.rint(own * (columns - 1)))
    preference = constants[LAMBDA, at]
    if np.isnan(preference):
        preference = own
    softened = w.job_ideal[slot] + constants[SIGMA, at]
    rate = 1.0 / softened
    w.job_terms[_OWN, slot], w.job_terms[_SOFTENED, slot] = preference, softened
    w.job_terms[_SPEED, slot] = preference * rate
    w.job_terms[_THETA, slot] = constants[THETA, at]
    w.job_terms[_HELD, slot] = constants[KAPPA, at] * preference * rate
    w.job_terms[_CONGESTION, slot] = constants[MU, at] * preference
    w.job_terms[_SCALE, slot] = _scale(w, slot, constants, at)


@compiled
def _adjust(w: Columns, weights: Floats32, first: int) -> None:
    """Let the constants of all waiting jobs follow the state; slots from `first` on are new."""
    state, by = np.empty(OUTPUTS), np.empty(OUTPUTS)
    for slot in range(first, w.count[SLOTS_USED]):
        see_shape(w, slot, weights, by)
        for output in range(OUTPUTS):
            w.job_terms[_SHAPE + output, slot] = by[output]
        for at in range(len(_ADJUSTED)):
            w.job_terms[_UNADJUSTED + at, slot] = w.job_terms[_ADJUSTED[at], slot]
    see_state(w, weights, state)
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] == GONE:
            continue
        for at in range(len(_ADJUSTED)):
            w.job_terms[_ADJUSTED[at], slot] = w.job_terms[_UNADJUSTED + at, slot]
        for output in range(OUTPUTS):
            by[output] = bounded(state[output] + w.job_terms[_SHAPE + output, slot])
        w.job_terms[_THETA, slot] *= exp(by[PATIENCE_BY])
        own = w.job_terms[_OWN, slot]
        if by[PREFERENCE_BY] != 0.0 and 0.0 < own < 1.0:
            shifted = shifted_odds(own, by[PREFERENCE_BY])
            w.job_terms[_OWN, slot] = shifted
            for term in (_SPEED, _HELD, _CONGESTION):
                w.job_terms[term, slot] *= shifted / own
        w.job_terms[_HELD, slot] *= exp(by[AGEING_BY])
        w.job_terms[_CONGESTION, slot] *= exp(by[CONGESTION_BY])


@compiled
def _scale(w: Columns, slot: int, constants: Floats2D, at: int) -> float:
    """What cost is divided by."""
    cheapest = w.job_cheapest[slot]
    least = cheapest if cheapest > 0.0 else 1.0
    hour = w.figure[TOP_PRICE]
    seconds = constants[SIGMA, at] / 3600 * (hour if hour > 0.0 else 1.0)
    scale = constants[DOLLARS, at] * power(least, constants[CHEAPEST, at])
    return scale * power(seconds, constants[EXCHANGE, at])


@entry_point
def wgc_costs(
    w: Columns, constants: Floats2D, weights: Floats32, rows: Ints, costs: Floats
) -> None:
    """(n,) rows, without WAIT → (n,) costs."""
    if w.state[SCORED] == 0:
        _open_round(w, constants, weights)
    for at in range(len(rows)):
        look_ahead(w, w.shape_pool[w.row_shape[rows[at]]])
        costs[at] = wgc_cost(w, rows[at])
