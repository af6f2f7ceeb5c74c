"""Many `BaselineRewardEnv` at once, on the compiled simulation of rigid jobs.

Observations, rewards and episodes are the same, tested side by side. Trainings use it by themselves
where every episode suits it (`envs.compiled.suits`).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from agents.training.config import Training
from agents.training.environments.baseline import (
    CAPACITY,
    BaselineTrajectories,
    BaselineTrajectory,
)
from agents.training.environments.env import TRIES
from agents.training.environments.reward import (
    CRITIC_FEATURES,
    EpisodeState,
    critic_features,
    potential,
    relative_reward,
)
from envs.compiled import Facts, Worlds, facts, suits
from envs.gym.cluster_env import NothingToDecideError
from envs.gym.episodes import drawn_preference, of_scenario
from envs.gym.rewards import weighed
from envs.scenarios import Scenario, Split
from scheduler.arrays import Bools, Floats, Floats32, Ints
from scheduler.decisions.features.columns import TOP
from scheduler.decisions.features.encoder import size
from scheduler.policies.lookup import named


def fits(scenario: Scenario, config: Training) -> bool:
    """Whether every episode of a training on this scenario suits it."""
    source = scenario.source
    if scenario.randomisation is not None or not (source.lublin or source.trace):
        return False
    episode = of_scenario(scenario, config.jobs)(0)
    if source.trace is not None:
        # Any of its jobs may come up.
        episode = replace(episode, workload=scenario.whole_trace())
    return suits(episode)


class CompiledRewardEnvs(VecEnv):
    """`config.envs` environments with the rewards and observations of `BaselineRewardEnv`."""

    def __init__(self, scenario: Scenario, config: Training) -> None:
        """Raises `InputError` for a scenario that does not suit."""
        self.render_mode = None
        super().__init__(
            config.envs,
            spaces.Box(-TOP, TOP, (size(config.rows) + CRITIC_FEATURES,)),
            spaces.Discrete(config.rows),
        )
        self._config = config
        self._draw = of_scenario(scenario, config.jobs, Split.TRAIN)
        first = self._draw(0)
        self._scales = first.scales
        self._worlds = Worlds(first.spec, config.envs, config.jobs, config.rows)
        self._baseline = named(config.baseline)
        self._trajectories = BaselineTrajectories(scenario, config)
        self._facts: OrderedDict[tuple[int, float], Facts] = OrderedDict()
        self._trajectory: list[BaselineTrajectory | None] = [None] * config.envs
        self._scale: Floats = np.ones(config.envs)
        self._factor: Floats = np.zeros(config.envs)
        self._charged: Floats = np.zeros(config.envs)
        """Objective so far, before the factor."""
        self._potential: Floats = np.zeros(config.envs)
        self._returns: Floats = np.zeros(config.envs)
        self._lengths: Ints = np.zeros(config.envs, dtype=np.int64)
        self._rngs = [np.random.default_rng()] * config.envs
        self._all: Ints = np.arange(config.envs)
        self._actions: Ints = np.zeros(config.envs, dtype=np.int64)
        self._begun = time.time()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the workloads and preferences that each environment draws."""
        seeds = [None if seed is None else seed + index for index in range(self.num_envs)]
        self._rngs = [np.random.default_rng(one) for one in seeds]
        return seeds

    def reset(self) -> Floats32:
        """(B, size + CRITIC_FEATURES) First observations."""
        for b in range(self.num_envs):
            self._begin(b)
        observations = self._observations()
        # What both were charged before the first decision is part of its reward.
        self._potential[:] = 0.0
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """(B,) Legal actions."""
        self._actions = np.asarray(actions, dtype=np.int64)

    def step_wait(self) -> VecEnvStepReturn:
        """Step; environments whose episode is over begin another one."""
        worlds, factor = self._worlds, self._factor
        worlds.step(self._actions, self._all)
        over: Bools = worlds.state.rows == 0
        charged, before = self._objective(), self._potential
        observations = self._observations()
        for b in np.flatnonzero(over):
            trajectory = self._trajectory[b]
            assert trajectory is not None
            self._potential[b] = factor[b] * trajectory.total
        rewards = relative_reward(
            -factor * (charged - self._charged), before, self._potential, self._config.clip_reward
        )
        self._charged = charged
        self._returns += rewards
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for b in np.flatnonzero(over):
            infos[b] = {
                "terminal_observation": np.zeros(observations.shape[1], dtype=np.float32),
                "TimeLimit.truncated": False,
                "episode": {
                    "r": float(self._returns[b]),
                    "l": int(self._lengths[b]),
                    "t": time.time() - self._begun,
                },
            }
            self._begin(int(b))
        if over.any():
            observations = self._observations()
            self._potential[over] = 0.0
        return observations, rewards.astype(np.float32), over, infos

    def action_masks(self) -> Bools:
        """(B, K) Rows that are shown; WAIT is never legal here."""
        rows = self._worlds.state.rows[:, np.newaxis]
        at = np.arange(self._config.rows)
        masks: Bools = (at > 0) & (at < rows)
        return masks

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """Only `action_masks` exists."""
        if method_name != "action_masks":
            raise AttributeError(method_name)
        masks = self.action_masks()
        return [masks[b] for b in self._get_indices(indices)]

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The environments share all attributes."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def has_attr(self, attr_name: str) -> bool:
        """Whether the environments have it."""
        return hasattr(self, attr_name)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Nothing can be set."""
        raise AttributeError(attr_name)

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """Episodes are recorded as by Stable-Baselines3's `Monitor`."""
        watched = issubclass(Monitor, wrapper_class)
        return [watched for _ in self._get_indices(indices)]

    def close(self) -> None:
        """Nothing to close."""

    def _begin(self, b: int) -> None:
        """Begin the next episode that leaves something to decide."""
        config, rng = self._config, self._rngs[b]
        for _ in range(TRIES):
            workload = int(rng.integers(config.workloads))
            w = drawn_preference(rng) if config.preference is None else config.preference
            if self._worlds.begin(b, self._of(workload, w), w):
                break
        else:
            raise NothingToDecideError(
                "the workloads leave nothing to decide", {"scenario": "one with more jobs"}
            )
        trajectory = self._trajectories.of(self._baseline, workload, w)
        self._trajectory[b] = trajectory
        self._scale[b] = self._trajectories.scale(self._baseline, trajectory)
        self._factor[b] = config.gain / self._scale[b]
        self._charged[b] = self._potential[b] = self._returns[b] = 0.0
        self._lengths[b] = 0

    def _of(self, workload: int, w: float) -> Facts:
        """Facts are kept as trajectories are: where w is fixed, episodes come again."""
        key = workload, w
        known = self._facts.pop(key, None) or facts(self._draw(workload), w)
        self._facts[key] = known
        if len(self._facts) > CAPACITY:
            self._facts.popitem(last=False)
        return known

    def _objective(self) -> Floats:
        """(B,) The objective of what has accrued."""
        state, w = self._worlds.state, self._worlds.w
        return self._weighed(state.accrued, state.spent, w)

    def _weighed(self, latency: Floats, device_s: Floats, w: Floats) -> Floats:
        dollars = device_s * self._worlds.dollars_per_device_s / self._scales.dollars
        return weighed(latency, dollars, w)

    def _observations(self) -> Floats32:
        """(B, size + CRITIC_FEATURES) Observations; sets the potentials."""
        worlds, state = self._worlds, self._worlds.state
        ahead = self._weighed(worlds.ahead[:, 0], worlds.ahead[:, 1], worlds.w)
        trajectories = [one for one in self._trajectory if one is not None]
        moments = list(zip(trajectories, state.now.tolist(), strict=True))
        baseline = EpisodeState(*np.array([one.at(now) for one, now in moments]).T)
        self._potential = potential(self._factor, baseline, ahead)
        features = critic_features(
            # As the round began: the simulation is told of its placements at its end.
            EpisodeState(0.0, ahead, state.crowd[:, 4], state.ended),
            baseline,
            np.array([one.total for one in trajectories]),
            np.array([one.lookahead(now) for one, now in moments]),
            np.array([one.jobs for one in trajectories]),
            self._scale,
        )
        seen: Floats32 = np.concatenate((worlds.seen, features), axis=1, dtype=np.float32)
        return seen
