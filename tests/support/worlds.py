"""Small worlds for tests: builders with short names, and strategies for random ones."""

from collections.abc import Iterable, Sequence

import numpy as np
from hypothesis import strategies as st

from scheduler.decisions.kernel.cluster import starts
from scheduler.decisions.kernel.columns import NOW, ORIGIN
from scheduler.decisions.rounds.candidates import Candidates, open_rows
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.state.entries import EstimatedPlacement, RunningAttempt, Waiting
from scheduler.decisions.state.plan import Reservation
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.world import World
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
    committed: Sequence[Reservation] = (),
) -> Snapshot:
    pools = (pools,) if isinstance(pools, Pool) else tuple(pools)
    world = World(pools, running, origin=origin)
    for job in jobs:
        world.add(job)
    return Snapshot(now, world, tuple(committed))


def moment(snap: Snapshot, jobs, running, now: float, committed=()) -> Snapshot:
    """Other jobs at another time on the same cluster."""
    origin = float(snap.world.figure[ORIGIN])
    return snapshot(snap.pools, jobs, running, now, origin, committed)


class Patient:
    """A policy in Python that always waits."""

    name, stable = "patient", True

    def scores(self, table):
        return np.where(np.arange(len(table)) == 0, 1.0, 0.0)

    def costs(self, table):
        return table.dollars


def option_of(world: World, row: int) -> EstimatedPlacement:
    """What a row of the world was made from."""
    figures = (world.row_runtime[row], world.row_dollars[row], world.row_joules[row])
    return EstimatedPlacement(*world.shape_of(row), *map(float, figures))


def waiting_of(world: World) -> list[Waiting]:
    """What the waiting jobs of the world were made from, in the order of their entry."""
    slots = [world.slot_of(job) for job in world.waiting()]
    return [
        Waiting(
            id=int(world.job_id[slot]),
            submitted_at=float(world.job_submitted[slot]),
            options=[option_of(world, row) for row in world.rows_of(slot)],
            priority=float(world.job_priority[slot]),
            deadline=float(world.job_deadline[slot]),
            preference=float(world.job_preference[slot]),
        )
        for slot in slots
    ]


def table(snap: Snapshot) -> Candidates:
    """Every row of the queue, as a first look at the snapshot shows them."""
    world = snap.world.copy()
    Round(world, snap.now, Mode.EASY)
    return Candidates(world, open_rows(world))


def after(snap: Snapshot, plan) -> World:
    """The world once the plan's placements have started; raises if they do not fit."""
    world = snap.world.copy()
    for placed in plan.placements:
        world.remove(placed.job)
        end = snap.now + snap.pools[placed.pool].boot_s + placed.runtime_s
        world.start(RunningAttempt(end, placed.job, placed.pool, placed.nodes, placed.memory))
    return world


def earliest(world: World, pool: int, width: int, memory: int, now: float) -> float:
    """When a placement could start by the estimates of what runs; inf: never."""
    twin = world.copy()
    twin.figure[NOW] = now
    return float(starts.reserve(twin.handle, pool, width, memory))


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
    world = World(pools)
    attempts = []
    for job in range(1001, 1001 + draw(st.integers(0, 6))):
        where = draw(st.integers(0, len(pools) - 1))
        width, memory = draw(st.integers(1, pools[where].count)), draw(MEMORY)
        nodes = world.fit(where, width, memory)
        if nodes is not None:
            ends = draw(st.one_of(SECONDS, st.sampled_from([-5.0, 0.0])))
            attempts.append(RunningAttempt(now + ends, job, where, nodes, memory))
            world.start(attempts[-1])
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
    snap = snapshot(pools, jobs, draw(running_(pools, now)), now, now - 5000.0)
    # Jobs that have gone leave gaps in the columns.
    for job in draw(st.lists(st.sampled_from(jobs), unique_by=id, max_size=3)) if jobs else ():
        snap.world.remove(job.id)
    return snap
