"""How a baseline fares through an episode: what a training's rewards are measured against."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from agents.training.config import Training
from agents.training.environments.reward import LOOKAHEAD, EpisodeState
from envs.clock import CompiledSimulation
from envs.gym.episodes import Draw, Episode, of_scenario
from envs.gym.rewards import Scales, Step, objective
from envs.scenarios import Scenario, Split
from envs.simulator.meter import Reading
from scheduler.arrays import Floats
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.run import decide

CAPACITY = 1024
"""Trajectories that are kept: of 512 jobs, some 80 KiB each."""
SAMPLE = 64
"""Training workloads, at most, that the baseline's mean is taken over."""


@dataclass(frozen=True, slots=True)
class BaselineTrajectory:
    """A whole episode under one policy, at its rounds, before and after each."""

    time: Floats
    """(n,) Seconds, ascending."""
    states: Floats
    """(n, 4) The fields of `EpisodeState`."""
    total: float
    """The episode's objective."""
    jobs: int

    def at(self, now: float) -> EpisodeState:
        """The state at an instant, interpolated between the rounds.

        What a round at `now` does comes after it.
        """
        after = int(np.searchsorted(self.time, now, side="left"))
        if after in (0, len(self.time)):
            return EpisodeState(*self.states[min(after, len(self.time) - 1)].tolist())
        earlier, later = self.time[after - 1], self.time[after]
        share = (now - earlier) / (later - earlier)
        between = (1 - share) * self.states[after - 1] + share * self.states[after]
        return EpisodeState(*between.tolist())

    def lookahead(self, now: float) -> list[float]:
        """Jobs that will wait at each of `LOOKAHEAD`."""
        after, last = int(np.searchsorted(self.time, now, side="left")), len(self.time) - 1
        return [float(self.states[min(after + rounds, last), 2]) for rounds in LOOKAHEAD]


Prefetch = Callable[[int, float], Future[BaselineTrajectory] | None]
"""(workload, w) → the baseline's trajectory, which another process computes meanwhile; None: there
is no other process."""


class BaselineTrajectories:
    """The last `CAPACITY` trajectories: where w is fixed, episodes come again."""

    def __init__(
        self, scenario: Scenario, config: Training, prefetch: Prefetch | None = None
    ) -> None:
        """Through the training episodes of a scenario; none is computed yet."""
        self._draw: Draw = of_scenario(scenario, config.jobs, Split.TRAIN)
        self._config = config
        self._prefetch = prefetch
        self._pending: dict[tuple[str, int, float], Future[BaselineTrajectory]] = {}
        self._mean: float | None = None
        self._known: OrderedDict[tuple[str, int, float], BaselineTrajectory] = OrderedDict()

    def of(self, policy: Policy, workload: int, w: float) -> BaselineTrajectory:
        """A policy's trajectory through the episode of the seed `workload`, at preference w."""
        key = policy.name, workload, w
        trajectory = self._known.pop(key, None)
        if trajectory is None and key in self._pending:
            trajectory = self._pending.pop(key).result()
        if trajectory is None:
            trajectory = play(policy, self._draw(workload), w)
        self._known[key] = trajectory
        if len(self._known) > CAPACITY:
            self._known.popitem(last=False)
        return trajectory

    def expect(self, baseline: Policy, workload: int, w: float) -> None:
        """The baseline's trajectory will be needed: another process may compute it already."""
        key = baseline.name, workload, w
        if self._prefetch is None or key in self._known or key in self._pending:
            return
        future = self._prefetch(workload, w)
        if future is not None:
            self._pending[key] = future
        if len(self._pending) > CAPACITY:
            # The oldest is of an episode that was given up.
            del self._pending[next(iter(self._pending))]

    def scale(self, baseline: Policy, trajectory: BaselineTrajectory) -> float:
        """The divisor of the rewards of an episode with this trajectory of the baseline."""
        if self._config.criterion == "mean_of_ratios":
            return max(trajectory.total, 1e-9)
        if self._mean is None:
            w, sample = self._config.preference, range(min(SAMPLE, self._config.workloads))
            assert w is not None
            self._mean = float(np.mean([self.of(baseline, seed, w).total for seed in sample]))
        return self._mean


def play(policy: Policy, episode: Episode, w: float) -> BaselineTrajectory:
    """Let a policy decide a whole episode at preference w."""
    simulation, scales = simulation_of(episode, w), episode.scales
    time: list[float] = []
    states: list[tuple[float, float, float, float]] = []

    def accrued() -> float:
        return worth(simulation.reading(), scales, w)

    def note(accrued: float, waiting: int) -> None:
        running = worth(simulation.to_come(), scales, w)
        time.append(simulation.now)
        states.append((accrued + running, running, waiting, simulation.finished))

    while (round_ := simulation.next()) is not None:
        before = accrued()
        note(before, simulation.waiting)
        simulation.commit(decide(round_, policy))
        # Nothing accrues while a round decides.
        note(before, simulation.waiting)
    note(accrued(), 0)
    return BaselineTrajectory(
        np.array(time), np.array(states), states[-1][0], len(episode.workload.jobs)
    )


def simulation_of(episode: Episode, w: float) -> CompiledSimulation:
    """The episode on the compiled clock, at preference w of jobs that name none."""
    return CompiledSimulation(
        episode.workload,
        episode.at(w).spec,
        episode.estimator,
        seed=episode.seed,
        meters=True,
    )


def worth(reading: Reading, scales: Scales, w: float) -> float:
    """The objective of what has accrued; less is better."""
    return -objective(Step(reading, preference=w, scales=scales))
