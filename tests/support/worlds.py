"""Small worlds for tests: builders with short names, and strategies for random ones."""

from collections.abc import Iterable, Sequence

import numpy as np
from hypothesis import strategies as st

from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.state.cluster import Cluster
from scheduler.decisions.state.occupancy import Occupancy
from scheduler.decisions.state.queue import Backlog, Queue
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.world import EstimatedPlacement, RunningAttempt, Waiting
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind


def pool(name="cpu", devices=4, **figures):
    kind = DeviceKind.CUDA if name.startswith("gpu") else DeviceKind.CPU
    return Pool(name=name, kind=kind, model=name.upper(), devices_per_node=devices, **figures)


def option(runtime, width=1, pool=0, dollars=1.0, memory=0, joules=0.0):
    return EstimatedPlacement(pool, width, memory, runtime, dollars, joules)


def waiting(job, options, submitted=0.0, **figures):
    options = [options] if isinstance(options, EstimatedPlacement) else options
    return Waiting(id=job, submitted_at=submitted, options=options, **figures)


def snapshot(
    pools: Sequence[Pool] | Pool,
    jobs: Iterable[Waiting],
    running: Iterable[RunningAttempt] = (),
    now: float = 0.0,
    origin: float = 0.0,
) -> Snapshot:
    backlog = Backlog(origin)
    for job in jobs:
        backlog.add(job)
    pools = (pools,) if isinstance(pools, Pool) else tuple(pools)
    return Snapshot(now, backlog.freeze(), pools, tuple(running))


def option_of(queue: Queue, row: int) -> EstimatedPlacement:
    """What a row of the queue was made from."""
    shape = queue.shapes[queue.shape[row]]
    figures = (float(column[row]) for column in (queue.runtime, queue.dollars, queue.joules))
    return EstimatedPlacement(shape.pool, shape.width, shape.memory, *figures)


def table(snap: Snapshot) -> Candidates:
    """Every row of the queue, as a first look at the snapshot shows them."""
    rows = np.flatnonzero(snap.queue.open)
    return Candidates(snap.queue, snap.cluster(), snap.now, rows)


def after(snap: Snapshot, plan) -> Cluster:
    """The cluster once the plan's placements have started; raises if they do not fit."""
    cluster = snap.cluster()
    for placed in plan.placements:
        end = snap.now + snap.pools[placed.pool].boot_s + placed.runtime_s
        cluster.start(RunningAttempt(end, placed.job, placed.pool, placed.nodes, placed.memory))
    return cluster


def held(pools: Sequence[Pool], attempts: Iterable) -> list[list[tuple[int, int]]]:
    """(devices, bytes) that attempts or placements hold, by pool and node, added up naively."""
    total = [[(0, 0)] * each.nodes for each in pools]
    for attempt in attempts:
        for node, count in attempt.nodes:
            devices, memory = total[attempt.pool][node]
            part = -(-attempt.memory * count // attempt.width)
            total[attempt.pool][node] = (devices + count, memory + part)
    return total


@st.composite
def pools_(draw):
    count = draw(st.integers(1, 4))
    return tuple(
        pool(
            f"pool{index}",
            draw(st.integers(1, 4)),
            nodes=draw(st.integers(1, 3)),
            memory_per_node=draw(st.sampled_from([0, 8, 16])),
            boot_s=draw(st.sampled_from([0.0, 0.1, 30.0])),
            dollars_per_device_hour=draw(st.sampled_from([0.0, 0.4, 3.0])),
        )
        for index in range(count)
    )


SECONDS = st.one_of(st.sampled_from([0.1, 10.0, 29.9, 30.0, 30.1, 60.0]), st.floats(0.01, 200.0))
MEMORY = st.sampled_from([0, 0, 3, 8, 20])


@st.composite
def running_(draw, pools, now):
    """Attempts that fit beside each other; some have overrun their estimate."""
    free = [Occupancy(each) for each in pools]
    attempts = []
    for job in range(1001, 1001 + draw(st.integers(0, 6))):
        where = draw(st.integers(0, len(pools) - 1))
        width, memory = draw(st.integers(1, pools[where].count)), draw(MEMORY)
        nodes = free[where].fit(width, memory)
        if nodes is not None:
            free[where].allocate(nodes, memory)
            ends = draw(st.one_of(SECONDS, st.sampled_from([-5.0, 0.0])))
            attempts.append(RunningAttempt(now + ends, job, where, nodes, memory))
    return tuple(attempts)


@st.composite
def options_(draw, pools):
    """One to four placements; a few ask for more than any pool holds."""
    options = []
    for _ in range(draw(st.integers(1, 4))):
        where = draw(st.integers(0, len(pools) - 1))
        width = draw(st.integers(1, pools[where].count + 1))
        runtime = draw(SECONDS)
        dollars = runtime * width * pools[where].dollars_per_device_hour / 3600
        options.append(
            EstimatedPlacement(where, width, draw(MEMORY), runtime, dollars, joules=runtime)
        )
    return options


@st.composite
def snapshots(draw):
    now = draw(st.sampled_from([0.0, 1000.0, 1_790_000_000.123]))
    pools = draw(pools_())
    jobs = [
        Waiting(
            id=job,
            submitted_at=now - draw(st.sampled_from([0.0, 1.0, 1.0, 50.0, 5000.0])),
            options=draw(options_(pools)),
            priority=draw(st.sampled_from([0.0, 50.0, 100.0])),
            deadline=draw(st.sampled_from([np.inf, now - 1.0, now + 60.0, now + 100.0])),
            preference=draw(st.sampled_from([0.0, 0.5, 1.0])),
        )
        for job in range(1, 1 + draw(st.integers(0, 10)))
    ]
    return snapshot(pools, jobs, draw(running_(pools, now)), now, now - 5000.0)
