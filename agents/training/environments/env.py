"""The environment of a training: rewards are relative to what a baseline policy reaches."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from agents.training.config import Training
from agents.training.environments.baseline import (
    BaselineTrajectories,
    BaselineTrajectory,
    Prefetch,
    simulation_of,
    worth,
)
from agents.training.environments.reward import (
    CRITIC_FEATURES,
    EpisodeState,
    critic_features,
    potential,
    relative_reward,
)
from envs.clock import CompiledSimulation
from envs.gym.actions import action_of
from envs.gym.episodes import NothingToDecideError, drawn_preference, of_scenario
from envs.scenarios import Scenario, Split
from scheduler.arrays import Bools, Floats32
from scheduler.decisions.features.encoder import WaitingRule, encoding_of, size
from scheduler.decisions.kernel import decision_points
from scheduler.decisions.kernel.columns import MAY_WAIT, SHOWN, TABLE_ROWS
from scheduler.decisions.kernel.queue.features import TOP
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.state.entries import WAIT
from scheduler.domain.errors import InputError
from scheduler.policies.lookup import named

TRIES = 100
"""Workloads in a row that may leave nothing to decide before a scenario counts as unfit."""


class BaselineRewardEnv(gymnasium.Env[Floats32, np.int64]):
    """A fixed number of training workloads, each again at other preferences, on the compiled clock.

    Decisions and observations are those of `envs.gym.cluster_env.ClusterEnv`. The baseline plays
    every episode first. Rewards are the difference to it. They sum up to
    `gain` · (baseline's objective - own) ÷ what `criterion` says, except for what `clip_reward`
    cuts off; slowdowns of jobs shorter than `BOUND_S` count here also where they end below 1.

    - Most of what an episode costs is decided by which jobs arrive. A step's reward is what the
      baseline was charged in the same time, less what this policy is: it depends on the workload,
      but not on what is chosen (Mao et al., "Variance Reduction for Reinforcement Learning in
      Input-Driven Environments", ICLR 2019).
    - What a placement costs accrues while it runs, hundreds of decisions later. So both are charged
      at the start for all that is still to come of what runs, by estimates. With γ = 1 the best
      policy stays the same (Ng, Harada, Russell, "Policy invariance under reward
      transformations", ICML 1999).
    - `CRITIC_FEATURES` numbers behind the encoding say how the baseline fares. A critic that
      sees them tells luck from merit; the policy does not see them (Pinto et al., "Asymmetric
      Actor Critic for Image-Based Robot Learning", RSS 2018).
    """

    simulation: CompiledSimulation
    """The episode's; it knows true runtimes."""

    def __init__(
        self, scenario: Scenario, config: Training, trajectories: BaselineTrajectories | None = None
    ) -> None:
        """`trajectories`: shared by environments of one process."""
        self.observation_space = spaces.Box(-TOP, TOP, (size(config.rows) + CRITIC_FEATURES,))
        self.action_space = spaces.Discrete(config.rows)
        self._config = config
        self._episodes = of_scenario(scenario, config.jobs, Split.TRAIN)
        self._trajectories = trajectories or BaselineTrajectories(scenario, config)
        self._baseline = named(config.baseline)
        self._waiting = WaitingRule(config.waiting)
        self._rng = np.random.default_rng()
        self._upcoming: tuple[int, float] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """Begin an episode. `options`: `workload` (its seed) and `preference`; else both are drawn.

        A drawn workload that leaves nothing to decide (few jobs on a large cluster of one pool) is
        drawn again, at most `TRIES` times; then `NothingToDecideError` is raised.
        """
        wished = {name: value for name, value in (options or {}).items() if value is not None}
        if seed is not None:
            self._rng = np.random.default_rng(seed)
            self._upcoming = None
        for _ in range(1 if "workload" in wished else TRIES):
            workload, w = self._drawn()
            self._episode = wished.get("workload", workload), wished.get("preference", w)
            if self._begin(*self._episode):
                break
        else:
            raise NothingToDecideError(
                "the workload leaves nothing to decide", {"scenario": "one with more jobs"}
            )
        self._trajectory = self.trajectory(self._baseline)
        self._factor = self._config.gain / self._trajectories.scale(
            self._baseline, self._trajectory
        )
        observation = self._seen(going=True)
        # What both were charged before the first decision is part of its reward.
        self._potential = self._charged = 0.0
        return observation, {}

    def step(self, action: np.int64) -> tuple[Floats32, float, bool, bool, dict[str, Any]]:
        """Choose a row; the reward is relative to the baseline's.

        Raises `InputError` for an action that is not legal now.
        """
        if not (0 <= action < len(self._legal) and self._legal[action]):
            legal = ", ".join(map(str, np.flatnonzero(self._legal)))
            raise InputError(f"action {action} is not legal now", {"action": f"one of {legal}"})
        charged, potential = self._charged, self._potential
        decision_points.act(self.simulation.world.handle, int(action))
        going = self._next_choice()
        self._charged = worth(self.simulation.reading(), self._scales, self._w)
        observation = self._seen(going)
        reward = relative_reward(
            -self._factor * (self._charged - charged),
            potential,
            self._potential,
            self._config.clip_reward,
        )
        return observation, reward, not going, False, {}

    def action_masks(self) -> Bools:
        """(rows,) Legal actions, as MaskablePPO asks for them."""
        return self._legal.copy()

    def action_of(self, policy: Policy) -> int:
        """The action that a policy would choose now among the rows that are shown and legal."""
        world = self.simulation.world
        table = Candidates(world, world.table_row[: world.count[TABLE_ROWS]].copy())
        return action_of(table, world.shown[: world.count[SHOWN]].copy(), policy, self._legal)

    def trajectory(self, policy: Policy) -> BaselineTrajectory:
        """How another policy fares on the current episode, from its beginning to its end."""
        return self._trajectories.of(policy, *self._episode)

    def _drawn(self) -> tuple[int, float]:
        """An episode. It was drawn one episode ago, so that the baseline could play it since."""
        episode = self._upcoming or self._draw()
        self._upcoming = self._draw()
        self._trajectories.expect(self._baseline, *self._upcoming)
        return episode

    def _draw(self) -> tuple[int, float]:
        workload, w = int(self._rng.integers(self._config.workloads)), self._config.preference
        return workload, drawn_preference(self._rng) if w is None else w

    def _begin(self, workload: int, w: float) -> bool:
        """Begin an episode; whether it leaves anything to decide."""
        episode = self._episodes(workload)
        self._w, self._scales, self._mode = w, episode.scales, episode.spec.mode
        self.simulation = simulation_of(episode, w)
        return self._next_choice()

    def _next_choice(self) -> bool:
        """Run to the next choice, and note what is legal; False at the end."""
        simulation, rows = self.simulation, self._config.rows
        going = simulation.episode.next_choice(self._mode, rows, self._w, self._waiting)
        world, self._legal = simulation.world, np.zeros(rows, dtype=np.bool_)
        if going:
            self._legal[: world.count[SHOWN]] = True
            self._legal[WAIT] = world.state[MAY_WAIT]
        return going

    def _seen(self, going: bool) -> Floats32:
        """The observation; sets the potential."""
        trajectory, simulation, rows = self._trajectory, self.simulation, self._config.rows
        if not going:
            self._potential = self._factor * trajectory.total
            return np.zeros(size(rows) + CRITIC_FEATURES, dtype=np.float32)
        ahead = worth(simulation.to_come(), self._scales, self._w)
        baseline = trajectory.at(simulation.now)
        self._potential = potential(self._factor, baseline, ahead)
        features = critic_features(
            EpisodeState(0.0, ahead, simulation.waiting, simulation.finished),
            baseline,
            trajectory.total,
            trajectory.lookahead(simulation.now),
            trajectory.jobs,
            self._config.gain / self._factor,
        )
        encoding = encoding_of(simulation.world, rows).values
        return np.concatenate((encoding, features), dtype=np.float32)


def vectorised(
    scenario: Scenario,
    config: Training,
    seed: int,
    count: int | None = None,
    prefetch: Prefetch | None = None,
) -> VecEnv:
    """`count` environments (None: `config.envs`), seeded from `seed` on.

    `prefetch` computes the baseline's trajectories meanwhile, unless each environment has a
    process.
    """
    prefetch = None if config.processes else prefetch
    trajectories = BaselineTrajectories(scenario, config, prefetch)
    make = partial(_monitored, scenario, config, trajectories)
    makers = [make] * (count or config.envs)
    vector: VecEnv = (
        SubprocVecEnv(makers, start_method="forkserver")  # type: ignore[arg-type]
        if config.processes
        else DummyVecEnv(makers)  # type: ignore[arg-type]
    )
    vector.seed(seed)
    return vector


def _monitored(
    scenario: Scenario, config: Training, trajectories: BaselineTrajectories
) -> Monitor[Floats32, np.int64]:
    return Monitor(BaselineRewardEnv(scenario, config, trajectories))
