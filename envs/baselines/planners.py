"""Schedulers that plan for the whole queue at once instead of scoring rows, to compare with.

A planner sees what a policy sees: estimates, never true runtimes. `run` runs a simulation with one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from envs.simulator.results import SimulationResult
from envs.simulator.simulation import Simulation
from scheduler.decisions.state.entries import EstimatedPlacement, Nodes, RunningAttempt, Waiting
from scheduler.decisions.state.plan import Action, Placement, Plan
from scheduler.decisions.state.waiting_jobs import waiting_jobs
from scheduler.decisions.state.world import World


class PlannedStart(NamedTuple):
    """A job that starts now; the world holds its devices already."""

    job: int
    option: EstimatedPlacement
    nodes: Nodes


@dataclass(frozen=True, slots=True)
class Scene:
    """What a planner sees, and the world in which it starts jobs."""

    now: float
    world: World
    waiting: Sequence[Waiting]
    """Oldest first."""
    user: Callable[[int], str]
    """The user who submitted a job."""

    def start(self, job: int, option: EstimatedPlacement) -> PlannedStart | None:
        """Start the job now if its devices are free; None if they are not."""
        nodes = self.world.fit(option.pool, option.width, option.memory)
        if nodes is None:
            return None
        end = self.now + self.world.boot_s(option.pool, nodes) + option.runtime_s
        self.world.start(RunningAttempt(end, job, option.pool, nodes, option.memory))
        return PlannedStart(job, option, nodes)


@dataclass(frozen=True, slots=True)
class Planner:
    """A scheduler that plans for the whole queue."""

    name: str
    plan: Callable[[Scene], Iterator[PlannedStart]]
    summary: str


def _conservative(scene: Scene) -> Iterator[PlannedStart]:
    """Give every job a reservation, oldest first; no later job delays it.

    Mu'alem and Feitelson, TPDS 12(6), 2001. All reservations are made again whenever something has
    changed, so that jobs move up when others end early. They count devices: a job whose devices
    are free but spread over nodes that cannot hold it keeps them and waits.
    """
    profiles = [_Profile(scene, index) for index in range(len(scene.world.pools))]
    for job in scene.waiting:
        begin, option = min(
            (
                (profiles[each.pool].earliest(each.width, each.runtime_s), each)
                for each in job.options
            ),
            key=lambda found: (found[0] + found[1].runtime_s, found[1].dollars),
        )
        profiles[option.pool].hold(begin, option.width, option.runtime_s)
        if begin <= scene.now:
            started = scene.start(job.id, option)
            if started is not None:
                yield started


def _drf(scene: Scene) -> Iterator[PlannedStart]:
    """Start the oldest job of the user with the least dominant share, while any fits.

    Ghodsi et al., "Dominant resource fairness", NSDI 2011, by progressive filling; resources are
    the devices and the memory of each pool.
    """
    held: dict[str, dict[tuple[int, str], float]] = {}
    for attempt in scene.world.running():
        if attempt.job > 0:
            _claim(held, scene, attempt.job, attempt.pool, attempt.width, attempt.memory)
    queues: dict[str, list[Waiting]] = {}
    for job in scene.waiting:
        queues.setdefault(scene.user(job.id), []).append(job)
    while queues:
        user = min(queues, key=lambda name: (max(held.get(name, {0: 0.0}).values()), name))
        job = queues[user][0]
        for option in sorted(job.options, key=lambda each: (each.runtime_s, each.dollars)):
            started = scene.start(job.id, option)
            if started is not None:
                _claim(held, scene, job.id, option.pool, option.width, option.memory)
                yield started
                queues[user].pop(0)
                break
        else:
            # The user's next job has to wait: no other job of the same user passes it.
            queues[user].clear()
        if not queues[user]:
            del queues[user]


CONSERVATIVE = Planner("conservative", _conservative, "every job has a reservation, oldest first")
DRF = Planner("drf", _drf, "least dominant share first")
PLANNERS: Mapping[str, Planner] = {planner.name: planner for planner in (CONSERVATIVE, DRF)}


def run(simulation: Simulation, planner: Planner) -> SimulationResult:
    """Run a simulation to its end with a planner."""
    while (round_ := simulation.next()) is not None:
        scene = Scene(
            round_.now,
            round_.world,
            sorted(waiting_jobs(round_.world), key=lambda job: (job.submitted_at, job.id)),
            lambda job: simulation.job(job).user,
        )
        placements = tuple(
            Placement(
                job,
                option.pool,
                option.width,
                nodes,
                option.memory,
                option.runtime_s,
                option.dollars,
                option.joules,
                Action.START,
            )
            for job, option, nodes in planner.plan(scene)
        )
        simulation.commit(Plan(round_.now, planner.name, placements))
    return simulation.outcome()


class _Profile:
    """Free devices of a pool from now on, by estimates: a step function of time."""

    def __init__(self, scene: Scene, pool: int) -> None:
        self._times = [scene.now]
        self._free = [scene.world.free(pool)]
        for attempt in scene.world.releases(pool):
            # An attempt that has outlived its estimate is taken to end now.
            self._add(max(attempt.end, scene.now), attempt.width)

    def earliest(self, width: int, seconds: float) -> float:
        """The earliest time from which `width` devices are free for `seconds`."""
        times, free = self._times, self._free
        begin = None
        for at, devices in zip(times, free, strict=True):
            if begin is not None and at >= begin + seconds:
                break
            if devices < width:
                begin = None
            elif begin is None:
                begin = at
        assert begin is not None  # at the end the whole pool is free
        return begin

    def hold(self, begin: float, width: int, seconds: float) -> None:
        """Hold `width` devices from `begin` for `seconds`."""
        self._add(begin, -width)
        self._add(begin + seconds, width)

    def _add(self, at: float, width: int) -> None:
        position = bisect_right(self._times, at)
        if self._times[position - 1] < at:
            self._times.insert(position, at)
            self._free.insert(position, self._free[position - 1])
            position += 1
        for index in range(position - 1, len(self._free)):
            self._free[index] += width


def _claim(
    held: dict[str, dict[tuple[int, str], float]],
    scene: Scene,
    job: int,
    index: int,
    width: int,
    memory: int,
) -> None:
    pool = scene.world.pools[index]
    shares = held.setdefault(scene.user(job), {})
    amounts = [
        ("devices", width, pool.count),
        ("memory", memory, pool.memory_per_node * pool.nodes),
    ]
    for name, amount, whole in amounts:
        if whole:
            shares[index, name] = shares.get((index, name), 0.0) + amount / whole
