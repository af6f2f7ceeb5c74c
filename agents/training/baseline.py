"""The reference's way through an episode: what a training's rewards are measured against."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np

from agents.training.config import Training
from envs.compiled import Worlds, facts, places, suits
from envs.gym.episodes import Draw, Episode
from envs.gym.rewards import Scales, Step, objective, weighed
from envs.simulator.meter import Meter, Reading
from envs.simulator.results import BOUND_S
from envs.simulator.simulation import Simulation
from scheduler.decisions.rounds.policy import Policy, traits
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.state.queue import Floats
from scheduler.domain.jobs import MIDDLE_PRIORITY
from scheduler.policies.heuristics import Rank

ROOM = 1024
"""Ways that are remembered: of 512 jobs, some 80 KiB each."""
SAMPLE = 64
"""Training workloads, at most, that the reference's mean is taken over."""
SOON = (32, 128, 512)
"""Instants of a way ahead: busy ones come faster, so that no time scale is needed."""
_SOON = np.array(SOON)


@dataclass(frozen=True, slots=True)
class Instant:
    """How far a policy is in an episode."""

    charged: float
    """Objective that has accrued, and that is still to come of all that runs, by estimates."""
    to_come: float
    """The second part of it."""
    waiting: float
    """Jobs."""
    ended: float
    """Jobs."""


@dataclass(frozen=True, slots=True)
class BaselineTrajectory:
    """A whole episode under one policy, at its rounds, before and after each."""

    time: Floats
    """(n,) Seconds, ascending."""
    instants: Floats
    """(n, 4) The fields of `Instant`."""
    total: float
    """The episode's objective."""
    jobs: int

    def at(self, now: float) -> Instant:
        """On the straight line between the rounds; what a round at `now` does comes after it."""
        after = int(np.searchsorted(self.time, now, side="left"))
        if after == len(self.time):
            return Instant(*self.instants[-1])
        if after == 0:
            return Instant(*self.instants[0])
        earlier, later = self.time[after - 1], self.time[after]
        share = (now - earlier) / (later - earlier)
        return Instant(*((1 - share) * self.instants[after - 1] + share * self.instants[after]))

    def soon(self, now: float) -> Floats:
        """(SOON,) Jobs that will wait."""
        after = int(np.searchsorted(self.time, now, side="left"))
        waiting: Floats = self.instants[np.minimum(after + _SOON, len(self.time) - 1), 2]
        return waiting


Elsewhere = Callable[[int, float], Future[BaselineTrajectory] | None]
"""(workload, w) → the reference's way, as another process will have played it; None: there is no
other process."""


class BaselineTrajectories:
    """Ways that were played, the last `ROOM` of them: where w is fixed, episodes come again."""

    def __init__(self, draw: Draw, config: Training, elsewhere: Elsewhere | None = None) -> None:
        self._draw = draw
        self._config = config
        self._elsewhere = elsewhere
        self._coming: dict[tuple[str, int, float], Future[BaselineTrajectory]] = {}
        self._mean: float | None = None
        self._played: OrderedDict[tuple[str, int, float], BaselineTrajectory] = OrderedDict()

    def of(self, policy: Policy, workload: int, w: float) -> BaselineTrajectory:
        """A policy's way through the episode drawn from the seed `workload`, at preference w."""
        key = policy.name, workload, w
        way = self._played.pop(key, None)
        if way is None and key in self._coming:
            way = self._coming.pop(key).result()
        if way is None:
            way = play(policy, self._draw(workload), w)
        self._played[key] = way
        if len(self._played) > ROOM:
            self._played.popitem(last=False)
        return way

    def expect(self, reference: Policy, workload: int, w: float) -> None:
        """The reference's way will be asked for: whoever has time may play it already."""
        key = reference.name, workload, w
        if self._elsewhere is None or key in self._played or key in self._coming:
            return
        way = self._elsewhere(workload, w)
        if way is not None:
            self._coming[key] = way
        if len(self._coming) > ROOM:
            # Of episodes that were given up.
            del self._coming[next(iter(self._coming))]

    def scale(self, reference: Policy, way: BaselineTrajectory) -> float:
        """What divides the rewards of an episode that the reference goes this way through."""
        if self._config.criterion == "mean_of_ratios":
            return max(way.total, 1e-9)
        if self._mean is None:
            w, sample = self._config.preference, range(min(SAMPLE, self._config.workloads))
            assert w is not None
            self._mean = float(np.mean([self.of(reference, seed, w).total for seed in sample]))
        return self._mean


def play(policy: Policy, episode: Episode, w: float) -> BaselineTrajectory:
    """Let a policy decide a whole episode at preference w."""
    rank = traits(policy).rank
    if rank is not None and suits(episode):
        return walked(rank, episode, w)
    return pushed(policy, episode, w)


def walked(rank: Rank, episode: Episode, w: float) -> BaselineTrajectory:
    """The way of a static order, on the compiled simulation of rigid jobs."""
    known, site, scales = facts(episode, w), episode.site, episode.scales
    worlds = Worlds(site, 1, known.jobs, rows=2)
    notes = worlds.walk(0, known, places(episode, known, rank))
    now, accrued, spent, latency, device_s, waiting, ended = notes.T
    dollars = worlds.dollars_per_device_s / scales.dollars
    to_come = w * latency + (1 - w) * dollars * device_s
    charged = w * accrued + (1 - w) * dollars * spent + to_come
    instants = np.stack((charged, to_come, waiting, ended), axis=1)
    return BaselineTrajectory(now.copy(), instants, float(charged[-1]), known.jobs)


def pushed(policy: Policy, episode: Episode, w: float) -> BaselineTrajectory:
    """The way of any policy, round by round in the simulation."""
    site, meter = replace(episode.site, preference=w), Meter()
    simulation = Simulation(episode.workload, site, episode.estimator, meter, seed=episode.seed)
    time: list[float] = []
    instants: list[tuple[float, float, float, float]] = []

    def note(waiting: int) -> None:
        running = to_come(simulation, episode.scales, w)
        accrued = worth(meter.read(simulation.now), episode.scales, w)
        time.append(simulation.now)
        instants.append((accrued + running, running, waiting, simulation.finished))

    while (round_ := simulation.next()) is not None:
        note(simulation.waiting)
        simulation.commit(decide(round_, policy))
        note(simulation.waiting)
    note(0)
    return BaselineTrajectory(
        np.array(time), np.array(instants), instants[-1][0], len(episode.workload.jobs)
    )


def worth(reading: Reading, scales: Scales, w: float) -> float:
    """The objective of what has accrued; less is better."""
    return -objective(Step(reading, preference=w, scales=scales))


def to_come(simulation: Simulation, scales: Scales, w: float) -> float:
    """The objective that running attempts will add, by estimates."""
    now, seconds, dollars = simulation.now, 0.0, 0.0
    for attempt in simulation.cluster.running():
        left = max(0.0, attempt.end - now)
        job = simulation.job(attempt.job)
        pool = simulation.site.pools[attempt.pool]
        dollars += left * attempt.width * pool.dollars_per_device_hour / 3600
        seconds += left * (
            1.0 / max(min(run.runtime_s for run in job.runs), BOUND_S) / scales.slowdown
            if scales.bounded
            else job.priority / MIDDLE_PRIORITY / scales.latency_s
        )
    return weighed(seconds, dollars, w, cost_scale=scales.dollars)
