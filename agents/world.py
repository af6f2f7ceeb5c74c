"""Environments as training sees them: rewards relative to what a reference policy reaches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from agents.config import Training
from envs.cluster_env import ClusterEnv
from envs.episodes import drawn_preference, scales_of
from envs.meter import MIDDLING
from envs.records import BOUND_S, Outcome
from envs.rewards import Scales
from envs.scenarios import Scenario, Split
from envs.simulation import Simulation
from envs.site import Site
from scheduler.decisions.policy import Policy
from scheduler.decisions.queue import Bools
from scheduler.decisions.standing import Floats32
from scheduler.domain.errors import InvalidError
from scheduler.policies.lookup import named

MIDDLE = 0.5
"""The reference is simulated at this preference; its latency and dollars scale the rewards of all,
as running it anew at each w would cost as much as the episode."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Of a whole workload, each ÷ the objective's scale."""

    latency: float
    """Σ completion times weighed by priority, or Σ bounded slowdowns."""
    cost: float
    """Σ dollars, idle nodes included."""
    jobs: int

    def at(self, w: float) -> float:
        """The objective's total; ÷ jobs it is the measure `objective`."""
        return w * self.latency + (1 - w) * self.cost


def simulated(
    scenario: Scenario,
    policy: Policy,
    seed: int,
    w: float,
    jobs: int | None = None,
    split: Split | str = Split.TRAIN,
) -> Totals:
    """One policy on one workload, in the simulation that `fulcrum compare` runs."""
    drawn = replace(scenario.draw(seed, split), preference=w)
    workload = scenario.workload(seed, jobs, split)
    simulation = Simulation(workload, Site.of(drawn), drawn.estimates.make(seed), seed=seed)
    return totals(simulation.run(policy), drawn)


def totals(outcome: Outcome, drawn: Scenario) -> Totals:
    """Of what has happened in a scenario without anything left to draw."""
    scales = _scales(drawn)
    return Totals(scales.latency(outcome), scales.cost(outcome), len(outcome.job))


class Relative(gymnasium.Wrapper[Floats32, np.int64, Floats32, np.int64]):
    """`ClusterEnv` on a fixed number of training workloads, each again at other preferences.

    The rewards of an episode sum up to -`gain` if it ends as the reference does, but for what
    `clip_reward` cuts off.

    What a placement costs accrues while it runs, hundreds of decisions later. So the rewards are
    shaped by a potential: minus what is still to come of all that runs, by estimates. A placement
    is then paid for when it is chosen, and only what was not foreseen follows. With γΦ(s') - Φ(s)
    the best policy stays the same (Ng, Harada, Russell, "Policy invariance under reward
    transformations", ICML 1999).
    """

    env: ClusterEnv

    def __init__(self, scenario: Scenario, config: Training) -> None:
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
        self._scenario = scenario
        self._config = config
        self._known: dict[int, Totals] = {}
        self._factor = 0.0
        self._potential = 0.0
        self._rng = np.random.default_rng()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """`options`: as of `ClusterEnv`; what they leave out is drawn."""
        wished = dict(options or {})
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        workload = wished.get("workload")
        if workload is None:
            workload = int(self._rng.integers(self._config.workloads))
        w = wished.get("preference", self._config.preference)
        if w is None:
            w = drawn_preference(self._rng)
        self._factor = self._config.gain / max(self.reference(workload).at(w), 1e-9)
        begun = self.env.reset(seed=seed, options={"workload": workload, "preference": w})
        self._potential = self._to_come()
        return begun

    def step(self, action: np.int64) -> tuple[Floats32, float, bool, bool, dict[str, Any]]:
        """As of `ClusterEnv`."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        before, self._potential = self._potential, self._to_come()
        shaped = float(reward) + self._config.discount * self._potential - before
        relative = max(shaped * self._factor, -self._config.clip_reward)
        return observation, relative, terminated, truncated, info

    def action_masks(self) -> Bools:
        """(rows,) For MaskablePPO."""
        return self.env.action_masks()

    def _to_come(self) -> float:
        """Φ: minus the objective that running attempts will add, by estimates."""
        simulation, scales, w = self.env.simulation, self.env.scales, self.env.preference
        now, seconds, dollars = simulation.now, 0.0, 0.0
        for attempt in simulation.cluster.running():
            left = max(0.0, attempt.end - now)
            job = simulation.job(attempt.job)
            pool = simulation.site.pools[attempt.pool]
            dollars += left * attempt.width * pool.dollars_per_device_hour / 3600
            seconds += left * (
                1.0 / max(min(run.runtime_s for run in job.runs), BOUND_S) / scales.slowdown
                if scales.bounded
                else job.priority / MIDDLING / scales.latency_s
            )
        return -(w * seconds + (1 - w) * dollars / scales.dollars)

    def reference(self, workload: int) -> Totals:
        """What the reference reaches on a workload."""
        if workload not in self._known:
            policy, jobs = named(self._config.reference), self._config.jobs
            w = self._config.preference if self._config.preference is not None else MIDDLE
            self._known[workload] = simulated(self._scenario, policy, workload, w, jobs)
        return self._known[workload]


def vectorised(scenario: Scenario, config: Training, seed: int, count: int | None = None) -> VecEnv:
    """`count` of them, `config.envs` by default, seeded from `seed` on."""
    make = partial(_monitored, scenario, config)
    makers = [make] * (count or config.envs)
    vector: VecEnv = (
        SubprocVecEnv(makers, start_method="forkserver")  # type: ignore[arg-type]
        if config.processes
        else DummyVecEnv(makers)  # type: ignore[arg-type]
    )
    vector.seed(seed)
    return vector


def _monitored(scenario: Scenario, config: Training) -> Monitor[Floats32, np.int64]:
    return Monitor(Relative(scenario, config))


def _scales(drawn: Scenario) -> Scales:
    if drawn.objective is None:
        raise InvalidError(
            f"scenario {drawn.name!r} has no objective", {"scenario": "one with [objective]"}
        )
    return scales_of(drawn.objective)
