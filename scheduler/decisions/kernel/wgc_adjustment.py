"""How wgc's constants follow the state of the cluster and the shape of a job, as learned.

For each waiting job, with y its columns and S(x) = L · x / (1 + |x|):

    ln θ' = ln θ + S(A_θ · y)        ln κ' = ln κ + S(A_κ · y)        ln μ' = ln μ + S(A_μ · y)
    ln(λ' / (1 - λ')) = ln(λ / (1 - λ)) + S(A_λ · y)

With A zero the constants are the base's, exactly. No column knows a job's priority, its wait or its
deadline: of two jobs that differ in nothing else the more urgent one keeps its lead.

The columns of the cluster are 1, ln1p(jobs that wait per device), ln1p(hours of work that wait per
device) / 3, the share of devices that is free, ln1p(hours of work that runs per device) / 3; those
of the job the logarithms of its least runtime and of its share of all devices, centred, of its
slowest runtime ÷ its least and of the dollars of its fastest row ÷ its least dollars, halved, and
its preference, centred. `ln1p(x)` is ln(1 + x).
"""

from __future__ import annotations

from scheduler.compilation.columns import Floats, Floats32
from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.arithmetic import exp, ln, ln1p
from scheduler.decisions.kernel.columns import GONE, LIVE, NOW, SLOTS_USED, Columns

OUTPUTS = 4
PATIENCE_BY, AGEING_BY, CONGESTION_BY, PREFERENCE_BY = range(OUTPUTS)
STATE_WIDTH, SHAPE_WIDTH = 5, 5
WIDTH = STATE_WIDTH + SHAPE_WIDTH
ADJUSTMENT = OUTPUTS * WIDTH
"""Number of weights: A, one output after the other, columns of the cluster first."""
LIMIT = 3.0
"""L: no constant is changed by more than a factor of e³ ≈ 20."""
_HOUR_S, _LONGEST_S = 3600.0, 1e9


@compiled
def see_state(w: Columns, weights: Floats32, found: Floats) -> None:
    """Into (`OUTPUTS`,) `found`: what the columns of the cluster add to A · y.

    A is the end of `weights`.
    """
    free, devices = 0.0, 0.0
    for pool in range(len(w.pool_nodes)):
        free += w.plane_free[LIVE, pool]
        devices += w.pool_count[pool]
    waiting, backlog = 0, 0.0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] != GONE:
            waiting += 1
            backlog += w.job_size[slot] * w.job_request[slot]
    work = 0.0
    for attempt in range(len(w.attempt_job)):
        if w.attempt_job[attempt] != 0:
            left = max(w.attempt_end[attempt] - w.figure[NOW], 0.0)
            work += w.attempt_width[attempt] * min(left, _LONGEST_S)
    state = (
        1.0,
        ln1p(waiting / devices),
        ln1p(backlog / devices / _HOUR_S) / 3.0,
        free / devices,
        ln1p(work / devices / _HOUR_S) / 3.0,
    )
    _weigh(weights, 0, state, found)


@compiled
def see_shape(w: Columns, slot: int, weights: Floats32, found: Floats) -> None:
    """Into (`OUTPUTS`,) `found`: what the columns of a job add to A · y."""
    devices = 0.0
    for pool in range(len(w.pool_nodes)):
        devices += w.pool_count[pool]
    ideal, dollars = w.job_ideal[slot], 0.0
    for row in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
        if w.row_runtime[row] <= ideal:
            dollars = w.row_dollars[row]
            break
    cheapest = w.job_cheapest[slot]
    shape = (
        (ln(max(ideal, 1.0)) - 6.0) / 3.0,
        (ln(w.job_request[slot] / devices) + 3.0) / 2.0,
        ln(max(w.job_slowest[slot], 1.0) / max(ideal, 1.0)) / 2.0,
        ln(dollars / cheapest) / 2.0 if cheapest > 0.0 and dollars > 0.0 else 0.0,
        w.job_preference[slot] - 0.5,
    )
    _weigh(weights, STATE_WIDTH, shape, found)


@compiled
def _weigh(
    weights: Floats32, column: int, values: tuple[float, float, float, float, float], found: Floats
) -> None:
    """Into (`OUTPUTS`,) `found`: the part of A · y of five columns, the first of them `column`."""
    for output in range(OUTPUTS):
        at, total = len(weights) - ADJUSTMENT + output * WIDTH + column, 0.0
        for each in range(len(values)):
            total += float(weights[at + each]) * values[each]
        found[output] = total


@compiled
def bounded(total: float) -> float:
    """S(total)."""
    return LIMIT * total / (1.0 + abs(total))


@compiled
def shifted_odds(share: float, by: float) -> float:
    """A share of 0 … 1 whose log odds are shifted."""
    up = share * exp(by)
    return up / (up + 1.0 - share)
