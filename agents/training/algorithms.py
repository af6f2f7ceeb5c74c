"""Algorithms by name: what learns, on which environments.

A new algorithm is added here. Its policy has a `scorer`, and it calls back as Stable-Baselines3's
do: `on_rollout_start` before each rollout, and False from `on_step` ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sb3_contrib import MaskablePPO
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from agents.process_pool import ProcessPool
from agents.training.config import Algorithm, Training
from agents.training.environments.baseline import Prefetch
from agents.training.environments.env import vectorised
from agents.training.model.network import RowPolicy
from agents.training.random_search import RowSearch, SearchPolicy
from agents.training.worker import TrainingContext

Model = MaskablePPO | RowSearch


@dataclass(frozen=True, slots=True)
class AlgorithmSpec:
    """How an algorithm begins, and how it resumes."""

    environments: Callable[[ProcessPool[TrainingContext], int], VecEnv]
    """Process pool, seed → the environments it plays in."""
    begin: Callable[[Training, VecEnv, Path], Model]
    """Configuration, environments, folder of the run → untrained."""
    load: Callable[[Path, VecEnv, int], Model]
    """File, environments, seed → as it was saved."""


def _ppo(config: Training, env: VecEnv, run: Path) -> MaskablePPO:
    return MaskablePPO(
        RowPolicy,
        env,
        learning_rate=_falling(config.learning_rate, config),
        n_steps=config.n_steps,
        batch_size=config.batch_size,
        n_epochs=config.n_epochs,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip_range,
        target_kl=config.target_kl,
        ent_coef=config.ent_coef,
        policy_kwargs={"hidden": config.hidden},
        tensorboard_log=_tensorboard(config, run),
        seed=config.seed,
        device="cpu",
    )


def _load_ppo(file: Path, env: VecEnv, seed: int) -> MaskablePPO:
    # Under the saved seed the episodes and the noise of the beginning would come once more.
    # Files of earlier releases name the policy's class by a module that has moved.
    return MaskablePPO.load(
        file, env=env, device="cpu", seed=seed, custom_objects={"policy_class": RowPolicy}
    )


def _ars(config: Training, env: VecEnv, run: Path) -> RowSearch:
    return RowSearch(
        SearchPolicy,
        env,
        n_delta=config.n_delta,
        n_top=config.n_top,
        learning_rate=_falling(config.step_size, config),
        delta_std=config.delta_std,
        zero_policy=False,
        n_eval_episodes=config.n_eval_episodes,
        policy_kwargs={"hidden": config.hidden},
        tensorboard_log=_tensorboard(config, run),
        seed=config.seed,
        device="cpu",
    )


def _load_ars(file: Path, env: VecEnv, seed: int) -> RowSearch:
    model = RowSearch.load(
        file, env=env, device="cpu", seed=seed, custom_objects={"policy_class": SearchPolicy}
    )
    model.start_from_policy()
    return model


def _many(pool: ProcessPool[TrainingContext], seed: int) -> VecEnv:
    """`config.envs` environments."""
    context = pool.context
    return vectorised(context.scenario, context.config, seed, prefetch=_prefetch(pool))


def _one(pool: ProcessPool[TrainingContext], seed: int) -> VecEnv:
    """One environment: candidates, each with other weights, play one after the other."""
    context = pool.context
    return vectorised(context.scenario, context.config, seed, 1, _prefetch(pool))


def _prefetch(pool: ProcessPool[TrainingContext]) -> Prefetch:
    return lambda workload, w: pool.begin(TrainingContext.trajectory, (workload, w))


def _falling(rate: float, config: Training) -> LinearSchedule:
    return LinearSchedule(rate, config.final_rate * rate, 1.0)


def _tensorboard(config: Training, run: Path) -> str | None:
    return str(run / "tensorboard") if config.tensorboard else None


ALGORITHMS: dict[Algorithm, AlgorithmSpec] = {
    "ppo": AlgorithmSpec(_many, _ppo, _load_ppo),
    "ars": AlgorithmSpec(_one, _ars, _load_ars),
}
