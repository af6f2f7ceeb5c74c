"""Snapshots with running jobs that may be preempted: short builders, and random ones."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from scheduler.decisions.state.entries import EstimatedPlacement, RunningAttempt, Waiting
from scheduler.decisions.state.preemption import (
    JobProgress,
    PreemptionMode,
    PreemptionRules,
    RunningJob,
)
from scheduler.decisions.state.world import World
from tests.support.worlds import options_, pool, snapshot, waiting


def running_job(job, options, *, at=0.0, saved=None, restart=5.0, **figures):
    """A running job of these placements whose work began at `at`."""
    own = {name: figures.pop(name) for name in ("priority", "submitted") if name in figures}
    state = {name: figures.pop(name) for name in ("stopping", "preemptor") if name in figures}
    its = waiting(job, options, **own)
    first = min(its.options, key=lambda option: option.runtime_s)
    progress = JobProgress(first.runtime_s, first.width, restart_s=restart, **figures)
    return RunningJob(its, progress, at, at, at if saved is None else saved, **state)


def with_running(pools, jobs, running, now, *, nodes=None, **figures):
    """A snapshot in which these jobs run on their first placement, on node 0 unless `nodes` say."""
    attempts = []
    for each in running:
        pool, width, memory, seconds, *_ = each.job.options[0]
        where = (nodes or {}).get(each.job.id, ((0, width),))
        attempts.append(RunningAttempt(now + seconds, each.job.id, pool, where, memory))
    snap = snapshot(pools, jobs, attempts, now)
    return replace(snap, running_jobs=tuple(running), **figures)


@st.composite
def rules_(draw, modes=(PreemptionMode.PRIORITY, *PreemptionMode)):
    return PreemptionRules(
        draw(st.sampled_from(modes)),
        draw(st.sampled_from([0.0, 0.0, 30.0, 300.0])),
        draw(st.sampled_from([0, 1, 3, 3])),
    )


@st.composite
def preemptible(draw):
    """A full cluster: most running jobs could be stopped, some may not, some are stopping."""
    now = 10_000.0
    pools = tuple(
        pool(
            f"pool{index}",
            draw(st.integers(1, 3)),
            nodes=draw(st.integers(1, 2)),
            memory_per_node=draw(st.sampled_from([0, 8])),
            boot_s=draw(st.sampled_from([0.0, 5.0])),
        )
        for index in range(draw(st.integers(1, 2)))
    )
    attempts = draw(_filling(pools, now))
    known = [draw(_running_job(each, pools, now)) for each in attempts if draw(st.integers(0, 7))]
    jobs = [draw(_waiting_job(number, pools, now)) for number in range(1, draw(st.integers(2, 8)))]
    progress = {
        job.id: JobProgress(5.0, 1, draw(st.floats(0, 9000.0)), 2.0, draw(st.integers(0, 4)))
        for job in jobs
        if not draw(st.integers(0, 3))
    }
    snap = snapshot(pools, jobs, attempts, now)
    return replace(snap, running_jobs=tuple(known), progress=progress)


@st.composite
def _filling(draw, pools, now):
    """Attempts that leave few devices free."""
    free = World(pools)
    attempts = []
    for job in range(1001, 1010):
        where = draw(st.integers(0, len(pools) - 1))
        width, memory = draw(st.integers(1, pools[where].count)), draw(st.sampled_from([0, 0, 4]))
        nodes = free.fit(where, width, memory)
        if nodes is not None:
            end = now + draw(st.sampled_from([-5.0, 50.0, 1000.0, 5000.0]))
            attempts.append(RunningAttempt(end, job, where, nodes, memory))
            free.start(attempts[-1])
    return tuple(attempts)


PRIORITIES = st.sampled_from([0.0, 50.0, 50.0, 100.0])


@st.composite
def _running_job(draw, attempt, pools, now):
    left = max(1.0, attempt.end - now)
    here = EstimatedPlacement(attempt.pool, attempt.width, attempt.memory, left, 1.0, 1.0)
    began = now - draw(st.sampled_from([-5.0, 20.0, 100.0, 1000.0, 3000.0]))
    job = Waiting(
        attempt.job,
        now - draw(st.sampled_from([3000.0, 3000.0, 9000.0])),
        [here, *draw(options_(pools))],
        draw(PRIORITIES),
    )
    progress = JobProgress(
        left,
        attempt.width,
        draw(st.floats(0, 9000.0)),
        draw(st.sampled_from([0.0, 3.0])),
        draw(st.sampled_from([0, 0, 1, 2, 3])),
        draw(st.sampled_from([True, True, True, True, False])),
    )
    saved = max(began, now - draw(st.sampled_from([0.0, 8.0, 90.0, 3000.0])))
    stopping = not draw(st.integers(0, 5))
    return RunningJob(job, progress, began, began, saved, stopping)


@st.composite
def _waiting_job(draw, number, pools, now):
    return Waiting(
        number,
        now - draw(st.sampled_from([0.0, 50.0, 5000.0])),
        draw(options_(pools)),
        draw(PRIORITIES),
        draw(st.sampled_from([np.inf, now - 1.0, now + 60.0, now + 150.0])),
    )
