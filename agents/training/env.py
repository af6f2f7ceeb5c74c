"""Environments as training sees them: rewards relative to what a reference policy reaches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from agents.training.baseline import (
    SOON,
    BaselineTrajectories,
    BaselineTrajectory,
    Elsewhere,
    to_come,
)
from agents.training.config import Training
from envs.gym.cluster_env import ClusterEnv, NothingToDecideError
from envs.gym.episodes import drawn_preference, of_scenario, scales_of
from envs.gym.rewards import Scales, weighed
from envs.scenarios import Scenario, Split
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.results import SimulationResult
from envs.simulator.simulation import Simulation
from scheduler.decisions.features.columns import TOP, Floats32
from scheduler.decisions.features.encoder import size
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.state.queue import Bools, Floats
from scheduler.domain.errors import InputError
from scheduler.policies.lookup import named

CRITIC_FEATURES = 6 + len(SOON)
"""Numbers behind the encoding that only a critic sees, each in -TOP … TOP: how much of the episode
is over; jobs that wait under the reference; how many more jobs wait, have ended and how much more
is to come of what runs than there (% of what divides the rewards); what the reference will still be
charged (as much), and the jobs that will wait under it."""
TRIES = 100
"""Workloads in a row that may leave nothing to decide before a scenario counts as unfit."""


@dataclass(frozen=True, slots=True)
class SimulatedTotals:
    """Of a whole workload, each ÷ the objective's scale."""

    latency: float
    """Σ completion times weighed by priority, or Σ bounded slowdowns."""
    cost: float
    """Σ dollars, idle nodes included."""
    missed: float
    """Missed deadlines, each counted as the objective says."""
    jobs: int

    def at(self, w: float) -> float:
        """The objective's total; ÷ jobs it is the measure `objective`."""
        return weighed(self.latency, self.cost, w) + self.missed


def simulated(
    scenario: Scenario,
    policy: Policy,
    seed: int,
    w: float,
    jobs: int | None = None,
    split: Split | str = Split.TRAIN,
) -> SimulatedTotals:
    """One policy on one workload, in the simulation that `fulcrum compare` runs."""
    drawn = replace(scenario.draw(seed, split), preference=w)
    workload = scenario.workload(seed, jobs, split)
    simulation = Simulation(workload, ClusterSpec.of(drawn), drawn.estimates.make(seed), seed=seed)
    return totals(simulation.run(policy), drawn)


def totals(outcome: SimulationResult, drawn: Scenario) -> SimulatedTotals:
    """Of what has happened in a scenario without anything left to draw."""
    scales = _scales(drawn)
    return SimulatedTotals(
        scales.latency(outcome), scales.cost(outcome), scales.missed(outcome), len(outcome.job)
    )


class BaselineRewardEnv(gymnasium.Wrapper[Floats32, np.int64, Floats32, np.int64]):
    """`ClusterEnv` on a fixed number of training workloads, each again at other preferences.

    The reference plays every episode first. Rewards are the difference to it, and sum up to
    `gain` · (reference's objective - own) ÷ what `criterion` says, but for what `clip_reward` cuts
    off, and where slowdowns count for those of jobs shorter than `BOUND_S` that end below 1.

    - Most of what an episode costs is decided by which jobs arrive. A step's reward is what the
      reference was charged in the same time, less what this policy is: a baseline that depends on
      the workload, but not on what is chosen (Mao et al., "Variance Reduction for Reinforcement
      Learning in Input-Driven Environments", ICLR 2019).
    - What a placement costs accrues while it runs, hundreds of decisions later. So both are charged
      at the start for all that is still to come of what runs, by estimates. With γ = 1 the best
      policy stays the same (Ng, Harada, Russell, "Policy invariance under reward
      transformations", ICML 1999).
    - `CRITIC_FEATURES` numbers behind the encoding say how the baseline fares. A critic that
      sees them tells luck from merit; the policy does not see them (Pinto et al., "Asymmetric
      Actor Critic for Image-Based Robot Learning", RSS 2018).
    """

    env: ClusterEnv

    def __init__(
        self, scenario: Scenario, config: Training, ways: BaselineTrajectories | None = None
    ) -> None:
        """`ways`: shared by environments of one process."""
        super().__init__(
            ClusterEnv(
                scenario,
                config.preference,
                jobs=config.jobs,
                rows=config.rows,
                reward="objective",
                split=Split.TRAIN,
            )
        )
        self.observation_space = spaces.Box(-TOP, TOP, (size(config.rows) + CRITIC_FEATURES,))
        self._config = config
        self._ways = ways or drawn_ways(scenario, config)
        self._reference = named(config.reference)
        self._factor = self._potential = 0.0
        self._scale = 1.0
        self._rng = np.random.default_rng()
        self._upcoming: tuple[int, float] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """`options`: as of `ClusterEnv`; what they leave out is drawn.

        A drawn workload that leaves nothing to decide (few jobs on a large cluster of one pool) is
        drawn again, at most `TRIES` times.
        """
        wished = {name: value for name, value in (options or {}).items() if value is not None}
        if seed is not None:
            self._rng = np.random.default_rng(seed)
            self._upcoming = None
        for _ in range(1 if "workload" in wished else TRIES):
            workload, w = self._drawn()
            workload, w = wished.get("workload", workload), wished.get("preference", w)
            try:
                encoding, info = self.env.reset(
                    seed=seed, options={"workload": workload, "preference": w}
                )
                break
            except NothingToDecideError as error:
                idle = error
        else:
            raise idle
        self._episode = workload, w
        self._way = self.way(self._reference)
        self._scale = self._ways.scale(self._reference, self._way)
        self._factor = self._config.gain / self._scale
        observation = self._seen(encoding)
        # What both were charged before the first decision is part of its reward.
        self._potential = 0.0
        return observation, info

    def step(self, action: np.int64) -> tuple[Floats32, float, bool, bool, dict[str, Any]]:
        """As of `ClusterEnv`."""
        before, factor = self._potential, self._factor
        encoding, reward, terminated, truncated, info = self.env.step(action)
        observation = self._seen(encoding, terminated)
        shaped = factor * float(reward) + self._potential - before
        limit = self._config.clip_reward
        relative = min(max(shaped, -limit), limit)
        return observation, relative, terminated, truncated, info

    def way(self, policy: Policy) -> BaselineTrajectory:
        """How another policy fares on the current episode, from its beginning to its end."""
        return self._ways.of(policy, *self._episode)

    def action_masks(self) -> Bools:
        """(rows,) For MaskablePPO."""
        return self.env.action_masks()

    def _drawn(self) -> tuple[int, float]:
        """An episode, drawn the last time already, so that its reference could be played since."""
        episode = self._upcoming or self._lot()
        self._upcoming = self._lot()
        self._ways.expect(self._reference, *self._upcoming)
        return episode

    def _lot(self) -> tuple[int, float]:
        workload, w = int(self._rng.integers(self._config.workloads)), self._config.preference
        return workload, drawn_preference(self._rng) if w is None else w

    def _seen(self, encoding: Floats32, over: bool = False) -> Floats32:
        """The observation, and the potential set.

        Φ: what the reference was charged until now, less what is to come of what runs here.
        """
        env, factor, way = self.env, self._factor, self._way
        if over:
            self._potential = factor * way.total
            return np.append(encoding, np.zeros(CRITIC_FEATURES, dtype=np.float32))
        simulation = env.simulation
        rival = way.at(simulation.now)
        ahead = to_come(simulation, env.scales, env.preference)
        self._potential = factor * (rival.charged - ahead)
        apart = signed(
            (
                rival.waiting,
                simulation.waiting - rival.waiting,
                simulation.finished - rival.ended,
                100 * (ahead - rival.to_come) / self._scale,
                100 * (way.total - rival.charged) / self._scale,
                *way.soon(simulation.now),
            )
        )
        privileged = np.array((simulation.finished / way.jobs, *apart))
        return np.concatenate((encoding, np.clip(privileged, -TOP, TOP)), dtype=np.float32)


def signed(x: ArrayLike) -> Floats:
    """Logarithmic on both sides of 0."""
    logs: Floats = np.sign(x) * np.log1p(np.abs(x))
    return logs


def vectorised(
    scenario: Scenario,
    config: Training,
    seed: int,
    count: int | None = None,
    elsewhere: Elsewhere | None = None,
) -> VecEnv:
    """`count` of them, `config.envs` by default, seeded from `seed` on.

    `elsewhere`: what plays the reference meanwhile, unless each has a process of its own.
    """
    ways = drawn_ways(scenario, config, None if config.processes else elsewhere)
    make = partial(_monitored, scenario, config, ways)
    makers = [make] * (count or config.envs)
    vector: VecEnv = (
        SubprocVecEnv(makers, start_method="forkserver")  # type: ignore[arg-type]
        if config.processes
        else DummyVecEnv(makers)  # type: ignore[arg-type]
    )
    vector.seed(seed)
    return vector


def drawn_ways(
    scenario: Scenario, config: Training, elsewhere: Elsewhere | None = None
) -> BaselineTrajectories:
    """None played yet, through the episodes of a training."""
    return BaselineTrajectories(of_scenario(scenario, config.jobs, Split.TRAIN), config, elsewhere)


def _monitored(
    scenario: Scenario, config: Training, ways: BaselineTrajectories
) -> Monitor[Floats32, np.int64]:
    return Monitor(BaselineRewardEnv(scenario, config, ways))


def _scales(drawn: Scenario) -> Scales:
    if drawn.objective is None:
        raise InputError(
            f"scenario {drawn.name!r} has no objective", {"scenario": "one with [objective]"}
        )
    return scales_of(drawn.objective)
