"""What a learned index sees: columns of each waiting job, and of the state of the whole cluster.

All are estimates or facts of now. None knows a priority: of two jobs that differ in nothing else
the more urgent one keeps its lead. Most are near 0 and within ±3. ln1p(x) is ln(1 + x), and a value
is *softened* by x / (1 + |x|). Sizes are in device-seconds, shares are of all devices.
"""

from __future__ import annotations

import math

import numpy as np

from scheduler.compilation.columns import Floats
from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.arithmetic import ln, ln1p
from scheduler.decisions.kernel.cluster.attempts import released
from scheduler.decisions.kernel.cluster.starts import delay_of
from scheduler.decisions.kernel.columns import (
    LIVE,
    NOW,
    SLOTS_USED,
    WAITS,
    Columns,
)

JOB_COLUMNS = (
    "length",
    "width",
    "wait",
    "expansion",
    "fits",
    "delay",
    "delay_share",
    "idle_loss",
    "area_rank",
    "length_rank",
    "behind_best",
    "before_fitting",
    "shortage",
    "deadline",
    "harm",
    "blocking",
    "weight",
    "arrival_rank",
    "choice",
    "preference",
)
"""Names of a job's columns, in their order; `job_columns` says what they are."""
CLUSTER_COLUMNS = (
    "queue",
    "free",
    "free_5m",
    "free_30m",
    "free_2h",
    "free_8h",
    "backlog",
    "mean_length",
    "spread_length",
    "mean_area",
    "spread_area",
    "fitting",
    "fitting_behind",
    "running_work",
    "pressure",
    "recent",
    "day_sine",
    "day_cosine",
)
"""Names of the cluster's columns, in their order; `see_cluster` says what they are."""
JOB_WIDTH, CLUSTER_WIDTH = len(JOB_COLUMNS), len(CLUSTER_COLUMNS)
_AHEAD_S = (300.0, 1800.0, 7200.0, 28_800.0)
(
    _MEAN_LENGTH,
    _SPREAD_LENGTH,
    _MEAN_AREA,
    _SPREAD_AREA,
    _BEST,
    _BEST_FITTING,
    _PRESSURE,
    _FREE,
    _DEVICES,
    _WAITING,
) = range(10)
SUMMARY = 10
"""Size of the summary of the queue that a job is compared with."""
_SHORTEST_S = 10.0
"""Runtimes below this count as this, as in the bounded slowdown (Feitelson 2001)."""
_NONE = -1e300
_DAY_S, _HOUR_S = 86_400.0, 3600.0
_LEAST_AREA = 1.0


@compiled
def softened(x: float) -> float:
    """Within ±1, and near x where that is small: x / (1 + |x|)."""
    return x / (1.0 + abs(x))


@compiled
def soonest_of(w: Columns, slot: int) -> int:
    """The row of a job that could end first. All pools are seen."""
    first = w.job_first[slot]
    if w.job_count[slot] == 1:
        return int(first)
    best, soonest = int(first), np.inf
    for row in range(first, first + w.job_count[slot]):
        end = delay_of(w, w.row_shape[row]) + w.row_runtime[row]
        if end < soonest:
            best, soonest = int(row), end
    return best


@compiled
def _area(w: Columns, slot: int) -> float:
    return max(w.job_size[slot] * w.job_request[slot], _LEAST_AREA)


@compiled
def summarise_queue(w: Columns, quick: Floats, summary: Floats) -> float:
    """Into (`SUMMARY`,) `summary`: what a job is compared with; returns the share that fits now.

    (slots,) `quick`: the base score of each waiting job without its priority, or an estimate of
    it. All pools are seen.
    """
    count, fitting, best, best_fitting, pressure = 0, 0, _NONE, _NONE, 0.0
    length = square_length = area = square_area = 0.0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] != WAITS:
            continue
        count += 1
        one, two = ln(max(w.job_ideal[slot], 1.0)), ln(_area(w, slot))
        length, square_length = length + one, square_length + one * one
        area, square_area = area + two, square_area + two * two
        pressure += 1.0 / max(w.job_ideal[slot], _SHORTEST_S)
        best = max(best, quick[slot])
        if delay_of(w, w.row_shape[soonest_of(w, slot)]) == 0.0:
            fitting, best_fitting = fitting + 1, max(best_fitting, quick[slot])
    free, devices = 0.0, 0.0
    for pool in range(len(w.pool_nodes)):
        free += w.plane_free[LIVE, pool]
        devices += w.pool_count[pool]
    many = max(count, 1)
    summary[_MEAN_LENGTH], summary[_MEAN_AREA] = length / many, area / many
    spread = square_length / many - (length / many) * (length / many)
    summary[_SPREAD_LENGTH] = math.sqrt(max(spread, 0.0))
    spread = square_area / many - (area / many) * (area / many)
    summary[_SPREAD_AREA] = math.sqrt(max(spread, 0.0))
    summary[_BEST], summary[_BEST_FITTING], summary[_PRESSURE] = best, best_fitting, pressure
    summary[_FREE], summary[_DEVICES], summary[_WAITING] = free, devices, many
    return fitting / many


@compiled
def see_cluster(w: Columns, summary: Floats, fitting: float, found: Floats) -> None:
    """Into (`CLUSTER_WIDTH`,) `found`: the columns of the cluster.

    queue: ln1p(jobs) / 4. free, free_…: shares of the devices that are free now, and by estimate
    later. backlog: ln1p(hours of work that wait) / 3. mean_…, spread_…: of the logarithms over
    jobs. fitting: share of the jobs that fit now; fitting_behind: how far the best of these is
    behind the best job, 1 if none fits. running_work: ln1p(hours) / 3. pressure: what waiting adds
    to the slowdown in a minute. recent: share of the jobs that came within the last hour. day_…:
    time of day; times count from midnight UTC, in simulations from their start.
    """
    now, devices, waiting = w.figure[NOW], summary[_DEVICES], summary[_WAITING]
    found[0] = ln1p(waiting) / 4.0
    found[1] = summary[_FREE] / devices
    for at in range(4):
        free = summary[_FREE]
        for pool in range(len(w.pool_nodes)):
            if w.plane_free[LIVE, pool] < w.pool_count[pool]:
                free += released(w, pool, now + _AHEAD_S[at])
        found[2 + at] = free / devices
    backlog, recent = 0.0, 0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] == WAITS:
            backlog += _area(w, slot)
            recent += 1 if now - w.job_submitted[slot] < _HOUR_S else 0
    found[6] = ln1p(backlog / devices / _HOUR_S) / 3.0
    found[7], found[8] = (summary[_MEAN_LENGTH] - 6.0) / 3.0, summary[_SPREAD_LENGTH] / 2.0
    found[9], found[10] = (summary[_MEAN_AREA] - 9.0) / 3.0, summary[_SPREAD_AREA] / 2.0
    found[11], found[12] = fitting, 1.0
    if summary[_BEST_FITTING] > _NONE:
        found[12] = softened(summary[_BEST] - summary[_BEST_FITTING])
    work = 0.0
    for attempt in range(len(w.attempt_job)):
        if w.attempt_job[attempt] != 0:
            work += w.attempt_width[attempt] * max(w.attempt_end[attempt] - now, 0.0)
    found[13] = ln1p(work / devices / _HOUR_S) / 3.0
    found[14] = ln1p(60.0 * summary[_PRESSURE]) / 3.0
    found[15] = recent / waiting
    found[16], found[17] = _day_wave(now), _day_wave(now + 0.25 * _DAY_S)


@compiled
def _day_wave(time: float) -> float:
    """About the sine of the time of day, of parabolas: 0 at midnight, 1 at six."""
    share = time / _DAY_S - math.floor(time / _DAY_S)
    half = 2.0 * share if share < 0.5 else 2.0 * share - 1.0
    wave = 4.0 * half * (1.0 - half)
    return wave if share < 0.5 else -wave


@compiled
def job_columns(
    w: Columns, slot: int, quick: float, before: int, summary: Floats, found: Floats
) -> None:
    """Into (`JOB_WIDTH`,) `found`: the columns of a waiting job. All pools are seen.

    With r its least runtime, a its least device-seconds, n their devices, t its wait and δ the
    start delay where it would end soonest. length, width: ln of r and of n's share, centred. wait,
    expansion: ln1p of t in minutes, of t / r. fits: δ is 0. delay, delay_share: ln1p of δ in
    minutes, δ / (δ + r). idle_loss: softened, free devices · δ / a. area_rank, length_rank:
    distances to the queue's mean in standard deviations. behind_best, before_fitting: softened
    distances to the base score of the best job, and of the best that fits. shortage: devices that
    it lacks. deadline: how near one is that it can meet. harm, blocking: ln1p of the slowdown that
    others gain while it runs, and until it starts, on the devices concerned. weight: its share of
    the pressure. arrival_rank: share of the queue that entered before it, `before` jobs. choice: ln
    of its slowest runtime ÷ r. preference: 0 cheapest … 1 fastest.
    """
    now, devices = w.figure[NOW], summary[_DEVICES]
    row = soonest_of(w, slot)
    delay, area = delay_of(w, w.row_shape[row]), _area(w, slot)
    delay = min(delay, 1e9)
    ideal, request = max(w.job_ideal[slot], 1.0), w.job_request[slot]
    bounded = max(ideal, _SHORTEST_S)
    wait = max(now - w.job_submitted[slot], 0.0)
    length = ln(ideal)
    found[0] = (length - 6.0) / 3.0
    found[1] = (ln(request / devices) + 3.0) / 2.0
    found[2] = ln1p(wait / 60.0) / 4.0
    found[3] = ln1p(wait / bounded) / 3.0
    found[4] = 1.0 if delay == 0.0 else 0.0
    found[5] = ln1p(delay / 60.0) / 4.0
    found[6] = delay / (delay + ideal)
    found[7] = softened(summary[_FREE] * delay / area)
    found[8] = (ln(area) - summary[_MEAN_AREA]) / (summary[_SPREAD_AREA] + 0.5)
    found[9] = (length - summary[_MEAN_LENGTH]) / (summary[_SPREAD_LENGTH] + 0.5)
    found[10] = softened(summary[_BEST] - quick)
    found[11] = 1.0
    if summary[_BEST_FITTING] > _NONE:
        found[11] = softened(quick - summary[_BEST_FITTING])
    found[12] = (request - summary[_FREE]) / devices
    slack = w.job_deadline[slot] - now - delay - w.row_runtime[row]
    found[13] = 0.0
    if 0.0 <= slack < np.inf:
        found[13] = 1.0 / (1.0 + slack / (w.row_runtime[row] + 600.0))
    pressure = summary[_PRESSURE]
    found[14] = ln1p(w.job_size[slot] * request / devices * pressure) / 3.0
    found[15] = ln1p(delay * summary[_FREE] / devices * pressure) / 3.0
    found[16] = 1.0 / (bounded * pressure) if pressure > 0.0 else 0.0
    found[17] = before / summary[_WAITING]
    found[18] = ln(max(w.job_slowest[slot], 1.0) / ideal) / 2.0
    found[19] = w.job_preference[slot]
