"""Algorithms by name: what learns, on which environments.

Adding one: its policy has a `scorer`, it is made and loaded here, and it calls back as
Stable-Baselines3's do: `on_rollout_start` before each rollout, False from `on_step` ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sb3_contrib import MaskablePPO
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from agents.process_pool import ProcessPool
from agents.training.baseline import Elsewhere
from agents.training.compiled import reward_env
from agents.training.config import Algorithm, Training
from agents.training.env import vectorised
from agents.training.model.network import RowPolicy
from agents.training.random_search import RowSearch, SearchPolicy
from agents.training.worker import TrainingContext

Model = MaskablePPO | RowSearch


@dataclass(frozen=True, slots=True)
class AlgorithmSpec:
    """How an algorithm begins, and goes on."""

    environments: Callable[[ProcessPool[TrainingContext], int], VecEnv]
    """Crew, seed → what it plays on."""
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
        tensorboard_log=_curves(config, run),
        seed=config.seed,
        device="cpu",
    )


def _ppo_again(file: Path, env: VecEnv, seed: int) -> MaskablePPO:
    # Under the saved seed the episodes and the noise of the beginning would come once more.
    return MaskablePPO.load(file, env=env, device="cpu", seed=seed)


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
        tensorboard_log=_curves(config, run),
        seed=config.seed,
        device="cpu",
    )


def _ars_again(file: Path, env: VecEnv, seed: int) -> RowSearch:
    model = RowSearch.load(file, env=env, device="cpu", seed=seed)
    model.adopt()
    return model


def _many(crew: ProcessPool[TrainingContext], seed: int) -> VecEnv:
    """`config.envs` of them; compiled where the scenario suits and no processes are wanted."""
    scenario, config = crew.bench.scenario, crew.bench.config
    if config.processes or not reward_env.fits(scenario, config):
        return vectorised(scenario, config, seed, elsewhere=_elsewhere(crew))
    worlds = reward_env.RelativeWorlds(scenario, config)
    worlds.seed(seed)
    return worlds


def _alone(crew: ProcessPool[TrainingContext], seed: int) -> VecEnv:
    """One environment: candidates play one after the other, each with weights of its own."""
    ground = crew.bench
    return vectorised(ground.scenario, ground.config, seed, 1, _elsewhere(crew))


def _elsewhere(crew: ProcessPool[TrainingContext]) -> Elsewhere:
    return lambda workload, w: crew.begin(TrainingContext.way, (workload, w))


def _falling(rate: float, config: Training) -> LinearSchedule:
    return LinearSchedule(rate, config.final_rate * rate, 1.0)


def _curves(config: Training, run: Path) -> str | None:
    return str(run / "tensorboard") if config.tensorboard else None


MAKERS: dict[Algorithm, AlgorithmSpec] = {
    "ppo": AlgorithmSpec(_many, _ppo, _ppo_again),
    "ars": AlgorithmSpec(_alone, _ars, _ars_again),
}
