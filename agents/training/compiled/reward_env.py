"""`BaselineRewardEnv` many times at once, on the compiled simulation of rigid jobs.

The same observations, rewards and episodes, tested side by side; only faster. Trainings take it
by themselves where every episode suits it (`envs.compiled.suits`).
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

from agents.training.baseline import ROOM, BaselineTrajectory
from agents.training.config import Training
from agents.training.env import CRITIC_FEATURES, TRIES, drawn_ways, signed
from envs.compiled import Facts, Worlds, facts, suits
from envs.gym.cluster_env import NothingToDecideError
from envs.gym.episodes import drawn_preference, of_scenario
from envs.gym.rewards import weighed
from envs.scenarios import Scenario, Split
from scheduler.decisions.features.columns import TOP, Floats32
from scheduler.decisions.features.encoder import size
from scheduler.decisions.state.queue import Bools, Floats, Ints
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


class RelativeWorlds(VecEnv):
    """`config.envs` of them; rewards and observations as in `BaselineRewardEnv`."""

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
        self._reference = named(config.reference)
        self._ways = drawn_ways(scenario, config)
        self._facts: OrderedDict[tuple[int, float], Facts] = OrderedDict()
        self._way: list[BaselineTrajectory | None] = [None] * config.envs
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
        """Of the workloads and preferences that each world draws."""
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
        """Worlds whose episode is over begin another one."""
        worlds, gain = self._worlds, self._factor
        worlds.step(self._actions, self._all)
        over: Bools = worlds.state.rows == 0
        charged, before = self._objective(), self._potential
        observations = self._observations()
        for b in np.flatnonzero(over):
            way = self._way[b]
            assert way is not None
            self._potential[b] = gain[b] * way.total
        rewards = self._potential - before - gain * (charged - self._charged)
        limit = self._config.clip_reward
        np.clip(rewards, -limit, limit, out=rewards)
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
        """(B, K) Shown rows; WAIT is legal in none of these worlds."""
        rows = self._worlds.state.rows[:, np.newaxis]
        at = np.arange(self._config.rows)
        masks: Bools = (at > 0) & (at < rows)
        return masks

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """`action_masks` alone."""
        if method_name != "action_masks":
            raise AttributeError(method_name)
        masks = self.action_masks()
        return [masks[b] for b in self._get_indices(indices)]

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Of these worlds, which share all attributes."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def has_attr(self, attr_name: str) -> bool:
        """Whether they have it."""
        return hasattr(self, attr_name)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Nothing can be set."""
        raise AttributeError(attr_name)

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """Episodes are watched as by Stable-Baselines3's `Monitor`."""
        watched = issubclass(Monitor, wrapper_class)
        return [watched for _ in self._get_indices(indices)]

    def close(self) -> None:
        """Nothing to close."""

    def _begin(self, b: int) -> None:
        """The world's next episode that leaves something to decide."""
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
        way = self._ways.of(self._reference, workload, w)
        self._way[b] = way
        self._factor[b] = config.gain / self._ways.scale(self._reference, way)
        self._charged[b] = self._potential[b] = self._returns[b] = 0.0
        self._lengths[b] = 0

    def _of(self, workload: int, w: float) -> Facts:
        """Remembered while w is fixed, as `Ways` are."""
        key = workload, w
        known = self._facts.pop(key, None) or facts(self._draw(workload), w)
        self._facts[key] = known
        if len(self._facts) > ROOM:
            self._facts.popitem(last=False)
        return known

    def _objective(self) -> Floats:
        """(B,) Of what has accrued."""
        state, w = self._worlds.state, self._worlds.w
        return self._weighed(state.accrued, state.spent, w)

    def _weighed(self, latency: Floats, device_s: Floats, w: Floats) -> Floats:
        dollars = device_s * self._worlds.dollars_per_device_s / self._scales.dollars
        return weighed(latency, dollars, w)

    def _observations(self) -> Floats32:
        """What is seen, and the potentials set; Φ as in `Relative`."""
        worlds, state = self._worlds, self._worlds.state
        ahead = self._weighed(worlds.ahead[:, 0], worlds.ahead[:, 1], worlds.w)
        rivals = np.array([self._rival(b) for b in range(self.num_envs)])
        charged, to_come, left, waiting, ended, jobs, *soon = rivals.T
        self._potential = self._factor * (charged - ahead)
        privileged = np.stack(
            (
                state.ended / jobs,
                np.log1p(waiting),
                # As the round began: the simulation is told of its placements at its end.
                signed(state.crowd[:, 4] - waiting),
                signed(state.ended - ended),
                signed(100 * (ahead - to_come) * self._factor / self._config.gain),
                signed(100 * left * self._factor / self._config.gain),
                *signed(soon),
            ),
            axis=1,
        )
        np.clip(privileged, -TOP, TOP, out=privileged)
        seen: Floats32 = np.concatenate((worlds.seen, privileged), axis=1, dtype=np.float32)
        return seen

    def _rival(self, b: int) -> Sequence[float]:
        way = self._way[b]
        assert way is not None
        now = float(self._worlds.state.now[b])
        there = way.at(now)
        left = way.total - there.charged
        return (
            *(there.charged, there.to_come, left, there.waiting, there.ended, way.jobs),
            *way.soon(now),
        )
