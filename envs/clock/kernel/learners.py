"""What a learner needs of a simulation: its next real choice, and what is still to come."""

from __future__ import annotations

from envs.clock.kernel.columns import (
    DECIDING,
    TIME,
    TO_COME_DOLLARS,
    TO_COME_SLOWDOWN,
    TO_COME_WEIGHED_SECONDS,
    EpisodeColumns,
    WorkloadColumns,
)
from envs.clock.kernel.lives import index_of
from envs.clock.kernel.metering import counts
from envs.clock.kernel.steps import DECIDE, advance, begin_round, commit
from envs.simulator.results import BOUND_S
from scheduler.compilation.functions import entry_point
from scheduler.decisions.kernel.columns import Columns
from scheduler.decisions.kernel.decision_points import next_decision
from scheduler.domain.jobs import MIDDLE_PRIORITY


@entry_point
def next_choice(
    w: Columns,
    e: EpisodeColumns,
    t: WorkloadColumns,
    mode: int,
    limit: int,
    preference: float,
    waiting: int,
) -> int:
    """Run to the next choice between several rows; returns DECIDE, END or what has to grow.

    The choice is encoded in the world, see `kernel.decision_points.next_decision`.
    """
    while True:
        if not e.count[DECIDING]:
            code = advance(w, e, t)
            if code != DECIDE:
                return code
            begin_round(w, e, mode)
            e.count[DECIDING] = 1
        if next_decision(w, limit, preference, waiting):
            return DECIDE
        commit(w, e, t, mode)
        e.count[DECIDING] = 0


@entry_point
def look_to_come(w: Columns, e: EpisodeColumns, t: WorkloadColumns) -> None:
    """Into `figure`: what running attempts of counted jobs will add, by their estimates."""
    dollars = weighed = slowdown = 0.0
    for attempt in range(len(w.attempt_job)):
        if w.attempt_job[attempt] <= 0:
            continue
        left = max(0.0, w.attempt_end[attempt] - e.figure[TIME])
        job, pool = index_of(t, w.attempt_job[attempt]), w.attempt_pool[attempt]
        if not counts(t, job):
            continue
        dollars += left * w.attempt_width[attempt] * w.pool_price[pool] / 3600
        weighed += left * (t.job_priority[job] / MIDDLE_PRIORITY)
        slowdown += left / max(t.job_ideal[job], BOUND_S)
    e.figure[TO_COME_DOLLARS], e.figure[TO_COME_WEIGHED_SECONDS] = dollars, weighed
    e.figure[TO_COME_SLOWDOWN] = slowdown
