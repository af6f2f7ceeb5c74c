"""Jobs that enter the queue: when they arrive, and again when an attempt has ended too soon."""

from __future__ import annotations

import numpy as np

from envs.clock.kernel.columns import (
    ARRIVED,
    ARRIVING,
    DUE,
    TIME,
    TINY_S,
    EpisodeColumns,
    WorkloadColumns,
)
from envs.clock.kernel.estimates import estimate, foresee, remaining
from envs.clock.kernel.events import ARRIVE, push
from envs.clock.kernel.metering import meter_arrival
from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import RULE, Columns
from scheduler.decisions.kernel.queue.jobs import (
    DEADLINE,
    DOLLARS,
    FULL,
    ID,
    JOULES,
    PREFERENCE,
    PRIORITY,
    RUNTIME,
    SUBMITTED,
    enter,
)


@compiled
def arrive(w: Columns, e: EpisodeColumns, t: WorkloadColumns) -> bool:
    """Let all jobs arrive that are due; False if the queue has to grow first.

    After that the call is repeated: the job that found no room arrives then.
    """
    jobs = len(t.job_id)
    while True:
        job = e.count[ARRIVED]
        if e.count[ARRIVING] == 0:
            if job == jobs:
                return True
            if t.job_submitted[job] > e.figure[TIME]:
                push(e, t.job_submitted[job] - e.figure[TIME], ARRIVE, job, 1)
                return True
        e.count[ARRIVING] = 1
        foreseen, least = foresee(e, t, job), np.inf
        for row in range(t.job_first[job], t.job_first[job] + t.job_count[job]):
            e.row_estimate[row] = estimate(e, t, job, row, foreseen)
            least = min(least, e.row_estimate[row])
        if e.job_done[job] > 0.0:
            # It has run where that is shortest; what is known of it is for how long.
            e.job_known[job] = e.job_done[job] * t.job_ideal[job] / max(least, TINY_S)
        if not enqueue(w, e, t, job):
            return False
        e.count[ARRIVING] = 0
        e.count[ARRIVED] = job + 1
        _ask(w, t, job)
        meter_arrival(e, t, job)


@compiled
def enqueue(w: Columns, e: EpisodeColumns, t: WorkloadColumns, job: int) -> bool:
    """The job waits; False if the queue has to grow first."""
    first, count = t.job_first[job], t.job_count[job]
    again = e.job_attempts[job] > 0 or e.job_known[job] > 0.0
    restart = t.job_restart[job] if e.job_attempts[job] > 0 else 0.0
    for index in range(count):
        row = first + index
        seconds = e.row_estimate[row]
        if again:
            seconds = restart + remaining(e, t, job, row, 0.0)
        device_seconds = seconds * t.row_width[row]
        pool = t.row_pool[row]
        e.enter_figures[RUNTIME, index] = seconds
        e.enter_figures[DOLLARS, index] = device_seconds / 3600 * w.pool_price[pool]
        e.enter_figures[JOULES, index] = device_seconds * w.pool_watts[pool]
    e.enter_numbers[ID], e.enter_numbers[SUBMITTED] = t.job_id[job], t.job_submitted[job]
    e.enter_numbers[PRIORITY], e.enter_numbers[DEADLINE] = t.job_priority[job], t.job_deadline[job]
    e.enter_numbers[PREFERENCE] = t.job_preference[job]
    shapes = t.row_shape[first : first + count]
    if enter(w, e.enter_numbers, shapes, e.enter_figures) == FULL:
        return False
    e.count[DUE] = 1
    return True


@compiled
def _ask(w: Columns, t: WorkloadColumns, job: int) -> None:
    """The placement rule learns what the job asks for."""
    if not w.state[RULE]:
        return
    for at in range(t.job_ask[job], t.job_ask[job + 1]):
        part = t.ask_part[at]
        w.mix_weight[part] += t.ask_weight[at]
        w.mix_total[w.mix_pool[part]] += t.ask_weight[at]
