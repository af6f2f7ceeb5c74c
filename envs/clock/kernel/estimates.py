"""Runtime estimators of `envs.workloads.runtime_estimates` in compiled code.

What does not depend on earlier ends is computed when the trace is made.
"""

from __future__ import annotations

import math

import numpy as np

from envs.clock.kernel.columns import ESTIMATOR, EpisodeColumns, WorkloadColumns
from envs.workloads.runtime_estimates import SHORTEST_S, Tsafrir
from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.arithmetic import exp
from scheduler.estimates.learned.mixture import LEVELS, MEDIAN, QUANTILES, predict, remember

FIXED, TSAFRIR, HISTORY, LEARNED = range(4)
"""Values of the setting ESTIMATOR. FIXED: exact, noisy, requested."""
STEPS_S = tuple(map(float, Tsafrir.STEPS_S))


@compiled
def foresee(e: EpisodeColumns, t: WorkloadColumns, job: int) -> float:
    """Seconds on its best device that are learned for a job that arrives now; NaN: none are."""
    if t.setting[ESTIMATOR] != LEARNED:
        return math.nan
    logs = np.empty(len(QUANTILES))
    first = job * LEVELS
    if not predict(e.past_value, e.past_born, e.group_ended, t.job_group, first, logs):
        return math.nan
    return exp(logs[MEDIAN])


@compiled
def estimate(e: EpisodeColumns, t: WorkloadColumns, job: int, row: int, foreseen: float) -> float:
    """Estimated seconds of a whole run, of a job that arrives now; `foreseen`: see `foresee`."""
    if not math.isnan(foreseen):
        learned = foreseen * t.row_runtime[row] / t.job_ideal[job]
        if t.job_requested[job] < math.inf:
            learned = min(learned, t.row_estimate[row])
        return max(SHORTEST_S, learned)
    if t.setting[ESTIMATOR] == TSAFRIR:
        user = t.job_user[job]
        if e.user_ended[user] >= 2:
            mean = (e.user_last[0, user] + e.user_last[1, user]) / 2
            return max(SHORTEST_S, min(t.row_estimate[row], mean))
    if t.setting[ESTIMATOR] == HISTORY:
        kind = t.job_kind[job]
        kept = min(e.kind_ended[kind], e.kind_last.shape[0])
        if kept:
            total = 0.0
            for at in range(kept):
                total += e.kind_last[at, kind]
            return max(SHORTEST_S, exp(total / kept) * t.row_runtime[row] / t.job_ideal[job])
    return float(t.row_estimate[row])


@compiled
def learn_end(e: EpisodeColumns, t: WorkloadColumns, job: int) -> None:
    """A job has ended well."""
    if t.setting[ESTIMATOR] == TSAFRIR:
        user = t.job_user[job]
        e.user_last[0, user] = e.user_last[1, user]
        e.user_last[1, user] = t.row_runtime[e.job_row[job]]
        e.user_ended[user] += 1
    if t.setting[ESTIMATOR] == HISTORY:
        kind, memory = t.job_kind[job], e.kind_last.shape[0]
        kept = e.kind_ended[kind]
        if kept >= memory:
            for at in range(memory - 1):
                e.kind_last[at, kind] = e.kind_last[at + 1, kind]
            kept = memory - 1
        e.kind_last[kept, kind] = t.job_length[job]
        e.kind_ended[kind] = kept + 1
    if t.setting[ESTIMATOR] == LEARNED:
        length, first = t.job_length[job], job * LEVELS
        remember(e.past_value, e.past_born, e.group_ended, t.job_group, first, length)


@compiled
def remaining(e: EpisodeColumns, t: WorkloadColumns, job: int, row: int, working_s: float) -> float:
    """Estimated seconds left, `working_s` seconds after the last checkpoint."""
    whole = e.row_estimate[row]
    elapsed = e.job_known[job] * whole + working_s
    if elapsed < whole:
        return max(SHORTEST_S, whole - elapsed) if elapsed != 0.0 else float(whole)
    return max(SHORTEST_S, _corrected(t, job, whole, elapsed) - elapsed)


@compiled
def _corrected(t: WorkloadColumns, job: int, whole: float, elapsed: float) -> float:
    """A new estimate, above `elapsed`, for a job that outlives its estimate."""
    longer = elapsed + max(SHORTEST_S, 0.1 * elapsed)
    if t.setting[ESTIMATOR] == LEARNED:
        if elapsed < t.job_requested[job] < math.inf:
            return float(t.job_requested[job])
        return 2.0 * max(elapsed, SHORTEST_S)
    if t.setting[ESTIMATOR] != TSAFRIR:
        return longer
    limit = max(t.job_requested[job], longer)
    for step in STEPS_S:
        if whole + step > elapsed:
            return min(whole + step, limit)
    return min(longer, limit)
